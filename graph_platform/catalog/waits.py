"""Who holds what a transaction waits for: looked at from another connection, told while it waits and when it gives up.

Postgres says who blocks whom only while somebody waits, not afterwards; so whoever wants to know it must look before
the limit strikes. Everything here is best effort: it explains an error, and never is one.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from os import getpid
from typing import Any

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import SQLAlchemyError

from graph_platform.catalog.limits import Limits

_PRODUCT = "graph_platform"
_NAME_BYTES = 63  # of an application_name; Postgres cuts what is longer
_QUERY_CHARACTERS = 120

# Those at the head of the queue: who waits in it himself is no cause.
_HOLDERS = text(
    """
    WITH RECURSIVE queue (pid, depth) AS (
        SELECT unnest(pg_blocking_pids(:pid)), 1
        UNION
        SELECT unnest(pg_blocking_pids(pid)), depth + 1 FROM queue WHERE depth < 20
    )
    SELECT DISTINCT a.pid, a.application_name, a.usename, host(a.client_addr) AS client, a.state, a.query,
        extract(epoch FROM clock_timestamp() - a.xact_start)::float AS seconds,
        extract(epoch FROM clock_timestamp() - a.state_change)::float AS state_seconds, a.xact_start
    FROM queue JOIN pg_stat_activity a USING (pid)
    WHERE cardinality(pg_blocking_pids(a.pid)) = 0
    ORDER BY a.xact_start, a.pid
    """
)


@dataclass(frozen=True)
class Holder:
    """A session that others wait for, as Postgres sees it; what another role may not see of it is None."""

    pid: int
    application: str
    user: str | None
    client: str | None
    state: str | None
    statement: str | None
    seconds: float | None
    state_seconds: float | None

    def __str__(self) -> str:
        who = self.application or "a session without a name"
        parts = [f"process {self.pid} of Postgres for {self.user}" + (f" from {self.client}" if self.client else "")]
        if self.seconds is not None:
            parts.append(f"in a transaction for {self.seconds:.0f} s")
        if self.state and self.state_seconds is not None:
            parts.append(f"{self.state} for {self.state_seconds:.0f} s")
        if self.statement:
            parts.append(f"last statement: {self.statement}")
        return f"{who} ({'; '.join(parts)})"

    def document(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)


def application_name(user: str, run_id: str | None) -> str:
    """What others see of this process in Postgres: who it is, where it runs, and the Dagster run.

    At most 63 bytes of ASCII, which is what Postgres keeps of it.
    """
    who = user.encode("ascii", "replace").decode()[:16]
    host = socket.gethostname().encode("ascii", "replace").decode().partition(".")[0][:14]
    run = f" run {run_id[:8]}" if run_id else ""
    return f"{_PRODUCT} {who}@{host} pid {getpid()}{run}"[:_NAME_BYTES]


class Wait:
    """One transaction, as it is watched."""

    def __init__(self, pid: int, limits: Limits) -> None:
        self.pid = pid
        self.limits = limits
        self.began = time.monotonic()
        self.holders: Sequence[Holder] = ()

    @property
    def due(self) -> bool:
        """Whether it has lasted for so long that somebody should look."""
        return time.monotonic() - self.began >= self.limits.patience


class Watch:
    """Looks after the transactions of one catalog from a thread of its own, which sleeps while all of them are short.

    Args:
        tell: where a word about a wait goes, once for each transaction; None for nowhere.
    """

    def __init__(self, engine: Engine, tell: Callable[[str], None] | None) -> None:
        self._engine = engine
        self._tell = tell
        self._waits: set[Wait] = set()
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    @contextmanager
    def over(self, pid: int, limits: Limits) -> Iterator[Wait]:
        """Watch a transaction for as long as the block lasts.

        Args:
            pid: the server's process that serves it.
        """
        wait = Wait(pid, limits)
        with self._lock:
            self._waits.add(wait)
            if self._thread is None:
                self._thread = threading.Thread(target=self._look, name="catalog waits", daemon=True)
                self._thread.start()
        try:
            yield wait
        finally:
            with self._lock:
                self._waits.discard(wait)

    def end(self) -> None:
        """Look no more."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join(timeout=5)  # no longer than a server that does not answer deserves

    def _look(self) -> None:
        while not self._ended.wait(self._pause()):
            with self._lock:
                due = [wait for wait in self._waits if wait.due]
            if due:
                with suppress(SQLAlchemyError), self._engine.connect() as connection:
                    connection.detach()  # the pool may be let go of meanwhile
                    for wait in due:
                        self._see(connection, wait)

    def _pause(self) -> float:
        with self._lock:
            return min((wait.limits.patience / 2 for wait in self._waits), default=1.0)

    def _see(self, connection: Connection, wait: Wait) -> None:
        found = holders(connection, wait.pid)
        if not found:
            return
        first = not wait.holders
        wait.holders = found
        if first and self._tell:
            self._tell(f"waiting for {found[0]}, for {wait.limits.lock:.0f} s at most")


def holders(connection: Connection, pid: int) -> Sequence[Holder]:
    """Those whom the server's process `pid` waits for at this moment, the longest transaction first."""
    return [
        Holder(
            row.pid,
            row.application_name or "",
            row.usename,
            row.client,
            row.state,
            _short(row.query),
            _rounded(row.seconds),
            _rounded(row.state_seconds),
        )
        for row in connection.execute(_HOLDERS, {"pid": pid})
    ]


def _short(statement: str | None) -> str | None:
    if not statement or statement.startswith("<"):  # <insufficient privilege>
        return None
    words = " ".join(statement.split())
    return words if len(words) <= _QUERY_CHARACTERS else f"{words[:_QUERY_CHARACTERS]}…"


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 1)
