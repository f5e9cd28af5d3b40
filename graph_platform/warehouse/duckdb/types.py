"""DuckDB's types in Trino's notation, and the DuckDB type that a value must have to be what that notation says.

DuckDB has types that Trino lacks (unsigned and 128-bit integers, enums, timestamps by unit). They are told as the Trino
type that holds the same values, and cast to its counterpart on export: Parquet would otherwise hold, say, a HUGEINT as
a DOUBLE.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from graph_platform.mapping.types.text import WarehouseType

# DuckDB's type id → Trino's type, and the DuckDB type to cast to where it is not the same already.
_SCALARS: Mapping[str, tuple[WarehouseType, str]] = MappingProxyType(
    {
        "boolean": (WarehouseType("boolean"), "BOOLEAN"),
        "tinyint": (WarehouseType("tinyint"), "TINYINT"),
        "smallint": (WarehouseType("smallint"), "SMALLINT"),
        "integer": (WarehouseType("integer"), "INTEGER"),
        "bigint": (WarehouseType("bigint"), "BIGINT"),
        # The sum of BIGINTs is a HUGEINT in DuckDB and a BIGINT in Trino; both fail when it does not fit.
        "hugeint": (WarehouseType("bigint"), "BIGINT"),
        "utinyint": (WarehouseType("smallint"), "SMALLINT"),
        "usmallint": (WarehouseType("integer"), "INTEGER"),
        "uinteger": (WarehouseType("bigint"), "BIGINT"),
        "ubigint": (WarehouseType("decimal", (20, 0)), "DECIMAL(20,0)"),
        "uhugeint": (WarehouseType("decimal", (38, 0)), "DECIMAL(38,0)"),
        "integer_literal": (WarehouseType("integer"), "INTEGER"),
        "float": (WarehouseType("real"), "FLOAT"),
        "double": (WarehouseType("double"), "DOUBLE"),
        "varchar": (WarehouseType("varchar"), "VARCHAR"),
        "string_literal": (WarehouseType("varchar"), "VARCHAR"),
        "enum": (WarehouseType("varchar"), "VARCHAR"),
        "blob": (WarehouseType("varbinary"), "BLOB"),
        "uuid": (WarehouseType("uuid"), "UUID"),
        "date": (WarehouseType("date"), "DATE"),
        "time": (WarehouseType("time", (6,)), "TIME"),
        "time_ns": (WarehouseType("time", (9,)), "TIME"),
        "time with time zone": (WarehouseType("time with time zone", (6,)), "TIMETZ"),
        "timestamp": (WarehouseType("timestamp", (6,)), "TIMESTAMP"),
        "timestamp_s": (WarehouseType("timestamp", (0,)), "TIMESTAMP"),
        "timestamp_ms": (WarehouseType("timestamp", (3,)), "TIMESTAMP"),
        "timestamp_ns": (WarehouseType("timestamp", (9,)), "TIMESTAMP"),
        "timestamp with time zone": (WarehouseType("timestamp with time zone", (6,)), "TIMESTAMPTZ"),
        "interval": (WarehouseType("interval day to second"), "INTERVAL"),
        "bit": (WarehouseType("bit"), "BIT"),
        "union": (WarehouseType("union"), "VARCHAR"),
        "null": (WarehouseType("unknown"), "VARCHAR"),
    }
)
_JSON = WarehouseType("json")


def trino_type(found: Any) -> WarehouseType:
    """The Trino type of a `duckdb.DuckDBPyType`; one without a counterpart keeps DuckDB's name."""
    return _both(found)[0]


def plain_type(found: Any) -> str:
    """The DuckDB type, as SQL, that holds what `trino_type` says."""
    return _both(found)[1]


def _both(found: Any) -> tuple[WarehouseType, str]:  # noqa: PLR0911
    kind = str(found.id)
    if str(found) == "JSON":
        return _JSON, "JSON"
    if kind in _SCALARS:
        return _SCALARS[kind]
    if kind == "decimal":
        numbers = dict(found.children)
        precision, scale = int(numbers["precision"]), int(numbers["scale"])
        return WarehouseType("decimal", (precision, scale)), f"DECIMAL({precision},{scale})"
    if kind in ("list", "array"):
        inner, plain = _both(found.children[0][1])
        return WarehouseType("array", (), (inner,)), f"{plain}[]"
    if kind == "map":
        (key, plain_key), (value, plain_value) = (_both(child) for _, child in found.children)
        return WarehouseType("map", (), (key, value)), f"MAP({plain_key}, {plain_value})"
    if kind in ("struct", "tuple"):
        named = kind == "struct"
        children = [(name if named else None, *_both(child)) for name, child in found.children]
        row = WarehouseType("row", (), tuple(c[1] for c in children), tuple(c[0] for c in children))
        if not named:
            return row, str(found)
        fields = ", ".join('"' + str(name).replace('"', '""') + f'" {plain}' for name, _, plain in children)
        return row, f"STRUCT({fields})"
    return WarehouseType(kind.split("(", maxsplit=1)[0].strip() or "unknown"), str(found)
