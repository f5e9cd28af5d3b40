"""Lookups of names, remembered for a moment: a broken mapping asks the same ones for each of its definitions at once.

For near names in hints only; what a query gives, and whether it holds, is always asked.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future

Rows = list[list[object]]


class RememberedLookups:
    """Answers by question. Safe to use from several threads, of which one asks and the others wait for its answer.

    Args:
        seconds: how long an answer counts.
        clock: seconds since any moment, never set back.
    """

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._answers: dict[str, tuple[float, Future[Rows]]] = {}

    def rows(self, sql: str, ask: Callable[[str], Rows]) -> Rows:
        """The answer of a moment ago, else that of `ask`. What `ask` raises passes through and is not remembered."""
        mine: Future[Rows] | None = None
        with self._lock:
            oldest = self._clock() - self._seconds
            self._answers = {asked: kept for asked, kept in self._answers.items() if kept[0] > oldest}
            if sql not in self._answers:
                mine = Future()
                self._answers[sql] = self._clock(), mine
            answer = self._answers[sql][1]
        if mine is not None:
            try:
                mine.set_result(ask(sql))
            except BaseException as error:
                with self._lock:
                    self._answers.pop(sql, None)
                mine.set_exception(error)
                raise
        return answer.result()
