"""A DuckDB file as a warehouse: Trino's SQL is translated, described without running, and exported with COPY.

Nothing outside the file is read, and nothing is written outside the storage folder.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import duckdb
from sqlglot import exp

from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.mapping.problems import ProblemCode
from graph_platform.mapping.rewrites import PRELUDE
from graph_platform.mapping.sql import check_query
from graph_platform.mapping.translation import to_duckdb
from graph_platform.storage.protocol import Storage
from graph_platform.warehouse.duckdb.export import Exports
from graph_platform.warehouse.duckdb.file import connected, lock_down, unreachable
from graph_platform.warehouse.duckdb.names import trino_names
from graph_platform.warehouse.duckdb.refusals import as_refusal, refusal
from graph_platform.warehouse.duckdb.relations import relations_of
from graph_platform.warehouse.duckdb.types import trino_type
from graph_platform.warehouse.protocol import Column, ExportProgress, Refusal, Relation

_INTERRUPT_SECONDS, _INTERRUPT_PAUSE_SECONDS = 10.0, 0.02

# Connections of one process to one file share one database with one configuration.
_OPENING = threading.Lock()


class DuckDBWarehouse:
    """A DuckDB file.

    Args:
        path: the file; it must exist.
        storage: the folder under which exports may write, None where nothing is exported.
        bucket: where the exports go from there, None where that folder is where they stay. It then holds nothing for
            longer than an export takes.
        threads: threads of one statement; 0 for as many as there are cores.
        memory_limit: of the whole database, such as `4GB`; empty for DuckDB's own choice (80 % of the machine).

    Raises:
        PlatformError: BACKEND_UNREACHABLE, if the file is missing, locked by another process, or no database.
    """

    dialect = "duckdb"

    def __init__(
        self,
        path: Path,
        *,
        storage: Path | None = None,
        bucket: Storage | None = None,
        threads: int = 0,
        memory_limit: str = "",
    ) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._exports = Exports(storage, bucket)
        self._closed = False
        self._cursors: set[duckdb.DuckDBPyConnection] = set()
        with _OPENING:
            self._connection = connected(path)
            try:
                lock_down(self._connection, path, storage, threads, memory_limit)
            except BaseException:
                self._connection.close()
                raise

    @property
    def export_warning(self) -> str | None:
        """None: DuckDB writes the files itself."""
        return None

    def tagged(self, **tags: str) -> Self:
        """Itself: there are no pages that would show a tag."""
        return self

    def describe(self, sql: str) -> tuple[Column, ...]:
        """The result columns, bound but not run. A column without a name in Trino comes with an empty one."""
        query, tree = self._translated(sql)
        cursor = self._reading()
        try:
            relation = cursor.sql(query)
            if relation is None:
                raise Refusal(ProblemCode.SQL_NOT_A_QUERY, "the SQL returns nothing")
            names, types = list(relation.columns), list(relation.types)
        except duckdb.Error as error:
            raise refusal(error, sql, self._path, self.tables) from error
        finally:
            self._read(cursor)
        shown = trino_names(tree, names)
        return tuple(Column(name, str(trino_type(kind))) for name, kind in zip(shown, types, strict=True))

    def fetch(self, sql: str, row_limit: int, limit_seconds: float) -> tuple[tuple[Any, ...], ...]:
        """The first rows; a statement that takes longer is interrupted."""
        query, _ = self._translated(sql)
        cursor = self._reading()
        late = threading.Event()

        def interrupt() -> None:
            late.set()
            with suppress(duckdb.Error):  # it ended just now
                cursor.interrupt()

        timer = threading.Timer(limit_seconds, interrupt)
        timer.daemon = True
        timer.start()
        try:
            rows = cursor.execute(query).fetchmany(row_limit)
        except duckdb.InterruptException as error:
            if not late.is_set():
                raise unreachable(self._path, error) from error
            message = f"the warehouse did not end a statement at its limit of {limit_seconds:g} s"
            hint = "make it cheaper, or raise the limit in the settings"
            raise PlatformError(ErrorCode.QUERY_TIMEOUT, message, hint) from error
        except duckdb.Error as error:
            raise refusal(error, sql, self._path, self.tables) from error
        finally:
            timer.cancel()
            self._read(cursor)
        return tuple(tuple(tuple(v) if isinstance(v, list) else v for v in row) for row in rows)

    def relations(self, schema: str | None = None) -> tuple[Relation, ...]:
        """Tables with their declared keys, and the views that hold. The schema of unqualified names is `main`."""
        cursor = self._cursor()
        try:
            return relations_of(cursor, schema)
        except duckdb.Error as error:
            raise unreachable(self._path, error) from error
        finally:
            cursor.close()

    def tables(self) -> tuple[str, ...]:
        """Tables and views: those of the main schema by name, others with their schema."""
        cursor = self._cursor()
        try:
            rows = cursor.execute(
                "SELECT table_schema, table_name FROM information_schema.tables "
                "WHERE table_catalog = current_database() AND table_schema NOT IN ('information_schema', 'pg_catalog') "
                "ORDER BY ALL"
            ).fetchall()
        except duckdb.Error as error:
            raise unreachable(self._path, error) from error
        finally:
            cursor.close()
        return tuple(name if schema == "main" else f"{schema}.{name}" for schema, name in rows)

    def submit_export(self, query_id: str, sql: str, uri: str, remember: Callable[[str], None]) -> None:
        """Write Parquet in a thread of its own. It ends with this process, so nothing is remembered."""
        query, _ = self._translated(sql)
        self._exports.submit(query_id, query, uri, self._cursor)

    def adopt_export(self, query_id: str, state: str, remember: Callable[[str], None]) -> None:
        """Nothing to adopt: an export of another process ended with it."""

    def poll_export(self, query_id: str, wait_seconds: float) -> ExportProgress:
        """UNKNOWN for an export of another process: it ended with that process."""
        return self._exports.poll(query_id, wait_seconds)

    def cancel_export(self, query_id: str) -> None:
        """Interrupt the export and wait until its thread has let go of the file, or has uploaded the one at hand."""
        self._exports.cancel(query_id)

    def forget_exports(self, prefixes: Sequence[str]) -> None:
        """Nothing is kept of an export."""

    def close(self) -> None:
        """Interrupt the exports and what other threads read, and close the file; a second call does nothing."""
        with self._lock:
            self._closed = True
        self._exports.close()
        deadline = time.monotonic() + _INTERRUPT_SECONDS
        while (reading := self._interrupted()) and time.monotonic() < deadline:
            time.sleep(_INTERRUPT_PAUSE_SECONDS)
        if reading:
            return  # a statement that does not end by itself; the file is let go of with this process
        self._connection.close()

    def _cursor(self) -> duckdb.DuckDBPyConnection:
        with self._lock:
            if self._closed:
                raise self._was_closed()
            cursor = self._connection.cursor()
        cursor.execute(PRELUDE)  # what is temporary is each cursor's own
        return cursor

    def _reading(self) -> duckdb.DuckDBPyConnection:
        """A cursor that is interrupted should the warehouse be closed before `_read`."""
        cursor = self._cursor()
        with self._lock:
            if not self._closed:
                self._cursors.add(cursor)
                return cursor
        cursor.close()
        raise self._was_closed()

    def _interrupted(self) -> int:
        """Interrupt what is read, and say how much that was. One that only begins does not hear the first time."""
        with self._lock:
            for cursor in self._cursors:
                with suppress(duckdb.Error):
                    cursor.interrupt()
            return len(self._cursors)

    def _read(self, cursor: duckdb.DuckDBPyConnection) -> None:
        with self._lock:
            self._cursors.discard(cursor)
        cursor.close()

    def _was_closed(self) -> PlatformError:
        return PlatformError(ErrorCode.BACKEND_UNREACHABLE, f"the warehouse {self._path} was closed")

    def _translated(self, sql: str) -> tuple[str, exp.Expr]:
        checked = check_query(sql)
        translation = to_duckdb(checked)
        if translation.sql is None or checked.tree is None:
            raise as_refusal(translation.errors)
        return translation.sql, checked.tree
