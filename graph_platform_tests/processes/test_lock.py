"""A lock of one machine: one holds it, the others wait with a word and an end, and the dead hold nothing."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.processes.lock import file_lock, lock, try_lock
from graph_platform_tests.simulated_clock import SimulatedClock

HOLD = (
    "import sys; from pathlib import Path; from graph_platform.processes.lock import file_lock\n"
    "with file_lock(Path(sys.argv[1]), 'holding', 1, print):\n"
    "    print('held', flush=True)\n"
    "    sys.stdin.readline()\n"
)


def test_one_that_is_held_is_waited_for_with_a_word_and_an_end_and_is_free_when_its_holder_dies(tmp_path: Path) -> None:
    path = tmp_path / "a lock"
    words: list[str] = []
    clock = SimulatedClock()
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        holder.send_signal(signal.SIGSTOP)
        with pytest.raises(PlatformError) as held, file_lock(path, "holding", 60, words.append, clock=clock):
            pytest.fail("two hold it")
        assert held.value.code == ErrorCode.CONCURRENCY_LIMIT_EXCEEDED
        assert f"process {holder.pid} has been holding" in held.value.message
        assert 60 < clock.now < 61
        assert words == [f"waiting for process {holder.pid}, which is holding"]
        holder.kill()
    with file_lock(path, "holding", 30, words.append):
        pass


def test_several_may_share_one_and_none_has_it_alone_beside_them(tmp_path: Path) -> None:
    path = tmp_path / "a lock"
    with path.open("w") as one, path.open() as two, path.open() as three:
        assert try_lock(one.fileno(), shared=True)
        assert try_lock(two.fileno(), shared=True)
        assert not try_lock(three.fileno())
        one.close()
        two.close()
        lock(three.fileno())
        with path.open() as four:
            assert not try_lock(four.fileno(), shared=True)
