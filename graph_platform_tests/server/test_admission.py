"""Whether a query may begin: what waits while a database is copied, and what a drained or ending server refuses."""

from __future__ import annotations

import asyncio

import pytest

from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.server.admission import MOST_HELD, Admission, Refused


def test_a_copy_waits_for_the_writes_that_run_and_holds_those_that_come() -> None:
    async def story() -> None:
        admission, copying = Admission(), asyncio.Event()
        for _ in range(2):
            admission.begin("a")

        async def copy() -> None:
            async with admission.without_writes("a", 60):
                copying.set()

        running = asyncio.create_task(copy())
        await asyncio.sleep(0)
        held = admission.hold("a")
        assert held is not None and admission.hold("b") is None
        waiting = asyncio.create_task(admission.released(held))
        admission.end("a")
        for _ in range(10):
            await asyncio.sleep(0)
        assert admission.writes == 1 and not copying.is_set() and not waiting.done()
        admission.end("a")
        await running
        await waiting
        assert copying.is_set() and admission.hold("a") is None

    asyncio.run(story())


def test_writes_that_do_not_end_in_time_end_the_copy_and_those_held_go_on() -> None:
    async def story() -> None:
        admission = Admission()
        admission.begin("a")
        with pytest.raises(PlatformError, match="1 writes to a have not ended") as late:
            async with admission.without_writes("a", 0.01):
                pytest.fail("it was copied while it was written to")
        assert late.value.code is ErrorCode.QUERY_TIMEOUT
        assert admission.hold("a") is None

    asyncio.run(story())


def test_no_two_copy_one_database_and_no_more_writes_wait_than_may() -> None:
    async def story() -> None:
        admission = Admission()
        async with admission.without_writes("a", 60):
            with pytest.raises(PlatformError, match="being copied already"):
                async with admission.without_writes("a", 60):
                    pytest.fail("two copy it")
            held = admission.hold("a")
            assert held is not None
            waiting = [asyncio.create_task(admission.released(held)) for _ in range(MOST_HELD)]
            await asyncio.sleep(0)
            with pytest.raises(PlatformError) as full:
                admission.hold("a")
            assert full.value.code is ErrorCode.CONCURRENCY_LIMIT_EXCEEDED
        await asyncio.gather(*waiting)

    asyncio.run(story())


@pytest.mark.parametrize(
    ("refused", "reads", "writes"),
    [(Refused.NOTHING, True, True), (Refused.WRITES, True, False), (Refused.EVERYTHING, False, False)],
)
def test_what_is_refused_is_what_was_said(refused: Refused, *, reads: bool, writes: bool) -> None:
    admission = Admission()
    admission.refused = refused
    for is_write, taken in ((False, reads), (True, writes)):
        if taken:
            admission.check(writes=is_write)
        else:
            with pytest.raises(PlatformError, match="it takes no more"):
                admission.check(writes=is_write)
    admission.ending = True
    with pytest.raises(PlatformError, match="ending"):
        admission.check(writes=False)
