"""Trino or Starburst as a warehouse: queries described by the server itself, exports written by the cluster.

What a statement is over HTTP, what its errors mean and how an export is followed are modules beside this one.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from copy import copy
from functools import partial
from pathlib import Path
from typing import Any, Self

from sqlglot import exp
from trino.client import TrinoRequest

from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.mapping.sql.gate import CheckedQuery, Review, check_query, without_terminator
from graph_platform.mapping.types.text import parse_warehouse_type
from graph_platform.relational import Column, Refusal, Relation
from graph_platform.settings import Settings
from graph_platform.storage.connect import open_storage
from graph_platform.storage.protocol import Storage
from graph_platform.warehouse.protocol import ExportProgress
from graph_platform.warehouse.trino.address import Credentials, TrinoAddress, address_of
from graph_platform.warehouse.trino.export import ClusterExports
from graph_platform.warehouse.trino.lookups import RememberedLookups
from graph_platform.warehouse.trino.refusals import AFTER, BEFORE, Names, refusal, tables_of
from graph_platform.warehouse.trino.relations import relations_of
from graph_platform.warehouse.trino.statement import Answer, TrinoConnection, TrinoFailure
from graph_platform.warehouse.trino.stream import StreamedExports

_STREAMED = (
    "the cluster writes no files itself: every row is streamed through this machine, which is an order slower; set "
    "GRAPH_PLATFORM_EXPORT_SCHEMA to the CATALOG.SCHEMA of a Hive catalog that it may write to"
)
_LOOKUP_SECONDS = 30.0
_REMEMBERED_SECONDS = 10.0  # one validation; the next, after tables were mended, has fresh hints
_LEFTOVER_SECONDS = 5.0
_LEFTOVER_THREADS = 4


def open_trino(settings: Settings) -> TrinoWarehouse:
    """The warehouse that the settings name; nothing is asked of it yet. The caller closes it.

    Raises:
        PlatformError: VALIDATION_FAILED, for settings that cannot be used.
    """
    address, credentials = address_of(settings)
    return TrinoWarehouse(
        address,
        credentials,
        statement_seconds=settings.warehouse_statement_seconds,
        export_seconds=settings.export_seconds,
        export_schema=settings.export_schema,
        storage=open_storage(settings.storage),
        location_root=settings.export_location,
        scratch=settings.home / "scratch" / "exports",
    )


class TrinoWarehouse:
    """A Trino server.

    Args:
        statement_seconds: time limit of a description, which the server enforces.
        export_seconds: the same for one export.
        export_schema: `CATALOG.SCHEMA` of a Hive catalog that the cluster exports with; empty: rows are streamed.
        storage: where exports go, None where nothing is exported.
        location_root: the storage's root as the cluster names it; empty where both agree.
        scratch: a folder of this machine where streamed rows become files; None where nothing is streamed.
    """

    def __init__(
        self,
        address: TrinoAddress,
        credentials: Credentials | None = None,
        *,
        statement_seconds: float = 300.0,
        export_seconds: float = 3600.0,
        export_schema: str = "",
        storage: Storage | None = None,
        location_root: str = "",
        scratch: Path | None = None,
    ) -> None:
        self._address = address
        self._statement_seconds = statement_seconds
        self._connection = TrinoConnection(address, credentials or Credentials())
        self._remembered = RememberedLookups(_REMEMBERED_SECONDS)
        self._leftovers = ThreadPoolExecutor(_LEFTOVER_THREADS, thread_name_prefix="trino-leftover")
        self._exports: ClusterExports | StreamedExports | None = None
        if storage is not None and export_schema:
            self._exports = ClusterExports(self._connection, export_schema, storage, location_root, export_seconds)
        elif storage is not None and scratch is not None:
            self._exports = StreamedExports(self._connection, storage, scratch, export_seconds)

    @property
    def export_warning(self) -> str | None:
        """That exports are streamed, where they are."""
        return _STREAMED if isinstance(self._exports, StreamedExports) else None

    def tagged(self, **tags: str) -> Self:
        """The same warehouse; its queries carry the tags as client tags, `name=value`."""
        other = copy(self)
        other._connection = self._connection.tagged(tags)
        other._exports = self._exports and self._exports.over(other._connection)
        return other

    def review(self, query: CheckedQuery, entity: str) -> Review:
        """Nothing: the server itself says what it takes."""
        return Review()

    def describe(self, sql: str) -> tuple[Column, ...]:
        """The result columns, analysed and planned but not run, in four requests on an idle server.

        The columns are known before the statement is over, so its end is awaited elsewhere.
        """
        tree = _one_query(sql)
        request = self._connection.request(limit_seconds=self._statement_seconds)
        try:
            answer = self._connection.post(request, BEFORE + without_terminator(sql) + AFTER)
            answer = self._connection.follow(request, answer, self._statement_seconds, lambda a: bool(a.columns))
        except TrinoFailure as failure:
            raise refusal(failure, sql, self._names()) from None
        if answer.next_uri is not None:
            # As a cancelled statement it would stand among the failed ones on the cluster's pages.
            self._in_background(partial(self._drain, request, answer))
        return tuple(
            Column("" if unnamed(name, index, tree, len(answer.columns)) else name, _type(kind))
            for index, (name, kind) in enumerate(answer.columns)
        )

    def fetch(self, sql: str, row_limit: int, limit_seconds: float) -> tuple[tuple[Any, ...], ...]:
        """The first rows; the server ends the statement at its limit, and once there are enough of them."""
        _one_query(sql)
        request = self._connection.request(limit_seconds=limit_seconds)
        rows: list[tuple[Any, ...]] = []

        def take(answer: Answer) -> bool:
            rows.extend(tuple(tuple(v) if isinstance(v, list) else v for v in row) for row in answer.rows)
            return len(rows) > row_limit

        try:
            # An empty line stands where a description has its wrapper, so that positions are counted alike.
            answer = self._connection.post(request, "\n" + without_terminator(sql))
            answer = self._connection.follow(request, answer, limit_seconds, take)
        except TrinoFailure as failure:
            raise refusal(failure, sql, self._names()) from None
        if answer.next_uri is not None:
            self._connection.abandon(request, answer.next_uri)
        return tuple(rows[:row_limit])

    def relations(self, schema: str | None = None) -> tuple[Relation, ...]:
        """Tables and views of a schema, `SCHEMA` or `CATALOG.SCHEMA`. Trino knows no declared keys."""
        try:
            return relations_of(self._lookup, self._address.catalog, self._address.schema, schema)
        except TrinoFailure as failure:
            message = f"the warehouse could not list its tables: {failure}"
            raise PlatformError(ErrorCode.STARBURST_ERROR, message) from None

    def tables(self) -> tuple[str, ...]:
        """Tables and views of the URL's schema; none if it names no schema, since an unqualified name means none."""
        if not (self._address.catalog and self._address.schema):
            return ()
        try:
            return tuple(str(row[0]) for row in self._lookup(tables_of(self._address.catalog, self._address.schema)))
        except TrinoFailure as failure:
            message = f"the warehouse could not list its tables: {failure}"
            raise PlatformError(ErrorCode.STARBURST_ERROR, message) from None

    def submit_export(self, query_id: str, sql: str, uri: str, remember: Callable[[str], None]) -> None:
        """Let the cluster write, or where it has nowhere to, begin to fetch and write here: an order slower."""
        _one_query(sql)
        self._exporter().submit(query_id, sql, uri, remember)

    def adopt_export(self, query_id: str, state: str, remember: Callable[[str], None]) -> None:
        """Go on with a query that another process submitted."""
        self._exporter().adopt(query_id, state, remember)

    def poll_export(self, query_id: str, wait_seconds: float) -> ExportProgress:
        """UNKNOWN when the server was restarted or forgot the query. An outage of a minute is waited out."""
        return self._exporter().poll(query_id, wait_seconds)

    def cancel_export(self, query_id: str) -> None:
        """End the query, wait for its end, and drop its table."""
        self._exporter().cancel(query_id)

    def forget_exports(self, prefixes: Sequence[str]) -> None:
        """Drop their tables in the export schema, found with one question."""
        self._exporter().forget(prefixes)

    def close(self) -> None:
        """Cancel the exports and every statement under way; a second call does nothing."""
        if self._exports is not None:
            self._exports.close()  # first: to cancel an export takes statements of its own
        self._connection.stop()
        self._leftovers.shutdown(wait=True, cancel_futures=True)
        self._connection.close()

    def _exporter(self) -> ClusterExports | StreamedExports:
        if self._exports is None:
            raise PlatformError(ErrorCode.INVALID_STATE, "this warehouse was opened without a storage to export to")
        return self._exports

    def _names(self) -> Names:
        return Names(self._address.user, self._address.catalog, self._address.schema, self._remembered_rows)

    def _remembered_rows(self, sql: str) -> list[list[object]]:
        return self._remembered.rows(sql, self._lookup)

    def _lookup(self, sql: str) -> list[list[object]]:
        return self._connection.rows(sql, limit_seconds=_LOOKUP_SECONDS)

    def _in_background(self, work: Callable[[], None]) -> None:
        with contextlib.suppress(RuntimeError):  # closed meanwhile: the server ends what nobody asks for
            self._leftovers.submit(work)

    def _drain(self, request: TrinoRequest, answer: Answer) -> None:
        with contextlib.suppress(PlatformError, TrinoFailure):
            self._connection.follow(request, answer, _LEFTOVER_SECONDS, lambda _: False)


