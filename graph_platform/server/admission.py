"""Whether a query may begin now: not while the server ends, nor what it was told not to take; a write waits while its
database is copied. All of it happens in the event loop, so it needs no lock.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator
from enum import StrEnum

from graph_platform.errors import ErrorCode, PlatformError

MOST_HELD = 32
"""Writes that may wait for a copy to be made."""


class Refused(StrEnum):
    """What a server that lives was told to take no more."""

    NOTHING = "nothing"
    WRITES = "writes"
    EVERYTHING = "everything"


class Admission:
    """The door of one server, and the writes that are through it."""

    def __init__(self) -> None:
        self.refused = Refused.NOTHING
        self.ending = False
        self._writes: Counter[str] = Counter()
        self._ended = asyncio.Event()
        self._held: dict[str, asyncio.Event] = {}
        self._waiting = 0

    @property
    def writes(self) -> int:
        """Writes that run, or wait for a place."""
        return self._writes.total()

    def check(self, *, writes: bool) -> None:
        """Refuse what may not begin.

        Raises:
            PlatformError: INVALID_STATE.
        """
        if self.ending:
            raise PlatformError(ErrorCode.INVALID_STATE, "the instance is ending and takes no more queries")
        if self.refused is Refused.EVERYTHING or (writes and self.refused is Refused.WRITES):
            what = "queries" if self.refused is Refused.EVERYTHING else "writes"
            raise PlatformError(
                ErrorCode.INVALID_STATE,
                f"the instance was drained: it takes no more {what}",
                "an operator did so, and can undo it: DELETE /drain",
            )

    def hold(self, database: str) -> asyncio.Event | None:
        """What a write to this database has to wait for first, None for nothing.

        Raises:
            PlatformError: CONCURRENCY_LIMIT_EXCEEDED where as many wait already as may.
        """
        held = self._held.get(database)
        if held is not None and self._waiting >= MOST_HELD:
            raise PlatformError(
                ErrorCode.CONCURRENCY_LIMIT_EXCEEDED,
                f"{database} is being copied, and {self._waiting} writes wait for that already",
                "ask again when one of them has been answered",
            )
        return held

    async def released(self, held: asyncio.Event) -> None:
        """Wait until the copy has been made."""
        self._waiting += 1
        try:
            await held.wait()
        finally:
            self._waiting -= 1

    def begin(self, database: str) -> None:
        """A write is through; `end` follows."""
        self._writes[database] += 1

    def end(self, database: str) -> None:
        """A write has been answered, or given up."""
        self._writes[database] -= 1
        self._ended.set()

    @contextlib.asynccontextmanager
    async def without_writes(self, database: str, seconds: float) -> AsyncIterator[None]:
        """Meanwhile nothing is written to this database: new writes wait, and those that run have ended.

        Raises:
            PlatformError: INVALID_STATE if somebody else holds it; QUERY_TIMEOUT if the writes do not end in time.
        """
        if database in self._held:
            raise PlatformError(ErrorCode.INVALID_STATE, f"{database} is being copied already", "wait for that")
        held = self._held[database] = asyncio.Event()
        try:
            try:
                async with asyncio.timeout(seconds):
                    while self._writes[database]:
                        self._ended.clear()
                        await self._ended.wait()
            except TimeoutError:
                raise PlatformError(
                    ErrorCode.QUERY_TIMEOUT,
                    f"{self._writes[database]} writes to {database} have not ended within {seconds:g} seconds",
                    "try again later; new writes go on",
                ) from None
            yield
        finally:
            del self._held[database]
            held.set()
