"""Trino's types as the table of signatures uses them: which is taken for which, and what two have in common."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

from graph_platform.mapping.types.text import WarehouseType, parse_warehouse_type

INTEGERS = ("tinyint", "smallint", "integer", "bigint")
NUMBERS = (*INTEGERS, "decimal", "real", "double")
TIMESTAMP = "timestamp"
ZONED = "timestamp with time zone"
UNKNOWN = WarehouseType("unknown")
BOOLEAN, VARCHAR, BIGINT, INTEGER, DOUBLE, REAL, DATE, JSON, VARBINARY, UUID = map(
    WarehouseType, ("boolean", "varchar", "bigint", "integer", "double", "real", "date", "json", "varbinary", "uuid")
)

_DIGITS = {"tinyint": 3, "smallint": 5, "integer": 10, "bigint": 19}
_ORDERED = ("tinyint", "smallint", "integer", "bigint", "decimal", "real", "double")
_DUCKDB: Mapping[str, str] = {
    "tinyint": "TINYINT", "smallint": "SMALLINT", "integer": "INTEGER", "bigint": "BIGINT", "real": "FLOAT",
    "double": "DOUBLE", "varchar": "VARCHAR", "boolean": "BOOLEAN", "date": "DATE", "varbinary": "BLOB",
    "uuid": "UUID", "json": "JSON", "unknown": "INTEGER",
    "interval day to second": "INTERVAL", "interval year to month": "INTERVAL",
}  # fmt: skip


@lru_cache(maxsize=1024)
def kind(text: str) -> WarehouseType | None:
    """The type that a text of Trino's or of the table of columns says, None for one that is not known here."""
    try:
        found = parse_warehouse_type(re.sub(r"^int$", "integer", text))
    except ValueError:
        return None
    return plain(found)


def plain(found: WarehouseType) -> WarehouseType | None:
    """A type with the numbers that Trino gives where none are written, texts without their length.

    CHAR, TIME, intervals and digits finer than DuckDB's have no equal there.
    """
    inner = tuple(filter(None, map(plain, found.inner)))
    if len(inner) < len(found.inner):
        return None
    base = {"int": "integer", "dec": "decimal", "numeric": "decimal"}.get(found.base, found.base)
    if base == "varchar":
        return VARCHAR
    if base == "decimal":
        return WarehouseType(base, (found.numbers + (38, 0)[len(found.numbers) :])[:2])
    if base in (TIMESTAMP, ZONED):
        digits = found.numbers or (3,)
        return WarehouseType(base, digits) if digits[0] <= (9 if base == TIMESTAMP else 6) else None
    if base in ("array", "map", "row"):
        return WarehouseType(base, (), inner, found.fields)
    return WarehouseType(base) if base in _DUCKDB and not base.startswith("interval") else None


def duckdb_type(found: WarehouseType) -> str:  # noqa: PLR0911
    """A type as DuckDB's SQL writes it."""
    if found.base == "decimal":
        return f"DECIMAL({found.numbers[0]}, {found.numbers[1]})"
    if found.base == TIMESTAMP:
        digits = found.numbers[0]
        return {0: "TIMESTAMP_S", 3: "TIMESTAMP_MS"}.get(digits, "TIMESTAMP" if digits <= 6 else "TIMESTAMP_NS")
    if found.base == ZONED:
        return "TIMESTAMPTZ"
    if found.base == "array":
        return duckdb_type(found.inner[0]) + "[]"
    if found.base == "map":
        return f"MAP({duckdb_type(found.inner[0])}, {duckdb_type(found.inner[1])})"
    if found.base == "row":
        names = ('"' + (name or f"v{at}").replace('"', '""') + '"' for at, name in enumerate(found.fields))
        return f"STRUCT({', '.join(f'{n} {duckdb_type(t)}' for n, t in zip(names, found.inner, strict=True))})"
    return _DUCKDB[found.base]


def as_decimal(found: WarehouseType) -> WarehouseType:
    """The DECIMAL that a whole number is taken for."""
    return found if found.base == "decimal" else WarehouseType("decimal", (_DIGITS[found.base], 0))


def common(one: WarehouseType, other: WarehouseType) -> WarehouseType | None:  # noqa: PLR0911
    """The type that both are coerced to, as Trino's TypeCoercion has it; None where there is none."""
    if other in (one, UNKNOWN):
        return one
    if one == UNKNOWN:
        return other
    if one.base in _ORDERED and other.base in _ORDERED:
        lower, higher = sorted((one, other), key=lambda each: _ORDERED.index(each.base))
        if higher.base != "decimal":
            return higher
        (p1, s1), (p2, s2) = as_decimal(lower).numbers, higher.numbers
        scale = max(s1, s2)
        return WarehouseType("decimal", (min(38, max(p1 - s1, p2 - s2) + scale), scale))
    times = ("date", TIMESTAMP, ZONED)
    if one.base in times and other.base in times:
        _, higher = sorted((one, other), key=lambda each: times.index(each.base))
        return WarehouseType(higher.base, (max((*one.numbers, *other.numbers)),)) if higher.numbers else higher
    if one.base == other.base and len(one.inner) == len(other.inner) and one.inner:
        inner = tuple(common(a, b) for a, b in zip(one.inner, other.inner, strict=True))
        known = tuple(each for each in inner if each is not None)
        if len(known) == len(inner):
            fields = tuple(a if a == b else None for a, b in zip(one.fields, other.fields, strict=True))
            return WarehouseType(one.base, (), known, fields)
    return None


def is_taken_for(given: WarehouseType, wanted: WarehouseType) -> bool:
    """Whether Trino coerces a value of one type to another by itself."""
    return common(given, wanted) == wanted
