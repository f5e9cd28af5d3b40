"""A lock between the processes of one machine: a file that one of them holds at a time, waited for with a word.

The kernel frees it when its holder ends, however that ends. Not for machines: what several of those share is leased in
the catalog.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from graph_platform.errors import ErrorCode, PlatformError

_POLL_SECONDS = 0.05


@contextmanager
def file_lock(path: Path, purpose: str, seconds: float, tell: Callable[[str], None]) -> Iterator[None]:
    """Hold the lock for as long as the block lasts. Its folder must exist; the file stays.

    Args:
        purpose: what the lock's holder does, to follow "process 12, which is".
        seconds: how long it is waited for.
        tell: where a word goes when it has to be waited for.

    Raises:
        PlatformError: CONCURRENCY_LIMIT_EXCEEDED when the wait is over, with the process that holds it.
        OSError: the file cannot be made.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        deadline = time.monotonic() + seconds
        told = False
        while not _taken(descriptor):
            if time.monotonic() > deadline:
                raise PlatformError(
                    ErrorCode.CONCURRENCY_LIMIT_EXCEEDED,
                    f"{_holder(descriptor)} has been {purpose} for more than {seconds:.0f} s",
                    "wait for it, or end it if it hangs, and try again",
                    {"lock": str(path)},
                )
            if not told:
                tell(f"waiting for {_holder(descriptor)}, which is {purpose}")
                told = True
            time.sleep(_POLL_SECONDS)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(descriptor)


def _taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _holder(descriptor: int) -> str:
    pid = os.pread(descriptor, 20, 0).decode(errors="replace")
    return f"process {pid}" if pid else "another process"
