"""Who may have a query run now, and who waits: places are shared out between clients, in turn.

No client has all places, nor all of the queue, so that one that holds all it may hold makes nobody else wait. All of it
happens in the event loop, so it needs no lock.
"""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict, deque
from dataclasses import dataclass

from graph_platform.errors import ErrorCode, PlatformError


@dataclass(frozen=True)
class Shares:
    """How many queries may run and wait at once, and how many of these may be one client's."""

    running: int
    running_each: int
    waiting: int
    waiting_each: int

    @classmethod
    def of(cls, workers: int) -> Shares:
        """Those for so many workers: one of them, where there are two, is always left for somebody else."""
        return cls(workers, max(1, workers - 1), 32, 16)


class Places:
    """The places of one server."""

    def __init__(self, shares: Shares) -> None:
        self._shares = shares
        self._running: Counter[str] = Counter()
        self._waiting: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()  # whose turn it is comes first

    @property
    def taken(self) -> int:
        """Queries that run or wait."""
        return self._running.total() + self._queued()

    def enter(self, client: str) -> asyncio.Future[None] | None:
        """Take a place: None if there is one, else what is done when there is, unless it is given back before.

        Raises:
            PlatformError: CONCURRENCY_LIMIT_EXCEEDED where the queue, or this client's part of it, is full.
        """
        if self._running.total() < self._shares.running and self._running[client] < self._shares.running_each:
            self._running[client] += 1  # of those who wait, none may have it: it would have been given to them
            return None
        own = self._waiting.get(client, ())
        if len(own) >= self._shares.waiting_each or self._queued() >= self._shares.waiting:
            yours = self._running[client] + len(own)
            raise PlatformError(
                ErrorCode.CONCURRENCY_LIMIT_EXCEEDED,
                f"{self.taken} queries are running or waiting already, {yours} of them yours",
                "ask again when one of them has been answered",
            )
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(client, deque()).append(turn)
        return turn

    def leave(self, client: str) -> None:
        """Give a place back; it goes to whose turn it is."""
        self._running[client] -= 1
        if not self._running[client]:
            del self._running[client]
        while self._running.total() < self._shares.running:
            ready = (each for each in self._waiting if self._running[each] < self._shares.running_each)
            following = next(ready, None)
            if following is None:
                return
            turn = self._waiting[following][0]
            self._forget(following, turn)
            if following in self._waiting:
                self._waiting.move_to_end(following)
            if not turn.done():
                self._running[following] += 1
                turn.set_result(None)

    def withdraw(self, client: str, turn: asyncio.Future[None]) -> None:
        """Wait no longer for a place; one that has come meanwhile is given back."""
        if turn.done() and not turn.cancelled():
            self.leave(client)
        else:
            self._forget(client, turn)

    def _forget(self, client: str, turn: asyncio.Future[None]) -> None:
        own = self._waiting.get(client)
        if own and turn in own:
            own.remove(turn)
            if not own:
                del self._waiting[client]

    def _queued(self) -> int:
        return sum(map(len, self._waiting.values()))
