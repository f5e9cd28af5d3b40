"""What the two descendants of Kuzu have in common, over the Python module that each of them brings.

Not here: which module that is (`ladybug.py`, `ryugraph.py`), and what may be asked (`gate`).
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from graph_platform.engine.cypher import quoted, text_literal
from graph_platform.engine.gate.operators import plan_operators
from graph_platform.engine.parameters import is_untyped
from graph_platform.engine.protocol import UNREADABLE_LOG, EngineVersion, MemoryExhausted, QueryResult, TableSchema
from graph_platform.engine.results.batches import Batches
from graph_platform.engine.results.json_text import json_rows
from graph_platform.errors import ErrorCode, PlatformError

STATEMENTS_PER_CONNECTION = 200
"""A connection keeps a prepared statement for every text that it has seen, so a long-lived one is replaced."""

MAGIC: Mapping[str, bytes] = {"ladybug": b"LBUG", "ryugraph": b"RYU"}
"""How a database file begins. The file of another engine, or its write-ahead log, crashes the process on open."""


_OF_NO_TYPE = ("ANY", "Assertion failed")
"""What an engine's message has where it met a value of no type: it takes such for a defect of its own."""

_OF_A_FULL_POOL = "buffer pool is full"
_OF_NO_MEMORY = ("bad_alloc", "cannot allocate memory", "resource temporarily unavailable")
"""What an engine's message has where the kernel gave it no more memory, or no thread for want of it."""

_GIGABYTE = 1024**3
_RESERVED_TO_WRITE = 1024 * _GIGABYTE
"""Address space for each database that may grow: the engines' own 8 TiB would be all of a process's for 16 of them."""

LOSES_NAN = frozenset({"ryugraph"})
"""Engines that take a column for constant when its first value is NaN, and give NaN for all of it."""


class KuzuFamilyEngine:
    """An engine of the family, in this process. `connection` is the class of its connections."""

    def __init__(self, name: str, module: ModuleType, connection: Callable[[Any], Any]) -> None:
        self._name = name
        self._module = module
        self._connection = connection

    @property
    def version(self) -> EngineVersion:
        """Name, version and storage version."""
        storage = self._module.Database.get_storage_version()
        return EngineVersion(self._name, str(self._module.__version__), str(storage))

    def open(self, path: Path, *, read_only: bool, memory_bytes: int, threads: int) -> KuzuFamilyDatabase:
        """Open or create the database file; a file that another engine wrote is refused before it can do harm."""
        _check_file(self._name, path, read_only)

        def opened(**options: bool) -> Any:
            return self._module.Database(
                str(path),
                buffer_pool_size=memory_bytes,
                max_num_threads=threads,
                read_only=read_only,
                max_db_size=reserved_bytes(path, read_only),
                **options,
            )

        try:
            try:
                database = opened()
            except RuntimeError as error:
                if read_only or not keep_unreadable_log(path, str(error)):
                    raise
                database = opened(throw_on_wal_replay_failure=False)
        except (RuntimeError, ValueError, OSError) as error:
            raise PlatformError(
                ErrorCode.DATABASE_ERROR, f"{self._name} cannot open {path}: {error}", _open_hint(str(error))
            ) from error
        return KuzuFamilyDatabase(self.version, self._connection, database)


def keep_unreadable_log(path: Path, message: str) -> bool:
    """Copy a database's write-ahead log that the engine cannot replay to a place beside it, where nothing touches it.

    What of it can be replayed may be then, and the rest be dropped: the copy has all of it.

    Args:
        message: what the engine said when it opened the database.

    Returns:
        Whether there is such a log; not where the message is of memory, or of somebody who has the database open.

    Raises:
        OSError: it cannot be copied.
    """
    log = path.with_name(path.name + ".wal")
    if (
        any(word in message.lower() for word in (*_OF_NO_MEMORY, _OF_A_FULL_POOL, "could not set lock"))
        or not log.exists()
    ):
        return False
    with log.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()[:12]
        kept = path.with_name(f"{path.name}{UNREADABLE_LOG}{digest}")
        if kept.exists():
            return True
        partial = kept.with_name(f".{kept.name}.partial")
        file.seek(0)
        with partial.open("wb") as copy:
            shutil.copyfileobj(file, copy)
            copy.flush()
            os.fsync(copy.fileno())
        partial.rename(kept)
    return True


def reserved_bytes(path: Path, read_only: bool) -> int:
    """The address space that opening a database reserves, a power of two: the file as it may become, with room."""
    size = path.stat().st_size if path.exists() else 0
    least = max(2 * size, _GIGABYTE) if read_only else max(8 * size, _RESERVED_TO_WRITE)
    return 1 << (least - 1).bit_length()


