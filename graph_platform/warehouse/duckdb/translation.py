"""Trino's SQL on DuckDB: what is refused, and what may give another value; `rewrites.py` does the rewriting.

The tables at the top are the knowledge; the tests run each entry on DuckDB against the value that Trino gives. A
function of Trino's outside `TESTED` still runs, with a warning that names it: never is a different value passed on in
silence. What is no function of Trino's does not exist here either.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from sqlglot import exp
from sqlglot.errors import SqlglotError

from graph_platform.mapping.checks.problems import ProblemCode, problem
from graph_platform.mapping.checks.report import Problem
from graph_platform.mapping.sql.functions import UnknownFunction, unknown_functions
from graph_platform.mapping.sql.gate import CheckedQuery, Review, function_name, locate
from graph_platform.warehouse.duckdb.aliases import aliases_as_columns
from graph_platform.warehouse.duckdb.dropped import dropped
from graph_platform.warehouse.duckdb.rewrites import NotRewritten, duckdb_text, number_kind

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
        *("lag", "lastday", "lastvalue", "lead", "least", "length", "ln"),
        *("logicaland", "logicalor", "lower", "map", "map_concat", "map_values", "mapfromentries"),
        *("mapkeys", "max", "md5digest", "millisecond", "min", "minute", "month", "nan", "ntile", "nullif"),
        *("pad", "parsejson", "pi", "pow", "quarter", "radians", "rand", "rank", "reduce", "regexpcount"),
        *("regexpextract", "regexpextractall", "regexplike", "regexpreplace", "regexpsplit", "regrslope"),
        *("replace", "reverse", "round", "rownumber", "second", "sha2digest", "sin", "split"),
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
        "log": "the last digit may differ",
        "levenshtein": "DuckDB counts bytes, which are several for a letter outside ASCII",
        "sign": "of a DOUBLE or DECIMAL, Trino answers one, and DuckDB a TINYINT",
    }
)

# What these give has as many digits of the second as what they are given; on DuckDB it has six.
_TIMES_OF_OTHER_DIGITS = (
    *(exp.CurrentTimestamp, exp.DateAdd, exp.DateTrunc, exp.FromISO8601Timestamp, exp.StrToTime, exp.TimestampTrunc),
    *(exp.UnixToTime, exp.AtTimeZone),
)


_WRITTEN: Mapping[type[exp.Expr], str] = MappingProxyType(
    {
        exp.ArraySlice: "slice",
        exp.Bracket: "element_at",
        exp.Rand: "random",
        exp.StrPosition: "strpos",
        exp.UnixToTime: "from_unixtime",
    }
)
"""How Trino's SQL writes what sqlglot calls otherwise."""


@dataclass(frozen=True, kw_only=True)
class Translation(Review):
    """DuckDB's text of a query, or None with the errors; warnings come either way."""

    sql: str | None


def to_duckdb(query: CheckedQuery, entity: str = "query") -> Translation:
    """Translate a query that passed the gate.

    Args:
        entity: the definition that a problem names.
    """
    if query.tree is None:
        return Translation(sql=None, errors=query.problems)
    refused = tuple(_refused(query, entity))
    told = {found.position for found in refused}
    unknown = {each.name.lower(): each for each in unknown_functions(query)}
    missing = (_unknown(each, entity) for each in unknown.values())
    errors = (*refused, *(found for found in missing if found.position not in told))
    warnings = (*_doubtful(query, entity, unknown), *_aliases(query, entity))
    if errors:
        return Translation(sql=None, errors=errors, warnings=warnings)
    try:
        text = duckdb_text(query.tree)
        lost = tuple(_dropped(query, text, entity))
        return Translation(sql=None if lost else text, errors=lost, warnings=warnings)
    except RecursionError:
        code, message = ProblemCode.SQL_TOO_COMPLEX, "the SQL is nested too deeply to be translated"
    except SqlglotError as error:
        code = ProblemCode.SQL_NOT_TRANSLATED
        message = f"the SQL cannot be translated for DuckDB: {str(error).splitlines()[0]}"
    except NotRewritten as error:
        return Translation(sql=None, errors=(_not_rewritten(error.node, query, entity),), warnings=warnings)
    return Translation(sql=None, errors=(problem(code, entity, message, field="sql"),), warnings=warnings)


def _dropped(query: CheckedQuery, text: str, entity: str) -> Iterator[Problem]:
    assert query.tree is not None  # noqa: S101
    for node, word in {id(node): (node, word) for node, word in dropped(query.tree, query.sql, text)}.values():
        name = _WRITTEN.get(type(node)) or function_name(node)
        message = f"{name} cannot be used on DuckDB with these arguments: there is no place for {word}"
        position = locate(query.sql, name)
        yield problem(ProblemCode.SQL_NOT_TRANSLATED, entity, message, field="sql", position=position)


