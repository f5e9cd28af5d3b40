"""Record batches as JSON text: the one table of what a value of an engine is in JSON.

| engine value | JSON |
|---|---|
| NULL, BOOL, STRING, integers to 64 bits | the same |
| DECIMAL, INT128 | string, exact, never with an exponent |
| DOUBLE, FLOAT | number; `"NaN"`, `"Infinity"`, `"-Infinity"` for those that JSON lacks |
| DATE, TIMESTAMP, TIMESTAMP_TZ | ISO 8601 string; `+10000-01-01` after the year 9999, `-0001-01-01` before 0 |
| INTERVAL | ISO 8601 duration, `P1DT2S` |
| UUID | string |
| BLOB | base64 string; the column's type tells it from a STRING |
| list, STRUCT | array, object |
| MAP | object; a key that is not a string becomes its JSON text |
| UNION | the value that it holds |
| node | `{"_label", "_id", "properties"}`, the id as `table:offset` |
| edge | `{"_label", "_id", "_from", "_to", "properties"}` |
| path | `{"_nodes", "_edges"}` |

The text is made by Arrow's kernels, a column at a time: each type has a function from an array to an array of texts,
without a NULL among them, and a nested type puts those of its parts together.
"""

from __future__ import annotations

import base64
import datetime
import itertools
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from functools import lru_cache, partial
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from graph_platform.engine.results.batches import Batches

_Texts = Callable[[pa.Array], pa.Array]

_NEEDS_ESCAPE = r'[\x00-\x1f"\\]'
_HELD_APART = frozenset({"_ID", "_LABEL", "_SRC", "_DST"})
"""Fields of a node or an edge that are no properties."""

_DAY_SECONDS = 86_400
_FIRST_DAY, _LAST_DAY = ((day - datetime.date(1970, 1, 1)).days for day in (datetime.date.min, datetime.date.max))
_DAYS_OF_400_YEARS = 146_097


def json_pieces(batches: Batches, elapsed_seconds: Callable[[], float]) -> Iterator[bytes]:
    """The document of an answer (`columns`, `types`, `rows`, `row_count`, `truncated`, `elapsed_seconds`) in pieces.

    The pieces are UTF-8 and together one JSON document. What comes after the rows is known only when they are through,
    so it stands last.

    Args:
        elapsed_seconds: asked once, after the last row.

    Raises:
        PlatformError: as iterating `batches` does.
    """
    yield _head(batches.columns, batches.types)
    first = True
    for batch in batches:
        try:
            rows = _rows(batch)
        except (MemoryError, pa.ArrowException) as error:
            raise batches.told(error) from error
        yield (rows.slice(1) if first else rows).to_pybytes()
        first = False
    truncated = "true" if batches.truncated else "false"
    elapsed = round(elapsed_seconds(), 6)
    yield f'],"row_count":{batches.row_count},"truncated":{truncated},"elapsed_seconds":{elapsed}}}'.encode()


@lru_cache(256)
def _head(columns: tuple[str, ...], types: tuple[str, ...]) -> bytes:
    return f'{{"columns":{json.dumps(columns)},"types":{json.dumps(types)},"rows":['.encode()


def json_rows(batches: Batches) -> tuple[tuple[Any, ...], ...]:
    """All rows at once, each value as it is in JSON.

    Raises:
        PlatformError: as iterating `batches` does.
    """
    return tuple(tuple(row) for row in json.loads(b"".join(json_pieces(batches, lambda: 0)))["rows"])


def _rows(batch: pa.RecordBatch) -> pa.Buffer:
    """The rows, each with a comma before it: an array of texts has them one after another in its last buffer."""
    if batch.num_rows * batch.num_columns <= _FEW_VALUES and all(map(_is_simple, batch.schema.types)):
        return _few_rows(batch)
    parts: list[pa.Array | str] = []
    for column in batch.columns:
        parts += ["," if parts else ",[", texts(column)]
    joined = _joined(*parts, "]")
    _, offsets, data = joined.buffers()
    ends = pa.Array.from_buffers(pa.int32(), len(joined) + 1, [None, offsets])
    return data.slice(0, ends[-1].as_py())


