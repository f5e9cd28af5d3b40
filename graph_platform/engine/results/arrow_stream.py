"""Record batches as an Arrow IPC stream: for a client that goes on computing with them.

The values are the engine's own, mended where its conversion is wrong (`mending.py`), in Arrow's types: a DECIMAL is a
decimal128, an INT128 a decimal256(39, 0), a node a struct of `_ID` (`offset`, `table`), `_LABEL` and its properties, an
edge one with `_SRC` and `_DST` besides, a path one of `_NODES` and `_RELS`. Each column's field has the engine's type
in its metadata, as `engine_type`.

What is known only when the rows are through (`row_count`, `truncated`, `elapsed_seconds`: texts, as in JSON) is the
metadata of the last batch, which has no rows. A stream without it was broken off.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator

import pyarrow as pa
import pyarrow.ipc

from graph_platform.engine.results.batches import Batches


def arrow_pieces(batches: Batches, elapsed_seconds: Callable[[], float]) -> Iterator[bytes]:
    """The stream of an answer in pieces, one or more for each batch.

    Args:
        elapsed_seconds: asked once, after the last row.

    Raises:
        PlatformError: as iterating `batches` does.
    """
    stream: _Stream | None = None
    for batch in batches:
        try:
            stream = stream or _Stream(batches, batch.schema)
            stream.write(batch)
        except (MemoryError, pa.ArrowException) as error:
            raise batches.told(error) from error
        yield stream.taken()
    without_rows = batches.without_rows() if stream is None else stream.without_rows()
    stream = stream or _Stream(batches, without_rows.schema)
    end = {
        "row_count": batches.row_count,
        "truncated": batches.truncated,
        "elapsed_seconds": round(elapsed_seconds(), 6),
    }
    stream.write(without_rows, {name: json.dumps(value) for name, value in end.items()})
    stream.close()
    yield stream.taken()


class _Stream:
    """A writer whose bytes are taken away as they come."""

    def __init__(self, batches: Batches, schema: pa.Schema) -> None:
        columns = zip(batches.columns, schema.types, batches.types, strict=True)
        self._schema = pa.schema([pa.field(name, kind, metadata={"engine_type": told}) for name, kind, told in columns])
        self._sink = _Sink()
        self._writer = pa.ipc.new_stream(pa.PythonFile(self._sink, "w"), self._schema)

    def write(self, batch: pa.RecordBatch, metadata: dict[str, str] | None = None) -> None:
        named = pa.RecordBatch.from_arrays(batch.columns, schema=self._schema)
        self._writer.write_batch(named, custom_metadata=metadata)

    def without_rows(self) -> pa.RecordBatch:
        return pa.RecordBatch.from_arrays([pa.nulls(0, field.type) for field in self._schema], schema=self._schema)

    def close(self) -> None:
        self._writer.close()

    def taken(self) -> bytes:
        """What was written since the last time."""
        taken, self._sink.parts = b"".join(self._sink.parts), []
        return taken


class _Sink(io.RawIOBase):
    """Keeps what is written until it is taken. Arrow asks how far it is, to align what follows."""

    def __init__(self) -> None:
        super().__init__()
        self.parts: list[bytes] = []
        self._written = 0

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._written

    def write(self, content: object) -> int:
        part = bytes(memoryview(content))  # type: ignore[arg-type]
        self.parts.append(part)
        self._written += len(part)
        return len(part)
