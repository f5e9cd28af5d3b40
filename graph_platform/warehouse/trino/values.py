"""Values as Trino writes them in JSON, made into Arrow arrays, a column at a time.

What JSON lacks comes as text: dates, timestamps, decimals, NaN and infinity, the keys of a map; binary comes in Base64.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from graph_platform.mapping.types.text import WarehouseType
from graph_platform.warehouse.trino.parquet import arrow_type

_MICROSECOND_TEXT = len("2020-01-01 00:00:00.123456")
_INTEGERS = ("tinyint", "smallint", "integer", "bigint")
# The key of a JSON object is text; these types' values are not.
_KEYS: Mapping[str, Callable[[str], Any]] = MappingProxyType(
    {
        **dict.fromkeys(_INTEGERS, int),
        **dict.fromkeys(("double", "real"), float),
        "boolean": lambda text: text == "true",
    }
)


def arrow_array(values: list[Any], kind: WarehouseType) -> Any:
    """A `pyarrow.Array` of the values of one column, None for NULL.

    Raises:
        PlatformError: STARBURST_ERROR, for a type that needs a cast before it is exported.
        pyarrow.ArrowInvalid: a value that the type cannot hold, such as a date after the year 9999.
    """
    target = arrow_type(kind)
    nested = _NESTED.get(kind.base)
    if nested is not None:
        return nested(values, kind, target)
    if kind.base in ("date", "decimal"):
        return pa.array(values, pa.string()).cast(target)
    if kind.base == "timestamp":
        texts = pa.array(values, pa.string())
        finer = bool(kind.numbers) and kind.numbers[0] > 6
        return (pc.utf8_slice_codeunits(texts, 0, _MICROSECOND_TEXT) if finer else texts).cast(target)
    if kind.base == "varbinary":
        return pa.array([None if value is None else base64.b64decode(value) for value in values], target)
    if kind.base == "char":
        # Padded here, and without the padding in the files that the cluster writes.
        values = [value.rstrip(" ") if value else value for value in values]
    if kind.base in ("double", "real"):
        # NaN and the infinities are words, and Python reads Trino's.
        values = [float(value) if isinstance(value, str) else value for value in values]
    return pa.array(values, target)


def _offsets(values: list[Any]) -> Any:
    """Where each list begins in the array of all elements; a NULL list has a NULL there, and no elements."""
    offsets: list[int | None] = []
    at = 0
    for value in values:
        offsets.append(None if value is None else at)
        at += len(value or ())
    return pa.array([*offsets, at], pa.int32())


def _array(values: list[Any], kind: WarehouseType, target: Any) -> Any:
    elements = arrow_array([element for value in values if value for element in value], kind.inner[0])
    return pa.ListArray.from_arrays(_offsets(values), elements, type=target)


def _map(values: list[Any], kind: WarehouseType, target: Any) -> Any:
    key_kind, value_kind = kind.inner
    read = _KEYS.get(key_kind.base)
    keys = [read(key) if read else key for value in values if value for key in value]
    items = [item for value in values if value for item in value.values()]
    arrays = (arrow_array(keys, key_kind), arrow_array(items, value_kind))
    return pa.MapArray.from_arrays(_offsets(values), *arrays, type=target)


def _row(values: list[Any], kind: WarehouseType, target: Any) -> Any:
    arrays = [
        arrow_array([None if value is None else value[index] for value in values], inner)
        for index, inner in enumerate(kind.inner)
    ]
    missing = pa.array([value is None for value in values], pa.bool_())
    return pa.StructArray.from_arrays(arrays, fields=list(target), mask=missing)


_NESTED: Mapping[str, Callable[[list[Any], WarehouseType, Any], Any]] = MappingProxyType(
    {"array": _array, "map": _map, "row": _row}
)
