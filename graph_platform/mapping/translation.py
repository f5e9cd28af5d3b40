"""Trino's SQL on DuckDB: what is rewritten, what is refused, and what may give another value.

The tables at the top are the knowledge; the tests run each entry on DuckDB against the value that Trino gives. A
function outside `TESTED` still runs, with a warning that names it: never is a different value passed on in silence.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from sqlglot import Dialect, exp
from sqlglot.errors import SqlglotError

from graph_platform.mapping.problems import ProblemCode, problem
from graph_platform.mapping.report import Problem
from graph_platform.mapping.sql import CheckedQuery, function_name, locate

# Keys of sqlglot's function nodes, and names of functions that it has no node for, that gave Trino's value on DuckDB.
TESTED: frozenset[str] = frozenset(
    {
        *("abs", "acos", "anyvalue", "argmax", "argmin", "array", "arrayagg", "arraycontains"),
        *("arraydistinct", "arrayexcept", "arrayfilter", "arrayintersect", "arrayposition", "arrayremove"),
        *("arrays_overlap", "arraysize", "arrayslice", "arraysort", "arraytostring", "asin", "atan"),
        *("atan2", "avg", "bitwiseandagg", "bitwiseoragg", "ceil", "chr", "coalesce", "concat", "concatws"),
        *("corr", "cos", "count", "countif", "covarpop", "currentdate", "currenttimestamp", "date"),
        *("dateadd", "datediff", "datetrunc", "day", "dayofweekiso", "dayofyear", "decode", "degrees"),
        *("denserank", "encode", "every", "exists", "exp", "extract", "firstvalue", "flatten", "floor"),
        *("frombase64", "fromiso8601date", "fromiso8601timestamp", "generateseries", "geometric_mean"),
        *("greatest", "groupconcat", "hex", "histogram", "hour", "if", "infinity", "is_finite"),
        *("is_infinite", "isnan", "json_array_length", "jsonextract", "jsonextractscalar", "jsonformat"),
        *("lag", "lastday", "lastvalue", "lead", "least", "length", "levenshtein", "ln", "log"),
        *("logicaland", "logicalor", "lower", "map", "map_concat", "map_values", "mapfromentries"),
        *("mapkeys", "max", "md5digest", "millisecond", "min", "minute", "month", "nan", "ntile", "nullif"),
        *("pad", "parsejson", "pi", "pow", "quarter", "radians", "rand", "rank", "reduce", "regexpcount"),
        *("regexpextract", "regexpextractall", "regexplike", "regexpreplace", "regexpsplit", "regrslope"),
        *("replace", "reverse", "round", "rownumber", "second", "sha2digest", "sign", "sin", "split"),
        *("splitpart", "sqrt", "startswith", "stddev", "stddevpop", "stddevsamp", "strposition"),
        *("strtotime", "struct", "substring", "sum", "tan", "timestamptrunc", "timetostr", "timetounix"),
        *("tobase64", "transform", "translate", "trim", "trunc", "unhex", "unixtotime", "upper", "uuid"),
        *("variance", "variancepop", "weekofyear", "year", "yearofweek", "yow"),
    }
)

# DuckDB has the name and means something else, or has nothing that could stand in.
REFUSED: Mapping[str, str] = MappingProxyType(
    {
        "repeat": "Trino repeats an element into an array, DuckDB repeats text",
        "format": "DuckDB's patterns are other ones; write the text with ||",
        "url_encode": "DuckDB encodes a space in another way",
        "typeof": "DuckDB's names of types are other ones",
        "to_base": "DuckDB writes capital letters",
        "json_value": "DuckDB reads another path language; use json_extract_scalar",
        "json_query": "DuckDB reads another path language; use json_extract",
        "jsonvalue": "DuckDB reads another path language; use json_extract_scalar",
        "jsonexists": "DuckDB reads another path language; use json_extract(…) IS NOT NULL",
        "jsonquery": "DuckDB reads another path language; use json_extract",
        "json_exists": "DuckDB reads another path language; use json_extract(…) IS NOT NULL",
        "parsedatetime": "DuckDB reads another pattern; use date_parse",
        "format_datetime": "DuckDB reads another pattern; use date_format",
        "tochar": "DuckDB reads another pattern; use date_format",
    }
)

# The same name with another result in some cases, which the SQL alone cannot rule out.
DIFFERENT: Mapping[str, str] = MappingProxyType(
    {
        "arraymax": "DuckDB ignores NULL elements where Trino answers NULL",
        "arraymin": "DuckDB ignores NULL elements where Trino answers NULL",
        "approxdistinct": "both estimate, each in its own way",
        "approxquantile": "both estimate, each in its own way",
        "cbrt": "the last digit may differ",
    }
)

_DUCKDB = Dialect.get_or_raise("duckdb")
_DOUBLES = ("DOUBLE", "FLOAT")
PRELUDE = f"""
CREATE OR REPLACE TEMP MACRO trino_text_of_parts(sign, digits, exponent) AS
    sign || left(digits, 1) || '.' || coalesce(nullif(substr(digits, 2), ''), '0') || 'E' || CAST(exponent AS VARCHAR);
