"""From a snapshot in storage to an open database: the stored file if it is right, else the Parquet files again.

The stored file is used where it is when storage is on this machine, and copied otherwise; either way its checksum is
compared before the engine sees it, because a damaged file can crash the process.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from graph_platform.engine.connect import load_engine
from graph_platform.engine.files import check_content, check_footers, file_sha256, place_files
from graph_platform.engine.graph import create_tables, load_tables
from graph_platform.engine.protocol import Database, Engine
from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.runtime.spec import ServerSpec, StoredSnapshot
from graph_platform.storage.connect import open_storage
from graph_platform.storage.protocol import Storage
from graph_platform.stored.manifest import Manifest, ManifestDatabase

Report = Callable[[str, float], None]
"""Told the phase and how much of it is done, 0 to 1."""


def open_snapshot(
    spec: ServerSpec, folder: Path, report: Report, log: Callable[[str], None]
) -> tuple[Engine, Database]:
    """Open the snapshot's database read-only.

    Args:
        folder: the instance's own folder, for what has to be copied or loaded.
        log: told in a sentence when the stored file could not be used, and why.

    Raises:
        PlatformError: SNAPSHOT_FETCH_ERROR, SCHEMA_CREATE_ERROR, DATA_LOAD_ERROR, DATABASE_ERROR, STORAGE_ERROR.
    """
    report("fetching", 0.0)
    source = spec.main.source
    if not isinstance(source, StoredSnapshot):
        raise PlatformError(ErrorCode.DATABASE_ERROR, f"{spec.main.name} does not come from a snapshot")
    with ThreadPoolExecutor(1) as importing:  # the wheel is imported while the file is read
        engine_ready = importing.submit(load_engine, spec.engine)
        storage = open_storage(source.storage_url)
        manifest = _manifest(storage, source, spec.main.name)
        engine = engine_ready.result()
    stored = _stored_database(manifest, engine)
    path = _fetched(storage, source.folder, stored, folder, log) if stored else None
    if path is None:
        if not stored:
            log(
                f"the snapshot has no database of {engine.version.name} {engine.version.storage_version}: loading again"
            )
        path = _loaded(spec, source.folder, engine, storage, manifest, folder, report)
    database = engine.open(path, read_only=True, memory_bytes=spec.limits.pool_bytes, threads=spec.limits.threads)
    return engine, database


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


def _stored_database(manifest: Manifest, engine: Engine) -> ManifestDatabase | None:
    version = engine.version
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
    spec: ServerSpec,
    stored_in: str,
    engine: Engine,
    storage: Storage,
    manifest: Manifest,
    folder: Path,
    report: Report,
) -> Path:
    path, scratch = folder / "loaded.db", folder / "parquet"
    for leftover in folder.glob("loaded.db*"):
        leftover.unlink()
    try:
        placed = place_files(
            storage, stored_in, manifest.tables, scratch, lambda done, of: report("fetching", done / max(of, 1))
        )
        check_content(placed)
        check_footers(placed)
        database = engine.open(path, read_only=False, memory_bytes=spec.limits.pool_bytes, threads=spec.limits.threads)
        with contextlib.closing(database):

            def progress(phase: str, table: str | None, done: int, of: int) -> None:
                report(phase, done / max(of, 1))

            create_tables(database, manifest.ddl, progress)
            load_tables(database, placed, path, progress)
            database.execute("CHECKPOINT")
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return path