def _not_rewritten(node: exp.Expr, query: CheckedQuery, entity: str) -> Problem:
    name = _WRITTEN.get(type(node)) or function_name(node)
    return problem(
        ProblemCode.SQL_NOT_TRANSLATED,
        entity,
        f"{name} cannot be used on DuckDB with these arguments: one is missing, or of a kind that is not known here",
        field="sql",
        hint=f"give {name} all of its arguments, as Trino wants them",
        position=locate(query.sql, name),
    )


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
        if isinstance(node, exp.SHA2Digest) and node.args["length"].name != "256":
            name, reason = f"sha{node.args['length'].name}", "DuckDB has sha256 only"
        if (
            isinstance(node, exp.Fetch)
            and (options := node.args.get("limit_options"))
            and options.args.get("with_ties")
        ):
            name, reason = "fetch", "DuckDB has no WITH TIES; use rank() in a subquery"
        if isinstance(node, exp.Split) and node.args.get("limit") is not None:
            reason = "DuckDB has no limit of parts"
        if isinstance(node, exp.Replace) and node.expression.is_string and not node.expression.name:
            reason = "with nothing to replace, Trino writes the replacement around each letter, and DuckDB does not"
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


def _unknown(unknown: UnknownFunction, entity: str) -> Problem:
    message = f"the function {unknown.name} does not exist"
    hint = f"did you mean {' or '.join(unknown.candidates)}?" if unknown.candidates else None
    return problem(ProblemCode.FUNCTION_NOT_FOUND, entity, message, field="sql", hint=hint, position=unknown.position)


def _aliases(query: CheckedQuery, entity: str) -> Iterator[Problem]:
    assert query.tree is not None  # noqa: S101
    for name in dict.fromkeys(aliases_as_columns(query.tree)):
        message = f"{name} is the alias of an item: DuckDB takes it for a column here, and Trino refuses it"
        hint = "repeat the expression, unless a table has a column of that name"
        position = locate(query.sql, name)
        code = ProblemCode.SQL_TRANSLATION_DIFFERS
        yield problem(code, entity, message, field="sql", hint=hint, position=position)


def _doubtful(query: CheckedQuery, entity: str, unknown: Collection[str]) -> Iterator[Problem]:
    """What may give another value, each said once.

    Args:
        unknown: the functions that are refused anyway.
    """
    assert query.tree is not None  # noqa: S101
    seen: set[str] = set()
    for node in query.tree.walk():
        found = _doubt(node)
        if found is None or found[1] in seen or found[3] in unknown:
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
    if isinstance(node, exp.Cast) and (differs := _doubt_of_cast(node)):
        word = str(node.to.this.value).lower() if isinstance(node.to.this, exp.DType) else "cast"
        return ProblemCode.SQL_TRANSLATION_DIFFERS, *differs, word
    if isinstance(node, exp.TimeToStr) and "%f" in str(node.args["format"]):
        message = "date_format with %f: Trino writes milliseconds, and DuckDB all digits of the second"
        return ProblemCode.SQL_TRANSLATION_DIFFERS, message, None, "date_format"
    if isinstance(node, exp.AtTimeZone) and not _keeps_wall_clock(node.parent):
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


def _keeps_wall_clock(parent: exp.Expr | None) -> bool:
    return isinstance(parent, exp.Cast) and parent.is_type(exp.DType.TIMESTAMP, exp.DType.DATE, exp.DType.TIME)


def _doubt_of_cast(node: exp.Cast) -> tuple[str, str | None] | None:
    """Message and hint of a cast that gives another value for some, which the tables alone know."""
    if node.is_type(exp.DType.CHAR, exp.DType.NCHAR):
        return "CAST(… AS CHAR(n)): Trino fills it with spaces up to n, and DuckDB does not", "cast to VARCHAR(n)"
    if node.is_type(exp.DType.JSON) and not isinstance(node.this, (exp.Array, exp.ParseJSON)):
        message = (
            "CAST(… AS JSON): Trino orders the keys of a map, and makes a text a JSON text; DuckDB keeps the order, "
            "and reads the text as JSON"
        )
        return message, None
    if node.is_type(exp.DType.VARCHAR) and isinstance(node.this, _TIMES_OF_OTHER_DIGITS):
        message = f"CAST({node.this.sql(dialect='trino')} AS VARCHAR): DuckDB may write other digits of the second"
        return message, "write date_format(x, pattern) to be sure"
    return None


def _division_agrees(node: exp.Div) -> bool:
    kinds = {number_kind(node.this), number_kind(node.expression)}
    if "double" in kinds:
        return True
    divisor = node.expression
    nonzero = isinstance(divisor, exp.Literal) and not divisor.is_string and float(divisor.this) != 0
    return kinds == {"integer"} and nonzero
