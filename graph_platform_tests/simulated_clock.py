"""A clock whose time passes only when somebody sleeps."""

from __future__ import annotations

import threading
from collections.abc import Callable


class SimulatedClock:
    """Sleeping takes no time and moves the clock.

    Args:
        pace: how much of this clock's time passes in one that was slept.
        meanwhile: called in every sleep with the moment that it leads to: the world that changes while one waits.
    """

    def __init__(self, meanwhile: Callable[[float], None] = lambda moment: None, *, pace: float = 1.0) -> None:
        self.now = 0.0
        self.slept: list[float] = []
        self._meanwhile = meanwhile
        self._pace = pace

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds * self._pace
        self._meanwhile(self.now)

    def wait(self, event: threading.Event, seconds: float) -> bool:
        if not event.is_set():
            self.sleep(seconds)
        return event.is_set()
