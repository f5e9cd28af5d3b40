"""Casts as rows: from which type to which, and how DuckDB is asked for Trino's value."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from sqlglot import exp

from graph_platform.mapping.types.text import WarehouseType
from graph_platform.warehouse.duckdb.signatures.kinds import (
    BIGINT,
    DOUBLE,
    INTEGER,
    INTEGERS,
    TIMESTAMP,
    UNKNOWN,
    VARCHAR,
    ZONED,
    duckdb_type,
)

_Made = Callable[[exp.Expr], exp.Expr]
_LARGEST = 2**31 - 1, 2**63 - 1
_MOST_DIGITS = 38
# To a type, the macro that comes before DuckDB's own cast; None where Trino has no such cast.
_OF_TEXT: Mapping[str, str] = {
    **dict.fromkeys(INTEGERS, "trino_whole"),
    **dict.fromkeys(("double", "real"), "trino_number"),
    "decimal": "trino_exact",
    "boolean": "trino_truth",
    "date": "trino_day",
    TIMESTAMP: "trino_moment",
    "uuid": "trino_uuid_text",
}
_REFUSED = {
    "varbinary": (*INTEGERS, "decimal", "double", "real", "boolean", "date", TIMESTAMP),
    "date": (*INTEGERS, "decimal", "double", "real", "boolean"),
    TIMESTAMP: (*INTEGERS, "decimal", "double", "real", "boolean"),
    "uuid": (*INTEGERS, "decimal", "double", "real", "boolean", "date", TIMESTAMP),
}
_ROUNDED = (3, 6)
_MOST_OF_A_SECOND = 6  # digits that DuckDB's functions keep
_AS_WRITTEN = re.compile(r"\d{4}-\d\d-\d\d(?: (?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,9})?)?")


def literal_kind(node: exp.Literal) -> WarehouseType | None:
    """The type of a literal, None for a number that Trino has no type for."""
    if node.is_string:
        return VARCHAR
    text = str(node.this).lower().replace("_", "")
    if "e" in text:
        return DOUBLE
    if "." in text:
        whole, _, part = text.partition(".")
        digits = len(whole.lstrip("0") + part) or 1
        return WarehouseType("decimal", (digits, len(part))) if digits <= _MOST_DIGITS else None
    value = int(text)
    return INTEGER if value <= _LARGEST[0] else BIGINT if value <= _LARGEST[1] else None


def to_type(node: exp.Expr, given: WarehouseType, wanted: WarehouseType) -> exp.Expr:
    """A number as another kind of number, by Trino's coercion."""
    if given == wanted or (isinstance(node, exp.Literal) and given.base in INTEGERS and wanted == BIGINT):
        return node
    return exp.cast(node, duckdb_type(wanted), dialect="duckdb")


def _call(name: str, *arguments: exp.Expr) -> exp.Expr:
    return exp.Anonymous(this=name, expressions=list(arguments))


def cast(  # noqa: PLR0911, PLR0912
    node: exp.Expr,
    given: WarehouseType,
    wanted: WarehouseType,
    *,
    tries: bool,
    length: exp.Expr | None = None,
    is_literal: bool = False,
) -> exp.Expr | str | None:
    """DuckDB's node for a cast; a text for what Trino refuses, None for what is not proved.

    Args:
        tries: whether what cannot be cast is NULL.
        length: of the VARCHAR(n) that is cast to.
        is_literal: whether the value is a text that stands in the query.
    """
    target = exp.DataType.build(duckdb_type(wanted), dialect="duckdb")

    def made(inner: exp.Expr) -> exp.Expr:
        return exp.TryCast(this=inner, to=target) if tries else exp.Cast(this=inner, to=target)

    for kind, others in _REFUSED.items():
        if (given.base == kind and wanted.base in others) or (wanted.base == kind and given.base in others):
            return f"Trino cannot cast {given} to {wanted}"
    if given.base == "varbinary" and wanted == VARCHAR:
        return f"Trino cannot cast {given} to {wanted}"
    if given == VARCHAR and wanted.base == "varbinary":
        return _call("encode", node)
    if given == UNKNOWN:
        return made(node)
    if wanted == VARCHAR and given.base != "json":
        text = _to_text(node, given)
        if text is None or length is None:
            return text
        return _call("trino_left", text, length)
    if given == wanted or (given == INTEGER and wanted == BIGINT and isinstance(node, exp.Literal)):
        return node
    fine = any(each.base == TIMESTAMP and each.numbers[0] > _MOST_OF_A_SECOND for each in (given, wanted))
    if fine and not is_literal:
        return None
    if given.base == "json":
        return _from_json(node, wanted, made)
    if wanted.base == "json":
        return _call("to_json", node) if _is_plain_json(given) else None
    if given == VARCHAR:
        if wanted.base == TIMESTAMP and wanted.numbers[0] not in (0, *_ROUNDED) and not is_literal:
            return None
        macro = _OF_TEXT.get(wanted.base)
        if is_literal and wanted.base in ("date", TIMESTAMP) and _AS_WRITTEN.fullmatch(str(node.this)):
            return made(node)
        if macro is None:
            zoned = wanted.base == ZONED and is_literal
            return made(node) if zoned else None
        return made(_call(macro, node))
    numbers = (*INTEGERS, "decimal", "double", "real")
    if given.base in numbers and wanted.base in numbers:
        return _number(node, given, wanted, made)
    if given.base == "boolean" and wanted.base in (*INTEGERS, "double", "real"):
        return made(node)
    if given.base in INTEGERS and wanted.base == "boolean":
        return made(node)
    if given.base == "date" and wanted.base in (TIMESTAMP, ZONED):
        return made(node)
    if given.base in (TIMESTAMP, ZONED) and wanted.base in ("date", TIMESTAMP, ZONED):
        if (
            wanted.numbers
            and given.numbers[0] > wanted.numbers[0]
            and (wanted.numbers[0], wanted.base) != (3, TIMESTAMP)
        ):
            return None
        return made(node)
    if given.base == "array" and wanted.base == "array":
        return _elements(node, given, wanted, made, tries=tries)
    if given.base == "row" and wanted.base == "row" and len(given.inner) == len(wanted.inner):
        pairs = zip(given.inner, wanted.inner, strict=True)
        return made(node) if all(a == b or (a.base in INTEGERS and b.base in INTEGERS) for a, b in pairs) else None
    return None


