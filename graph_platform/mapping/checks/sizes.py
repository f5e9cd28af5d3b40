"""How large a graph gets: what a query measures on the first rows of a definition, and the model that it feeds.

The model is rough on purpose (a factor of two is a good guess of what a column compresses to), and its constants were
fitted to graphs that were loaded; the tests say how far off it was.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import log2
from typing import Any

from graph_platform.mapping.checks.report import Estimate
from graph_platform.mapping.definition.resolved import ResolvedColumn, ResolvedDefinition
from graph_platform.mapping.sql.gate import without_terminator
from graph_platform.mapping.types.table import BY_FILE
from graph_platform.mapping.types.text import WarehouseType, parse_engine_type, parse_warehouse_type

SAMPLE_ROWS = 10_000
_WIDTHS = {base: row.width for base, row in BY_FILE.items() if row.width is not None}
_UNKNOWN = 32.0  # bytes of a value whose width is neither known nor measured
_COMPRESSION = 0.8  # of Parquet's pages by zstd, or by what a cluster uses
_TABLE_BYTES = 512 * 1024  # of a database, for a table that holds next to nothing
_STRING_BYTES = 4.0  # of a string in the engines, besides its own: where it is
_INDEX_BYTES = 16.0  # of a node's key, besides the column: its place in the index
_STRING_INDEX_BYTES = 40.0  # the same of a key that is a text, which the index keeps once more
_EDGE_BYTES = 16.0  # an edge's own id and its two ends, in both directions
_DIRECTIONS = 2  # the engines keep an edge's properties with both of its ends
# Memory, measured as the most that a process held.
_SERVING_BYTES = 80 * 1024**2  # an instance that holds nothing; one that is asked for all of it also holds its database
_LOADING_BYTES = 200 * 1024**2  # a build of next to nothing
_LOADING_KEY_BYTES, _LOADING_STRING_KEY_BYTES = 40.0, 120.0  # of a node, until its index is written
_LOADING_EDGE_BYTES = 40.0  # of an edge, until it is sorted by both ends, besides its properties
_LOADING_STRING_BYTES = 16.0  # of a string meanwhile, besides its own


@dataclass(frozen=True)
class DefinitionSize:
    """Bytes of a definition's Parquet files, of its table in a database, and of memory while that is loaded."""

    file_bytes: int
    database_bytes: int
    loading_bytes: int


def size_source(definition: ResolvedDefinition) -> str:
    """The first rows of a definition as the export writes them, columns named c0, c1 …"""
    columns = ", ".join(f"{column.export_sql} AS c{index}" for index, column in enumerate(definition.columns))
    query = without_terminator(definition.sql)
    return f'SELECT {columns} FROM (\n{query}\n) AS "definition" LIMIT {SAMPLE_ROWS}'  # noqa: S608


def size_expressions(definition: ResolvedDefinition) -> tuple[str, ...]:
    """What to select from `size_source`: the rows, then for each column its width and its different values."""
    found = ["count(*) AS size_rows"]
    for index, column in enumerate(definition.columns):
        name, base = f"c{index}", parse_warehouse_type(column.file_type).base
        distinct = f"approx_distinct({name})" if base in _WIDTHS or base == "varchar" else "CAST(NULL AS bigint)"
        found += [f"{_width_sql(name, base)} AS width_{index}", f"{distinct} AS distinct_{index}"]
    return tuple(found)


def definition_size(definition: ResolvedDefinition, rows: int, measured: Sequence[Any]) -> DefinitionSize:
    """The size of all rows, from the row that `size_expressions` gave."""
    seen = int(measured[0])
    parquet, engine, loading = 0.0, 0.0, 0.0
    for index, column in enumerate(definition.columns):
        width, distinct = measured[1 + 2 * index : 3 + 2 * index]
        plain, share = _width(column, width), 1.0 if distinct is None or not seen else min(1.0, distinct / seen)
        values = rows * share if share > 0.5 else (distinct or 0)
        parquet += _column_bytes(rows, values, plain) * _COMPRESSION
        engine += _engine_bytes(definition, index, column, rows, values, plain)
        loading += _loading_bytes(definition, index, column, plain) * rows
    if definition.kind == "edge":
        engine += rows * _EDGE_BYTES
    return DefinitionSize(round(parquet), round(engine) + _TABLE_BYTES, round(loading))


def total(rows: Iterable[int], sizes: Iterable[DefinitionSize]) -> Estimate:
    """The estimate for a whole graph. Memory is what its load takes, or an instance that has all of it at hand."""
    known = tuple(sizes)
    database = sum(size.database_bytes for size in known)
    loading = sum(size.loading_bytes for size in known)
    return Estimate(
        rows=sum(rows),
        bytes=sum(size.file_bytes for size in known),
        database_bytes=database,
        memory_bytes=max(_LOADING_BYTES + loading, _SERVING_BYTES + database),
    )


def _width_sql(name: str, base: str) -> str:
    if base == "varchar":
        return f"avg(CAST(length({name}) AS double))"
    if base == "varbinary":
        return f"avg(CAST(length(to_hex({name})) AS double)) / 2"
    if base in ("array", "map"):
        elements = name if base == "array" else f"map_keys({name})"
        return f"avg(CAST(cardinality({elements}) AS double))"
    return "CAST(NULL AS double)"


def _width(column: ResolvedColumn, measured: float | None) -> float:
    kind = parse_warehouse_type(column.file_type)
    if kind.base in _WIDTHS:
        return _WIDTHS[kind.base]
    if kind.base in ("array", "map"):
        return 4.0 + (measured or 0.0) * sum(map(_flat_width, kind.inner))
    if kind.base == "row":
        return _flat_width(kind)
    return 4.0 + (measured or 0.0)


def _flat_width(kind: WarehouseType) -> float:
    return sum(map(_flat_width, kind.inner)) if kind.inner else _WIDTHS.get(kind.base, _UNKNOWN)


def _column_bytes(rows: int, values: float, plain: float) -> float:
    """A column is written by value, or as a dictionary with an index of as few bits as its entries need."""
    return min(rows * plain, values * plain + rows * log2(values + 1) / 8)


def _engine_bytes(
    definition: ResolvedDefinition, index: int, column: ResolvedColumn, rows: int, values: float, plain: float
) -> float:
    """The engines keep few different values as few as well, but compress no further."""
    if definition.kind == "edge" and index < 2:
        return 0.0  # ends are kept as places of nodes: _EDGE_BYTES
    found = _column_bytes(rows, values, plain)
    if parse_engine_type(column.engine_type).base == "STRING":
        found += rows * _STRING_BYTES
    if definition.kind == "node":
        by_text = parse_engine_type(column.engine_type).base == "STRING"
        return found + (rows * (_STRING_INDEX_BYTES if by_text else _INDEX_BYTES) if index == 0 else 0)
    return found * _DIRECTIONS


def _loading_bytes(definition: ResolvedDefinition, index: int, column: ResolvedColumn, plain: float) -> float:
    """Of one value of a column. Nodes are written as they come, all but their keys; edges only once all are there."""
    text = parse_engine_type(column.engine_type).base == "STRING"
    if definition.kind == "node":
        return (_LOADING_STRING_KEY_BYTES if text else _LOADING_KEY_BYTES) if index == 0 else 0.0
    if index < 2:
        return _LOADING_EDGE_BYTES / 2
    return (plain + (_LOADING_STRING_BYTES if text else 0)) * _DIRECTIONS
