"""An answer that is read once, as Arrow record batches of bounded size."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pyarrow as pa

from graph_platform.engine.results.chunks import next_chunk, no_chunk
from graph_platform.engine.results.mending import check_types, mended
from graph_platform.errors import PlatformError

BATCH_BYTES = 1024**2
"""What a batch should hold. How large rows are is known of those before only, and a row is never divided."""

FIRST_ROWS, MOST_ROWS, GROWTH = 256, 16_384, 4
"""Rows of the first batch, of any, and by how much one may have more than the one before."""


class Batches:
    """The answer to a statement while it is read. Iterate it once; only then are `row_count` and `truncated` known.

    Attributes:
        columns: the names, as the engine tells them.
        types: the engine's types of the columns, `INT64`, `DECIMAL(5, 2)`, `NODE` …
        row_count: rows given so far, at most the row limit.
        truncated: whether there were more rows than the limit.
        told: makes of what the engine or Arrow raised while this was read what the asker is told.
    """

    def __init__(self, result: Any, engine: str, row_limit: int, told: Callable[[Exception], PlatformError]) -> None:
        """`result` is the engine's own, open as long as this is iterated.

        Raises:
            PlatformError: QUERY_ERROR for a type that this engine cannot give.
        """
        self.columns: tuple[str, ...] = tuple(result.get_column_names())
        self.types: tuple[str, ...] = tuple(result.get_column_data_types())
        check_types(self.types, engine)
        self.row_count = 0
        self.truncated = False
        self._result = result
        self._engine = engine
        self._row_limit = row_limit
        self.told = told

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        """The batches, none for an answer without rows.

        Raises:
            PlatformError: QUERY_ERROR when there is no memory for the next one.
        """
        rows = FIRST_ROWS
        while self.row_count < self._row_limit:
            batch = self._next(min(rows, self._row_limit - self.row_count))
            if batch is None:
                return
            self.row_count += batch.num_rows
            yield batch
            if not self._result.has_next():  # sooner found so than by a conversion of nothing
                return
            each = max(1, batch.get_total_buffer_size() // batch.num_rows)
            rows = max(1, min(BATCH_BYTES // each, batch.num_rows * GROWTH, MOST_ROWS))
        self.truncated = bool(self._result.has_next())

    def without_rows(self) -> pa.RecordBatch:
        """A batch of this answer's columns without rows. Only where none are left.

        Raises:
            PlatformError: QUERY_ERROR when there is no memory for it.
        """
        try:
            return mended(no_chunk(self._result), self._engine)
        except (RuntimeError, ValueError, MemoryError, pa.ArrowException) as error:
            raise self.told(error) from error

    def _next(self, rows: int) -> pa.RecordBatch | None:
        try:
            batch = next_chunk(self._result, rows)
            return None if batch is None else mended(batch, self._engine)
        except (RuntimeError, ValueError, MemoryError, pa.ArrowException) as error:
            raise self.told(error) from error