def _few_rows(batch: pa.RecordBatch) -> pa.Buffer:
    """The same for few simple values, where calling the kernels would take longer than the values do."""
    values = ([_number(value) for value in column.to_pylist()] for column in batch.columns)
    rows = (json.dumps(row, ensure_ascii=False, separators=(",", ":")) for row in zip(*values, strict=True))
    return pa.py_buffer("".join(f",{row}" for row in rows).encode())


def _number(value: Any) -> Any:
    return _NO_NUMBERS.get(str(value), value) if isinstance(value, float) and not math.isfinite(value) else value


@lru_cache(maxsize=1024)
def _is_simple(kind: pa.DataType) -> bool:
    return any(is_kind(kind) for is_kind in _SIMPLE)


def texts(array: pa.Array) -> pa.Array:
    """The JSON text of each value, NULL as `null`."""
    return _texts_of(array.type)(array)


@lru_cache(maxsize=1024)
def _texts_of(kind: pa.DataType) -> _Texts:
    if pa.types.is_struct(kind):
        return _texts_of_struct(kind)
    for is_kind, function in _BY_TYPE:
        if is_kind(kind):
            return function
    raise TypeError(f"no JSON for {kind}")


def _joined(*parts: pa.Array | str) -> pa.Array:
    return pc.binary_join_element_wise(*parts, "")


def _nulls(found: pa.Array) -> pa.Array:
    return pc.fill_null(found, "null") if found.null_count else found


def _quoted(found: pa.Array) -> pa.Array:
    """Texts that need no escape, as strings."""
    return _nulls(_joined('"', found, '"'))


def _plain(array: pa.Array) -> pa.Array:
    return _nulls(array.cast(pa.string()))


def _of_float(array: pa.Array) -> pa.Array:
    array = array.cast(pa.float64())
    found = array.cast(pa.string())
    whole = pc.match_substring_regex(found, r"^-?[0-9]+$")  # Arrow writes 1.0 as 1, which would be read as an integer
    found = pc.if_else(whole, _joined(found, ".0"), found)
    if not pc.all(pc.is_finite(array), min_count=0).as_py():
        for is_it, text in (
            (pc.is_nan(array), '"NaN"'),
            (pc.equal(array, float("inf")), '"Infinity"'),
            (pc.equal(array, float("-inf")), '"-Infinity"'),
        ):
            found = pc.if_else(is_it, text, found)
    return _nulls(found)


def _of_string(array: pa.Array) -> pa.Array:
    odd = pc.match_substring_regex(array, _NEEDS_ESCAPE)
    if not pc.any(odd, min_count=0).as_py():
        return _quoted(array)
    escaped = [json.dumps(value, ensure_ascii=False)[1:-1] for value in array.filter(odd).to_pylist()]
    return _quoted(pc.replace_with_mask(array, pc.fill_null(odd, False), pa.array(escaped, pa.string())))


def _of_decimal(array: pa.Array) -> pa.Array:
    """The digits of the unscaled integer with the point put in: Arrow's own text has an exponent for small ones."""
    scale = array.type.scale
    validity, words = array.buffers()
    whole = pa.decimal128(38, 0) if pa.types.is_decimal128(array.type) else pa.decimal256(76, 0)
    digits = pa.Array.from_buffers(whole, len(array), [validity, words], offset=array.offset).cast(pa.string())
    if not scale:
        return _quoted(digits)
    sign = pc.if_else(pc.starts_with(digits, "-"), "-", "")
    digits = pc.utf8_lpad(pc.utf8_ltrim(digits, "-"), scale + 1, "0")
    before, after = pc.utf8_slice_codeunits(digits, 0, -scale), pc.utf8_slice_codeunits(digits, -scale)
    return _quoted(_joined(sign, before, ".", after))


def _of_date(array: pa.Array) -> pa.Array:
    days = array.cast(pa.int32())
    near = pc.and_(pc.greater_equal(days, _FIRST_DAY), pc.less_equal(days, _LAST_DAY))
    if pc.all(near, min_count=0).as_py():
        return _quoted(array.cast(pa.string()))
    return _quoted(pa.array([None if day is None else _day(day) for day in days.to_pylist()], pa.string()))