def _elements(
    node: exp.Expr, given: WarehouseType, wanted: WarehouseType, made: _Made, *, tries: bool
) -> exp.Expr | str | None:
    inner = cast(exp.column("e"), given.inner[0], wanted.inner[0], tries=False)
    if inner is None or isinstance(inner, str):
        return inner
    if isinstance(inner, exp.Cast) and isinstance(inner.this, exp.Column):
        return made(node)
    if tries:
        return None
    return _call("list_transform", node, exp.Lambda(this=inner, expressions=[exp.to_identifier("e")]))


def _number(node: exp.Expr, given: WarehouseType, wanted: WarehouseType, made: _Made) -> exp.Expr | None:
    if given.base in ("double", "real") and wanted.base in INTEGERS:
        return made(exp.Round(this=node))
    if given.base == "double" and wanted.base == "decimal":
        return made(_call("trino_plain_double", node))
    if given.base == "real" and wanted.base in ("decimal",):
        return None
    if given.base == "decimal" and wanted.base == "real":
        return None
    return made(node)


def _is_plain_json(given: WarehouseType) -> bool:
    if given.base == "array":
        return _is_plain_json(given.inner[0])
    return given.base in ("varchar", *INTEGERS, "boolean", "date")


def _from_json(node: exp.Expr, wanted: WarehouseType, made: _Made) -> exp.Expr | None:
    if wanted.base in ("varchar", "bigint", "integer", "boolean", "double"):
        return made(_call(f"trino_json_to_{'bigint' if wanted == INTEGER else wanted.base}", node))
    if wanted.base == "array" and wanted.inner[0].base in ("varchar", "bigint", "integer", "boolean", "double"):
        base = "bigint" if wanted.inner[0] == INTEGER else wanted.inner[0].base
        return made(_call(f"trino_json_to_{base}s", node))
    macro = _of_json_object(wanted) if wanted.base == "map" else None
    return made(_call(macro, node)) if macro else None


def _of_json_object(wanted: WarehouseType) -> str | None:
    """The macro for a map of texts to values of one type."""
    key, value = wanted.inner
    base = "bigint" if value == INTEGER else value.base
    return (
        f"trino_json_to_{base}_map" if key == VARCHAR and base in ("varchar", "bigint", "boolean", "double") else None
    )


def _to_text(node: exp.Expr, given: WarehouseType) -> exp.Expr | None:
    plain = exp.cast(node, "VARCHAR", dialect="duckdb")
    if given == VARCHAR:
        return node
    if given.base in (*INTEGERS, "decimal", "boolean", "uuid"):
        has_only_a_fraction = given.base == "decimal" and given.numbers[0] == given.numbers[1]
        return _call("trino_text_of_fraction", plain) if has_only_a_fraction else plain  # DuckDB writes -.5
    if given.base == "date":
        return _call("trino_text_of_day", plain)
    if given.base == "double":
        return _call("trino_text", plain, exp.Literal.string("DOUBLE"))
    if given.base == TIMESTAMP and given.numbers[0] <= _MOST_OF_A_SECOND:
        name = "trino_text_of_moment"
        moment = exp.cast(exp.cast(node, "TIMESTAMP", dialect="duckdb"), "VARCHAR", dialect="duckdb")
        return _call(name, moment, exp.Literal.number(given.numbers[0]))
    return None
