"""Exports with COPY, each in a thread of its own: into a folder of this machine, or from there into a bucket.

DuckDB itself never reaches a bucket: it writes into a folder, and this program uploads what is there.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import unquote, urlsplit

import duckdb

from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.private import FILE_MODE, private_folder
from graph_platform.storage.protocol import Storage
from graph_platform.storage.scratch import scratch_folder
from graph_platform.warehouse.duckdb.file import literal, plain
from graph_platform.warehouse.duckdb.types import plain_type
from graph_platform.warehouse.own_exports import OwnExport, OwnExports
from graph_platform.warehouse.protocol import ExportProgress, ExportState

FILE_NAME = "part-0.parquet"
UPLOADED_FILE_BYTES = 256 * 1024**2
"""About how large the files of an uploaded export are. A cancellation waits for the one that is on its way."""


@dataclass(kw_only=True)
class _Export(OwnExport):
    cursor: duckdb.DuckDBPyConnection


class _Stopped(Exception):
    """The export was cancelled between two uploads."""


class Exports:
    """The exports of one file.

    Args:
        folder: the folder under which they may write, None where nothing is exported.
        bucket: where the files go from there, None where that folder is where they stay.
    """

    def __init__(self, folder: Path | None, bucket: Storage | None) -> None:
        self._folder = folder
        self._bucket = bucket
        self._exports = OwnExports[_Export]()

    def submit(self, query_id: str, query: str, uri: str, cursor: Callable[[], duckdb.DuckDBPyConnection]) -> None:
        """Begin to write. The cursor is the export's own, and is closed with it.

        Args:
            query: DuckDB's SQL.
        """
        write: Callable[[_Export, str], int]
        if self._bucket is not None and self._folder is not None:
            write = partial(_upload, self._folder, self._bucket, self._bucket.key(uri))
        else:
            write = partial(_copy, _made(local_folder(uri)) / FILE_NAME, "")
        export = _Export(cursor=cursor())
        try:
            self._exports.add(query_id, export)
        except PlatformError:
            export.cursor.close()
            raise
        threading.Thread(target=_run, args=(export, query, write), name=f"export-{query_id}", daemon=True).start()

    def poll(self, query_id: str, wait_seconds: float) -> ExportProgress:
        """The outcome, if there is one by then; UNKNOWN for an export of another process."""
        return self._exports.poll(query_id, wait_seconds)

    def cancel(self, query_id: str) -> None:
        """Interrupt the export and wait until its thread has let go of the file, or has uploaded the one at hand."""
        export = self._exports.find(query_id)
        if export is None:
            return
        export.stop.set()
        # An interrupt that comes before the statement has begun is lost, so it is repeated until the thread ends.
        while not export.done.is_set():
            with suppress(duckdb.Error):  # the thread may have closed it just now
                export.cursor.interrupt()
            export.done.wait(0.05)

    def close(self) -> None:
        """Cancel what still runs."""
        for query_id in self._exports.all():
            self.cancel(query_id)


def _run(export: _Export, query: str, write: Callable[[_Export, str], int]) -> None:
    try:
        export.outcome = ExportProgress(ExportState.FINISHED, rows=write(export, query))
    except _Stopped:
        export.outcome = ExportProgress(ExportState.FAILED, error="the export was cancelled")
    except PlatformError as error:
        # Storage that does not answer now is worth another attempt, as a warehouse is that forgot the query.
        state = ExportState.UNKNOWN if error.code is ErrorCode.BACKEND_UNREACHABLE else ExportState.FAILED
        export.outcome = ExportProgress(state, error=error.message)
    except Exception as error:  # noqa: BLE001 - whatever it was, the caller learns it from the poll
        export.outcome = ExportProgress(ExportState.FAILED, error=plain(str(error)) or type(error).__name__)
    finally:
        export.done.set()
        export.cursor.close()


def _copy(target: Path, options: str, export: _Export, query: str) -> int:
    """Write the result to one file, or with the option for it to a folder of several; returns its rows."""
    relation = export.cursor.sql(query)
    columns = ", ".join(
        _quoted(name)
        if str(kind) == plain_type(kind)
        else f"CAST({_quoted(name)} AS {plain_type(kind)}) AS {_quoted(name)}"
        for name, kind in zip(relation.columns, relation.types, strict=True)
    )
    row = export.cursor.execute(
        f"COPY (SELECT {columns} FROM ({query})) TO {literal(str(target))} "  # noqa: S608
        f"(FORMAT parquet, COMPRESSION zstd{options})"
    ).fetchone()
    if target.is_file():
        target.chmod(FILE_MODE)  # as storage keeps every file, whatever the umask
    return int(row[0]) if row else 0


def _upload(scratch: Path, bucket: Storage, key: str, export: _Export, query: str) -> int:
    """Write the whole result on this machine, then upload it; returns its rows.

    Only what DuckDB has finished is uploaded: a query that fails on its last row leaves nothing in the bucket.
    """
    with scratch_folder(scratch) as folder:
        files = folder.resolve() / "files"  # what DuckDB was allowed is the real path
        rows = _copy(files, f", FILE_SIZE_BYTES {UPLOADED_FILE_BYTES}", export, query)
        for file in sorted(files.iterdir()):
            if export.stop.is_set():
                raise _Stopped
            bucket.put(file, f"{key}/{file.name}")
            file.unlink()
    return rows


def local_folder(uri: str) -> Path:
    """The folder of a `file://` URL, percent-escapes resolved.

    Raises:
        PlatformError: VALIDATION_FAILED, for a URL of another kind.
    """
    parts = urlsplit(uri)
    if parts.scheme != "file" or parts.netloc not in ("", "localhost"):
        message = f"DuckDB writes to folders of this machine, and {uri} is not one"
        raise PlatformError(ErrorCode.VALIDATION_FAILED, message, "use a storage URL such as file:///data/storage")
    # A `?` or `#` in a folder's name reaches here only unescaped, since nothing gives such a URL a query.
    tail = ("?" + parts.query if parts.query else "") + ("#" + parts.fragment if parts.fragment else "")
    return Path(unquote(parts.path + tail))


def _made(folder: Path) -> Path:
    try:
        _make(folder)
        return folder.resolve()  # what DuckDB was allowed is the real path
    except OSError as error:
        message = f"{folder} cannot be written: {error.strerror or error}"
        raise PlatformError(ErrorCode.STORAGE_ERROR, message, "check the storage setting and its disk") from error


def _make(folder: Path) -> None:
    """Make a folder and its parents, also while somebody else removes empty ones."""
    for _ in range(100):
        with suppress(FileNotFoundError):
            private_folder(folder)
            return
    private_folder(folder)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
