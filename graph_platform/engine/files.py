"""A snapshot's Parquet files, brought to where the engine can load them, and checked against the manifest.

Checked are presence, bytes, checksum where the manifest has one, and from each footer the rows and the columns in
order: COPY goes by position, so swapped columns would load without a word.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.private import private_folder
from graph_platform.storage.protocol import Storage
from graph_platform.stored.manifest import ManifestFile, ManifestTable

UNCOUNTED = -1
"""The rows of a file in a draft, where the warehouse only told those of all files together."""

_BLOCK_BYTES = 1024**2


@dataclass(frozen=True)
class PlacedTable:
    """A definition with its files on this machine, alone in a folder; `folder` is None where it has no file."""

    table: ManifestTable
    folder: Path | None
    files: tuple[tuple[ManifestFile, Path], ...]


def file_sha256(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal digits. A block is read while the one before is hashed: a fifth faster."""
    digest = hashlib.sha256()
    with path.open("rb", buffering=0) as file, ThreadPoolExecutor(1) as reader:
        ahead = reader.submit(file.read, _BLOCK_BYTES)
        while block := ahead.result():
            ahead = reader.submit(file.read, _BLOCK_BYTES)
            digest.update(block)
    return digest.hexdigest()


def place_files(
    storage: Storage,
    snapshot_folder: str,
    tables: Sequence[ManifestTable],
    scratch: Path,
    on_file: Callable[[int, int], None] = lambda done, of: None,
) -> tuple[PlacedTable, ...]:
    """Put each definition's files into a folder of its own under `scratch`, nodes before edges.

    Files that storage has on this machine are linked, others fetched. The folders hold exactly the manifest's files,
    under plain names, so neither a stray file beside them nor a `*` in a path can be loaded.

    Raises:
        PlatformError: SNAPSHOT_FETCH_ERROR for a file that is missing, and what storage raises.
    """
    ordered = [table for kind in ("node", "edge") for table in tables if table.kind == kind]
    total, done, placed = sum(len(table.files) for table in ordered), 0, []
    for number, table in enumerate(ordered):
        folder = scratch / f"{number}"
        private_folder(folder)
        files = []
        for index, file in enumerate(table.files):
            path = folder / f"{index}.parquet"
            _place(storage, f"{snapshot_folder}/{file.key}", path)
            files.append((file, path))
            done += 1
            on_file(done, total)
        placed.append(PlacedTable(table, folder if files else None, tuple(files)))
    return tuple(placed)


def check_content(placed: Sequence[PlacedTable]) -> None:
    """Compare the files' bytes, and their checksums where the manifest has them, with the manifest.

    Raises:
        PlatformError: SNAPSHOT_FETCH_ERROR where a file is not what the manifest says; every such file is in the
            details.
    """
    _raise_for([problem for table in placed for problem in _wrong_content(table)])


def check_footers(placed: Sequence[PlacedTable]) -> dict[str, int]:
    """Compare the rows and columns that the footers tell with the manifest; returns each file's rows by its key.

    Raises:
        PlatformError: as `check_content` does.
    """
    rows: dict[str, int] = {}
    _raise_for([problem for table in placed for problem in _wrong_footers(table, rows)])
    return rows


def _raise_for(problems: Sequence[str]) -> None:
    if problems:
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise PlatformError(
            ErrorCode.SNAPSHOT_FETCH_ERROR,
            problems[0] + more,
            "the files changed after the export: make the snapshot again",
            {"errors": list(problems)},
        )


def start_hashing(placed: Sequence[PlacedTable], worker: ThreadPoolExecutor) -> dict[str, Future[str]]:
    """Begin to compute the checksum of every file whose manifest entry has none, in the background, by key."""
    return {
        file.key: worker.submit(file_sha256, path) for table in placed for file, path in table.files if not file.sha256
    }


def _place(storage: Storage, key: str, path: Path) -> None:
    path.unlink(missing_ok=True)
    here = storage.local_path(key)
    if here is not None:
        path.symlink_to(here)
        return
    try:
        storage.fetch(key, path)
    except PlatformError as error:
        if error.code is not ErrorCode.RESOURCE_NOT_FOUND:
            raise
        raise PlatformError(
            ErrorCode.SNAPSHOT_FETCH_ERROR, f"{key} is missing in storage", "make the snapshot again"
        ) from error


def _wrong_content(placed: PlacedTable) -> Iterator[str]:
    for file, path in placed.files:
        size = path.stat().st_size
        if size != file.bytes:
            yield f"{file.key} has {size} bytes, not {file.bytes}"
        elif file.sha256 and file_sha256(path) != file.sha256:
            yield f"{file.key} is not what was exported: its SHA-256 differs"


def _wrong_footers(placed: PlacedTable, rows: dict[str, int]) -> Iterator[str]:
    # Arrow costs 0.1 s, which a server that finds its database file must not pay.
    from graph_platform.engine.results.chunks import arrow_module  # noqa: PLC0415

    arrow, parquet = arrow_module("pyarrow"), arrow_module("pyarrow.parquet")
    table = placed.table
    expected = [column.name.casefold() for column in table.columns]
    for file, path in placed.files:
        try:
            footer = parquet.read_metadata(path)
        except (arrow.ArrowException, OSError) as error:
            yield f"{file.key} is not a Parquet file: {error}"
            continue
        found = list(footer.schema.to_arrow_schema().names)
        rows[file.key] = footer.num_rows
        if file.rows not in (UNCOUNTED, footer.num_rows):
            yield f"{file.key} has {footer.num_rows} rows, not {file.rows}"
        if [name.casefold() for name in found] != expected:
            yield (
                f"{file.key} has the columns {', '.join(found)}, "
                f"not {', '.join(column.name for column in table.columns)}"
            )
    total = sum(rows.get(file.key, 0) for file in table.files)
    if total != table.rows and all(file.key in rows for file in table.files):
        yield f"{table.kind} {table.name}: its files have {total} rows, not {table.rows}"
