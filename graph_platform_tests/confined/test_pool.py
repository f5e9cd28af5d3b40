"""A pool of confined processes: each request has one to itself, and what one costs its process, no other pays."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import suppress

import pytest

from graph_platform.confined.pool import PoolClosed, ProcessPool
from graph_platform.confined.process import NotReady, Stopped
from graph_platform_tests.confined.test_process import exists, start
from graph_platform_tests.waiting import until


@pytest.fixture
def pool() -> Iterator[ProcessPool]:
    made = ProcessPool(start, 2)
    yield made
    made.close()


def ask(pool: ProcessPool, request: bytes) -> bytes:
    with pool.one() as process:
        return process.ask(request, 120)


def test_one_after_the_other_needs_one_process(pool: ProcessPool) -> None:
    assert [ask(pool, b"echo %d" % number) for number in range(5)] == [b"0", b"1", b"2", b"3", b"4"]
    assert len(pool.processes) == 1


def test_what_one_request_breaks_the_others_do_not_feel(pool: ProcessPool) -> None:
    answers: dict[int, bytes | str] = {}
    requests = [b"echo a", b"grow", b"crash SIGSEGV", b"echo b", b"exit 1", b"grow", b"echo c"]

    def one(number: int) -> None:
        try:
            answers[number] = ask(pool, requests[number])
        except Stopped as stopped:
            answers[number] = str(stopped.ending.cause)

    threads = [threading.Thread(target=one, args=(number,)) for number in range(len(requests))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert [answers[number] for number in range(len(requests))] == [
        *(b"a", "memory", "crashed", b"b", "exited", "memory", b"c")
    ]
    assert len(pool.processes) <= 2


def test_there_are_no_more_than_allowed_and_whoever_waits_gets_the_first_that_is_free(pool: ProcessPool) -> None:
    with pool.one() as first:
        with pool.one() as second:
            assert first.pid != second.pid
            given: list[int] = []

            def wait() -> None:
                with pool.one() as third:
                    given.append(third.pid)

            waiting = threading.Thread(target=wait)
            waiting.start()
            waiting.join(0.5)
            assert given == []
            assert len(pool.processes) == 2
        waiting.join(60)
        assert given == [second.pid]


def test_one_that_was_killed_while_idle_is_replaced(pool: ProcessPool) -> None:
    with pool.one() as process:
        killed = process.pid
    os.kill(killed, signal.SIGKILL)
    until(lambda: not process.alive, "the end of the process is not seen")  # its threads end one after the other
    assert ask(pool, b"echo again") == b"again"
    assert killed not in [process.pid for process in pool.processes]


def test_closing_ends_all_of_them_and_whoever_waits_is_told(pool: ProcessPool) -> None:
    told: list[str] = []

    def one(request: bytes) -> None:
        try:
            ask(pool, request)
        except (PoolClosed, Stopped) as error:
            told.append(type(error).__name__)

    threads = [threading.Thread(target=one, args=(b"spin",)) for _ in range(3)]
    for thread in threads:
        thread.start()
    until(lambda: len(pool.busy) == 2, "the requests do not start")
    pids = [process.pid for process in pool.processes]
    pool.close()
    pool.close()
    for thread in threads:
        thread.join(60)
    assert sorted(told) == ["PoolClosed", "Stopped", "Stopped"]
    assert not [pid for pid in pids if exists(pid)]
    with pytest.raises(PoolClosed):
        ask(pool, b"echo x")


def test_a_start_that_fails_does_not_take_a_place_for_ever() -> None:
    opening = [b"refuse", b"refuse", b"refuse", b""]
    pool = ProcessPool(lambda: start(opening.pop(0)), 1)
    for _ in range(3):
        with suppress(NotReady):
            ask(pool, b"echo x")
    assert ask(pool, b"echo there") == b"there"
    pool.close()
