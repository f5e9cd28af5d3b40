"""Locks between the processes of one machine: an open file that one of them holds at a time.

The kernel frees it when its holder ends, however that ends. Not for machines: what several of those share is leased in
the catalog.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.polling import SYSTEM, Clock, Pauses

SILENCE_SECONDS = 2.0
"""How long a lock is waited for without a word."""

_PAUSES = Pauses(0.02, 0.05)


@contextmanager
def file_lock(
    path: Path,
    purpose: str,
    seconds: float,
    tell: Callable[[str], None],
    *,
    code: ErrorCode = ErrorCode.CONCURRENCY_LIMIT_EXCEEDED,
    clock: Clock = SYSTEM,
) -> Iterator[None]:
    """Hold the lock for as long as the block lasts. Its folder must exist; the file stays.

    Args:
        purpose: what the lock's holder does, to follow "process 12, which is".
        seconds: how long it is waited for.
        tell: where a word goes when it has to be waited for.
        code: of the error when the wait is over.

    Raises:
        PlatformError: the wait is over; it names the process that holds it.
        OSError: the file cannot be made.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        began, told = clock.monotonic(), False
        for pause in _PAUSES:
            if try_lock(descriptor):
                break
            waited = clock.monotonic() - began
            if waited > seconds:
                raise PlatformError(
                    code,
                    f"{_holder(descriptor)} has been {purpose} for more than {seconds:.0f} s",
                    "wait for it, or end it if it hangs, and try again",
                    {"lock": str(path)},
                )
            if waited > SILENCE_SECONDS and not told:
                tell(f"waiting for {_holder(descriptor)}, which is {purpose}")
                told = True
            clock.sleep(pause)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(descriptor)


def try_lock(descriptor: int, *, shared: bool = False) -> bool:
    """Take the lock of an open file or folder, until it is closed; False if somebody else has it.

    Args:
        shared: several may hold it so, and none beside them alone.
    """
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def lock(descriptor: int) -> None:
    """Wait until the lock of an open file or folder is ours, however long that takes: for one that is held for moments
    only, and freed by the death of its holder.
    """
    fcntl.flock(descriptor, fcntl.LOCK_EX)


def _holder(descriptor: int) -> str:
    pid = os.pread(descriptor, 20, 0).decode(errors="replace")
    return f"process {pid}" if pid else "another process"