def _of_timestamp(array: pa.Array) -> pa.Array:
    offset = "" if array.type.tz is None else "+00:00"  # the engines know no other zone
    micros = array.cast(pa.timestamp(array.type.unit)).cast(pa.timestamp("us"), safe=False)
    counted = micros.cast(pa.int64())
    first, last = _FIRST_DAY * _DAY_SECONDS * 1_000_000, (_LAST_DAY + 1) * _DAY_SECONDS * 1_000_000
    near = pc.and_(pc.greater_equal(counted, first), pc.less(counted, last))
    if not pc.all(near, min_count=0).as_py():
        far = [None if value is None else _moment(value) + offset for value in counted.to_pylist()]
        return _quoted(pa.array(far, pa.string()))
    found = pc.replace_substring(micros.cast(pa.string()), " ", "T")
    return _quoted(_joined(pc.replace_substring(found, ".000000", ""), offset))


def _day(days: int) -> str:
    """A day since 1970 as ISO 8601: a year with more than four digits has a sign, the year before 1 is 0."""
    eras, rest = divmod(days - _FIRST_DAY, _DAYS_OF_400_YEARS)  # the calendar comes again every 400 years
    near = datetime.date.min + datetime.timedelta(rest)
    year = near.year + 400 * eras
    sign = "+" if year > datetime.MAXYEAR else "-" if year < 0 else ""
    return f"{sign}{abs(year):04}-{near.month:02}-{near.day:02}"


def _moment(micros: int) -> str:
    seconds, micros = divmod(micros, 1_000_000)
    days, seconds = divmod(seconds, _DAY_SECONDS)
    fraction = f".{micros:06}" if micros else ""
    return f"{_day(days)}T{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}{fraction}"


def _of_duration(array: pa.Array) -> pa.Array:
    micros = array.cast(pa.duration("us"), safe=False).cast(pa.int64()).to_pylist()
    return _quoted(pa.array([None if value is None else _duration(value) for value in micros], pa.string()))


def _duration(micros: int) -> str:
    sign, micros = ("-", -micros) if micros < 0 else ("", micros)
    days, micros = divmod(micros, _DAY_SECONDS * 1_000_000)
    seconds = format((Decimal(micros) / 1_000_000).normalize(), "f")
    return f"{sign}P{f'{days}D' if days else ''}{f'T{seconds}S' if micros else ''}" if days or micros else "PT0S"


def _of_uuid(array: pa.Array) -> pa.Array:
    storage = array.storage
    _, data = storage.buffers()
    digits = data.slice(storage.offset * 16, len(storage) * 16).to_pybytes().hex().encode()
    found = pa.Array.from_buffers(pa.binary(32), len(storage), [None, pa.py_buffer(digits)])
    found = pc.if_else(storage.is_valid(), found.cast(pa.binary()).cast(pa.string()), None)
    ends = (0, 8, 12, 16, 20, 32)
    parts = [pc.utf8_slice_codeunits(found, first, last) for first, last in itertools.pairwise(ends)]
    return _quoted(pc.binary_join_element_wise(*parts, "-"))


def _of_blob(array: pa.Array) -> pa.Array:
    found = [None if value is None else base64.b64encode(value).decode() for value in array.to_pylist()]
    return _quoted(pa.array(found, pa.string()))


def _of_list(array: pa.Array) -> pa.Array:
    return _collected(array.offsets, texts(array.values), array, "[", "]")


def _of_fixed_list(array: pa.Array) -> pa.Array:
    size = array.type.list_size
    offsets = pa.array(range(array.offset * size, (array.offset + len(array) + 1) * size, size or 1), pa.int32())
    return _collected(offsets, texts(array.values), array, "[", "]")


def _of_map(array: pa.Array) -> pa.Array:
    pairs = _joined(_key(texts(array.keys)), ":", texts(array.items))
    return _collected(array.offsets, pairs, array, "{", "}")


