"""One open database and the queries on it: phases, limits, last activity. It knows nothing of HTTP."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from graph_platform.engine.gate.operators import check_operators
from graph_platform.engine.gate.rows import with_row_limit
from graph_platform.engine.gate.statement import check_statement
from graph_platform.engine.parameters import kept_parameter
from graph_platform.engine.protocol import Database, Engine
from graph_platform.engine.results.json_text import json_pieces
from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.runtime.protocol import InstanceSpec

RUNNING_QUERIES = 8
"""At once; the engine's own threads are shared between them."""

WAITING_QUERIES = 32


@dataclass(frozen=True)
class Query:
    """A query with its limits already capped."""

    cypher: str
    parameters: Mapping[str, Any]
    timeout_seconds: float
    row_limit: int


class RunningQuery:
    """A query in the pool: its answer to be, as JSON text, and the way to stop it."""

    def __init__(self) -> None:
        self.answer: Future[bytes]
        self._interrupt: Callable[[], None] | None = None
        self._stopped = False

    def started(self, interrupt: Callable[[], None]) -> None:
        """Called by the engine with the function that interrupts it."""
        self._interrupt = interrupt

    @property
    def has_started(self) -> bool:
        """Whether the engine has it."""
        return self._interrupt is not None

    def check(self) -> None:
        """Raise if it was stopped before the engine began."""
        if self._stopped:
            raise PlatformError(ErrorCode.QUERY_ERROR, "the query was interrupted")

    def stop(self) -> None:
        """Interrupt it. The engines lose an interrupt that comes while they plan, so call it until it has ended."""
        self._stopped = True
        if self._interrupt and not self.answer.done():
            with contextlib.suppress(RuntimeError):
                self._interrupt()


class Host:
    """The state of a server, for every thread of it."""

    def __init__(self, spec: InstanceSpec) -> None:
        self.spec = spec
        self.phase = "starting"
        self.progress = 0.0
        self.failure: PlatformError | None = None
        self.draining = False
        self._started_at = _now()
        self._last_activity: str | None = None
        self._engine: Engine | None = None
        self._database: Database | None = None
        self._schema: bytes | None = None
        self._rows: int | None = None
        self._running: set[RunningQuery] = set()
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(RUNNING_QUERIES, "query")

    def report(self, phase: str, progress: float) -> None:
        """Note how far the start is."""
        self.phase, self.progress = phase, round(min(max(progress, 0.0), 1.0), 4)

    def ready(self, engine: Engine, database: Database) -> None:
        """Begin to answer queries."""
        self._engine, self._database = engine, database
        self.report("ready", 1.0)

    def submit(self, query: Query) -> RunningQuery:
        """Start a query in the pool.

        Raises:
            PlatformError: PERMISSION_DENIED or QUERY_ERROR from the gate, VALIDATION_FAILED for a parameter that is
                missing or that the engine would change, INVALID_STATE while the server starts or ends,
                CONCURRENCY_LIMIT_EXCEEDED.
        """
        database = self._ready_database()
        statement = check_statement(query.cypher, "read", database.version.name)
        missing = sorted(statement.parameters - query.parameters.keys())
        if missing:
            raise PlatformError(
                ErrorCode.VALIDATION_FAILED,
                f"the query uses parameters that were not sent: {', '.join(f'${name}' for name in missing)}",
                "send them in `parameters`; null is a value",
            )
        parameters = {name: kept_parameter(name, query.parameters[name]) for name in statement.parameters}
        null = next((name for name in sorted(statement.typed) if parameters[name] is None), None)
        if null is not None:
            raise PlatformError(
                ErrorCode.VALIDATION_FAILED,
                f"parameter ${null}: a null has no type, and the engines do not survive one where it stands",
                f"send a value or [], or say its type: CAST(${null} AS INT64[])",
                {"parameter": f"${null}"},
            )
        limited = with_row_limit(statement, query.row_limit + 1)
        running = RunningQuery()

        def answer() -> bytes:
            try:
                running.check()
                begun = time.monotonic()
                check_operators(database.operators(limited.subject, parameters), "read", database.version)
                running.check()
                with database.stream(
                    limited.text,
                    parameters,
                    timeout_seconds=query.timeout_seconds,
                    row_limit=query.row_limit,
                    started=running.started,
                ) as batches:
                    return b"".join(json_pieces(batches, lambda: time.monotonic() - begun))
            finally:
                with self._lock:
                    self._running.discard(running)
                self._last_activity = _now()

        with self._lock:
            if len(self._running) >= RUNNING_QUERIES + WAITING_QUERIES:
                raise PlatformError(
                    ErrorCode.CONCURRENCY_LIMIT_EXCEEDED, f"{len(self._running)} queries are running or waiting already"
                )
            self._running.add(running)
            self._last_activity = _now()
            running.answer = self._pool.submit(answer)
        return running

    def status(self) -> dict[str, Any]:
        """The document of `/status`."""
        version = self._engine.version if self._engine else None
        return {
            "installation": self.spec.installation,
            "instance": self.spec.instance,
            "attempt": self.spec.attempt,
            "snapshot": self.spec.snapshot,
            "phase": self.phase,
            "progress": self.progress,
            "draining": self.draining,
            "failure": self.failure.document() if self.failure else None,
            "started_at": self._started_at,
            "last_activity": self._last_activity,
            "queries_in_flight": len(self._running),
            "engine": asdict(version) if version else None,
            "rows": self._rows,
        }

    def schema(self) -> bytes:
        """The document of `/schema`: every table with its properties and rows. The database never changes.

        Raises:
            PlatformError: INVALID_STATE while the server starts or ends.
        """
        database = self._ready_database()
        if self._schema is None:
            tables = database.schema()
            self._rows = sum(table.rows for table in tables)
            self._schema = json.dumps({"tables": [asdict(table) for table in tables]}).encode()
        return self._schema

    def drain(self) -> None:
        """Take no more queries; those that run go on."""
        self.draining = True

    def close(self, patience_seconds: float) -> None:
        """Stop what still runs and close the database; a query that does not stop in time is left to the kernel."""
        self.draining = True
        deadline = time.monotonic() + patience_seconds
        while self._running and time.monotonic() < deadline:
            for running in tuple(self._running):
                running.stop()
            time.sleep(0.02)
        if not self._running:
            self._pool.shutdown(cancel_futures=True)
            if self._database:
                self._database.close()

    def _ready_database(self) -> Database:
        if self.draining:
            raise PlatformError(ErrorCode.INVALID_STATE, "the instance is ending and takes no more queries")
        if self._database is None:
            raise PlatformError(
                ErrorCode.INVALID_STATE,
                f"the instance is not ready: {self.phase}, {self.progress:.0%}",
                "ask /ready until it answers 200",
                {"phase": self.phase, "progress": self.progress},
            )
        return self._database


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
