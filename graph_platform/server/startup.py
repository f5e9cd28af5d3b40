"""From a database of the spec to a file on this machine that its engine can open, without opening it here.

A snapshot's stored file is used where it is when storage is on this machine, and copied otherwise; either way its
checksum is compared before the engine sees it, because a damaged file can crash the process. Where it is missing,
damaged or of another storage version, the Parquet files are loaded again, in a process of its own. No engine is
imported here: that costs a server's start, and is for the process that runs it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from graph_platform.engine.build import BuildProgress, BuildRequest
from graph_platform.engine.files import file_sha256
from graph_platform.engine.process import build_database
from graph_platform.engine.protocol import EngineVersion
from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.private import own_folder
from graph_platform.runtime.spec import DatabaseSpec, OwnFile, ServerSpec, StoredSnapshot
from graph_platform.storage.connect import open_storage
from graph_platform.storage.protocol import Storage
from graph_platform.stored.manifest import Manifest, ManifestDatabase

Report = Callable[[str, float], None]
"""Told the phase and how much of it is done, 0 to 1."""

Log = Callable[[str], None]
"""Told a sentence."""

FILE_NAME = "graph.db"


@dataclass(frozen=True)
class Folders:
    """Where a server keeps files: `work` goes with it, and `data`, where `OwnFile` databases are, outlives it."""

    work: Path
    data: Path


def prepared(
    spec: ServerSpec, database: DatabaseSpec, version: EngineVersion, folders: Folders, report: Report, log: Log
) -> Path:
    """The file of one of the spec's databases, as its engine can open it; a new one of `OwnFile` is for it to make.

    It may take a while, and may be called for different databases at once.

    Args:
        version: of the engine that is to open it.
        log: told when a stored file could not be used, and why.

    Raises:
        PlatformError: SNAPSHOT_FETCH_ERROR, SCHEMA_CREATE_ERROR, DATA_LOAD_ERROR, DATABASE_ERROR, STORAGE_ERROR,
            and how a process that loaded it ended.
    """
    source = database.source
    if isinstance(source, OwnFile):
        return _own_file(database.name, source, folders.data)
    report("fetching", 0.0)
    storage, folder = open_storage(source.storage_url), folders.work / database.name
    manifest = _manifest(storage, source, database.name)
    stored = _stored_database(manifest, version)
    path = _fetched(storage, source.folder, stored, folder, log) if stored else None
    if path is not None:
        return path
    if not stored:
        log(f"{database.name} has no database of {version.name} {version.storage_version}: loading again")
    return _loaded(spec, source, manifest, folder, report)


def new_file(name: str, data: Path) -> Path:
    """Where a new database of its own is, or is to be made by its engine; its folder is there then."""
    return _own_file(name, OwnFile(create=True), data)


def _own_file(name: str, source: OwnFile, data: Path) -> Path:
    path = data / name / FILE_NAME
    if source.create:
        own_folder(data)
        own_folder(data / name)
    elif not path.is_file():
        raise PlatformError(
            ErrorCode.DATABASE_ERROR,
            f"database {name} is gone: there is no {path}",
            "nothing was made in its place; bring the folder back, or restore a backup",
        )
    return path


def _manifest(storage: Storage, source: StoredSnapshot, name: str) -> Manifest:
    try:
        return Manifest.from_json(storage.read(source.manifest_key))
    except ValueError as error:
        raise PlatformError(ErrorCode.SNAPSHOT_FETCH_ERROR, f"{source.manifest_key} cannot be read: {error}") from error
    except PlatformError as error:
        if error.code is not ErrorCode.RESOURCE_NOT_FOUND:
            raise
        raise PlatformError(
            ErrorCode.SNAPSHOT_FETCH_ERROR,
            f"snapshot {name} has no manifest at {source.manifest_key}",
            "it was deleted, or never finished: launch another snapshot",
        ) from error


def _stored_database(manifest: Manifest, version: EngineVersion) -> ManifestDatabase | None:
    return next(
        (
            database
            for database in manifest.databases
            if (database.engine, database.storage_version) == (version.name, version.storage_version)
        ),
        None,
    )


def _fetched(storage: Storage, stored_in: str, stored: ManifestDatabase, folder: Path, log: Log) -> Path | None:
    key = f"{stored_in}/{stored.key}"
    path = storage.local_path(key)
    if path is None:
        path = own_folder(folder) / FILE_NAME
        try:
            storage.fetch(key, path)
        except PlatformError as error:
            if error.code is not ErrorCode.RESOURCE_NOT_FOUND:
                raise
            log(f"{key} is missing: loading the Parquet files instead")
            return None
    if path.stat().st_size == stored.bytes and file_sha256(path) == stored.sha256:
        return path
    log(f"{key} is not what was stored (its size or SHA-256 differs): loading the Parquet files instead")
    return None


def _loaded(spec: ServerSpec, source: StoredSnapshot, manifest: Manifest, folder: Path, report: Report) -> Path:
    def progress(step: BuildProgress) -> None:
        report(step.phase, step.done / max(step.of, 1))

    request = BuildRequest(
        engine=spec.engine,
        storage_url=source.storage_url,
        folder=source.folder,
        manifest=manifest,
        output=own_folder(folder) / FILE_NAME,
        scratch=folder,
        memory_bytes=spec.limits.pool_bytes,
        threads=spec.limits.threads,
    )
    build_database(request, progress)
    return request.output
