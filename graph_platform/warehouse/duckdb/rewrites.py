"""Trino's expressions as DuckDB's: DuckDB's names with Trino's values, and the macros that this takes.

What cannot be rewritten, or may give another value, is told by `translation.py`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType

from sqlglot import Dialect, exp

from graph_platform.mapping.sql.gate import function_name
from graph_platform.warehouse.duckdb.signatures.prelude import SIGNATURE_MACROS

_DUCKDB = Dialect.get_or_raise("duckdb")
_DOUBLES = ("DOUBLE", "FLOAT")
_TIMES = ("TIMESTAMP", "TIMESTAMP_MS", "TIMESTAMP_NS", "TIMESTAMP WITH TIME ZONE", "TIME")
# What Java's Character.isWhitespace takes, which is not U+0085, U+00A0, U+2007 and U+202F.
_SPACES = (
    "".join(
        map(chr, (*range(0x9, 0xE), *range(0x1C, 0x21), 0x1680, *range(0x2000, 0x2007), *range(0x2008, 0x200B), 0x2028))
    )
    + "\u2029\u205f\u3000"
)
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
CREATE OR REPLACE TEMP MACRO trino_text_of_seconds(given, digits) AS
    split_part(given, '.', 1) || '.' || rpad(split_part(given, '.', 2), digits, '0');
CREATE OR REPLACE TEMP MACRO trino_text_of_time(given, kind) AS CASE
    WHEN given LIKE '%)' OR given LIKE '_____-%'
        THEN error('a time before year 1 or after 9999 has another text on Trino: ' || given)
    WHEN kind = 'TIMESTAMP WITH TIME ZONE' THEN trino_text_of_seconds(left(given, -3), 6) || ' UTC'
    ELSE trino_text_of_seconds(given, CASE kind WHEN 'TIMESTAMP_MS' THEN 3 WHEN 'TIMESTAMP_NS' THEN 9 ELSE 6 END) END;
CREATE OR REPLACE TEMP MACRO trino_text(given, kind) AS CASE
    WHEN kind IN {_TIMES} THEN trino_text_of_time(given, kind)
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
    ELSE given[place] END;
CREATE OR REPLACE TEMP MACRO trino_whole(given) AS
    regexp_replace(given, '(?s)^(.*[^0-9\\s+-].*)$', 'not a whole number: \\1');
CREATE OR REPLACE TEMP MACRO trino_trim(given) AS trim(given, '{_SPACES}');
CREATE OR REPLACE TEMP MACRO trino_ltrim(given) AS ltrim(given, '{_SPACES}');
CREATE OR REPLACE TEMP MACRO trino_rtrim(given) AS rtrim(given, '{_SPACES}');
CREATE OR REPLACE TEMP MACRO trino_upper(given) AS CASE
    WHEN contains(given, 'ß')
        THEN array_to_string(list_transform(str_split(given, 'ß'), lambda part: upper(part)), 'ß')
    ELSE upper(given) END;
CREATE OR REPLACE TEMP MACRO trino_reverse(given) AS CASE
    WHEN strlen(given) = length(given) THEN reverse(given)
    ELSE array_to_string(list_reverse(regexp_extract_all(given, '(?s).')), '') END{SIGNATURE_MACROS}
"""
"""What a connection to DuckDB runs before it runs translations: `trino_text`, the text of a value as Trino writes it
(1.5E0), from DuckDB's (1.5) and the name of DuckDB's type. Both write the fewest digits that a DOUBLE needs, but for a
few that Java's older algorithm writes with one more; the digits of a REAL follow no such rule, so its text is refused.

`trino_element` is the subscript: what is absent is an error on Trino and NULL on DuckDB, which also counts from the end
and takes the letters of a text. Only what was not found is looked at twice.
"""


class NotRewritten(Exception):
    """A node whose arguments are not those that its rewrite was made for: one is missing, or is of another kind."""

    def __init__(self, node: exp.Expr) -> None:
        super().__init__()
        self.node = node


