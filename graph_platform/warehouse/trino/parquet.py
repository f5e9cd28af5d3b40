"""Parquet files that this process writes itself: Trino's types as Arrow's, and a file for a result without rows.

What the cluster writes does not pass through here.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.mapping.types.table import BY_FILE, BY_SOURCE
from graph_platform.mapping.types.text import WarehouseType, parse_warehouse_type
from graph_platform.storage.protocol import Storage

FILE_NAME = "part-0.parquet"


def arrow_type(kind: WarehouseType) -> Any:
    """The `pyarrow.DataType` of a Trino type that an export may have.

    Raises:
        PlatformError: STARBURST_ERROR, for a type that needs a cast before it is exported.
    """
    if kind.base in BY_FILE or kind.base == "char":
        return pa.type_for_alias(BY_SOURCE[kind.base].arrow)
    if kind.base == "decimal":
        return pa.decimal128(*kind.numbers)
    if kind.base == "array":
        return pa.list_(arrow_type(kind.inner[0]))
    if kind.base == "map":
        return pa.map_(*map(arrow_type, kind.inner))
    if kind.base == "row":
        names = [name or f"field{index}" for index, name in enumerate(kind.fields or [None] * len(kind.inner))]
        return pa.struct([pa.field(name, arrow_type(inner)) for name, inner in zip(names, kind.inner, strict=True)])
    raise PlatformError(ErrorCode.STARBURST_ERROR, f"a column of type {kind} cannot be exported without a cast")


def arrow_schema(columns: Sequence[tuple[str, str]]) -> Any:
    """The `pyarrow.Schema` of result columns, given as names with Trino types."""
    return pa.schema([pa.field(name, arrow_type(parse_warehouse_type(kind))) for name, kind in columns])


def write_empty(storage: Storage, uri: str, columns: Sequence[tuple[str, str]]) -> None:
    """Keep one file without rows in a folder of the storage. Trino writes none then, and the engines need one."""
    with tempfile.TemporaryDirectory(prefix="graph-platform-") as scratch:
        path = Path(scratch) / FILE_NAME
        pq.write_table(arrow_schema(columns).empty_table(), path)
        storage.put(path, f"{storage.key(uri)}/{FILE_NAME}")
