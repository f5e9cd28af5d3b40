"""The databases of a server by name: those of its spec, and those that come and go while it runs; and their copies.

Only a graph's server has any that come and go. What is made or taken away here is not in the spec of its next start
before the catalog says so: each of these can be asked for again, and ends as if it had been asked once.
"""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from graph_platform.engine.files import file_sha256
from graph_platform.engine.protocol import UNREADABLE_LOG
from graph_platform.engine.worker.requests import OpenedDatabase
from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.runtime.spec import Access, DatabaseSpec, OwnFile, ServerSpec, StoredObject
from graph_platform.server.admission import Admission
from graph_platform.server.startup import FILE_NAME, new_file
from graph_platform.server.workers import Workers
from graph_platform.storage.connect import open_storage

CHECKPOINT_SECONDS = 600.0
CHANGE_SECONDS = 60.0

LOG_BYTES = 16 * 1024**2
"""Of a write-ahead log; a longer one is written out into the database."""

_COPY, _LOG = ".copy", ".wal"


class Databases:
    """Those of one server. `find` may be called in any thread, all else is the event loop's."""

    def __init__(self, spec: ServerSpec, workers: Workers, admission: Admission) -> None:
        self._main = spec.main.name
        self._known = {database.name: database for database in spec.databases}
        self._workers = workers
        self._admission = admission
        self._changing = asyncio.Lock()
        self._writing_out: dict[str, asyncio.Task[None]] = {}
        self._not_before: dict[str, int] = {}
        self._failures: dict[str, dict[str, Any]] = {}

    @property
    def access(self) -> Mapping[str, str]:
        """What may be done with each, by name."""
        return {name: database.access.value for name, database in self._known.items()}

    def find(self, name: str | None) -> DatabaseSpec:
        """The database of a name, the main one for None.

        Raises:
            PlatformError: RESOURCE_NOT_FOUND.
        """
        found = self._known.get(self._main if name is None else name)
        if found is None:
            raise PlatformError(
                ErrorCode.RESOURCE_NOT_FOUND, f"there is no database {name!r} here", "GET /databases names them"
            )
        return found

    async def create(self, name: str) -> bool:
        """Make a database and serve it.

        Returns:
            Whether it is new; one that is served, or whose file is there already, stays what it is.

        Raises:
            PlatformError: VALIDATION_FAILED for what is no name; INVALID_STATE where nothing is written, or the server
                starts; DATABASE_ERROR.
        """
        made = DatabaseSpec(name, Access.WRITE, OwnFile(create=True))
        async with self._changing:
            if name in self._known:
                return False
            path = await asyncio.to_thread(self._new, name)
            is_new = not path.exists()
            opened = OpenedDatabase(str(path), Access.WRITE.value)
            await asyncio.to_thread(self._workers.serve, name, opened, time.monotonic() + CHANGE_SECONDS)
            self._known[name] = made
            return is_new

    async def drop(self, name: str) -> None:
        """Take a database away, with its file: from now on nobody finds it, and queries that wait for it are refused.

        Raises:
            PlatformError: RESOURCE_NOT_FOUND; VALIDATION_FAILED for the main one, and for one that is only read.
        """
        async with self._changing:
            found = self.find(name)
            if name == self._main or found.access is not Access.WRITE:
                what = "the main one" if name == self._main else "only read"
                raise PlatformError(
                    ErrorCode.VALIDATION_FAILED, f"{name} is {what}, so it goes only with all of its graph"
                )
            folder = self._folder() / name
            del self._known[name]
            try:
                await asyncio.to_thread(self._workers.forget, name, time.monotonic() + CHANGE_SECONDS)
                await asyncio.to_thread(shutil.rmtree, folder)
            except (PlatformError, OSError):
                if folder.exists():  # so that it can be asked for again
                    self._known[name] = found
                raise
            self._not_before.pop(name, None)
            self._failures.pop(name, None)

    async def checkpoint(self, name: str, to: StoredObject) -> dict[str, Any]:
        """Store a copy of a database as one file. Its readers go on; its writers wait until it was copied beside it,
        not until it was stored.

        Returns:
            `bytes`, `sha256`, `engine`, `storage_version` and `writers_waited_seconds`.

        Raises:
            PlatformError: RESOURCE_NOT_FOUND, INVALID_STATE, QUERY_TIMEOUT, STORAGE_ERROR, BACKEND_UNREACHABLE.
        """
        async with self._changing:
            found, version = self.find(name), self._workers.version
            if found.access is not Access.WRITE or version is None:
                raise PlatformError(ErrorCode.INVALID_STATE, f"{name} is only read: its snapshot is its copy")
            file = self._file(name)
            copy = file.with_name(FILE_NAME + _COPY)
            try:
                async with self._admission.without_writes(name, CHECKPOINT_SECONDS):
                    begun = time.monotonic()
                    await asyncio.to_thread(self._written_out, name, file, copy)
                    waited = time.monotonic() - begun
                stored = await asyncio.to_thread(_stored, copy, to)
            finally:
                copy.unlink(missing_ok=True)
            return {
                **stored,
                "engine": version.name,
                "storage_version": version.storage_version,
                "writers_waited_seconds": round(waited, 3),
            }

    def wrote(self, name: str) -> None:
        """A write was answered: if the log is long by now, have it written out, beside all else."""
        if name not in self._known or name in self._writing_out or self._workers.opening is None:
            return
        try:
            size = self._file(name).with_name(FILE_NAME + _LOG).stat().st_size
        except FileNotFoundError:
            return
        if size >= self._not_before.get(name, LOG_BYTES):
            self._writing_out[name] = asyncio.create_task(self._shortened(name, size))

    async def _shortened(self, name: str, size: int) -> None:
        """One that cannot be written out is told, and tried again when it is twice as long: nothing of it is lost."""
        try:
            await asyncio.to_thread(self._workers.checkpoint, name, time.monotonic() + CHECKPOINT_SECONDS)
        except PlatformError as error:
            if name in self._known:  # it may have been taken away meanwhile
                self._not_before[name] = 2 * size
                self._failures[name] = error.document()
        else:
            self._not_before.pop(name, None)
            self._failures.pop(name, None)
        finally:
            del self._writing_out[name]

    def failed_checkpoints(self) -> dict[str, dict[str, Any]]:
        """Why the log of a database, by its name, could not be written out the last time."""
        return dict(self._failures)

    def unreadable_logs(self) -> list[dict[str, Any]]:
        """The write-ahead logs that could not be replayed, each kept beside its database, with its size in bytes."""
        found = []
        for name, database in tuple(self._known.items()):
            if database.access is Access.WRITE and self._workers.opening is not None:
                logs = (self._folder() / name).glob(f"{FILE_NAME}{UNREADABLE_LOG}*")
                found += [{"database": name, "file": str(log), "bytes": log.stat().st_size} for log in sorted(logs)]
        return found

    def _written_out(self, name: str, file: Path, copy: Path) -> None:
        self._workers.checkpoint(name, time.monotonic() + CHECKPOINT_SECONDS)
        log = file.with_name(FILE_NAME + _LOG)
        if log.exists() and log.stat().st_size:
            raise PlatformError(ErrorCode.DATABASE_ERROR, f"{name} has a write-ahead log left after its checkpoint")
        shutil.copyfile(file, copy)

    def _file(self, name: str) -> Path:
        return self._folder() / name / FILE_NAME

    def _new(self, name: str) -> Path:
        return new_file(name, self._folder())

    def _folder(self) -> Path:
        opening = self._workers.opening
        if opening is None or opening.folder is None:
            raise PlatformError(ErrorCode.INVALID_STATE, "this instance has no databases that come and go")
        return Path(opening.folder)


def _stored(copy: Path, to: StoredObject) -> dict[str, Any]:
    size, digest = copy.stat().st_size, file_sha256(copy)
    open_storage(to.storage_url).put(copy, to.key)
    return {"bytes": size, "sha256": digest}