CREATE OR REPLACE TEMP MACRO trino_text_of_double(sign, plain, exponent) AS trino_text_of_parts(
    sign,
    trim(replace(plain, '.', ''), '0'),
    exponent + CASE WHEN starts_with(plain, '0')
        THEN length(ltrim(split_part(plain, '.', 2), '0')) - length(split_part(plain, '.', 2)) - 1
        ELSE length(split_part(plain, '.', 1)) - 1 END
);
CREATE OR REPLACE TEMP MACRO trino_text(given, kind) AS CASE
    WHEN kind NOT IN {_DOUBLES} THEN given
    WHEN given IS NULL THEN NULL
    WHEN kind = 'FLOAT' THEN error('the text of a REAL is another one on Trino: cast it to a DECIMAL(p, s) first')
    WHEN ltrim(given, '-') IN ('nan', 'inf') THEN replace(replace(given, 'nan', 'NaN'), 'inf', 'Infinity')
    WHEN ltrim(given, '-') = '0.0' THEN replace(given, '0.0', '0E0')
    ELSE trino_text_of_double(
        CASE WHEN starts_with(given, '-') THEN '-' ELSE '' END,
        split_part(ltrim(given, '-'), 'e', 1),
        coalesce(try_cast(split_part(given, 'e', 2) AS INTEGER), 0)
    ) END;
CREATE OR REPLACE TEMP MACRO trino_index(given) AS try_cast(CAST(given AS VARCHAR) AS BIGINT);
CREATE OR REPLACE TEMP MACRO trino_element(given, place) AS CASE
    WHEN typeof(given) NOT LIKE '%]' AND typeof(given) NOT LIKE 'MAP(%'
        THEN error('only an array or a map has elements on DuckDB: this is ' || typeof(given))
    WHEN typeof(given) LIKE '%]' AND trino_index(place) < 1 THEN error('array indices start at 1: ' || place)
    WHEN given[place] IS NOT NULL THEN given[place]
    WHEN given IS NULL OR place IS NULL THEN NULL
    WHEN typeof(given) LIKE '%]' AND trino_index(place) > json_array_length(to_json(given))
        THEN error('the array has no element ' || place || ': use element_at, which gives NULL')
    WHEN typeof(given) LIKE 'MAP(%' AND NOT list_contains(json_keys(to_json(given)), CAST(place AS VARCHAR))
        THEN error('the map has no key ' || place || ': use element_at, which gives NULL')
    END;
CREATE OR REPLACE TEMP MACRO trino_element_at(given, place) AS CASE
    WHEN typeof(given) LIKE '%]' AND trino_index(place) = 0 THEN error('array indices start at 1: ' || place)
    ELSE given[place] END
"""
"""What a connection to DuckDB runs before it runs translations: `trino_text`, the text of a value as Trino writes it
(1.5E0), from DuckDB's (1.5) and the name of DuckDB's type. Both write the fewest digits that a DOUBLE needs, but for a
few that Java's older algorithm writes with one more; the digits of a REAL follow no such rule, so its text is refused.

