"""Builds a snapshot's graph database, in a process of its own: native code can crash or be killed for memory.

That process is a task's (`graph_platform.tasks`), or the program here, `python -m graph_platform.engine.build`, which
`process.py` runs for a server: a request comes as one line of JSON on standard input; lines of progress and at last one
result or error go to standard output. It ends when its parent does.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, TextIO

from graph_platform.engine.connect import load_engine
from graph_platform.engine.files import check_content, check_footers, file_sha256, place_files, start_hashing
from graph_platform.engine.graph import Progress, create_tables, load_tables
from graph_platform.engine.protocol import Engine
from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.private import keep_private, private_folder
from graph_platform.storage.connect import open_storage
from graph_platform.stored.manifest import Manifest, ManifestDatabase

PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class BuildRequest:
    """What to build. The manifest's keys are relative to `folder`, the key of the snapshot's folder in storage.

    A file of the manifest whose `sha256` is empty gets it computed; any other is checked. `output` is the database
    file to make, `scratch` a folder for temporary files, both on this machine; memory in bytes, 0 threads for all.
    """

    engine: str
    storage_url: str
    folder: str
    manifest: Manifest
    output: Path
    scratch: Path
    memory_bytes: int
    threads: int

    def to_json(self) -> str:
        """One line."""
        document = {**asdict(self), "output": str(self.output), "scratch": str(self.scratch)}
        document["manifest"] = json.loads(self.manifest.to_json())
        return json.dumps(document)

    @classmethod
    def from_json(cls, text: str) -> BuildRequest:
        """What `to_json` wrote."""
        document = json.loads(text)
        manifest = Manifest.from_json(json.dumps(document["manifest"]).encode())
        return cls(
            **{
                **document,
                "manifest": manifest,
                "output": Path(document["output"]),
                "scratch": Path(document["scratch"]),
            }
        )


@dataclass(frozen=True)
class BuildResult:
    """A database that was built, counted and opened again. `files` are the SHA-256 of the Parquet files by key, where
    the request had none, and `rows` their rows; `peak_bytes` is the most memory that the building process held, 0 where
    the system does not tell.
    """

    engine: str
    engine_version: str
    storage_version: str
    bytes: int
    sha256: str
    files: Mapping[str, str]
    rows: Mapping[str, int]
    peak_bytes: int

    def completed(self, manifest: Manifest, key: str) -> Manifest:
        """The manifest with every file's checksum and rows, and this database under `key` beside other engines'."""
        tables = tuple(
            replace(
                table,
                files=tuple(
                    replace(file, sha256=self.files.get(file.key, file.sha256), rows=self.rows[file.key])
                    for file in table.files
                ),
            )
            for table in manifest.tables
        )
        database = ManifestDatabase(
            self.engine, self.engine_version, self.storage_version, key, self.bytes, self.sha256
        )
        others = tuple(
            other
            for other in manifest.databases
            if (other.engine, other.storage_version) != (self.engine, self.storage_version)
        )
        return replace(manifest, tables=tables, databases=(*others, database))


@dataclass(frozen=True)
class BuildProgress:
    """How far a build is: the phase, the definition in work or None, and how many of how many are done."""

    phase: str
    table: str | None
    done: int
    of: int


def build(request: BuildRequest, progress: Progress) -> BuildResult:
    """Build the database in this process.

    Raises:
        PlatformError: SNAPSHOT_FETCH_ERROR, SCHEMA_CREATE_ERROR, DATA_LOAD_ERROR, STORAGE_ERROR, DATABASE_ERROR.
    """

    _remove_database(request.output)
    private_folder(request.output.parent)
    loading = request.scratch / "parquet"
    try:
        with ThreadPoolExecutor(1) as worker:
            placed = place_files(
                open_storage(request.storage_url),
                request.folder,
                request.manifest.tables,
                loading,
                lambda done, of: progress("fetching", None, done, of),
            )
            content = worker.submit(check_content, placed)
            engine = load_engine(request.engine)
            database = engine.open(
                request.output, read_only=False, memory_bytes=request.memory_bytes, threads=request.threads
            )
            try:
                create_tables(database, request.manifest.ddl, progress)
                content.result()
                footers = worker.submit(check_footers, placed)
                hashes = start_hashing(placed, worker)
                rows = _load_beside(footers, lambda tell: load_tables(database, placed, request.output, tell), progress)
                progress("writing", None, 0, 1)
                database.execute("CHECKPOINT")
            finally:
                database.close()
            progress("checking", None, 0, 1)
            digest = worker.submit(file_sha256, request.output)
            _prove_it_opens(engine, request)
            version = engine.version
            result = BuildResult(
                version.name,
                version.version,
                version.storage_version,
                request.output.stat().st_size,
                digest.result(),
                {key: future.result() for key, future in hashes.items()},
                rows,
                _peak_bytes(),
            )
    except BaseException:
        _remove_database(request.output)
        raise
    finally:
        shutil.rmtree(loading, ignore_errors=True)
    return result


def _load_beside(
    footers: Future[dict[str, int]], load: Callable[[Progress], None], progress: Progress
) -> dict[str, int]:
    """Load while the footers are checked; what is wrong with a file is told instead of what came of loading it."""

    def tell(phase: str, table: str | None, done: int, of: int) -> None:
        if footers.done():
            footers.result()
        progress(phase, table, done, of)

    try:
        load(tell)
    except PlatformError:
        footers.result()
        raise
    return footers.result()


def _peak_bytes() -> int:
    """Not `getrusage`, which on Linux begins with what the parent held when it started this process."""
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii")
    except OSError:
        return 0
    peak = next((line for line in status.splitlines() if line.startswith("VmHWM:")), "VmHWM: 0 kB")
    return int(peak.split()[1]) * 1024


def _prove_it_opens(engine: Engine, request: BuildRequest) -> None:
    leftovers = _beside(request.output)
    if leftovers:
        raise PlatformError(ErrorCode.DATABASE_ERROR, f"the engine left {leftovers[0].name} beside the database")
    database = engine.open(request.output, read_only=True, memory_bytes=64 * 1024**2, threads=1)
    try:
        tables = {table.table for table in request.manifest.tables}
        found = {
            row[0]
            for row in database.query("CALL show_tables() RETURN name", timeout_seconds=60, row_limit=10_000).rows
        }
        if tables - found:
            raise PlatformError(ErrorCode.DATABASE_ERROR, f"tables are missing: {', '.join(sorted(tables - found))}")
    finally:
        database.close()


def _beside(output: Path) -> list[Path]:
    return [path for path in output.parent.glob("*") if path.name.startswith(f"{output.name}.")]


def _remove_database(output: Path) -> None:
    for path in (output, *_beside(output)):
        with contextlib.suppress(FileNotFoundError):
            path.unlink()


def _end_with_parent(requests: TextIO) -> None:
    """End this process when its parent does: by the kernel where it can, else when standard input closes."""
    with contextlib.suppress(OSError, AttributeError):
        import ctypes  # noqa: PLC0415 — only here, and not on every platform

        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)

    def watch() -> None:
        requests.read()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def main() -> int:
    """Read the request, build, write the result or the error document. The status is 0, or 1 for an error."""
    keep_private()
    out = sys.stdout
    request = BuildRequest.from_json(sys.stdin.readline())
    _end_with_parent(sys.stdin)

    def progress(phase: str, table: str | None, done: int, of: int) -> None:
        print(json.dumps({"event": "progress", **asdict(BuildProgress(phase, table, done, of))}), file=out, flush=True)

    try:
        line: dict[str, Any] = {"event": "result", **asdict(build(request, progress))}
    except PlatformError as error:
        line = {"event": "error", "error": error.document()}
    except OSError as error:
        folder = Path(error.filename or request.output).parent
        failure = PlatformError(
            ErrorCode.STORAGE_ERROR, f"building the database failed in {folder}: {error.strerror}", "see that folder"
        )
        line = {"event": "error", "error": failure.document()}
    print(json.dumps(line), file=out, flush=True)
    return 0 if line["event"] == "result" else 1


if __name__ == "__main__":
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    status = main()
    sys.stdout.flush()
    os._exit(status)  # the watching thread holds standard input, and the interpreter would wait for it
