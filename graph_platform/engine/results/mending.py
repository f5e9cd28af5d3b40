"""What the engines' conversion to Arrow gets wrong, put right: exactly, a column at a time.

| what the engine gives | where | what becomes of it |
|---|---|---|
| a negative DECIMAL of up to 18 digits has no sign: the bytes above its 2, 4 or 8 are zero | both | mended |
| INT128 as decimal128(38, 0), a digit too few for it; DECIMAL(38, 0) is the same type | both | decimal256(39, 0) |
| the fields of a STRUCT, node or edge that is NULL have no place, and what follows moves up | Ryugraph | mended |
| `T[3]` that is NULL has values never written: for a T without a fixed width, any length | Ryugraph | refused |
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache

import pyarrow as pa
import pyarrow.compute as pc

from graph_platform.engine.gate.functions import words
from graph_platform.errors import ErrorCode, PlatformError

LEAVES_NULL_STRUCTS_OUT = frozenset({"ryugraph"})
"""Engines whose fields of a struct have no place for a struct that is NULL."""

LEAVES_FIXED_LISTS_UNWRITTEN = frozenset({"ryugraph"})
"""Engines that do not write the values of a fixed list that is NULL, and then trust what stands there."""

_FIXED_LIST = re.compile(r"(\w*(?:\([0-9, ]*\))?)\[[0-9]+\]")
_OF_FIXED_WIDTH = words(
    "BOOL INT8 INT16 INT32 INT64 INT128 UINT8 UINT16 UINT32 UINT64 FLOAT DOUBLE DECIMAL DATE "
    "TIMESTAMP TIMESTAMP_NS TIMESTAMP_MS TIMESTAMP_SEC TIMESTAMP_TZ INTERVAL UUID"
)

_STORED_BITS = ((4, 16), (9, 32), (18, 64))
"""In how many bits the engines keep a decimal, by its greatest precision; beyond these it has all 128."""

_Mend = Callable[[pa.Array], pa.Array]


def check_types(types: Sequence[str], engine: str) -> None:
    """Refuse a result that the engine's conversion would not survive, before it is begun.

    No mapping makes a property of such a type: it comes from a CAST in a query.

    Raises:
        PlatformError: QUERY_ERROR.
    """
    if engine not in LEAVES_FIXED_LISTS_UNWRITTEN:
        return
    for kind in types:
        for found in _FIXED_LIST.finditer(kind):
            if found[1].partition("(")[0] not in _OF_FIXED_WIDTH:
                raise PlatformError(
                    ErrorCode.QUERY_ERROR,
                    f"this engine cannot give a value of type {kind}: {found[0]} has a length and elements without one",
                    "cast it to a list without a length: CAST(… AS STRING[])",
                    {"type": kind},
                )


def mended(batch: pa.RecordBatch, engine: str) -> pa.RecordBatch:
    """The batch as it should be. It must be whole, as `next_chunk` gives it: no slice of one."""
    mends = [_mend(field.type, engine in LEAVES_NULL_STRUCTS_OUT) for field in batch.schema]
    if not any(mends):
        return batch
    columns = [mend(column) if mend else column for mend, column in zip(mends, batch.columns, strict=True)]
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)


@lru_cache(maxsize=1024)
def _mend(kind: pa.DataType, sparse: bool) -> _Mend | None:
    """What puts an array of this type right, None if it is.

    Args:
        sparse: whether a struct that is NULL has no place in its fields.
    """
    if pa.types.is_decimal(kind):
        return _mend_of_decimal(kind)
    if pa.types.is_struct(kind):
        return _mend_of_struct(kind, sparse)
    if pa.types.is_map(kind):
        return _mend_of_map(kind, sparse)
    if pa.types.is_list(kind) or pa.types.is_fixed_size_list(kind):
        return _mend_of_list(kind, sparse)
    if pa.types.is_union(kind):
        return _mend_of_union(kind, sparse)
    return None


def _mend_of_decimal(kind: pa.DataType) -> _Mend | None:
    if (kind.precision, kind.scale) == (38, 0):
        return lambda array: array.cast(pa.decimal256(39, 0))
    bits = next((bits for precision, bits in _STORED_BITS if kind.precision <= precision), None)
    return None if bits is None else lambda array: _with_sign(array, bits)


def _with_sign(array: pa.Array, bits: int) -> pa.Array:
    validity, words = array.buffers()
    pairs = pa.Array.from_buffers(pa.int64(), 2 * len(array), [None, words])
    low = pc.list_element(pa.FixedSizeListArray.from_arrays(pairs, 2), 0)
    if bits < 64:
        low = pc.if_else(pc.greater_equal(low, 1 << bits - 1), pc.subtract(low, 1 << bits), low)
    words = low.cast(pa.decimal128(19, 0)).buffers()[1]
    return pa.Array.from_buffers(array.type, len(array), [validity, words])


def _mend_of_struct(kind: pa.DataType, sparse: bool) -> _Mend | None:
    mends = [_mend(field.type, sparse) for field in kind]
    if not sparse and not any(mends):
        return None

    def mend(array: pa.Array) -> pa.Array:
        fields = [each(array.field(at)) if each else array.field(at) for at, each in enumerate(mends)]
        named = _fields(kind, fields)
        if sparse and array.null_count:
            return _spread(pa.StructArray.from_arrays(fields, fields=named), array)
        return _rebuilt(array, pa.struct(named), fields)

    return mend


def _spread(dense: pa.Array, array: pa.Array) -> pa.Array:
    """The values that are not NULL, each in its place in `array`."""
    valid = array.is_valid()
    before = pc.subtract(pc.cumulative_sum(valid.cast(pa.int32())), 1)
    return dense.take(pc.if_else(valid, before, None))


def _mend_of_map(kind: pa.DataType, sparse: bool) -> _Mend | None:
    of_keys, of_items = _mend(kind.key_type, sparse), _mend(kind.item_type, sparse)
    if not of_keys and not of_items:
        return None

    def mend(array: pa.Array) -> pa.Array:
        keys = of_keys(array.keys) if of_keys else array.keys
        items = of_items(array.items) if of_items else array.items
        key, item = kind.key_field.with_type(keys.type), kind.item_field.with_type(items.type)
        entries = pa.StructArray.from_arrays([keys, items], fields=[key, item])
        return _rebuilt(array, pa.map_(key, item), [entries])

    return mend


def _mend_of_list(kind: pa.DataType, sparse: bool) -> _Mend | None:
    of_values = _mend(kind.value_type, sparse)
    if not of_values:
        return None
    size = kind.list_size if pa.types.is_fixed_size_list(kind) else -1

    def mend(array: pa.Array) -> pa.Array:
        values = of_values(array.values)
        return _rebuilt(array, pa.list_(kind.value_field.with_type(values.type), size), [values])

    return mend


def _mend_of_union(kind: pa.DataType, sparse: bool) -> _Mend | None:
    mends = [_mend(field.type, sparse) for field in kind]
    if not any(mends):
        return None

    def mend(array: pa.Array) -> pa.Array:
        fields = [each(array.field(at)) if each else array.field(at) for at, each in enumerate(mends)]
        names = [field.name for field in kind]
        return pa.UnionArray.from_dense(array.type_codes, array.offsets, fields, names)

    return mend


def _fields(kind: pa.DataType, arrays: Sequence[pa.Array]) -> list[pa.Field]:
    return [field.with_type(array.type) for field, array in zip(kind, arrays, strict=True)]


def _rebuilt(array: pa.Array, kind: pa.DataType, children: Sequence[pa.Array]) -> pa.Array:
    """The array with other children; which of its values are NULL, and where each ends, stays."""
    return pa.Array.from_buffers(kind, len(array), array.buffers()[: kind.num_buffers], children=list(children))
