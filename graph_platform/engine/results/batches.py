"""An answer that is read once, as Arrow record batches of bounded size."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

BATCH_BYTES = 1024 * 1024
"""What a batch should hold; one row is never divided."""


class Batches:
    """The answer to a statement while it is read. Iterate it once; only then are `row_count` and `truncated` known.

    Attributes:
        columns: the names, as the engine tells them.
        types: the engine's types of the columns, `INT64`, `DECIMAL(5, 2)`, `NODE` …
        row_count: rows given so far, at most the row limit.
        truncated: whether there were more rows than the limit.
    """

    columns: tuple[str, ...]
    types: tuple[str, ...]
    row_count: int
    truncated: bool

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        """The batches, none for an answer without rows.

        Raises:
            PlatformError: QUERY_ERROR when there is no memory for the next one.
        """
        raise NotImplementedError