def number_kind(node: exp.Expr) -> str | None:  # noqa: PLR0911
    """The kind of number that an expression surely is, None where only the tables know."""
    if isinstance(node, exp.Paren):
        return number_kind(node.this)
    if isinstance(node, exp.Neg):
        return number_kind(node.this)
    if isinstance(node, exp.Cast):
        if node.is_type(exp.DType.DOUBLE, exp.DType.FLOAT):
            return "double"
        return "integer" if node.is_type(*exp.DataType.INTEGER_TYPES) else None
    if isinstance(node, exp.Literal) and not node.is_string:
        text = str(node.this).lower()
        return "double" if "e" in text else "decimal" if "." in text else "integer"
    if isinstance(node, (exp.Add, exp.Sub, exp.Mul, exp.Div)):
        kinds = {number_kind(node.this), number_kind(node.expression)}
        return "double" if "double" in kinds else "integer" if kinds == {"integer"} else None
    if isinstance(node, (exp.Count, exp.Length)):
        return "integer"
    return "double" if isinstance(node, (exp.Sqrt, exp.Ln, exp.Exp, exp.Pow, exp.Radians)) else None


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
    if not _is_time_literal(node.this) and _kind_where_known(node.this) in (None, "double"):
        text = _call("trino_text", plain, _call("typeof", node.this))
    if length is None:
        return text
    return exp.Substring(this=text, start=exp.Literal.number(1), length=length.this.copy())


def _is_time_literal(node: exp.Expr) -> bool:
    """Whether the digits of the second are those that are written; DuckDB has one kind of TIME for all."""
    return isinstance(node, exp.Cast) and node.this.is_string and node.is_type(exp.DType.TIME)


def _kind_where_known(node: exp.Expr) -> str | None:
    return "text" if node.is_string else number_kind(node)


def _as_double(node: exp.Expr) -> exp.TryCast:
    """For where it is one. A value of another kind only has to be read, so that both ways can be planned."""
    return exp.TryCast(this=node.copy(), to=exp.DataType.build("double"))


def _to_integer(node: exp.Cast) -> exp.Expr:
    """Half away from zero, and text only if it is a whole number.

    Where only the tables know whether it is a DOUBLE or text, DuckDB knows when it plans.
    """
    kind = _kind_where_known(node.this)
    rounded, whole = node.copy(), node.copy()
    rounded.set("this", exp.Round(this=node.this.copy() if kind else _as_double(node.this)))
    text = node.this.copy() if kind else exp.cast(node.this.copy(), "varchar")
    whole.set("this", _call("trino_whole", text))
    if kind is not None:
        return {"double": rounded, "text": whole}.get(kind, node)
    # Each use of the argument is a copy, and copies of copies soon are many: the fewer the better.
    type_name = _call("replace", _call("typeof", node.this), *map(exp.Literal.string, ("FLOAT", "DOUBLE")))
    ways = (("DOUBLE", rounded), ("VARCHAR", whole))
    cases = [exp.If(this=exp.Literal.string(name), true=way) for name, way in ways]
    return exp.Paren(this=exp.Case(this=type_name, ifs=cases, default=node.copy()))


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


def _at_time_zone(node: exp.AtTimeZone) -> exp.Expr:
    """A TIMESTAMP is in UTC, the zone of the session; DuckDB would take it to be local in the zone that is named."""
    return _call("timezone", node.args["zone"], exp.cast(node.this.copy(), "timestamptz", dialect="duckdb"))


def _trim(node: exp.Trim) -> exp.Expr:
    """Trino trims every kind of white space, DuckDB the space."""
    if node.expression:
        return node
    name = {"LEADING": "trino_ltrim", "TRAILING": "trino_rtrim"}.get(node.args.get("position") or "", "trino_trim")
    return _call(name, node.this)


def _upper(node: exp.Upper) -> exp.Expr:
    return _call("trino_upper", node.this)


def _reverse(node: exp.Reverse) -> exp.Expr:
    """By characters; DuckDB keeps an accent with its letter."""
    return _call("trino_reverse", node.this)


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
        exp.AtTimeZone: _at_time_zone,
        exp.Trim: _trim,
        exp.Upper: _upper,
        exp.Reverse: _reverse,
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


def rewritten(node: exp.Expr) -> exp.Expr:
    """DuckDB's node for one whose children are DuckDB's already.

    Raises:
        NotRewritten: it has not the arguments that are needed.
    """
    try:
        return _rewritten(node)
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise NotRewritten(node) from error


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
