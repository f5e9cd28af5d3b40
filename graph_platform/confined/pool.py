"""A bounded number of confined processes of one kind, each of which does one thing at a time.

So what one request costs its process, no other request is in: who is guilty needs no search, and nothing is asked
twice.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace

from graph_platform.confined.process import ConfinedProcess, NotReady, Stopped
from graph_platform.errors import PlatformError
from graph_platform.processes.ending import Ending

_PATIENCE_SECONDS = 0.2
"""How long each process must have been at one request before another one is started, which takes about as long: many
short requests are done sooner by those that there are.
"""


class PoolClosed(Exception):
    """The pool is closed, or was while this waited."""


@dataclass(frozen=True)
class History:
    """What became of the processes of a pool: how many were started, how many have ended, and how the last one did."""

    started: int = 0
    ended: int = 0
    last_ending: Ending | None = None


class ProcessPool:
    """Safe to use from several threads.

    Args:
        start: starts a process; what it raises goes to whoever needed it.
        most: how many there may be at once.
        kept: how many are kept ready, from the first one that was needed on: one that ended is replaced at once, before
            anybody needs it.
    """

    def __init__(self, start: Callable[[], ConfinedProcess], most: int, kept: int = 0) -> None:
        self._start = start
        self._most = max(1, most)
        self._kept = min(kept, self._most)
        self._changed = threading.Condition()
        self._idle: list[ConfinedProcess] = []
        self._busy: dict[ConfinedProcess, float] = {}  # since when
        self._starting = 0
        self._history = History()
        self._closed = False

    @contextmanager
    def one(self) -> Iterator[ConfinedProcess]:
        """A process that nobody else asks meanwhile, started if need be. One that ended is not used again.

        Raises:
            PoolClosed.
        """
        process = self._taken()
        try:
            yield process
        finally:
            self._returned(process)

    def taken_now(self) -> ConfinedProcess | None:
        """A process that is idle, without waiting; None if there is none. `give_back` has to follow.

        Raises:
            PoolClosed.
        """
        with self._changed:
            if self._closed:
                raise PoolClosed
            return self._idle_one()

    def give_back(self, process: ConfinedProcess) -> None:
        """Let others ask it."""
        self._returned(process)

    @property
    def busy(self) -> tuple[ConfinedProcess, ...]:
        """Those that are being asked."""
        with self._changed:
            return tuple(self._busy)

    @property
    def processes(self) -> tuple[ConfinedProcess, ...]:
        """Those that there are."""
        with self._changed:
            return (*self._idle, *self._busy)

    @property
    def history(self) -> History:
        """What became of those that there were."""
        with self._changed:
            return self._history

    def close(self) -> None:
        """End every process, also in the midst of a request; a second call does nothing."""
        with self._changed:
            self._closed = True
            ended = (*self._idle, *self._busy)
            self._idle.clear()
            self._changed.notify_all()
        for process in ended:
            process.end()

    def _taken(self) -> ConfinedProcess:
        with self._changed:
            while True:
                if self._closed:
                    raise PoolClosed
                process = self._idle_one()
                if process is not None:
                    return process
                left = self._until_a_start()
                if left is not None and left <= 0:
                    self._starting += 1
                    break
                self._changed.wait(left)
        process = self._begun()
        with self._changed:
            self._fill()
        return process

    def _idle_one(self) -> ConfinedProcess | None:
        while self._idle:
            process = self._idle.pop()
            if process.alive:
                self._busy[process] = time.monotonic()
                return process
            self._note_end(process)
        return None

    def _until_a_start(self) -> float | None:
        """Seconds until another process may be started if nothing changes; None while none may be."""
        if self._starting or len(self._busy) >= self._most:
            return None
        return max(self._busy.values()) + _PATIENCE_SECONDS - time.monotonic() if self._busy else 0.0

    def _fill(self) -> None:
        """Start in the background what is missing of those that are kept ready."""
        missing = self._kept - len(self._idle) - len(self._busy) - self._starting
        for _ in range(0 if self._closed else missing):
            self._starting += 1
            threading.Thread(target=self._begin_idle, name="fills-a-pool", daemon=True).start()

    def _begin_idle(self) -> None:
        # What keeps it from starting is met again, and told, when one is needed.
        with suppress(NotReady, Stopped, PoolClosed, OSError, PlatformError):
            self._returned(self._begun())

    def _begun(self) -> ConfinedProcess:
        process = None
        try:
            process = self._start()
        finally:
            with self._changed:
                self._starting -= 1
                closed = self._closed
                if process is not None:
                    self._history = replace(self._history, started=self._history.started + 1)
                    if not closed:
                        self._busy[process] = time.monotonic()
                self._changed.notify_all()
        if closed:
            process.end()
            raise PoolClosed
        return process

    def _returned(self, process: ConfinedProcess) -> None:
        alive = not process.has_ended  # whether it ended since its answer is looked at when it is taken next
        with self._changed:
            self._busy.pop(process, None)
            closed = self._closed
            if alive and not closed:
                self._idle.append(process)
            elif not closed:
                self._note_end(process)
            self._changed.notify_all()
        if closed:
            process.end()

    def _note_end(self, process: ConfinedProcess) -> None:
        self._history = replace(self._history, ended=self._history.ended + 1, last_ending=process.end())
        self._fill()
