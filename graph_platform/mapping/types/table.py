"""All that is known of types, as rows: a new type is a new line here and nowhere else.

Not here: ARRAY, MAP and ROW, which carry other types (`rules`, `loading`), and what DuckDB calls Trino's types, which
is DuckDB's to know.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum
from types import MappingProxyType

from graph_platform.mapping.types.text import WarehouseType, parse_warehouse_type


class Nested(Enum):
    """How a value travels inside an ARRAY, MAP or ROW, where COPY casts less than it does at the top."""

    AS_IT_IS = "as it is"
    QUOTED = "as it is; its text has no escape in the engines' notation of nested values"
    CAST = "as it is, and a cast of it in the middle of a load fails on a missing value"
    TEXT = "as text only, which the load casts with the whole value: a cast inside crashes an engine"


@dataclass(frozen=True)
class Digits:
    """Of an integer type: a DECIMAL of `most` digits holds all of it; it holds each DECIMAL of `safe` digits."""

    most: int
    safe: int


@dataclass(frozen=True)
class Scalar:
    """A type of the engines.

    Args:
        engine: its name there.
        sources: the base names of Trino's types that become it by themselves.
        synonyms: what a mapping may write for it besides, as people know it from SQL and from older engines.
        cast: the Trino type to cast to, so that a column becomes it; DECIMAL's has numbers besides.
        file: the Trino type of its column in a Parquet file, as the export writes it.
        arrow: the same as Arrow calls it.
        width: bytes of a value in that file before compression; None where each value has its own.
        nested: how it travels inside other types.
        widens: the engine types in which every value of it has an equal. DECIMAL: `rules.widens`.
        digits: of an integer.
        key: the type of a node's key that a column of it makes, None if it makes none.
        unordered: the sources whose values Trino neither orders nor takes as keys.
    """

    engine: str
    sources: tuple[str, ...]
    synonyms: tuple[str, ...]
    cast: str
    file: WarehouseType
    arrow: str
    width: float | None
    nested: Nested = Nested.AS_IT_IS
    widens: frozenset[str] = frozenset()
    digits: Digits | None = None
    key: str | None = None
    unordered: frozenset[str] = frozenset()


_file = parse_warehouse_type

TYPES: tuple[Scalar, ...] = (
    Scalar(
        "STRING",
        ("varchar", "char", "json"),
        ("VARCHAR", "CHAR", "TEXT", "JSON"),
        "VARCHAR",
        _file("varchar"),
        "string",
        None,
        Nested.QUOTED,
        key="STRING",
        unordered=frozenset({"json"}),
    ),
    Scalar(
        "INT64",
        ("bigint",),
        ("BIGINT", "LONG"),
        "BIGINT",
        _file("bigint"),
        "int64",
        8.0,
        digits=Digits(19, 18),
        key="INT64",
    ),
    Scalar(
        "INT32",
        ("integer",),
        ("INT", "INTEGER"),
        "INTEGER",
        _file("integer"),
        "int32",
        4.0,
        widens=frozenset({"INT64", "DOUBLE"}),
        digits=Digits(10, 9),
        key="INT64",
    ),
    Scalar(
        "INT16",
        ("smallint",),
        ("SMALLINT",),
        "SMALLINT",
        _file("smallint"),
        "int16",
        2.0,
        widens=frozenset({"INT32", "INT64", "FLOAT", "DOUBLE"}),
        digits=Digits(5, 4),
        key="INT64",
    ),
    Scalar(
        "INT8",
        ("tinyint",),
        ("TINYINT",),
        "TINYINT",
        _file("tinyint"),
        "int8",
        1.0,
        widens=frozenset({"INT16", "INT32", "INT64", "FLOAT", "DOUBLE"}),
        digits=Digits(3, 2),
        key="INT64",
    ),
    Scalar("DOUBLE", ("double",), ("FLOAT8",), "DOUBLE", _file("double"), "float64", 8.0),
    Scalar(
        "FLOAT",
        ("real",),
        ("REAL", "FLOAT4"),
        "REAL",
        _file("real"),
        "float32",
        4.0,
        widens=frozenset({"DOUBLE"}),
    ),
    Scalar("DECIMAL", ("decimal",), ("NUMERIC",), "DECIMAL", _file("varchar"), "string", None, Nested.TEXT),
    Scalar("BOOL", ("boolean",), ("BOOLEAN",), "BOOLEAN", _file("boolean"), "bool", 0.125),
    Scalar(
        "DATE",
        ("date",),
        (),
        "DATE",
        _file("date"),
        "date32",
        4.0,
        widens=frozenset({"TIMESTAMP"}),
        key="DATE",
    ),
    Scalar("TIMESTAMP", ("timestamp",), ("DATETIME",), "TIMESTAMP(6)", _file("timestamp(6)"), "timestamp[us]", 8.0),
    Scalar(
        "TIMESTAMP_TZ",
        ("timestamp with time zone",),
        ("TIMESTAMPTZ", "TIMESTAMP WITH TIME ZONE"),
        "TIMESTAMP(6) WITH TIME ZONE",
        _file("timestamp(6)"),
        "timestamp[us]",
        8.0,
        Nested.CAST,
    ),
    Scalar("UUID", ("uuid",), (), "UUID", _file("varchar"), "string", None, Nested.TEXT, key="UUID"),
    Scalar(
        "BLOB", ("varbinary",), ("BYTEA", "VARBINARY"), "VARBINARY", _file("varbinary"), "binary", None, Nested.QUOTED
    ),
)

BY_ENGINE: Mapping[str, Scalar] = MappingProxyType({row.engine: row for row in TYPES})
BY_SOURCE: Mapping[str, Scalar] = MappingProxyType({source: row for row in TYPES for source in row.sources})
BY_SYNONYM: Mapping[str, Scalar] = MappingProxyType({name: row for row in TYPES for name in row.synonyms})
BY_FILE: Mapping[str, Scalar] = MappingProxyType({row.file.base: row for row in TYPES if row.file.base in row.sources})
"""By the Trino type in the file: the type that is written as itself, not those that are cast to it on the way."""


@dataclass(frozen=True)
class Replacement:
    """What to write for a column of a type without a counterpart: `sql`, where {} is the column, and its Trino type.

    `type` is None where it is the type of the values that a digest was made of. `others` could be written as well.
    """

    sql: str
    type: str | None = "varchar"
    others: tuple[str, ...] = ()

    def expression(self, column_sql: str) -> str:
        """The expression over a column."""
        return self.sql.replace("{}", column_sql)

    def type_for(self, source: WarehouseType) -> WarehouseType:
        """The type that the expression has over a column of type `source`."""
        return source.inner[0] if self.type is None else parse_warehouse_type(self.type)


AS_TEXT = Replacement("CAST({} AS VARCHAR)")

REFUSED: Mapping[str, Replacement] = MappingProxyType(
    {
        "time": AS_TEXT,
        "time with time zone": AS_TEXT,
        "interval day to second": replace(AS_TEXT, others=("to_milliseconds({})",)),
        "interval year to month": AS_TEXT,
        "interval": AS_TEXT,
        "ipaddress": AS_TEXT,
        "ipprefix": AS_TEXT,
        "geometry": Replacement("ST_AsText({})"),
        "sphericalgeography": Replacement("ST_AsText(to_geometry({}))"),
        "hyperloglog": Replacement("cardinality({})", "bigint"),
        "p4hyperloglog": Replacement("cardinality({})", "bigint"),
        "setdigest": Replacement("cardinality({})", "bigint"),
        "qdigest": Replacement("value_at_quantile({}, 0.5)", None),
        "tdigest": Replacement("value_at_quantile({}, 0.5)", "double"),
        "unknown": AS_TEXT,
        "bit": AS_TEXT,
        "union": AS_TEXT,
        "bignum": AS_TEXT,
    }
)
"""By base name, the expression that helps for a type without a counterpart."""