def _collected(offsets: pa.Array, parts: pa.Array, array: pa.Array, opening: str, closing: str) -> pa.Array:
    """The texts between each two offsets, with commas between and signs around; `null` where the array is NULL."""
    found = _joined(opening, pc.binary_join(pa.ListArray.from_arrays(offsets, parts), ","), closing)
    return pc.if_else(array.is_valid(), found, "null") if array.null_count else found


def _key(found: pa.Array) -> pa.Array:
    """JSON texts as names: what is not a string becomes one that holds its text."""
    return pc.if_else(pc.starts_with(found, '"'), found, _of_string(found))


def _of_union(array: pa.Array) -> pa.Array:
    found = pa.nulls(len(array), pa.string())
    for at in range(array.type.num_fields):
        is_it = pc.equal(array.type_codes, array.type.type_codes[at])
        found = pc.if_else(is_it, texts(array.field(at)).take(pc.if_else(is_it, array.offsets, None)), found)
    return _nulls(found)


def _texts_of_struct(kind: pa.DataType) -> _Texts:
    names = [field.name for field in kind]
    at = {name: place for place, name in enumerate(names)}
    members: dict[str, _Texts]
    if at.keys() == {"_NODES", "_RELS"}:
        members = {"_nodes": partial(_field, at["_NODES"]), "_edges": partial(_field, at["_RELS"])}
    elif at.keys() >= {"_ID", "_LABEL"}:
        members = {"_label": partial(_field, at["_LABEL"]), "_id": partial(_id, at["_ID"])}
        if at.keys() >= _HELD_APART:
            members |= {"_from": partial(_id, at["_SRC"]), "_to": partial(_id, at["_DST"])}
        properties = {name: partial(_field, place) for name, place in at.items() if name not in _HELD_APART}
        members["properties"] = partial(_object, properties)
    else:
        members = {name: partial(_field, place) for name, place in at.items()}

    def of_struct(array: pa.Array) -> pa.Array:
        found = _object(members, array)
        return pc.if_else(array.is_valid(), found, "null") if array.null_count else found

    return of_struct


def _object(members: Mapping[str, _Texts], array: pa.Array) -> pa.Array:
    if not members:
        return pa.repeat("{}", len(array))
    parts: list[pa.Array | str] = []
    for name, of_member in members.items():
        parts += [f"{',' if parts else '{'}{json.dumps(name)}:", of_member(array)]
    return _joined(*parts, "}")


def _field(place: int, array: pa.Array) -> pa.Array:
    return texts(array.field(place))


def _id(place: int, array: pa.Array) -> pa.Array:
    """`"table:offset"`; `null` for what a user put there under a name of ours."""
    found = array.field(place)
    if not pa.types.is_struct(found.type) or {field.name for field in found.type} != {"offset", "table"}:
        return pa.repeat("null", len(array))
    written = _joined('"', _plain(found.field("table")), ":", _plain(found.field("offset")), '"')
    return pc.if_else(found.is_valid(), written, "null") if found.null_count else written


_FEW_VALUES = 64
_SIMPLE = (pa.types.is_null, pa.types.is_boolean, pa.types.is_integer, pa.types.is_floating, pa.types.is_string)
_NO_NUMBERS = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}

_BY_TYPE: Sequence[tuple[Callable[[pa.DataType], bool], _Texts]] = (
    (pa.types.is_null, _plain),
    (pa.types.is_boolean, _plain),
    (pa.types.is_integer, _plain),
    (pa.types.is_floating, _of_float),
    (pa.types.is_string, _of_string),
    (pa.types.is_decimal, _of_decimal),
    (pa.types.is_date, _of_date),
    (pa.types.is_timestamp, _of_timestamp),
    (pa.types.is_duration, _of_duration),
    (lambda kind: isinstance(kind, pa.UuidType), _of_uuid),
    (pa.types.is_binary, _of_blob),
    (pa.types.is_map, _of_map),
    (pa.types.is_list, _of_list),
    (pa.types.is_fixed_size_list, _of_fixed_list),
    (pa.types.is_union, _of_union),
)
