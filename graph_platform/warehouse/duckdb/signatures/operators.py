"""Operators as rows: which types they take on Trino, the type that they give, and what DuckDB is asked."""

from __future__ import annotations

from collections.abc import Mapping

from sqlglot import exp

from graph_platform.mapping.types.text import WarehouseType
from graph_platform.warehouse.duckdb.signatures.casts import to_type
from graph_platform.warehouse.duckdb.signatures.kinds import (
    DATE,
    INTEGERS,
    NUMBERS,
    TIMESTAMP,
    UNKNOWN,
    as_decimal,
    common,
    duckdb_type,
)

ARITHMETIC: Mapping[str, str] = {"add": "+", "sub": "-", "mul": "*", "div": "/", "mod": "%"}
COMPARED: Mapping[str, str] = {
    "eq": "=", "neq": "<>", "lt": "<", "lte": "<=", "gt": ">", "gte": ">=",
    "nullsafeeq": "IS NOT DISTINCT FROM", "nullsafeneq": "IS DISTINCT FROM",
}  # fmt: skip
DAYS, MONTHS = WarehouseType("interval day to second"), WarehouseType("interval year to month")

# By what is compared: as they are, by macros that know of NaN, or not proved.
_PLAIN = (
    "boolean",
    *INTEGERS,
    "decimal",
    "varchar",
    "date",
    TIMESTAMP,
    "timestamp with time zone",
    "uuid",
    "varbinary",
)
_WITH_NAN = {"eq": "trino_equal", "neq": "trino_unequal", "lt": "trino_less", "lte": "trino_less_or_equal"}
_TURNED = {"gt": "trino_less", "gte": "trino_less_or_equal"}
_FIELDS = {
    **{name: name for name in ("year", "quarter", "month", "week", "day", "day_of_month", "day_of_week", "dow")},
    **{name: name for name in ("day_of_year", "doy", "year_of_week", "yow", "hour", "minute", "second")},
}


def extract_name(field: str) -> str | None:
    """The function that EXTRACT of a field is; None for what is none of Trino's fields."""
    return _FIELDS.get(field.lower())


def arithmetic(  # noqa: PLR0911
    node: exp.Expr, left: WarehouseType, right: WarehouseType
) -> tuple[exp.Expr, WarehouseType] | str | None:
    """DuckDB's node and the type; a text for what Trino refuses, None for what is not proved."""
    sign = ARITHMETIC[node.key]
    if UNKNOWN in (left, right):
        return None
    if {left, right} & {DAYS, MONTHS} or (left.base in ("date", TIMESTAMP) and right.base in ("date", TIMESTAMP)):
        return _with_interval(node, left, right)
    if left.base not in NUMBERS or right.base not in NUMBERS:
        return f"Trino cannot apply {sign} to {left} and {right}"
    both = common(left, right)
    assert both is not None  # noqa: S101
    one, other = to_type(node.this, left, both), to_type(node.expression, right, both)
    if both.base in INTEGERS:
        if sign in "/%" and isinstance(other, exp.Literal) and int(str(other.this)) != 0:
            # Without the macro, which has an error: DuckDB takes no such thing for PARTITION BY.
            kind = exp.IntDiv if sign == "/" else exp.Mod
            return exp.Paren(this=kind(this=exp.Paren(this=one), expression=other)), both
        if sign in "/%":
            name = "trino_divide" if sign == "/" else "trino_modulo"
            return exp.Anonymous(this=name, expressions=[one, other]), both
        if node.find(exp.Literal) and both.base != "bigint":
            # A literal takes the type of what stands beside it, whatever the result needs.
            one, other = (exp.cast(each, duckdb_type(both), dialect="duckdb") if isinstance(each, exp.Literal) else each
                          for each in (one, other))  # fmt: skip
        return _signed(node, one, other), both
    if both.base in ("double", "real"):
        if sign in "/%":
            name = "trino_divide_double" if sign == "/" else "trino_modulo_double"
            made = exp.Anonymous(this=name, expressions=[one, other])
            return exp.cast(made, duckdb_type(both), dialect="duckdb"), both
        return _signed(node, one, other), both
    return _of_decimals(node, left, right)


def _signed(node: exp.Expr, one: exp.Expr, other: exp.Expr) -> exp.Expr:
    node.set("this", one)
    node.set("expression", other)
    return node


