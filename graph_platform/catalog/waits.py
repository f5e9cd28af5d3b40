"""Who holds what a transaction waits for: looked at from another connection, told while it waits and when it gives up.

Postgres says who blocks whom only while somebody waits, not afterwards; so whoever wants to know it must look before
the limit strikes. Everything here is best effort: it explains an error, and never is one.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from typing import Any

import psycopg
from sqlalchemy import Connection, Engine, event, text
from sqlalchemy.exc import SQLAlchemyError

from graph_platform.catalog.limits import Limits
from graph_platform.polling import SYSTEM, Clock

_PRODUCT = "graph_platform"
_NAME_BYTES = 63  # of an application_name; Postgres cuts what is longer
_QUERY_CHARACTERS = 120
_WAIT = "wait"  # its key among what is known of a connection
_SILENCE_SECONDS = 10.0
_GRACE_SECONDS = 10.0
"""How much longer than a statement may take its answer is waited for: the server's own limit says more than ours."""

# Those at the head of the queue: who waits in it himself is no cause. It changes while it is looked at: whose time was
# just over waits no more, but is nobody's cause to wait either, which a second look shows.
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
        AND EXISTS (SELECT FROM (SELECT :pid UNION SELECT pid FROM queue) AS waiting (pid)
            WHERE a.pid = ANY (pg_blocking_pids(waiting.pid)))
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
    return f"{_PRODUCT} {who}@{host} pid {os.getpid()}{run}"[:_NAME_BYTES]


class Wait:
    """One transaction, as it is watched.

    Args:
        driver: its connection, psycopg's own.
    """

    def __init__(self, driver: Any, limits: Limits, clock: Clock = SYSTEM) -> None:
        self.pid: int = driver.info.backend_pid
        self.limits = limits
        self._clock = clock
        self.began = self._heard = clock.monotonic()
        self.holders: Sequence[Holder] = ()
        self.told = False
        self.unanswered = False
        self._driver = driver

    @property
    def due(self) -> bool:
        """Whether it has lasted for so long that somebody should look."""
        return self._clock.monotonic() - self.began >= self.limits.patience

    @property
    def silence(self) -> float:
        """For how long the server has been owing an answer, in seconds; 0 if it owes none."""
        asked = self._driver.pgconn.transaction_status == psycopg.pq.TransactionStatus.ACTIVE
        return self._clock.monotonic() - self._heard if asked else 0.0

    def answered(self) -> None:
        """A statement is over."""
        self._heard = self._clock.monotonic()

    def give_up(self) -> None:
        """Wake whoever waits for the server's answer, as if the connection had been lost.

        Nothing less does: the server's limits are kept by the very process that does not answer, and the kernel of a
        machine goes on acknowledging for one that was stopped.
        """
        self.unanswered = True
        with suppress(OSError, psycopg.Error), socket.socket(fileno=os.dup(self._driver.fileno())) as same:
            same.shutdown(socket.SHUT_RDWR)


class Watch:
    """Looks after the transactions of one catalog from a thread of its own, which sleeps while all of them are short.

    Args:
        tell: where a word about a wait goes, once for each transaction; None for nowhere.
        clock: how long a transaction has lasted. The thread's own pace is real: it is beside those who wait.
    """

    def __init__(self, engine: Engine, tell: Callable[[str], None] | None, clock: Clock = SYSTEM) -> None:
        self._engine = engine
        self._clock = clock
        self._tell = tell
        self._waits: set[Wait] = set()
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        self._look: threading.Thread | None = None
        event.listen(engine, "after_cursor_execute", _answered)

    @contextmanager
    def over(self, connection: Connection, limits: Limits) -> Iterator[Wait]:
        """Watch a connection's transaction for as long as the block lasts."""
        wait = Wait(connection.connection.driver_connection, limits, self._clock)
        known = connection.info
        known[_WAIT] = wait
        with self._lock:
            self._waits.add(wait)
            if self._thread is None:
                self._thread = threading.Thread(target=self._mind, name="catalog waits", daemon=True)
                self._thread.start()
        try:
            yield wait
        finally:
            known.pop(_WAIT, None)
            with self._lock:
                self._waits.discard(wait)

    def end(self) -> None:
        """Look no more."""
        self._ended.set()
        for thread in (self._thread, self._look):
            if thread is not None:
                thread.join(timeout=5)  # no longer than a server that does not answer deserves

    def _mind(self) -> None:
        """Asks the server nothing itself, since it may be one that does not answer."""
        while not self._ended.wait(self._pause()):
            with self._lock:  # so that none ends meanwhile, and its connection serves another transaction
                due = [wait for wait in self._waits if wait.due]
                for wait in due:
                    if wait.silence > wait.limits.statement + _GRACE_SECONDS:
                        wait.give_up()
            for wait in due:
                if wait.silence > _SILENCE_SECONDS:
                    self._say(wait, f"the catalog has not answered for {wait.silence:.0f} s: waiting for it")
            if due and (self._look is None or not self._look.is_alive()):
                self._look = threading.Thread(target=self._see_all, args=(due,), name="catalog holders", daemon=True)
                self._look.start()

    def _see_all(self, due: Sequence[Wait]) -> None:
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
        wait.holders = found
        self._say(wait, f"waiting for {found[0]}, for {wait.limits.lock:.0f} s at most")

    def _say(self, wait: Wait, word: str) -> None:
        """One word for each transaction."""
        with self._lock:
            first, wait.told = not wait.told, True
        if first and self._tell:
            self._tell(word)


def _answered(connection: Connection, *_: Any) -> None:
    wait: Wait | None = connection.info.get(_WAIT)
    if wait is not None:
        wait.answered()


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
