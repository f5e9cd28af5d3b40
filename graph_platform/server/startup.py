"""From a database of the spec to a file on this machine that its engine can open, without opening it here.

A snapshot's stored file is used where it is when storage is on this machine, and copied otherwise; either way its
checksum is compared before the engine sees it, because a damaged file can crash the process. Where it is missing,
damaged or of another storage version, the Parquet files are loaded again, in a process of its own. No engine is
imported here: that costs a server's start, and is for the process that runs it.
"""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from graph_platform.engine.build import BuildProgress, BuildRequest
from graph_platform.engine.connect import ADAPTERS
from graph_platform.engine.files import file_sha256
from graph_platform.engine.process import build_database
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


def prepared(spec: ServerSpec, database: DatabaseSpec, folders: Folders, report: Report, log: Log) -> Path:
    """The file of one of the spec's databases, as its engine can open it; a new one of `OwnFile` is for it to make.

    It may take a while, and may be called for different databases at once.

    Args:
        log: told when a stored file could not be used, and why.

    Raises:
        PlatformError: SNAPSHOT_FETCH_ERROR, SCHEMA_CREATE_ERROR, DATA_LOAD_ERROR, DATABASE_ERROR, STORAGE_ERROR,
            VALIDATION_FAILED for an engine that there is not, and how a process that loaded it ended.
    """
    if spec.engine not in ADAPTERS:
        raise PlatformError(
            ErrorCode.VALIDATION_FAILED, f"no engine is called {spec.engine!r}", f"there are: {', '.join(ADAPTERS)}"
        )
    if isinstance(database.source, OwnFile):
        return _own_file(database.name, database.source, folders.data)
    return _from_snapshot(spec, database.name, database.source, folders.work / database.name, report, log)


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


def _from_snapshot(spec: ServerSpec, name: str, source: StoredSnapshot, folder: Path, report: Report, log: Log) -> Path:
    report("fetching", 0.0)
    storage = open_storage(source.storage_url)
    manifest = _manifest(storage, source, name)
    stored = _stored_database(manifest, spec.engine)
    path = _fetched(storage, source.folder, stored, folder, log) if stored else None
    if path is not None:
        return path
    if not stored:
        log(f"{name} has no database that this {spec.engine} can open: loading again")
    return _loaded(spec, source, manifest, folder, report)


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


def _stored_database(manifest: Manifest, engine: str) -> ManifestDatabase | None:
    """The one that the engine of this machine opens: written by the same version, or with the same storage version."""
    of_engine = [database for database in manifest.databases if database.engine == engine]
    if not of_engine:
        return None
    try:
        installed = importlib.metadata.version(engine)
    except importlib.metadata.PackageNotFoundError as error:
        raise PlatformError(ErrorCode.DATABASE_ERROR, f"{engine} is not installed", f"pip install {engine}") from error
    same = next((database for database in of_engine if database.engine_version == installed), None)
    if same:
        return same
    version = _storage_version(engine)
    return next((database for database in of_engine if database.storage_version == version), None)


def _storage_version(engine: str) -> str:
    """Asked of the engine, in a process that ends with the answer: only after a new version was installed."""
    program = "import sys; from graph_platform.engine.connect import load_engine\n"
    program += "print(load_engine(sys.argv[1]).version.storage_version)"
    asked = subprocess.run([sys.executable, "-P", "-c", program, engine], capture_output=True, text=True, check=False)
    if asked.returncode:
        raise PlatformError(
            ErrorCode.DATABASE_ERROR,
            f"{engine} cannot be imported: {(asked.stderr.strip().splitlines() or ['no word'])[-1]}",
        )
    return asked.stdout.strip()


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