class KuzuFamilyDatabase:
    """An open database with a pool of connections: one per statement at a time, kept for the next one."""

    def __init__(self, version: EngineVersion, connection: Callable[[Any], Any], database: Any) -> None:
        self._version = version
        self._new_connection = connection
        self._database = database
        self._idle: list[tuple[Any, int]] = []
        self._lock = threading.Lock()
        self._closed = False

    @property
    def version(self) -> EngineVersion:
        """The engine that it is open in."""
        return self._version

    @property
    def keeps_nan(self) -> bool:
        """Whether a NaN beside numbers in one column leaves both as they are."""
        return self._version.name not in LOSES_NAN

    def execute(self, statement: str) -> None:
        """Run one statement of DDL or COPY, without a time limit."""
        with self._connection() as connection:
            try:
                _close(connection.execute(statement))
            except RuntimeError as error:
                raise PlatformError(ErrorCode.DATABASE_ERROR, str(error).strip(), _pool_hint(str(error))) from error

    def query(
        self,
        cypher: str,
        parameters: Mapping[str, Any] | None = None,
        *,
        timeout_seconds: float | None,
        row_limit: int,
        started: Callable[[Callable[[], None]], None] | None = None,
    ) -> QueryResult:
        """Answer one statement, all of it at once."""
        with self.stream(
            cypher, parameters, timeout_seconds=timeout_seconds, row_limit=row_limit, started=started
        ) as batches:
            rows = json_rows(batches)
            return QueryResult(batches.columns, batches.types, rows, batches.truncated)

    @contextlib.contextmanager
    def stream(
        self,
        cypher: str,
        parameters: Mapping[str, Any] | None = None,
        *,
        timeout_seconds: float | None,
        row_limit: int,
        started: Callable[[Callable[[], None]], None] | None = None,
    ) -> Iterator[Batches]:
        """Answer one statement in batches. `started` is given the function that interrupts it, from any thread."""
        with self._result(cypher, parameters or {}, timeout_seconds, started) as (result, told):
            yield Batches(result, self._version.name, row_limit, told)

    def operators(
        self,
        cypher: str,
        parameters: Mapping[str, Any] | None = None,
        *,
        started: Callable[[Callable[[], None]], None] | None = None,
    ) -> frozenset[str]:
        """The operators of the plan. The text must have passed `check_statement`: binding opens files."""
        with self._result(f"EXPLAIN {cypher}", parameters or {}, 3600.0, started) as (explained, told):
            try:
                return plan_operators(str(explained.get_next()[0]))
            except (RuntimeError, MemoryError) as error:
                raise told(error) from error

    def schema(self) -> tuple[TableSchema, ...]:
        """Every table with its properties and number of rows, in the order in which they were created."""
        tables = self._all("CALL show_tables() RETURN id, name, type")
        found = []
        for _, name, kind in sorted(tables):
            info = self._all(f"CALL table_info({text_literal(name)}) RETURN *")
            properties = tuple((str(row[1]), str(row[2])) for row in info)
            if kind == "NODE":
                key = next((str(row[1]) for row in info if row[-1] is True), None)
                rows = self._count(f"MATCH (n:{quoted(name)}) RETURN count(*)")
                found.append(TableSchema(name, "node", properties, key, (), rows))
            else:
                ends = self._all(f"CALL show_connection({text_literal(name)}) RETURN *")
                rows = self._count(f"MATCH ()-[e:{quoted(name)}]->() RETURN count(*)")
                found.append(
                    TableSchema(name, "edge", properties, None, tuple((str(row[0]), str(row[1])) for row in ends), rows)
                )
        return tuple(found)

    def close(self) -> None:
        """Close the connections, write what is pending and let go of the file."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for connection, _ in idle:
            connection.close()
        self._database.close()

    def _all(self, cypher: str) -> tuple[tuple[Any, ...], ...]:
        return self.query(cypher, timeout_seconds=60, row_limit=100_000).rows

    def _count(self, cypher: str) -> int:
        return int(self.query(cypher, timeout_seconds=3600, row_limit=1).rows[0][0])

    @contextlib.contextmanager
    def _result(
        self,
        cypher: str,
        parameters: Mapping[str, Any],
        timeout_seconds: float | None,
        started: Callable[[Callable[[], None]], None] | None,
    ) -> Iterator[tuple[Any, Callable[[Exception], PlatformError]]]:
        """The engine's result of a statement, and what says of an error while it is read what it means."""
        with self._connection() as connection:
            if timeout_seconds is not None:
                connection.set_query_timeout(max(1, int(timeout_seconds * 1000)))
            if started:
                started(connection.interrupt)
            begun = time.monotonic()

            def told(error: Exception) -> PlatformError:
                return _query_error(error, time.monotonic() - begun, timeout_seconds, parameters)

            try:
                result = connection.execute(cypher, dict(parameters)) if parameters else connection.execute(cypher)
            except (RuntimeError, ValueError, TypeError, OverflowError, IndexError, KeyError, MemoryError) as error:
                raise told(error) from error
            finally:
                if timeout_seconds is not None:
                    connection.set_query_timeout(0)
            try:
                if isinstance(result, list):  # the gate lets no second statement through; this is the engine's opinion
                    raise PlatformError(ErrorCode.QUERY_ERROR, "only one statement at a time")
                yield result, told
            finally:
                _close(result)

    @contextlib.contextmanager
    def _connection(self) -> Iterator[Any]:
        with self._lock:
            if self._closed:
                raise PlatformError(ErrorCode.DATABASE_ERROR, "the database is closed")
            connection, used = self._idle.pop() if self._idle else (None, 0)
        if connection is None:
            connection = self._new_connection(self._database)
        try:
            yield connection
        finally:
            used += 1
            with self._lock:
                keep = not self._closed and used < STATEMENTS_PER_CONNECTION
                if keep:
                    self._idle.append((connection, used))
            if not keep:
                connection.close()


