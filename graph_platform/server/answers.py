"""A query's answer on its way from the worker's thread to the client: piece by piece, and never much of it at once."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections import deque
from collections.abc import AsyncIterator

from graph_platform.confined.process import Stop

PIECES = 4
"""How many may wait for the client; the worker makes no more until it has taken one."""


class Answer:
    """An answer that comes. `take` and `ended` are called in a thread, all else in the event loop.

    Args:
        deadline: the time of `time.monotonic` until which the worker waits for the client to take a piece.
    """

    def __init__(self, deadline: float) -> None:
        self.deadline = deadline
        self.stop = Stop()
        self.waiting: asyncio.Task[None] | None = None  # while it has no place
        self._loop = asyncio.get_running_loop()
        self._room = threading.Semaphore(PIECES)
        self._pieces: deque[bytes] = deque()
        self._ended = False
        self._error: BaseException | None = None
        self._changed = asyncio.Event()

    def take(self, piece: bytes) -> bool:
        """Keep a piece once there is room for it; False if nobody wants it any more, or has taken those before it."""
        if not self._room.acquire(timeout=max(0.0, self.deadline - time.monotonic())) or self.stop.wished:
            return False
        self._tell(piece, False, None)
        return True

    def ended(self, last: bytes | None, error: BaseException | None = None) -> None:
        """This was all of it, or there is no more because of an error."""
        self.stop.close()
        self._tell(last, True, error)

    def ended_here(self, last: bytes | None, error: BaseException | None = None) -> None:
        """As `ended`, for the event loop."""
        self.stop.close()
        self._take_note(last, True, error)

    def whole_already(self) -> bytes | None:
        """All of it, if that is one piece which is there."""
        return self._pieces.popleft() if self._ended and not self._error and len(self._pieces) == 1 else None

    async def begun(self) -> bytes | None:
        """Wait for its beginning: all of it, if it is one piece; None if more than that comes.

        Raises:
            PlatformError: there is no answer.
        """
        while not self._pieces and not self._ended:
            await self._news()
        if self._error and not self._pieces:
            raise self._error
        return self._pieces.popleft() if self._ended and len(self._pieces) == 1 else None

    async def pieces(self) -> AsyncIterator[bytes]:
        """Every piece, as it comes.

        Raises:
            PlatformError: the rest does not come.
        """
        while True:
            while self._pieces:
                piece = self._pieces.popleft()
                self._room.release()
                yield piece
            if self._error:
                raise self._error
            if self._ended:
                return
            await self._news()

    def give_up(self) -> None:
        """Nobody wants it any more: the query is stopped if it still runs."""
        if self.waiting:
            self.waiting.cancel()
        self.stop.wish()
        self._room.release()

    def _tell(self, piece: bytes | None, ended: bool, error: BaseException | None) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended, and everybody who waited in it
            self._loop.call_soon_threadsafe(self._take_note, piece, ended, error)

    def _take_note(self, piece: bytes | None, ended: bool, error: BaseException | None) -> None:
        if piece is not None:
            self._pieces.append(piece)
        self._ended, self._error = ended, error
        self._changed.set()

    async def _news(self) -> None:
        await self._changed.wait()
        self._changed.clear()
