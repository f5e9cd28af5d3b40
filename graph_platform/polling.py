"""Waiting: a clock and a sleep that are handed in, and the pauses between two looks at what is waited for.

Whoever waits takes a `Clock`, so that a simulation can drive it and no test waits for a second to pass. Moments that
are written down come from the catalog's clock and not from here.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol


class Clock(Protocol):
    """What passes while somebody waits."""

    def monotonic(self) -> float:
        """Seconds since some moment; only differences mean something."""
        ...

    def sleep(self, seconds: float) -> None:
        """Let that time pass."""
        ...

    def wait(self, event: threading.Event, seconds: float) -> bool:
        """Let that time pass, or only as much as it takes until another thread sets the event; whether it is set."""
        ...


class _SystemClock:
    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)

    def wait(self, event: threading.Event, seconds: float) -> bool:
        return event.wait(seconds)


SYSTEM: Clock = _SystemClock()
"""This machine's."""


@dataclass(frozen=True)
class Pauses:
    """How long to wait between two looks, in seconds: each time by `factor` longer, up to `longest`."""

    first: float
    longest: float
    factor: float = 1.5

    def __iter__(self) -> Iterator[float]:
        pause = self.first
        while True:
            yield pause
            pause = min(pause * self.factor, self.longest)


def wait_until(
    condition: Callable[[], bool], *, within_seconds: float | None, pauses: Pauses, clock: Clock = SYSTEM
) -> bool:
    """Look until the condition holds or the time is over; whether it holds. It is looked at once at least.

    Args:
        within_seconds: None for as long as it takes.
    """
    deadline = None if within_seconds is None else clock.monotonic() + within_seconds
    for pause in pauses:
        if condition():
            return True
        left = None if deadline is None else deadline - clock.monotonic()
        if left is not None and left <= 0:
            return False
        clock.sleep(pause if left is None else min(pause, left))
    raise AssertionError("pauses never end")
