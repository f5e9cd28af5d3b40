"""Waiting for what comes soon, on a busy machine too: one loop for all tests, with an end."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

Found = TypeVar("Found")


def until(ask: Callable[[], Found], otherwise: str, seconds: float = 60, pause: float = 0.02) -> Found:
    """Ask until the answer is true, and return it; fail with `otherwise` after so many seconds.

    The limit only ends a test that has failed: no test says by it how fast something is.
    """
    deadline = time.monotonic() + seconds
    while not (found := ask()):
        assert time.monotonic() < deadline, otherwise
        time.sleep(pause)
    return found
