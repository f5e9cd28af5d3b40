"""Exports, each in a thread of its own: into a folder of this machine, or from there into a bucket.

The confined process that runs the COPY never reaches a bucket: it writes into a folder, and this program uploads what
is there.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from urllib.parse import unquote, urlsplit

from graph_platform.confined.process import ConfinedProcess
from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.private import private_folder
from graph_platform.relational import Refusal
from graph_platform.storage.protocol import Storage
from graph_platform.storage.scratch import scratch_folder
from graph_platform.warehouse.own_exports import OwnExport, OwnExports
from graph_platform.warehouse.protocol import ExportProgress, ExportState

FILE_NAME = "part-0.parquet"
UPLOADED_FILE_BYTES = 256 * 1024**2
"""About how large the files of an uploaded export are. A cancellation waits for the one that is on its way."""


@dataclass
class _Export(OwnExport):
    """`process` is the one that runs its statement, while it does."""

    process: ConfinedProcess | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def run_by(self, process: ConfinedProcess) -> Iterator[None]:
        """Let it be stopped by ending the process, and only until the process is somebody else's."""
        with self.lock:
            self.process = process
        try:
            if self.stop.is_set():
                raise _Stopped
            yield
        finally:
            with self.lock:
                self.process = None

    def end(self) -> None:
        """Stop the statement, if there is one just now."""
        with self.lock:
            if self.process is not None:
                self.process.end()


class _Stopped(Exception):
    """The export was cancelled before or between two steps."""


Copy = Callable[[Path, str, Callable[[ConfinedProcess], AbstractContextManager[None]]], int]
"""Writes a result to a file, or with the option for it to a folder of several, and returns its rows. The process that
does it is told before.
"""


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

    def submit(self, query_id: str, uri: str, copy: Copy) -> None:
        """Begin to write."""
        write: Callable[[_Export, Copy], int]
        if self._bucket is not None and self._folder is not None:
            write = partial(_upload, self._folder, self._bucket, self._bucket.key(uri))
        else:
            write = partial(_write, _made(local_folder(uri)) / FILE_NAME)
        export = _Export()
        self._exports.add(query_id, export)
        threading.Thread(target=_run, args=(export, copy, write), name=f"export-{query_id}", daemon=True).start()

    def poll(self, query_id: str, wait_seconds: float) -> ExportProgress:
        """The outcome, if there is one by then; UNKNOWN for an export of another process."""
        return self._exports.poll(query_id, wait_seconds)

    def cancel(self, query_id: str) -> None:
        """End the process and wait until the thread has let go of the files, or has uploaded the one at hand."""
        export = self._exports.find(query_id)
        if export is None:
            return
        export.stop.set()
        while not export.done.is_set():
            export.end()
            export.done.wait(0.05)

    def close(self) -> None:
        """Cancel what still runs."""
        for query_id in self._exports.all():
            self.cancel(query_id)


def _run(export: _Export, copy: Copy, write: Callable[[_Export, Copy], int]) -> None:
    try:
        export.outcome = ExportProgress(ExportState.FINISHED, rows=write(export, copy))
    except Refusal as refused:
        error = refused.message + (f" ({refused.hint})" if refused.hint else "")
        export.outcome = ExportProgress(ExportState.FAILED, error=error)
    except PlatformError as error:
        # What does not answer now is worth another attempt, as a warehouse is that forgot the query.
        state = ExportState.UNKNOWN if error.code is ErrorCode.BACKEND_UNREACHABLE else ExportState.FAILED
        export.outcome = ExportProgress(state, error=error.message)
    except Exception as error:  # noqa: BLE001 - whatever it was, the caller learns it from the poll
        export.outcome = ExportProgress(ExportState.FAILED, error=str(error) or type(error).__name__)
    finally:
        if export.stop.is_set() and export.outcome.state is not ExportState.FINISHED:
            export.outcome = ExportProgress(ExportState.FAILED, error="the export was cancelled")
        export.done.set()


def _write(target: Path, export: _Export, copy: Copy) -> int:
    return copy(target, "", export.run_by)


def _upload(scratch: Path, bucket: Storage, key: str, export: _Export, copy: Copy) -> int:
    """Write the whole result on this machine, then upload it; returns its rows.

    Only what DuckDB has finished is uploaded: a query that fails on its last row leaves nothing in the bucket.
    """
    with scratch_folder(scratch.resolve()) as folder:
        files = folder / "files"
        rows = copy(files, f", FILE_SIZE_BYTES {UPLOADED_FILE_BYTES}", export.run_by)
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
