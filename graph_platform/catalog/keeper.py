"""Keeps a lease alive while the work goes on, and tells the work when it is lost."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from types import TracebackType
from typing import Self

from graph_platform.catalog.lease import Claim, fenced_off
from graph_platform.errors import PlatformError


class Keeper:
    """Renews a lease from a thread of its own, three times in its length, for as long as the block lasts.

    A catalog that does not answer for a while is asked again: whether the lease was lost meanwhile is the catalog's
    to say, not the clock's.

    Args:
        renew: renews the claim in a transaction of its own; False if it is in other hands.
        wait: lets that many seconds pass, or returns True at once when the event is set. No `Clock`'s sleep: the work
            is not kept waiting at its end.
    """

    def __init__(
        self,
        claim: Claim,
        renew: Callable[[], bool],
        lease: timedelta,
        wait: Callable[[threading.Event, float], bool] = threading.Event.wait,
    ) -> None:
        self._claim = claim
        self._ask = renew
        self._pause = lease.total_seconds() / 3
        self._wait = wait
        self._ended = threading.Event()
        self._lost = threading.Event()
        self._thread = threading.Thread(target=self._renew, name=f"lease of {claim.id}", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()

    @property
    def lost(self) -> bool:
        """Whether it is in other hands."""
        return self._lost.is_set()

    def check(self) -> None:
        """Stop here if it is in other hands.

        Raises:
            PlatformError: INVALID_STATE.
        """
        if self.lost:
            raise fenced_off(self._claim)

    def confirm(self) -> None:
        """Ask the catalog now. After a pause of this process `check` may know nothing of what happened meanwhile.

        Raises:
            PlatformError: INVALID_STATE.
        """
        if not self._ask():
            self._lost.set()
        self.check()

    def _renew(self) -> None:
        while not self._wait(self._ended, self._pause):
            try:
                kept = self._ask()
            except PlatformError:
                continue  # unreachable: the next round tries again
            if not kept:
                self._lost.set()
                return
