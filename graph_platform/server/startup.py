"""From a snapshot in storage to a database file of this machine: the stored one if it is right, else loaded again.

The stored file is used where it is when storage is on this machine, and copied otherwise; either way its checksum is
compared before the engine sees it, because a damaged file can crash the process.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from graph_platform.engine.build import BuildProgress, BuildRequest
from graph_platform.engine.files import file_sha256
from graph_platform.engine.process import build_database
from graph_platform.engine.protocol import EngineVersion
from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.runtime.spec import DatabaseSpec, ServerSpec, StoredSnapshot
from graph_platform.storage.connect import open_storage
from graph_platform.storage.protocol import Storage
from graph_platform.stored.manifest import Manifest, ManifestDatabase

_LOADING_SECONDS = 24 * 3600.0

Report = Callable[[str, float], None]
"""Told the phase and how much of it is done, 0 to 1."""


def prepared(
    spec: ServerSpec,
    database: DatabaseSpec,
    version: EngineVersion,
    folder: Path,
    report: Report,
    log: Callable[[str], None],
) -> Path:
    """A database as a file of this machine.

    Args:
        database: one of the spec's.
        version: of the engine that is to open it.
        folder: the instance's own folder, for what has to be copied or loaded.
        log: told in a sentence when the stored file could not be used, and why.

    Raises:
        PlatformError: SNAPSHOT_FETCH_ERROR, SCHEMA_CREATE_ERROR, DATA_LOAD_ERROR, DATABASE_ERROR, STORAGE_ERROR.
    """
    report("fetching", 0.0)
    source = database.source
    if not isinstance(source, StoredSnapshot):
        raise PlatformError(ErrorCode.DATABASE_ERROR, f"{database.name} does not come from a snapshot")
    storage = open_storage(source.storage_url)
    manifest = _manifest(storage, source, database.name)
    stored = _stored_database(manifest, version)
    path = _fetched(storage, source.folder, stored, folder, log) if stored else None
    if path is not None:
        return path
    if not stored:
        log(f"the snapshot has no database of {version.name} {version.storage_version}: loading again")
    return _loaded(spec, source.folder, storage, manifest, folder, report)


def _manifest(storage: Storage, spec: StoredSnapshot, name: str) -> Manifest:
    try:
        return Manifest.from_json(storage.read(spec.manifest_key))
    except ValueError as error:
        raise PlatformError(ErrorCode.SNAPSHOT_FETCH_ERROR, f"{spec.manifest_key} cannot be read: {error}") from error
    except PlatformError as error:
        if error.code is not ErrorCode.RESOURCE_NOT_FOUND:
            raise
        raise PlatformError(
            ErrorCode.SNAPSHOT_FETCH_ERROR,
            f"snapshot {name} has no manifest at {spec.manifest_key}",
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


def _fetched(
    storage: Storage, stored_in: str, stored: ManifestDatabase, folder: Path, log: Callable[[str], None]
) -> Path | None:
    key = f"{stored_in}/{stored.key}"
    path = storage.local_path(key)
    if path is None:
        path = folder / "graph.db"
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


def _loaded(
    spec: ServerSpec, stored_in: str, storage: Storage, manifest: Manifest, folder: Path, report: Report
) -> Path:
    path = folder / "loaded.db"
    for leftover in folder.glob("loaded.db*"):
        leftover.unlink()
    limits, scratch = spec.limits, folder / "parquet"
    request = BuildRequest(
        spec.engine, storage.url, stored_in, manifest, path, scratch, limits.pool_bytes, limits.threads
    )

    def progress(step: BuildProgress) -> None:
        report(step.phase, step.done / max(step.of, 1))

    try:
        build_database(request, timeout_seconds=_LOADING_SECONDS, on_progress=progress)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return path
