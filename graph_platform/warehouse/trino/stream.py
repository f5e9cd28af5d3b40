"""Exports where no catalog of the cluster may be written: rows come here, page by page, and are written as Parquet.

An order slower than what the cluster writes itself, and it ends with its process. Memory is bounded by a few pages and
one row group, disk by one file.
"""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Callable, Sequence
from copy import copy
from pathlib import Path
from typing import Any, Self

import pyarrow as pa
import pyarrow.parquet as pq

from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.mapping.sql.gate import without_terminator
from graph_platform.mapping.types.text import WarehouseType, parse_warehouse_type
from graph_platform.storage.protocol import Storage
from graph_platform.storage.scratch import scratch_folder
from graph_platform.warehouse.own_exports import OwnExport, OwnExports
from graph_platform.warehouse.protocol import ExportProgress, ExportState
from graph_platform.warehouse.trino.parquet import arrow_schema
from graph_platform.warehouse.trino.statement import Answer, TrinoConnection, TrinoFailure
from graph_platform.warehouse.trino.values import arrow_array

_PAGE_BYTES = 4 * 1024**2  # of JSON; as objects it is some ten times that
_PAGES_WAITING = 2
_ROW_GROUP_BYTES = 32 * 1024**2
_FILE_BYTES = 256 * 1024**2
_LOOK_UP_SECONDS = 0.2


class _Stopped(Exception):
    """The export was cancelled, or the other of its two threads failed."""


class StreamedExports:
    """The streamed exports of one connection: a thread that fetches and one that writes for each.

    Args:
        storage: where the exports go.
        scratch: a folder of this machine, where a file is written before it is stored.
        limit_seconds: time limit of one export, which the server enforces.
    """

    def __init__(self, connection: TrinoConnection, storage: Storage, scratch: Path, limit_seconds: float) -> None:
        self._connection = connection
        self._storage = storage
        self._scratch = scratch
        self._limit_seconds = limit_seconds
        self._exports = OwnExports[OwnExport]()

    def over(self, connection: TrinoConnection) -> Self:
        """The same exports, asked for over another connection to the same server."""
        other = copy(self)
        other._connection = connection
        return other

    def submit(self, query_id: str, sql: str, uri: str, remember: Callable[[str], None]) -> None:
        """Begin to fetch and to write. There is nothing to remember, since nobody else can go on with it."""
        folder = self._storage.key(uri)
        export = OwnExport()
        self._exports.add(query_id, export)
        threading.Thread(
            target=self._run, args=(export, query_id, sql, folder), name=f"export-{query_id}", daemon=True
        ).start()

    def adopt(self, query_id: str, state: str, remember: Callable[[str], None]) -> None:
        """Nothing: an export of another process ended with that process, and is unknown here."""

    def poll(self, query_id: str, wait_seconds: float) -> ExportProgress:
        """UNKNOWN for an export of another process: it ended with that process."""
        return self._exports.poll(query_id, wait_seconds)

    def cancel(self, query_id: str) -> None:
        """Stop the export, and wait until its threads have let go of the storage."""
        export = self._exports.find(query_id)
        if export is not None:
            export.stop.set()
            export.done.wait()

    def forget(self, prefixes: Sequence[str]) -> None:
        """Nothing: the cluster keeps nothing of a streamed export."""

    def close(self) -> None:
        """Cancel what still runs."""
        exports = self._exports.all().values()
        for export in exports:
            export.stop.set()
        for export in exports:
            export.done.wait()

    def _run(self, export: OwnExport, query_id: str, sql: str, folder: str) -> None:
        try:
            rows = self._exported(export, query_id, sql, folder)
            export.outcome = ExportProgress(ExportState.FINISHED, rows=rows)
        except _Stopped:
            export.outcome = ExportProgress(ExportState.FAILED, error="the export was cancelled")
        except PlatformError as error:
            state = ExportState.UNKNOWN if error.code is ErrorCode.BACKEND_UNREACHABLE else ExportState.FAILED
            export.outcome = ExportProgress(state, error=error.message)
        except TrinoFailure as failure:
            export.outcome = ExportProgress(ExportState.FAILED, error=failure.message or failure.name)
        except Exception as error:  # noqa: BLE001 - whatever it was, the caller learns it from the poll
            export.outcome = ExportProgress(ExportState.FAILED, error=f"{type(error).__name__}: {error}")
        finally:
            export.done.set()

    def _exported(self, export: OwnExport, query_id: str, sql: str, folder: str) -> int:
        """Fetch in a thread of its own and write in this one, so that the cluster works meanwhile."""
        pages: queue.Queue[Answer | BaseException | None] = queue.Queue(_PAGES_WAITING)
        fetcher = threading.Thread(target=self._fetch, args=(export, query_id, sql, pages), daemon=True)
        fetcher.start()
        try:
            with scratch_folder(self._scratch) as scratch:
                return self._write(export, pages, _Files(self._storage, folder, scratch))
        finally:
            export.stop.set()
            fetcher.join()

    def _fetch(
        self, export: OwnExport, query_id: str, sql: str, pages: queue.Queue[Answer | BaseException | None]
    ) -> None:
        def take(answer: Answer) -> bool:
            if answer.columns:
                _put(pages, answer, export)
            if export.stop.is_set():
                raise _Stopped
            return False

        end: BaseException | None = None
        try:
            request = self._connection.request(limit_seconds=self._limit_seconds, tags=[query_id])
            answer = self._connection.post(request, without_terminator(sql))
            self._connection.follow(request, answer, self._limit_seconds, take, page_bytes=_PAGE_BYTES)
        except BaseException as error:  # noqa: BLE001 - raised again by the thread that writes
            end = error
        with contextlib.suppress(_Stopped):
            _put(pages, end, export)

    def _write(self, export: OwnExport, pages: queue.Queue[Answer | BaseException | None], files: _Files) -> int:
        rows = 0
        while True:
            try:
                page = pages.get(timeout=_LOOK_UP_SECONDS)
            except queue.Empty:
                if export.stop.is_set():
                    raise _Stopped from None
                continue
            if isinstance(page, BaseException):
                raise page
            if page is None:
                files.finish()
                return rows
            rows += files.add(page)


