"""What the platform asks of an embedded graph database. One engine per process: see `graph_platform.engine`.

An adapter is done when it passes `graph_platform_tests/engine/test_conformance.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from graph_platform.errors import PlatformError

if TYPE_CHECKING:  # a server knows engines without their results, and must not pay for the import of Arrow
    from graph_platform.engine.results.batches import Batches

UNREADABLE_LOG = ".unreadable-log-"
"""In the name of a copy of a write-ahead log that could not be replayed, between the database's and its digest."""


@dataclass(frozen=True)
class EngineVersion:
    """Which engine wrote a database file; a file opens where `name` and `storage_version` are the same."""

    name: str
    version: str
    storage_version: str


@dataclass(frozen=True)
class QueryResult:
    """The answer to a statement: names and engine types of the columns, and the rows, each value as it is in JSON
    (`graph_platform.engine.results.json_text`).

    `truncated` tells that there were more rows than the limit.
    """

    columns: tuple[str, ...]
    types: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    truncated: bool


@dataclass(frozen=True)
class TableSchema:
    """A node or edge table as the database has it: properties are (name, engine type) in order.

    `pairs` is empty for a node table, and the (from, to) labels of an edge table.
    """

    name: str
    kind: str
    properties: tuple[tuple[str, str], ...]
    primary_key: str | None
    pairs: tuple[tuple[str, str], ...]
    rows: int


class MemoryExhausted(PlatformError):
    """The process has come to the end of its memory, which an engine does not always survive: it should not go on."""


class Database(Protocol):
    """An open database. `query` may be called from several threads."""

    @property
    def version(self) -> EngineVersion:
        """The engine that it is open in."""

    @property
    def keeps_nan(self) -> bool:
        """Whether a NaN beside numbers in one column leaves both as they are."""

    def execute(self, statement: str) -> None:
        """Run one statement of DDL or COPY.

        Raises:
            PlatformError: DATABASE_ERROR with the engine's own message.
        """
        ...

    def query(
        self,
        cypher: str,
        parameters: Mapping[str, Any] | None = None,
        *,
        timeout_seconds: float | None,
        row_limit: int,
        started: Callable[[Callable[[], None]], None] | None = None,
    ) -> QueryResult:
        """Answer one Cypher statement.

        Args:
            timeout_seconds: the engine's own limit, which costs 0.1 ms; None where whoever asks keeps the time.
            started: is given, before the engine runs, the function that interrupts this statement from any thread.
                An interrupt that comes while the engine still plans is lost, so call it until `query` returns.

        Raises:
            PlatformError: QUERY_ERROR with the engine's message, QUERY_TIMEOUT; `MemoryExhausted`.
        """
        ...

    def stream(
        self,
        cypher: str,
        parameters: Mapping[str, Any] | None = None,
        *,
        timeout_seconds: float | None,
        row_limit: int,
        started: Callable[[Callable[[], None]], None] | None = None,
    ) -> AbstractContextManager[Batches]:
        """Answer one Cypher statement as record batches, whose memory is one batch beside the engine's own result.

        Inside the context the statement has run and its batches can be iterated, once; leaving it gives the result
        and the connection back. Arguments and errors are those of `query`.
        """
        ...

    def operators(
        self,
        cypher: str,
        parameters: Mapping[str, Any] | None = None,
        *,
        started: Callable[[Callable[[], None]], None] | None = None,
    ) -> frozenset[str]:
        """The physical operators (`SCAN_NODE_TABLE`, `INSERT` …) of a statement, without running it.

        A call of a table function is there twice, as `TABLE_FUNCTION_CALL` and with `:NAME`. Binding opens the files
        that a statement names, so only what `gate.statement.check_statement` let through may be given. It has no time
        limit of its own, and most of it cannot be interrupted: who asks in a user's name ends the process.

        Raises:
            PlatformError: QUERY_ERROR.
        """
        ...

    def schema(self) -> Sequence[TableSchema]:
        """Every table with its properties and number of rows."""
        ...

    def close(self) -> None:
        """Write what is pending and let go of the file."""
        ...


class Engine(Protocol):
    """An engine that this process has imported."""

    @property
    def version(self) -> EngineVersion:
        """Name, version and storage version of the engine in this process."""
        ...

    def open(self, path: Path, *, read_only: bool, memory_bytes: int, threads: int) -> Database:
        """Open or (unless read-only) create the database file at `path`.

        Where it is to be written to and its write-ahead log cannot be replayed, that is copied to a file of its own
        beside it (`UNREADABLE_LOG`), and what of it can be replayed is.

        Args:
            memory_bytes: size of the buffer pool.
            threads: threads per query; 0 for as many as there are cores.

        Raises:
            PlatformError: DATABASE_ERROR.
        """
        ...