`trino_element` is the subscript: what is absent is an error on Trino and NULL on DuckDB, which also counts from the end
and takes the letters of a text. Only what was not found is looked at twice.
"""


@dataclass(frozen=True)
class Translation:
    """DuckDB's text of a query, or None with the errors; warnings come either way."""

    sql: str | None
    errors: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()


def to_duckdb(query: CheckedQuery, entity: str = "query") -> Translation:
    """Translate a query that passed the gate.

    Args:
        entity: the definition that a problem names.
    """
    if query.tree is None:
        return Translation(None, query.problems)
    errors = tuple(_refused(query, entity))
    warnings = tuple(_doubtful(query, entity))
    if errors:
        return Translation(None, errors, warnings)
    try:
        return Translation(duckdb_text(query.tree), (), warnings)
    except RecursionError:
        message = "the SQL is nested too deeply to be translated"
        return Translation(None, (problem(ProblemCode.SQL_TOO_COMPLEX, entity, message, field="sql"),), warnings)
    except SqlglotError as error:
        message = f"the SQL cannot be translated for DuckDB: {str(error).splitlines()[0]}"
        return Translation(None, (problem(ProblemCode.SQL_NOT_TRANSLATED, entity, message, field="sql"),), warnings)


def duckdb_text(tree: exp.Expr) -> str:
    """DuckDB's SQL for a tree in Trino's dialect, with the rewrites that keep Trino's values."""
    root = tree.copy()
    # Innermost first: a rewrite copies its arguments, which are then already DuckDB's.
    for node in reversed(list(root.walk(bfs=False))):
        rewritten = _rewritten(node)
        if rewritten is node:
            continue
        if node is root:
            root = rewritten
        else:
            node.replace(rewritten)
    return root.sql(dialect="duckdb", comments=False)


def _names(node: exp.Expr) -> tuple[str, str]:
    name = function_name(node)
    return (name, name) if isinstance(node, exp.Anonymous) else (node.key, name)


def _refused(query: CheckedQuery, entity: str) -> Iterator[Problem]:
    assert query.tree is not None  # noqa: S101
    for node in query.tree.walk():
        key, name = _names(node)
        reason = REFUSED.get(key) or REFUSED.get(name)
        if isinstance(node, exp.JSONExtract) and node.args.get("json_query"):
            name, reason = "json_query", REFUSED["json_query"]
        if isinstance(node, exp.Split) and node.args.get("limit") is not None:
            reason = "DuckDB has no limit of parts"
        if isinstance(node, exp.RegexpReplace):
            replacement = node.args.get("replacement")
            if replacement is not None and not replacement.is_string:
                reason = "the replacement must be written out, since DuckDB marks groups in another way"
            if isinstance(node.parent, exp.Lambda) or isinstance(replacement, exp.Lambda):
                reason = "DuckDB takes no function as the replacement"
        if reason:
            yield problem(
                ProblemCode.SQL_NOT_TRANSLATED,
                entity,
                f"{name} cannot be used on DuckDB: {reason}",
                field="sql",
                position=locate(query.sql, name),
            )


def _doubtful(query: CheckedQuery, entity: str) -> Iterator[Problem]:
    assert query.tree is not None  # noqa: S101
    seen: set[str] = set()
    for node in query.tree.walk():
        found = _doubt(node)
        if found is None or found[1] in seen:
            continue
        code, message, hint, word = found
        seen.add(message)
        yield problem(code, entity, message, field="sql", hint=hint, position=locate(query.sql, word))


