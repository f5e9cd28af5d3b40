"""One chunk of an engine's result at a time, by the engine's own conversion to Arrow.

The engines' Python modules convert chunk by chunk, hand each to `pyarrow.lib.RecordBatch._import_from_c`, and give all
of them together as one table: the result a second time, as a whole. But the conversion goes on where the last one
ended, and what stops it is an exception of that function. So it is given a function that raises with what it was given.
The module looks the function up at its first conversion and keeps it.
"""

from __future__ import annotations

import importlib
import threading
from typing import Any

import pyarrow as pa
import pyarrow.lib

_RecordBatch = pyarrow.lib.RecordBatch
_looking_up = threading.Lock()


def next_chunk(result: Any, rows: int) -> pa.RecordBatch | None:
    """The next rows of an engine's result, at most `rows` of them; None where there are none left.

    The batch is the engine's own and may be wrong (`mending.py`): read nothing of it before it was mended.
    """
    try:
        _converted(result, rows)
    except _Chunk as chunk:
        return chunk.batch
    return None


def arrow_module(name: str) -> Any:
    """A module of Arrow's, imported while no engine looks the function up.

    A compiled one looks at `RecordBatch` too, and refuses the class that stands for it.
    """
    with _looking_up:
        return importlib.import_module(name)


def no_chunk(result: Any) -> pa.RecordBatch:
    """A batch without rows, of the columns and types of a result that has no rows left."""
    schema = _converted(result, 1).schema
    return pa.RecordBatch.from_arrays([pa.nulls(0, field.type) for field in schema], schema=schema)


def _converted(result: Any, rows: int) -> Any:
    """The engine's table of a result that has no rows left; of any other a `_Chunk` is raised."""
    if _OneChunk.kept:
        return result.get_as_arrow(chunk_size=rows)
    with _looking_up:
        pyarrow.lib.RecordBatch = _OneChunk
        try:
            return result.get_as_arrow(chunk_size=rows)
        finally:
            pyarrow.lib.RecordBatch = _RecordBatch


class _Chunk(Exception):
    """Carries a chunk out of the conversion."""

    def __init__(self, batch: pa.RecordBatch) -> None:
        super().__init__()
        self.batch = batch


class _OneChunk:
    """What stands for `RecordBatch` while an engine's module looks its function up."""

    kept = False

    @classmethod
    def _import_from_c(cls, array: int, schema: int) -> None:
        cls.kept = True
        raise _Chunk(_RecordBatch._import_from_c(array, schema))
