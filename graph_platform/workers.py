"""Threads that work side by side for one caller, which need not wait for them when it is interrupted or fails."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager


@contextmanager
def workers(count: int, name: str) -> Iterator[ThreadPoolExecutor]:
    """A pool of at least one thread.

    Left with an exception (Ctrl-C, Dagster's termination, a failure), it begins nothing more and is not waited for: the
    caller goes on to close what the threads ask, and that ends them.
    """
    pool = ThreadPoolExecutor(max(1, count), thread_name_prefix=name)
    try:
        yield pool
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        raise
    pool.shutdown()
