"""Opening a DuckDB file: read-only, and locked down before the first statement of a user."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import duckdb

from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.warehouse.duckdb.text import literal, unreachable

_CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "python_enable_replacements": False,  # else a table's name may mean a variable of this program
    "preserve_insertion_order": False,  # else an export of any size is held in memory
}


@dataclass(frozen=True)
class Locked:
    """What an open file may do.

    Args:
        storage: the folder below which it may write, empty for none.
        scratch: the folder for what does not fit into memory, empty for none: a statement then has to fit.
        threads: of one statement; 0 for as many as there are cores.
        memory_bytes: from which on it writes into `scratch`.
        prelude: statements that it runs once.
    """

    storage: str
    scratch: str
    threads: int
    memory_bytes: int
    prelude: str


def opened(path: Path, locked: Locked) -> duckdb.DuckDBPyConnection:
    """The file, opened read-only; it reads nothing but itself, and writes only where it may.

    Raises:
        PlatformError: BACKEND_UNREACHABLE, if it is missing, locked by another process, or no database.
    """
    if not path.is_file():
        there = "is no file" if path.exists() else "does not exist"
        message = f"the warehouse {path} {there}"
        hint = "set GRAPH_PLATFORM_WAREHOUSE to duckdb:///FILE, or create the file"
        raise PlatformError(ErrorCode.BACKEND_UNREACHABLE, message, hint)
    try:
        connection = duckdb.connect(str(path), read_only=True, config=_CONFIG)
        for statement in _statements(locked):
            connection.execute(statement)
    except duckdb.Error as error:
        raise unreachable(path, str(error)) from error
    return connection


def _statements(locked: Locked) -> tuple[str, ...]:
    return (
        "LOAD icu",  # the zone and the calendar, an extension that the wheel has built in
        "SET GLOBAL TimeZone = 'UTC'",
        "SET GLOBAL integer_division = true",
        f"SET GLOBAL temp_directory = {literal(locked.scratch)}",
        f"SET GLOBAL memory_limit = '{locked.memory_bytes}B'",
        *([f"SET GLOBAL threads = {locked.threads}"] if locked.threads else []),
        *([f"SET GLOBAL allowed_directories = [{literal(locked.storage)}]"] if locked.storage else []),
        "SET GLOBAL enable_external_access = false",
        "SET GLOBAL lock_configuration = true",
        locked.prelude,
    )
