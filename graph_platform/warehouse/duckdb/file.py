"""Opening a DuckDB file: read-only, and locked down before the first statement of a user."""

from __future__ import annotations

import re
from pathlib import Path

import duckdb

from graph_platform.errors import ErrorCode, PlatformError

_CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "python_enable_replacements": False,  # else a table's name may mean a variable of this program
    "preserve_insertion_order": False,  # else an export of any size is held in memory
}


def connected(path: Path) -> duckdb.DuckDBPyConnection:
    """The file, opened read-only.

    Raises:
        PlatformError: BACKEND_UNREACHABLE, if it is missing, locked by another process, or no database.
    """
    if not path.is_file():
        there = "is no file" if path.exists() else "does not exist"
        message = f"the warehouse {path} {there}"
        hint = "set GRAPH_PLATFORM_WAREHOUSE to duckdb:///FILE, or create the file"
        raise PlatformError(ErrorCode.BACKEND_UNREACHABLE, message, hint)
    try:
        return duckdb.connect(str(path), read_only=True, config=_CONFIG)
    except duckdb.Error as error:
        raise unreachable(path, error) from error


def lock_down(
    connection: duckdb.DuckDBPyConnection, path: Path, storage: Path | None, threads: int, memory_limit: str
) -> None:
    """Let the database read nothing but its file and write nothing but below `storage`, for as long as it is open.

    Raises:
        PlatformError: INVALID_STATE, if this process has locked it down with another folder.
    """
    folder = f"{storage.resolve()}/" if storage else None
    state = connection.execute("SELECT current_setting('lock_configuration'), current_setting('allowed_directories')")
    locked, allowed = state.fetchone() or (False, [])
    if locked:
        if folder and folder not in allowed:
            message = f"this process already uses the warehouse {path} with another storage folder"
            raise PlatformError(ErrorCode.INVALID_STATE, message, "close it first, or use a process for each")
        return
    # The zone and the calendar are an extension that the wheel has built in.
    statements = ["LOAD icu", "SET GLOBAL TimeZone = 'UTC'", "SET GLOBAL integer_division = true"]
    if threads:
        statements.append(f"SET GLOBAL threads = {int(threads)}")
    if memory_limit:
        statements.append(f"SET GLOBAL memory_limit = {literal(memory_limit)}")
    if folder:
        statements.append(f"SET GLOBAL allowed_directories = [{literal(folder)}]")
    for statement in (*statements, "SET GLOBAL enable_external_access = false", "SET GLOBAL lock_configuration = true"):
        connection.execute(statement)


def unreachable(path: Path, error: duckdb.Error) -> PlatformError:
    """The error of a file that cannot be used, with who holds it."""
    text = str(error)
    holder = re.search(r"lock is held in (.+?)\. ", text + " ")
    if holder:
        message = f"the warehouse {path} is open for writing in {holder[1]}"
        return PlatformError(ErrorCode.BACKEND_UNREACHABLE, message, "end that process, or let it close the file")
    return PlatformError(ErrorCode.BACKEND_UNREACHABLE, f"the warehouse {path} cannot be used: {plain(text)}")


def plain(text: str) -> str:
    """DuckDB's message without its own rendering of the SQL, which is not the user's text."""
    kept = re.split(r"\n+LINE |\n\tCandidate functions:", text, maxsplit=1)[0]
    return " ".join(re.sub(r"^[A-Z][\w ]*? Error: ", "", kept.strip()).split())


def literal(text: str) -> str:
    """A text as DuckDB's SQL writes it."""
    return "'" + text.replace("'", "''") + "'"