def _of_decimals(node: exp.Expr, left: WarehouseType, right: WarehouseType) -> tuple[exp.Expr, WarehouseType] | None:
    """DecimalOperators of Trino: digits and scale of a result, at most 38."""
    sign = ARITHMETIC[node.key]
    one, other = as_decimal(left), as_decimal(right)
    (p1, s1), (p2, s2) = one.numbers, other.numbers
    scale = s1 + s2 if sign == "*" else max(s1, s2)
    digits = {
        "+": max(p1 - s1, p2 - s2) + scale + 1,
        "-": max(p1 - s1, p2 - s2) + scale + 1,
        "*": p1 + p2,
        "/": p1 + s2 + max(0, s2 - s1),
        "%": min(p1 - s1, p2 - s2) + scale,
    }[sign]
    if scale > 38:
        return None
    kind = WarehouseType("decimal", (min(38, digits), scale))
    first, second = to_type(node.this, left, one), to_type(node.expression, right, other)
    if sign in "/%":
        # Whole numbers of the smallest unit: HUGEINT has 38 digits, and fails where they are not enough.
        if p1 - s1 + max(s1, s2) + s2 > 37 or p2 + scale > 37:
            return None
        up = scale - s1 + s2 if sign == "/" else scale - s1
        over = 0 if sign == "/" else scale - s2
        name = "trino_divide_decimal" if sign == "/" else "trino_modulo_decimal"
        units = [
            exp.Anonymous(this="trino_units", expressions=[first, exp.Literal.number(s1 + up), exp.Literal.number(s1)]),
            exp.Anonymous(
                this="trino_units", expressions=[second, exp.Literal.number(s2 + over), exp.Literal.number(s2)]
            ),
        ]
        made = exp.Anonymous(this=name, expressions=[*units, exp.Literal.number(scale)])
        return exp.cast(made, duckdb_type(kind), dialect="duckdb"), kind
    wide = [exp.cast(each, f"DECIMAL({min(38, digits if sign != '*' else p + 0)}, {s})", dialect="duckdb")
            for each, p, s in ((first, p1, s1), (second, p2, s2))]  # fmt: skip
    if sign != "*" and digits > 38:
        return None
    if sign == "*" and p1 + p2 > 38:
        return None
    return exp.cast(exp.Paren(this=_signed(node, *wide)), duckdb_type(kind), dialect="duckdb"), kind


def _with_interval(
    node: exp.Expr, left: WarehouseType, right: WarehouseType
) -> tuple[exp.Expr, WarehouseType] | str | None:
    sign = ARITHMETIC[node.key]
    time, interval, stands = (right, left, node.this) if left in (DAYS, MONTHS) else (left, right, node.expression)
    if interval not in (DAYS, MONTHS) or time.base not in ("date", TIMESTAMP) or sign not in "+-":
        return None
    if sign == "-" and time is right:
        return f"Trino cannot apply - to {left} and {right}"
    if not isinstance(stands, exp.Interval):
        return None
    if time.numbers and time.numbers[0] > 6:
        return None
    if time == DATE and interval == DAYS and str(stands.args["unit"].name).upper() != "DAY":
        return "Trino cannot add hour, minutes or seconds to a date"
    return exp.cast(exp.Paren(this=node), duckdb_type(time), dialect="duckdb"), time


def compared(node: exp.Expr, both: WarehouseType, left: WarehouseType, right: WarehouseType) -> exp.Expr | None:
    """DuckDB's comparison of two values of one type, None where it is not proved."""
    if UNKNOWN in (left, right) or both.base in _PLAIN:
        return node
    if both.base == "array" and both.inner[0].base in _PLAIN and node.key in ("eq", "neq"):
        same = exp.Anonymous(this="trino_array_equal", expressions=[node.this, node.expression])
        return exp.Paren(this=exp.Not(this=same)) if node.key == "neq" else same
    if both.base not in ("double", "real"):
        return None
    if node.key.startswith("nullsafe"):
        return node
    if node.key in ("eq", "neq") and any(isinstance(each, exp.Literal) for each in (node.this, node.expression)):
        return node
    turned = node.key in _TURNED
    sides = [node.expression, node.this] if turned else [node.this, node.expression]
    return exp.Anonymous(this=(_TURNED if turned else _WITH_NAN)[node.key], expressions=sides)
