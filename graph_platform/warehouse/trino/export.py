"""Exports that the cluster writes itself: `CREATE TABLE … AS` to Parquet on a Hive catalog, followed by hand.

The client's cursor drains such a statement before it returns, so it is submitted, remembered and asked for here step by
step. A query outlives the process that submitted it: whoever has the remembered text goes on with it.
"""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import urlsplit

from trino.client import TrinoRequest

from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.mapping.sql.gate import without_terminator
from graph_platform.polling import Clock
from graph_platform.storage.protocol import Storage
from graph_platform.warehouse.protocol import ExportProgress, ExportState
from graph_platform.warehouse.trino.parquet import write_empty
from graph_platform.warehouse.trino.refusals import AFTER, BEFORE, literal, quoted, tables_of
from graph_platform.warehouse.trino.statement import TRANSIENT, Answer, QueryLost, TrinoConnection, TrinoFailure

Remember = Callable[[str], None]

TABLE_PREFIX = "graph_platform_"
# Ended by the cluster, not by the data: another attempt may succeed. An owner that lost its snapshot cancels on its way
# out a query that its successor follows; what an operator killed stays dead.
_RETRIED = TRANSIENT | {"USER_CANCELED"}
_PAUSE_SHARE, _LONGEST_PAUSE_SECONDS = 0.02, 5.0
_PATIENCE_SECONDS = 60.0  # a coordinator that restarts, or a proxy that is reloaded, is back by then
_OUTAGE_PAUSE_SECONDS = 1.0
_CANCEL_SECONDS = 10.0
_WRITERS_SECONDS, _WRITERS_PAUSE_SECONDS = 60.0, 0.2
_WRITERS_ENDED = ("FINISHED", "CANCELED", "ABORTED", "FAILED")
_NO_FILE_SYSTEM = "No factory for location"
_DROP_SECONDS = 60.0


@dataclass
class _Export:
    """An export as this process follows it. The lock is held while it is asked for."""

    request: TrinoRequest
    sql: str
    uri: str
    table: str
    query: str
    next_uri: str | None
    remember: Remember
    started: float
    lock: threading.Lock = field(default_factory=threading.Lock)
    asked_again_at: float = 0.0
    unanswered_since: float | None = None
    outcome: ExportProgress = ExportProgress(ExportState.RUNNING)