def _doubt(node: exp.Expr) -> tuple[ProblemCode, str, str | None, str] | None:  # noqa: PLR0911
    if isinstance(node, exp.Div) and not _division_agrees(node):
        message = (
            f"{node.sql(dialect='trino')}: with a DECIMAL, Trino answers a DECIMAL and DuckDB a DOUBLE; by zero, Trino "
            "fails and DuckDB answers NULL"
        )
        return ProblemCode.SQL_TRANSLATION_DIFFERS, message, "write CAST(x AS DOUBLE) / y to be sure", "/"
    if isinstance(node, exp.Cast) and _keeps_more_digits(node):
        message = f"{node.to.sql(dialect='trino')}: DuckDB keeps more digits of the second than Trino does"
        return (
            ProblemCode.SQL_TRANSLATION_DIFFERS,
            message,
            "cast to TIMESTAMP(6), with the zone or without",
            "timestamp",
        )
    if isinstance(node, exp.AtTimeZone) and not isinstance(node.parent, exp.Cast):
        message = "AT TIME ZONE gives a TIMESTAMP on DuckDB, a TIMESTAMP WITH TIME ZONE on Trino"
        hint = "write CAST(x AT TIME ZONE 'zone' AS TIMESTAMP(6))"
        return ProblemCode.SQL_TRANSLATION_DIFFERS, message, hint, "zone"
    if not isinstance(node, exp.Func) or isinstance(node, (exp.Cast, exp.Connector, exp.Case, exp.Unnest)):
        return None
    key, name = _names(node)
    if key in REFUSED or name in REFUSED:
        return None
    reason = DIFFERENT.get(key)
    if reason:
        message = f"{name} may give another value on DuckDB than on Trino: {reason}"
        return ProblemCode.SQL_TRANSLATION_DIFFERS, message, None, name
    if key not in TESTED:
        message = f"{name} was not tested to give the same on DuckDB as on Trino"
        return ProblemCode.SQL_TRANSLATION_UNTESTED, message, "compare a few values before you rely on it", name
    return None


def _keeps_more_digits(node: exp.Cast) -> bool:
    """Whether DuckDB has no type as coarse as Trino's: it has 0, 3 and 6 digits, with a time zone only 6.

    A literal is read with the digits that it has.
    """
    zoned = node.is_type(exp.DType.TIMESTAMPTZ)
    if node.this.is_string or not (zoned or node.is_type(exp.DType.TIMESTAMP)):
        return False
    digits = int(node.to.expressions[0].name) if node.to.expressions else 3
    return digits < 6 and (zoned or digits not in (0, 3))


def _division_agrees(node: exp.Div) -> bool:
    kinds = {_kind(node.this), _kind(node.expression)}
    if "double" in kinds:
        return True
    divisor = node.expression
    nonzero = isinstance(divisor, exp.Literal) and not divisor.is_string and float(divisor.this) != 0
    return kinds == {"integer"} and nonzero


def _kind(node: exp.Expr) -> str | None:  # noqa: PLR0911
    """The kind of number that an expression surely is, None where only the tables know."""
    if isinstance(node, exp.Paren):
        return _kind(node.this)
    if isinstance(node, exp.Neg):
        return _kind(node.this)
    if isinstance(node, exp.Cast):
        if node.is_type(exp.DType.DOUBLE, exp.DType.FLOAT):
            return "double"
        return "integer" if node.is_type(*exp.DataType.INTEGER_TYPES) else None
    if isinstance(node, exp.Literal) and not node.is_string:
        text = str(node.this).lower()
        return "double" if "e" in text else "decimal" if "." in text else "integer"
    if isinstance(node, (exp.Add, exp.Sub, exp.Mul, exp.Div)):
        kinds = {_kind(node.this), _kind(node.expression)}
        return "double" if "double" in kinds else "integer" if kinds == {"integer"} else None
    if isinstance(node, (exp.Count, exp.Length)):
        return "integer"
    return "double" if isinstance(node, (exp.Sqrt, exp.Ln, exp.Exp, exp.Pow, exp.Radians)) else None


# --- rewrites: DuckDB's name and Trino's value -------------------------------------------------------------------


def _call(name: str, *arguments: exp.Expr) -> exp.Anonymous:
    return exp.Anonymous(this=name, expressions=[argument.copy() for argument in arguments])


def _substring(node: exp.Substring) -> exp.Expr:
    """DuckDB counts a start of 0 or before the beginning as some place before the text; Trino answers ''."""
    text, start = node.this, node.args.get("start")
    if start is None or (isinstance(start, exp.Literal) and str(start.this).isdigit() and int(start.this) > 0):
        return node
    outside = exp.or_(
        exp.EQ(this=start.copy(), expression=exp.Literal.number(0)),
        exp.LT(this=start.copy(), expression=exp.Neg(this=exp.Length(this=text.copy()))),
    )
    return exp.Case(ifs=[exp.If(this=outside, true=exp.Literal.string(""))], default=node.copy())


