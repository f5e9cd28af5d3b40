"""From placed files to a filled database: DDL, COPY, counts. Shared by the build and by a server that has to load.

Every definition is tried, so that one report names all that is wrong; only the edges of a broken node are left out.
"""

from __future__ import annotations

import contextlib
import shutil
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path

from graph_platform.engine.cypher import quoted, text_literal
from graph_platform.engine.files import PlacedTable
from graph_platform.engine.load import (
    LoadProblem,
    copy_statement,
    environment_error,
    load_error,
    load_problem,
    missing_key,
    nan_problem,
    nan_statement,
    skipped_problem,
)
from graph_platform.engine.protocol import Database
from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.stored.manifest import ManifestTable

Progress = Callable[[str, str | None, int, int], None]
"""Told the phase (`schema`, `loading`), the definition or None, and how many of how many are done."""


def create_tables(database: Database, ddl: Sequence[str], progress: Progress) -> None:
    """Run the DDL, statement by statement.

    Raises:
        PlatformError: SCHEMA_CREATE_ERROR with the statement and the engine's message.
    """
    for number, statement in enumerate(ddl):
        progress("schema", None, number, len(ddl))
        try:
            database.execute(statement)
        except PlatformError as error:
            raise PlatformError(
                ErrorCode.SCHEMA_CREATE_ERROR,
                f"the engine refused {statement!r}: {error.message}",
                details={"statement": statement},
            ) from error
    progress("schema", None, len(ddl), len(ddl))


def load_tables(database: Database, placed: Sequence[PlacedTable], database_path: Path, progress: Progress) -> None:
    """COPY every definition, nodes first, then compare the count of every table with the manifest.

    Raises:
        PlatformError: DATA_LOAD_ERROR that lists every definition that is wrong, STORAGE_ERROR for a full disk.
    """
    problems: list[LoadProblem] = []
    broken: set[str] = set()
    for number, one in enumerate(placed):
        table = one.table
        progress("loading", table.name, number, len(placed))
        lacking = [node for node in dict.fromkeys((table.from_node, table.to_node)) if node in broken and node]
        if lacking:
            problems.append(skipped_problem(table, lacking))
            continue
        if one.folder is None:
            continue
        nan_rows = _nan_rows(database, one, one.folder)
        if nan_rows:
            problems.append(nan_problem(table, nan_rows))
            if table.kind == "node":
                broken.add(table.table)
            continue
        try:
            database.execute(copy_statement(table, one.folder))
        except PlatformError as error:
            _raise_for_environment(error, database_path, placed)
            end = _missing_end(database, one, error.message)
            problems.append(load_problem(table, error.message, end))
            if table.kind == "node":
                broken.add(table.table)
    if problems:
        raise load_error(problems)
    progress("loading", None, len(placed), len(placed))
    check_counts(database, [one.table for one in placed])


def check_counts(database: Database, tables: Sequence[ManifestTable]) -> None:
    """Compare the rows of every table with the manifest; definitions of one edge type are one table.

    Raises:
        PlatformError: DATA_LOAD_ERROR.
    """
    expected: dict[tuple[str, str], int] = defaultdict(int)
    for table in tables:
        expected[table.kind, table.table] += table.rows
    problems = []
    for (kind, name), rows in expected.items():
        pattern = f"(x:{quoted(name)})" if kind == "node" else f"()-[x:{quoted(name)}]->()"
        found = database.query(f"MATCH {pattern} RETURN count(*)", timeout_seconds=3600, row_limit=1).rows[0][0]
        if found != rows:
            message = f"{kind} table {name} has {found} rows after the load, not {rows}"
            problems.append(LoadProblem(kind, name, "count", message, None))
    if problems:
        raise load_error(problems)


def _nan_rows(database: Database, placed: PlacedTable, folder: Path) -> int:
    """Before the COPY: what an engine makes of NaN cannot be told from the data afterwards."""
    statement = None if database.keeps_nan else nan_statement(placed.table, folder)
    return int(database.query(statement, timeout_seconds=3600, row_limit=1).rows[0][0]) if statement else 0


def _raise_for_environment(error: PlatformError, database_path: Path, placed: Sequence[PlacedTable]) -> None:
    folder = database_path.parent
    needed = sum(file.bytes for one in placed for file, _ in one.files)
    environment = environment_error(error.message, folder, shutil.disk_usage(folder).free, needed)
    if environment:
        raise environment from error


def _missing_end(database: Database, placed: PlacedTable, message: str) -> str | None:
    """Which end of an edge has the key that no node has: the engine's message does not say."""
    table, value = placed.table, missing_key(message)
    if value is None or table.from_node == table.to_node or placed.folder is None:
        return None
    source = f"{text_literal(f'{placed.folder}/*')} (file_format='parquet')"
    for end, column in (("from", table.columns[0]), ("to", table.columns[1])):
        node = table.from_node if end == "from" else table.to_node
        test = f"CAST({quoted(column.name)} AS STRING) = {text_literal(value)}"
        with contextlib.suppress(PlatformError):  # only makes the message better
            if not _any(database, f"LOAD FROM {source} WHERE {test} RETURN count(*)"):
                continue
            key = next(schema.primary_key for schema in database.schema() if schema.name == node)
            if not _any(
                database,
                f"MATCH (n:{quoted(node or '')}) WHERE CAST(n.{quoted(key or '')} AS STRING) = {text_literal(value)} "
                "RETURN count(*)",
            ):
                return end
    return None


def _any(database: Database, cypher: str) -> bool:
    return bool(database.query(cypher, timeout_seconds=60, row_limit=1).rows[0][0])
