"""A DuckDB file as a warehouse: Trino's SQL is translated, described without running, and exported with COPY.

Nothing outside the file is read, and nothing is written outside the storage folder. The file is open in confined
processes only, one for each statement that runs: DuckDB's own limits do not hold for every list and text.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from functools import partial
from pathlib import Path
from typing import Any, Self

from sqlglot import exp

from graph_platform.confined.machine import machine_memory
from graph_platform.confined.pool import PoolClosed, ProcessPool
from graph_platform.confined.process import ConfinedProcess, NotReady, Stopped
from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.mapping.checks.problems import ProblemCode
from graph_platform.mapping.sql.functions import unknown_functions
from graph_platform.mapping.sql.gate import CheckedQuery, check_query
from graph_platform.processes.ending import Cause
from graph_platform.relational import Column, Refusal, Relation
from graph_platform.storage.protocol import Storage
from graph_platform.storage.scratch import scratch_folder
from graph_platform.warehouse.duckdb.export import Exports
from graph_platform.warehouse.duckdb.names import trino_names
from graph_platform.warehouse.duckdb.refusals import (
    as_refusal,
    no_such_column,
    no_such_function,
    no_such_table,
    refusal,
    stopped_at,
)
from graph_platform.warehouse.duckdb.relations import columns_of_duckdbs, relations_in, relations_named
from graph_platform.warehouse.duckdb.rewrites import PRELUDE
from graph_platform.warehouse.duckdb.signatures.proof import Lookup
from graph_platform.warehouse.duckdb.text import unreachable
from graph_platform.warehouse.duckdb.translation import Translation, to_duckdb
from graph_platform.warehouse.protocol import ExportProgress

_PROGRAM = "graph_platform.warehouse.duckdb.program"
_SHARE_OF_THE_MACHINE = 0.8  # of all processes together, as DuckDB itself would take
_SPILLS_FROM = 0.6  # of a process's memory: what DuckDB counts itself; the rest is for what it does not count
_PROCESSES = 4
# DuckDB's allocator keeps what it does not need any more, which counts as memory: 1.6 times what DuckDB knows of.
_ALLOCATOR = {"DUCKDB_JE_MALLOC_CONF": "retain:false,dirty_decay_ms:100,muzzy_decay_ms:0"}

Beside = Callable[[ConfinedProcess], AbstractContextManager[None]]


class DuckDBWarehouse:
    """A DuckDB file.

    Args:
        path: the file; it must exist.
        storage: the folder under which exports may write, None where nothing is exported.
        bucket: where the exports go from there, None where that folder is where they stay. It then holds nothing for
            longer than an export takes.
        scratch: the folder for what a statement cannot hold in memory, None for none.
        threads: threads of one statement; 0 for as many as there are cores.
        processes: how many statements run at once at most.
        memory_bytes: memory of one statement at most; 0 for its part of four fifths of the machine.
        statement_seconds: time limit of what reads no data.

    Raises:
        PlatformError: BACKEND_UNREACHABLE, if the file is missing, locked by another process, or no database.
    """

    def __init__(
        self,
        path: Path,
        *,
        storage: Path | None = None,
        bucket: Storage | None = None,
        scratch: Path | None = None,
        threads: int = 0,
        processes: int = _PROCESSES,
        memory_bytes: int = 0,
        statement_seconds: float = 300.0,
    ) -> None:
        self._path = path
        self._storage = storage
        self._scratch = scratch
        self._threads = threads
        self._memory_bytes = memory_bytes or int(_SHARE_OF_THE_MACHINE * machine_memory()) // max(1, processes)
        self._statement_seconds = statement_seconds
        self._exports = Exports(storage, bucket)
        self._closed = threading.Event()
        self._pool = ProcessPool(self._started, processes)
        with self._pool.one():
            pass  # so that a file that cannot be used is told now

    @property
    def export_warning(self) -> str | None:
        """None: DuckDB writes the files itself."""
        return None

    def tagged(self, **tags: str) -> Self:
        """Itself: there are no pages that would show a tag."""
        return self

    def review(self, query: CheckedQuery, entity: str) -> Translation:
        """What cannot be translated, and what may give another value than Trino's."""
        return to_duckdb(query, entity, self._columns_in(query))

    def describe(self, sql: str) -> tuple[Column, ...]:
        """The result columns, bound but not run. A column without a name in Trino comes with an empty one."""
        query, tree = self._translated(sql)
        try:
            columns = self._answer(sql, tree, {"do": "describe", "sql": query}, self._statement_seconds)["columns"]
        except Stopped as stopped:
            raise stopped_at(stopped.ending, self._memory_bytes, self._statement_seconds) from stopped
        if columns is None:
            raise Refusal(ProblemCode.SQL_NOT_A_QUERY, "the SQL returns nothing")
        shown = trino_names(tree, [name for name, _ in columns])
        return tuple(Column(name, kind) for name, (_, kind) in zip(shown, columns, strict=True))

    def fetch(self, sql: str, row_limit: int, limit_seconds: float) -> tuple[tuple[Any, ...], ...]:
        """The first rows; a statement that takes longer is ended."""
        query, tree = self._translated(sql)
        try:
            rows = self._answer(sql, tree, {"do": "fetch", "sql": query, "rows": row_limit}, limit_seconds)["rows"]
        except Stopped as stopped:
            if stopped.ending.cause is not Cause.TIME:
                raise stopped_at(stopped.ending, self._memory_bytes, limit_seconds) from stopped
            message = f"the warehouse did not end a statement at its limit of {limit_seconds:g} s"
            hint = "make it cheaper, or raise the limit in the settings"
            raise PlatformError(ErrorCode.QUERY_TIMEOUT, message, hint) from stopped
        return tuple(tuple(tuple(v) if isinstance(v, list) else v for v in row) for row in rows)

    def relations(self, schema: str | None = None) -> tuple[Relation, ...]:
        """Tables with their declared keys, and the views that hold. The schema of unqualified names is `main`."""
        return relations_in(self._own_answer({"do": "relations", "schema": schema}), schema)

    def tables(self) -> tuple[str, ...]:
        """Tables and views: those of the main schema by name, others with their schema."""
        tables = self._own_answer({"do": "tables"})["tables"]
        return tuple(name if schema == "main" else f"{schema}.{name}" for schema, name in tables)

    def submit_export(self, query_id: str, sql: str, uri: str, remember: Callable[[str], None]) -> None:
        """Write Parquet in a thread of its own. It ends with this process, so nothing is remembered."""
        query, tree = self._translated(sql)
        if self._closed.is_set():
            raise self._was_closed()
        self._exports.submit(query_id, uri, partial(self._copy, sql, tree, query))

    def adopt_export(self, query_id: str, state: str, remember: Callable[[str], None]) -> None:
        """Nothing to adopt: an export of another process ended with it."""

    def poll_export(self, query_id: str, wait_seconds: float) -> ExportProgress:
        """UNKNOWN for an export of another process: it ended with that process."""
        return self._exports.poll(query_id, wait_seconds)

    def cancel_export(self, query_id: str) -> None:
        """End the export and wait until its thread has let go of the files, or has uploaded the one at hand."""
        self._exports.cancel(query_id)

    def forget_exports(self, prefixes: Sequence[str]) -> None:
        """Nothing is kept of an export."""

    def close(self) -> None:
        """End the exports, what other threads read, and the processes with the file; a second call does nothing."""
        self._closed.set()
        self._exports.close()
        self._pool.close()

    def _copy(self, sql: str, tree: exp.Expr, query: str, target: Path, options: str, beside: Beside) -> int:
        request = {"do": "export", "sql": query, "target": str(target), "options": options}
        try:
            return int(self._answer(sql, tree, request, None, beside)["rows"])
        except Stopped as stopped:
            if stopped.ending.cause is Cause.KILLED:  # what it has written of its file nobody goes on with
                message = "the process that wrote it was killed from outside"
                raise PlatformError(ErrorCode.BACKEND_UNREACHABLE, message) from stopped
            raise stopped_at(stopped.ending, self._memory_bytes, 0) from stopped

    def _answer(
        self,
        sql: str,
        tree: exp.Expr,
        request: Mapping[str, Any],
        limit_seconds: float | None,
        beside: Beside | None = None,
    ) -> dict[str, Any]:
        """The answer to a user's statement.

        Raises:
            Refusal, PlatformError, Stopped.
        """
        named = list(relations_named(tree))
        relations = [(table.catalog, table.db, table.name) for table in named]
        names = {"relations": relations, "columns": columns_of_duckdbs(tree)}
        answer = self._asked({**request, **names}, limit_seconds, beside)
        if "missing_relation" in answer:
            table = named[answer["missing_relation"]]
            raise no_such_table(".".join(part.name for part in table.parts), sql, self.tables)
        if "missing_column" in answer:
            raise no_such_column(answer["missing_column"], sql)
        if "refused" in answer:
            raise refusal(answer["refused"], sql, self._path, self.tables)
        return answer

    def _own_answer(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """The answer to a question of the platform's, which no SQL of a user's is to blame for."""
        try:
            answer = self._asked(request, self._statement_seconds)
        except Stopped as stopped:
            message = f"the warehouse {self._path} cannot be read: its process ended ({stopped.ending.cause})"
            raise PlatformError(ErrorCode.BACKEND_UNREACHABLE, message) from stopped
        if "refused" in answer:
            raise unreachable(self._path, answer["refused"]["text"])
        return answer

    def _asked(
        self, request: Mapping[str, Any], limit_seconds: float | None, beside: Beside | None = None
    ) -> dict[str, Any]:
        """The answer of a process that does nothing else meanwhile.

        What was killed from outside is asked again, once: it need not have been this statement's fault, and reading
        can be repeated. What has somebody `beside` it writes, and is not.
        """
        content = json.dumps(request).encode()
        tries = 1 if beside else 2
        while True:
            tries -= 1
            try:
                with self._pool.one() as process, (beside or nullcontext)(process):
                    answer: dict[str, Any] = json.loads(process.ask(content, limit_seconds))
                    return answer
            except PoolClosed as closed:
                raise self._was_closed() from closed
            except Stopped as stopped:
                if self._closed.is_set():
                    raise self._was_closed() from stopped
                if stopped.ending.cause is not Cause.KILLED or not tries:
                    raise

    def _started(self) -> ConfinedProcess:
        with ExitStack() as ending:
            scratch = ending.enter_context(scratch_folder(self._scratch)) if self._scratch else None
            opening = {
                "path": str(self._path),
                "storage": f"{self._storage.resolve()}/" if self._storage else "",
                "scratch": str(scratch or ""),
                "threads": self._threads,
                "memory_bytes": int(_SPILLS_FROM * self._memory_bytes),
                "prelude": PRELUDE,
            }
            try:
                return ConfinedProcess(
                    _PROGRAM,
                    json.dumps(opening).encode(),
                    memory_bytes=self._memory_bytes,
                    environment=_ALLOCATOR,
                    on_end=ending.pop_all().close,
                )
            except NotReady as refused:
                raise PlatformError.from_document(json.loads(refused.content)) from refused
            except Stopped as stopped:
                how = f"{stopped.ending.how}: {stopped.ending.last_line}"
                message = f"the warehouse {self._path} cannot be used: the process that opens it ended with {how}"
                raise PlatformError(ErrorCode.BACKEND_UNREACHABLE, message) from stopped

    def _was_closed(self) -> PlatformError:
        return PlatformError(ErrorCode.BACKEND_UNREACHABLE, f"the warehouse {self._path} was closed")

    def _columns_in(self, query: CheckedQuery) -> Lookup | None:
        """The columns of the relations that a query names."""
        if query.tree is None:
            return None
        named = list(dict.fromkeys((table.catalog, table.db, table.name) for table in relations_named(query.tree)))
        answer = self._own_answer({"do": "columns", "named": named})["columns"] if named else ()
        columns = dict(zip(named, answer, strict=True))
        return lambda table: columns.get((table.catalog, table.db, table.name))

    def _translated(self, sql: str) -> tuple[str, exp.Expr]:
        checked = check_query(sql)
        translation = to_duckdb(checked, columns=self._columns_in(checked))
        if translation.sql is None or checked.tree is None:
            if translation.errors[0].code == ProblemCode.FUNCTION_NOT_FOUND:
                raise no_such_function(next(unknown_functions(checked)))
            raise as_refusal(translation.errors)
        return translation.sql, checked.tree