def _split_part(node: exp.SplitPart) -> exp.Expr:
    """Past the last part Trino answers NULL, DuckDB ''; an element of the list past its end is NULL in DuckDB."""
    return exp.Anonymous(
        this="list_extract",
        expressions=[_call("str_split", node.this, node.args["delimiter"]), node.args["part_index"]],
    )


def _regexp_extract(node: exp.RegexpExtract) -> exp.Expr:
    """Without a match Trino answers NULL, DuckDB ''."""
    group = node.args.get("group")
    matches = _call("regexp_matches", node.this, node.expression)
    extract = _call("regexp_extract", node.this, node.expression, *([group] if group is not None else []))
    return exp.Case(ifs=[exp.If(this=matches, true=extract)])


def _regexp_replace(node: exp.RegexpReplace) -> exp.Expr:
    """A group is $1 in Trino and \\1 in DuckDB; all matches are replaced."""
    replacement = node.args.get("replacement")
    text = str(replacement.this) if replacement is not None else ""
    parts = re.split(r"(\\\$|\\\\|\$\d)", text)
    translated = "".join(
        {"\\$": "$", "\\\\": "\\\\"}.get(part) or ("\\" + part[1:] if re.fullmatch(r"\$\d", part) else part)
        for part in parts
    )
    return _call("regexp_replace", node.this, node.expression, exp.Literal.string(translated), exp.Literal.string("g"))


def _json_extract_scalar(node: exp.JSONExtractScalar) -> exp.Expr:
    """Trino answers NULL for an object or an array, DuckDB their text."""
    if node.args.get("_scalar"):
        return node
    kept = node.copy()
    kept.set("_scalar", True)
    path = exp.JSONExtract(this=node.this.copy(), expression=node.expression.copy())
    nested = exp.In(
        this=_call("json_type", path), expressions=[exp.Literal.string("ARRAY"), exp.Literal.string("OBJECT")]
    )
    return exp.Case(ifs=[exp.If(this=nested, true=exp.null())], default=exp.Paren(this=kept))


def _cast(node: exp.Cast) -> exp.Expr:
    """Trino cuts text to the length of VARCHAR(n), writes a DOUBLE as 1.5E0, and rounds a half away from zero.

    A bare TIMESTAMP has milliseconds on Trino, and microseconds on DuckDB.
    """
    if any(_is_bare_timestamp(kind) for kind in node.to.find_all(exp.DataType)):
        node = node.copy()
        for kind in filter(_is_bare_timestamp, list(node.to.find_all(exp.DataType))):
            kind.set("expressions", [exp.DataTypeParam(this=exp.Literal.number(3))])
        return node
    if node.is_type(*exp.DataType.INTEGER_TYPES):
        return _to_integer(node)
    if not node.is_type(exp.DType.VARCHAR) or node.to.args.get("nested"):
        return node
    length = node.to.find(exp.DataTypeParam)
    plain = node.copy()
    plain.set("to", exp.DataType.build("varchar"))
    text: exp.Expr = plain
    if _kind_where_known(node.this) in (None, "double"):
        text = _call("trino_text", plain, _call("typeof", node.this))
    if length is None:
        return text
    return exp.Substring(this=text, start=exp.Literal.number(1), length=length.this.copy())


def _kind_where_known(node: exp.Expr) -> str | None:
    return "text" if node.is_string else _kind(node)


def _as_double(node: exp.Expr) -> exp.TryCast:
    """For where it is one. A value of another kind only has to be read, so that both ways can be planned."""
    return exp.TryCast(this=node.copy(), to=exp.DataType.build("double"))


def _to_integer(node: exp.Cast) -> exp.Expr:
    """Half away from zero. Where only the tables know whether it is a DOUBLE, DuckDB knows when it plans."""
    kind = _kind_where_known(node.this)
    if kind not in (None, "double"):
        return node
    rounded = node.copy()
    rounded.set("this", exp.Round(this=node.this.copy() if kind else _as_double(node.this)))
    if kind:
        return rounded
    names = [exp.Literal.string(name) for name in _DOUBLES]
    is_double = exp.In(this=_call("typeof", node.this), expressions=names)
    return exp.Paren(this=exp.Case(ifs=[exp.If(this=is_double, true=rounded)], default=node.copy()))