def _put(
    pages: queue.Queue[Answer | BaseException | None], item: Answer | BaseException | None, export: OwnExport
) -> None:
    while True:
        try:
            pages.put(item, timeout=_LOOK_UP_SECONDS)
            return
        except queue.Full:
            if export.stop.is_set():
                raise _Stopped from None


class _Files:
    """The Parquet files of one export: written on this machine, and put into the storage one after the other."""

    def __init__(self, storage: Storage, folder: str, scratch: Path) -> None:
        self._storage = storage
        self._folder = folder
        self._scratch = scratch
        self._number = 0
        self._schema: Any = None
        self._types: list[WarehouseType] = []
        self._batches: list[Any] = []
        self._waiting_bytes = 0
        self._writer: Any = None

    def add(self, page: Answer) -> int:
        """Take the rows of a page, and return how many they are."""
        if self._schema is None:
            self._schema = arrow_schema(page.columns)
            self._types = [parse_warehouse_type(kind) for _, kind in page.columns]
        if not page.rows:
            return 0
        columns = [
            arrow_array(list(values), kind)
            for values, kind in zip(zip(*page.rows, strict=True), self._types, strict=True)
        ]
        batch = pa.RecordBatch.from_arrays(columns, schema=self._schema)
        self._batches.append(batch)
        self._waiting_bytes += batch.nbytes
        if self._waiting_bytes >= _ROW_GROUP_BYTES:
            self._flush()
            if self._path.stat().st_size >= _FILE_BYTES:
                self._store()
        return len(page.rows)

    def finish(self) -> None:
        """Store what is left; without any row, one file that says so."""
        if self._batches or self._number == 0:
            self._flush()
        if self._writer is not None:
            self._store()

    @property
    def _path(self) -> Path:
        return self._scratch / f"part-{self._number}.parquet"

    def _flush(self) -> None:
        if self._writer is None:
            self._writer = pq.ParquetWriter(self._path, self._schema, compression="zstd")
        table = pa.Table.from_batches(self._batches, schema=self._schema)
        if table.num_rows:
            self._writer.write_table(table, row_group_size=table.num_rows)
        self._batches, self._waiting_bytes = [], 0

    def _store(self) -> None:
        self._writer.close()
        self._writer = None
        self._storage.put(self._path, f"{self._folder}/{self._path.name}")
        self._path.unlink()
        self._number += 1