def _close(result: Any) -> None:
    for one in result if isinstance(result, list) else [result]:
        one.close()


def _query_error(
    error: Exception, elapsed: float, timeout_seconds: float | None, parameters: Mapping[str, Any]
) -> PlatformError:
    message = str(error).strip() or type(error).__name__
    untyped = next((name for name, value in parameters.items() if is_untyped(value)), None)
    if untyped is not None and any(word in message for word in _OF_NO_TYPE):
        return PlatformError(
            ErrorCode.QUERY_ERROR,
            f"parameter ${untyped}: the engine cannot tell of what type a list without values is here",
            f"say it: CAST(${untyped} AS STRING[]), or INT64[] …, in place of ${untyped}",
            {"parameter": f"${untyped}"},
        )
    if "interrupted" in message.lower():
        if timeout_seconds is not None and elapsed >= timeout_seconds * 0.9:
            return PlatformError(
                ErrorCode.QUERY_TIMEOUT,
                f"the query was stopped after {timeout_seconds:.1f} seconds",
                "narrow it, add a LIMIT, or ask for a longer timeout",
            )
        return PlatformError(ErrorCode.QUERY_ERROR, "the query was interrupted")
    if isinstance(error, MemoryError) or any(word in message.lower() for word in _OF_NO_MEMORY):
        kind: type[PlatformError] = MemoryExhausted
    elif _OF_A_FULL_POOL in message.lower():
        kind = PlatformError
    else:
        return PlatformError(ErrorCode.QUERY_ERROR, message)
    told = f"the query needs more memory than the instance has: {message}"
    return kind(ErrorCode.QUERY_ERROR, told, "narrow the query")


def _check_file(engine: str, path: Path, read_only: bool) -> None:
    log = path.with_name(path.name + ".wal")
    if not path.exists():
        if read_only:
            raise PlatformError(ErrorCode.DATABASE_ERROR, f"{path} is not there")
        if log.exists():
            raise PlatformError(
                ErrorCode.DATABASE_ERROR, f"{log} is there without its database", "move it away: it crashes the engine"
            )
        return
    try:
        with path.open("rb") as file:
            start = file.read(8)
    except OSError as error:
        raise PlatformError(ErrorCode.DATABASE_ERROR, f"cannot read {path}: {error.strerror}") from error
    if start.startswith(MAGIC[engine]):
        return
    other = next((name for name, magic in MAGIC.items() if start.startswith(magic)), None)
    raise PlatformError(
        ErrorCode.DATABASE_ERROR,
        f"{path} is {f'a database of {other}' if other else 'not a graph database'}, not of {engine}",
        "build the snapshot's database again for this engine" if other else None,
    )


def _pool_hint(message: str) -> str | None:
    if _OF_A_FULL_POOL in message.lower():
        return "give it a larger buffer pool (GRAPH_PLATFORM_ENGINE_MEMORY_BYTES); nothing is lost"
    return None


def _open_hint(message: str) -> str | None:
    if (hint := _pool_hint(message)) is not None:
        return hint
    if "lock" in message.lower():
        return "another process has it open for writing"
    if "version" in message.lower():
        return "it was written by another release of the engine: build it again"
    return None