class ClusterExports:
    """The exports of one connection.

    Args:
        schema: `CATALOG.SCHEMA` in which a table stands for each export while it runs.
        storage: where the exports go.
        location_root: the storage's root as the cluster names it; empty where both agree.
        limit_seconds: time limit of one export, which the server enforces.

    Raises:
        PlatformError: VALIDATION_FAILED, for a schema or a root that cannot be used.
    """

    def __init__(
        self, connection: TrinoConnection, schema: str, storage: Storage, location_root: str, limit_seconds: float
    ) -> None:
        self._connection = connection
        self._catalog, _, self._schema_name = schema.partition(".")
        if not (self._catalog and self._schema_name):
            message = f"GRAPH_PLATFORM_EXPORT_SCHEMA is {schema!r}, which is not CATALOG.SCHEMA"
            raise PlatformError(ErrorCode.VALIDATION_FAILED, message, "e.g. hive.graph_exports")
        self._schema = f"{quoted(self._catalog)}.{quoted(self._schema_name)}"
        self._storage = storage
        self._location_root = location_root
        self._limit_seconds = limit_seconds
        self._lock = threading.Lock()
        self._exports: dict[str, _Export] = {}

    @property
    def _clock(self) -> Clock:
        return self._connection.clock

    def over(self, connection: TrinoConnection) -> Self:
        """The same exports, asked for over another connection to the same server."""
        other = copy(self)
        other._connection = connection
        return other

    def submit(self, query_id: str, sql: str, uri: str, remember: Remember) -> None:
        """Hand the statement over, remember it, and ask once: Trino begins with it only then."""
        location = location_of(self._storage, uri, self._location_root)
        with self._lock:
            if query_id in self._exports:
                raise PlatformError(ErrorCode.ALREADY_EXISTS, f"the export {query_id} was already submitted")
        table = f"{self._schema}.{quoted(_table_name(query_id))}"
        sql = without_terminator(sql)
        statement = f"CREATE TABLE {table} WITH (external_location = {literal(location)}, format = 'PARQUET') AS\n{sql}"
        request = self._request(query_id)
        try:
            answer = self._connection.post(request, statement)
        except TrinoFailure as failure:
            raise PlatformError(ErrorCode.STARBURST_ERROR, f"the warehouse refused an export: {failure}") from None
        export = _Export(request, sql, uri, table, answer.query, answer.next_uri, remember, self._clock.monotonic())
        # Before the first question: whatever runs can then be found again, and what was not remembered never runs.
        remember(_state(export))
        with self._lock:
            self._exports[query_id] = export
        with export.lock:
            self._ask(export, 0)

    def adopt(self, query_id: str, state: str, remember: Remember) -> None:
        """Go on with an export that another process submitted; state that cannot be read is an unknown export."""
        try:
            kept: Mapping[str, str] = json.loads(state)
            sql, uri, table, query, next_uri = (kept[name] for name in ("sql", "uri", "table", "query", "next"))
        except (ValueError, KeyError, TypeError):
            return
        export = _Export(self._request(query_id), sql, uri, table, query, next_uri, remember, self._clock.monotonic())
        with self._lock:
            self._exports[query_id] = export

    def poll(self, query_id: str, wait_seconds: float) -> ExportProgress:
        """Ask for news until there is an outcome or the wait is over; without a wait, once."""
        with self._lock:
            export = self._exports.get(query_id)
        if export is None:
            return ExportProgress(ExportState.UNKNOWN)
        until = self._clock.monotonic() + wait_seconds
        with export.lock:
            while export.outcome.state is ExportState.RUNNING:
                if wait_seconds > 0:
                    pause = min(export.asked_again_at, until) - self._clock.monotonic()
                    if self._clock.wait(self._connection.closing, max(0.0, pause)) or export.asked_again_at > until:
                        break
                self._ask(export, max(0.0, until - self._clock.monotonic()))
                if self._clock.monotonic() >= until:
                    break
            return export.outcome

    def _ask(self, export: _Export, wait_seconds: float) -> None:
        assert export.next_uri is not None  # noqa: S101 - only an ended export has none
        try:
            answer = self._connection.get(export.request, export.next_uri, wait_seconds=wait_seconds, patient=False)
        except TrinoFailure as failure:
            if failure.name == "HIVE_METASTORE_ERROR" and self._is_empty(export):
                self._end(export, self._finished(export, 0))
                return
            self._await_writers(export)
            self._end(export, self._failed(failure))
            return
        except QueryLost:
            self._end(export, ExportProgress(ExportState.UNKNOWN, error="the warehouse no longer knows the query"))
            return
        except PlatformError as error:
            self._unanswered(export, error)
            return
        export.unanswered_since = None
        if answer.next_uri is None:
            try:
                outcome = self._finished(export, _rows(answer))
            except TrinoFailure as failure:
                outcome = self._failed(failure)
            self._end(export, outcome)
            return
        if answer.next_uri != export.next_uri:
            export.next_uri = answer.next_uri
            export.remember(_state(export))
        elapsed = self._clock.monotonic() - export.started
        export.asked_again_at = self._clock.monotonic() + min(_LONGEST_PAUSE_SECONDS, _PAUSE_SHARE * elapsed)

    def _is_empty(self, export: _Export) -> bool:
        """Whether the query has no rows. Trino then writes no file, and some metastores refuse the table for that."""
        try:
            return not self._connection.rows(
                f"SELECT 1 FROM (\n{export.sql}\n) LIMIT 1",  # noqa: S608 - the statement is the user's own
                limit_seconds=self._limit_seconds,
            )
        except TrinoFailure:
            return False

    def _finished(self, export: _Export, rows: int) -> ExportProgress:
        if rows == 0:
            request = self._request(export.query)
            answer = self._connection.post(request, BEFORE + export.sql + AFTER)
            columns = self._connection.follow(request, answer, _DROP_SECONDS, lambda _: False).columns
            write_empty(self._storage, export.uri, columns)
        elif next(iter(self._storage.list(self._storage.key(export.uri))), None) is None:
            location = location_of(self._storage, export.uri, self._location_root)
            message = (
                f"the cluster wrote {rows:,} rows to {location}, which is not where {export.uri} is: let "
                f"GRAPH_PLATFORM_EXPORT_LOCATION name the same place as GRAPH_PLATFORM_STORAGE, {self._storage.url}"
            )
            return ExportProgress(ExportState.FAILED, error=message)
        return ExportProgress(ExportState.FINISHED, rows=rows)

    def _failed(self, failure: TrinoFailure) -> ExportProgress:
        """UNKNOWN where the cluster, not the query, is the cause: like a lost query, it is worth another attempt."""
        message = failure.message or failure.name
        if message == f"Schema {self._schema_name} not found":
            message = f"{message} in {self._catalog}; create it, CREATE SCHEMA {self._schema}, or name another one"
        lost = failure.name in _RETRIED
        if message.startswith(_NO_FILE_SYSTEM):
            message = f"the catalog {self._catalog} cannot write to {self._storage.url}; enable that file system there"
        return ExportProgress(ExportState.UNKNOWN if lost else ExportState.FAILED, error=message)

    def _unanswered(self, export: _Export, error: PlatformError) -> None:
        """The query goes on without us, so an outage is the export's only when it lasts."""
        now = self._clock.monotonic()
        export.unanswered_since = export.unanswered_since or now
        if error.code is not ErrorCode.BACKEND_UNREACHABLE or now - export.unanswered_since > _PATIENCE_SECONDS:
            raise error
        export.asked_again_at = now + _OUTAGE_PAUSE_SECONDS

    def _end(self, export: _Export, outcome: ExportProgress) -> None:
        # The table goes first: who learns of the outcome may forget the export, and with it the table.
        self._drop(export.table)
        export.next_uri = None
        export.outcome = outcome

    def _drop(self, table: str) -> None:
        """Remove the table, never the files: they belong to an external table. A failure leaves an idle table."""
        with contextlib.suppress(PlatformError, TrinoFailure):
            self._connection.rows(f"DROP TABLE IF EXISTS {table}", limit_seconds=_DROP_SECONDS)

    def forget(self, prefixes: Sequence[str]) -> None:
        """Drop the tables that exports left whose process died for good."""
        begins = tuple(map(_table_name, prefixes))
        with contextlib.suppress(PlatformError, TrinoFailure):
            listed = self._connection.rows(tables_of(self._catalog, self._schema_name), limit_seconds=_DROP_SECONDS)
            for name in (str(row[0]) for row in listed):
                if name.startswith(begins):
                    self._drop(f"{self._schema}.{quoted(name)}")

    def cancel(self, query_id: str) -> None:
        """End the query and wait until its writers have ended too, so that no file appears after that."""
        with self._lock:
            export = self._exports.get(query_id)
        if export is None:
            return
        with export.lock:
            if export.outcome.state is not ExportState.RUNNING or export.next_uri is None:
                return
            self._connection.cancel(export.request, export.next_uri)
            self._await_end(export, export.next_uri)
            self._await_writers(export)
            self._end(export, ExportProgress(ExportState.FAILED, error="the export was cancelled"))

    def _await_end(self, export: _Export, uri: str) -> None:
        deadline = self._clock.monotonic() + _CANCEL_SECONDS
        while self._clock.monotonic() < deadline:
            try:
                answer = self._connection.get(export.request, uri, patient=False)
            except (TrinoFailure, QueryLost, PlatformError):
                return
            if answer.next_uri is None:
                return
            uri = answer.next_uri

    def _await_writers(self, export: _Export) -> None:
        """Wait until the workers have let go of the files.

        The query is over for its client before that: a writer that is told to stop first writes what it holds, which
        into a bucket takes seconds, and only then removes the file. Whoever deletes the folder in between finds it
        empty, and a moment later it is not.
        """
        running = (
            f"SELECT count(*) FROM system.runtime.tasks WHERE query_id = {literal(export.query)} "  # noqa: S608
            f"AND state NOT IN ({', '.join(map(literal, _WRITERS_ENDED))})"
        )
        deadline = self._clock.monotonic() + _WRITERS_SECONDS
        while self._clock.monotonic() < deadline:
            try:
                if self._connection.rows(running, limit_seconds=_DROP_SECONDS) == [[0]]:
                    return
            except (PlatformError, TrinoFailure):
                return  # the server is away, or its pages about itself are not for this user
            self._clock.sleep(_WRITERS_PAUSE_SECONDS)

    def close(self) -> None:
        """Cancel what still runs."""
        with self._lock:
            running = list(self._exports)
        for query_id in running:
            try:
                self.cancel(query_id)
            except PlatformError:
                continue  # the server is away, and ends by itself what nobody asks for

    def _request(self, query_id: str) -> TrinoRequest:
        precision = {f"{self._catalog}.timestamp_precision": "MICROSECONDS"}
        return self._connection.request(limit_seconds=self._limit_seconds, properties=precision, tags=[query_id])


def _table_name(query_id: str) -> str:
    return TABLE_PREFIX + query_id.lower().replace("-", "_")


def _state(export: _Export) -> str:
    kept = {"query": export.query, "table": export.table, "next": export.next_uri, "uri": export.uri, "sql": export.sql}
    return json.dumps(kept)


def _rows(answer: Answer) -> int:
    if answer.update_count is not None:
        return answer.update_count
    return int(answer.rows[0][0]) if answer.rows else 0


def location_of(storage: Storage, uri: str, location_root: str) -> str:
    """A folder of the storage as the cluster names it; Trino takes a location as it stands, without escapes.

    Raises:
        PlatformError: VALIDATION_FAILED, for a folder of this machine without a name for it on the cluster.
    """
    if location_root:
        return f"{location_root.rstrip('/')}/{storage.key(uri)}"
    if urlsplit(uri).scheme == "file":
        message = "the storage is a folder of this machine, and nothing says what the cluster calls it"
        hint = "set GRAPH_PLATFORM_EXPORT_LOCATION, e.g. local:///FOLDER, or use storage that both reach"
        raise PlatformError(ErrorCode.VALIDATION_FAILED, message, hint)
    return uri.rstrip("/")