def _one_query(sql: str) -> exp.Expr:
    checked = check_query(sql)
    if checked.tree is None:
        first = checked.problems[0]
        at = (first.position.line, first.position.column) if first.position else (None, None)
        message = first.message + (f" ({first.hint})" if first.hint else "")
        raise Refusal(first.code, message, *at)
    return checked.tree


def unnamed(name: str, index: int, tree: exp.Expr, count: int) -> bool:
    """Whether Trino made the column's name up.

    It calls the third column `_col2` if it has none, so a name of another form is the query's own. Of that form it is
    one only where the query says so: as an alias, or as a column that it names.
    """
    if name != f"_col{index}":
        return False
    query = tree
    while isinstance(query, (exp.Subquery, exp.SetOperation)):
        query = query.this
    if not isinstance(query, exp.Select):
        return True
    items = list(query.expressions)
    stars = [position for position, item in enumerate(items) if item.is_star]
    if not stars or index < stars[0]:
        item = items[index] if index < len(items) else None
    else:
        # Counted from the end, where a `*` before it stands for any number of columns.
        at = len(items) - (count - index)
        item = items[at] if at > stars[-1] else None
    while isinstance(item, exp.Paren):
        item = item.this
    return not (isinstance(item, (exp.Alias, exp.Column)) and item.alias_or_name.lower() == name)


def _type(text: str) -> str:
    """Trino's text of a type in the notation that all adapters share; one that it does not know stays as it is."""
    try:
        return str(parse_warehouse_type(text))
    except ValueError:
        return text