def _is_bare_timestamp(kind: exp.DataType) -> bool:
    return kind.is_type(exp.DType.TIMESTAMP) and not kind.expressions


def _date_diff(node: exp.DateDiff) -> exp.Expr:
    """Trino counts whole units between the two, DuckDB's date_diff counts the boundaries that are crossed."""
    unit = exp.Literal.string(str(node.args["unit"].name).lower())
    return _call("date_sub", unit, node.expression, node.this)


def _array_position(node: exp.ArrayPosition) -> exp.Expr:
    """Where it is absent Trino answers 0, DuckDB NULL."""
    missing = exp.or_(
        exp.Is(this=node.this.copy(), expression=exp.null()), exp.Is(this=node.expression.copy(), expression=exp.null())
    )
    found = exp.Coalesce(this=_call("list_position", node.this, node.expression), expressions=[exp.Literal.number(0)])
    return exp.Case(ifs=[exp.If(this=missing, true=exp.null())], default=found)


def _array_slice(node: exp.ArraySlice) -> exp.Expr:
    """Trino's third argument is a length, DuckDB's the last index."""
    start, length = node.args["start"], node.args["end"]
    last = exp.Sub(
        this=exp.Add(this=start.copy(), expression=exp.Paren(this=length.copy())), expression=exp.Literal.number(1)
    )
    return _call("list_slice", node.this, start, last)


def _element(node: exp.Bracket) -> exp.Expr:
    """`x[k]` and `element_at(x, k)`, which the parser counts from 0 where `k` is a number."""
    (at,) = _DUCKDB.generator().bracket_offset_expressions(node)
    return _call("trino_element_at" if node.args.get("safe") else "trino_element", node.this, at)


def _extract(node: exp.Extract) -> exp.Expr:
    """Trino's days of the week are 1 (Monday) to 7, DuckDB's 0 (Sunday) to 6."""
    part = str(node.this.name).upper()
    name = _EXTRACTED.get(part)
    return exp.Extract(this=exp.var(name), expression=node.expression.copy()) if name else node


_REWRITES: Mapping[type[exp.Expr], Callable[..., exp.Expr]] = MappingProxyType(
    {
        exp.Substring: _substring,
        exp.SplitPart: _split_part,
        exp.RegexpExtract: _regexp_extract,
        exp.RegexpReplace: _regexp_replace,
        exp.JSONExtractScalar: _json_extract_scalar,
        exp.Cast: _cast,
        exp.TryCast: _cast,
        exp.DateDiff: _date_diff,
        exp.ArrayPosition: _array_position,
        exp.ArraySlice: _array_slice,
        exp.Bracket: _element,
        exp.Extract: _extract,
    }
)
_RENAMED: Mapping[str, str] = MappingProxyType(
    {
        "is_finite": "isfinite",
        "is_infinite": "isinf",
        "every": "bool_and",
        "arrays_overlap": "list_has_any",
        "yow": "isoyear",
    }
)
_EXTRACTED: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys(("DOW", "DAY_OF_WEEK", "DAYOFWEEK"), "ISODOW"),
        **dict.fromkeys(("DAY_OF_YEAR", "DAYOFYEAR"), "DOY"),
        **dict.fromkeys(("YOW", "YEAR_OF_WEEK", "YEAROFWEEK"), "ISOYEAR"),
    }
)
_CONSTANTS: Mapping[str, str] = MappingProxyType({"nan": "NaN", "infinity": "Infinity"})


def _rewritten(node: exp.Expr) -> exp.Expr:
    rewrite = _REWRITES.get(type(node))
    if rewrite is not None:
        return rewrite(node)
    if isinstance(node, exp.Anonymous):
        name = function_name(node)
        if name in _RENAMED:
            return exp.Anonymous(this=_RENAMED[name], expressions=node.expressions)
        if name in _CONSTANTS and not node.expressions:
            return exp.cast(exp.Literal.string(_CONSTANTS[name]), "double")
        if name == "millisecond":
            return exp.Paren(this=exp.Mod(this=node.copy(), expression=exp.Literal.number(1000)))
    return node
