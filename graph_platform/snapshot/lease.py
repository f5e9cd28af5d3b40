"""Keeps a snapshot's lease alive while the work goes on, and tells the work when it is lost."""

from __future__ import annotations

import threading
from datetime import timedelta
from types import TracebackType
from typing import Self

from graph_platform.catalog import snapshots
from graph_platform.catalog.catalog import Catalog
from graph_platform.catalog.export_jobs import JobHolder
from graph_platform.errors import ErrorCode, PlatformError


class LeaseKeeper:
    """Renews the lease from a thread of its own, three times in its length, for as long as the block lasts.

    A catalog that does not answer for a while is asked again: whether the lease was lost meanwhile is the catalog's
    to say, not the clock's.
    """

    def __init__(self, catalog: Catalog, holder: JobHolder, lease: timedelta) -> None:
        self._catalog = catalog
        self._holder = holder
        self._lease = lease
        self._ended = threading.Event()
        self._lost = threading.Event()
        self._thread = threading.Thread(target=self._renew, name=f"lease of {holder.snapshot}", daemon=True)

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
        """Whether another attempt has the snapshot."""
        return self._lost.is_set()

    def check(self) -> None:
        """Stop here if the snapshot is in other hands.

        Raises:
            PlatformError: INVALID_STATE.
        """
        if self.lost:
            raise fenced_off(self._holder)

    def confirm(self) -> None:
        """Ask the catalog now. After a pause of this process `check` may know nothing of what happened meanwhile.

        Raises:
            PlatformError: INVALID_STATE.
        """
        with self._catalog.transaction() as session:
            if not snapshots.renew_lease(session, self._holder.snapshot, self._holder.attempt, self._lease):
                self._lost.set()
        self.check()

    def _renew(self) -> None:
        while not self._ended.wait(self._lease.total_seconds() / 3):
            try:
                with self._catalog.transaction() as session:
                    kept = snapshots.renew_lease(session, self._holder.snapshot, self._holder.attempt, self._lease)
            except PlatformError:
                continue  # unreachable: the next round tries again
            if not kept:
                self._lost.set()
                return


def fenced_off(holder: JobHolder) -> PlatformError:
    """The error of an attempt that lost its snapshot."""
    return PlatformError(
        ErrorCode.INVALID_STATE,
        f"attempt {holder.attempt} no longer owns snapshot {holder.snapshot}: another run took it over or ended it",
        f"`graph-platform snapshot show {holder.snapshot}` tells which",
    )
