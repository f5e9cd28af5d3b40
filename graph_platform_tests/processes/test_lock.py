"""A lock of one machine: one holds it, the others wait with a word and an end, and the dead hold nothing."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.processes.lock import file_lock

HOLD = (
    "import sys; from pathlib import Path; from graph_platform.processes.lock import file_lock\n"
    "with file_lock(Path(sys.argv[1]), 'holding', 1, print):\n"
    "    print('held', flush=True)\n"
    "    sys.stdin.readline()\n"
)


def test_one_that_is_held_is_waited_for_with_a_word_and_an_end_and_is_free_when_its_holder_dies(tmp_path: Path) -> None:
    path = tmp_path / "a lock"
    words: list[str] = []
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        holder.send_signal(signal.SIGSTOP)
        with pytest.raises(PlatformError) as held, file_lock(path, "holding", 0.5, words.append):
            pytest.fail("two hold it")
        assert held.value.code == ErrorCode.CONCURRENCY_LIMIT_EXCEEDED
        assert f"process {holder.pid} has been holding" in held.value.message
        assert words == [f"waiting for process {holder.pid}, which is holding"]
        holder.kill()
    with file_lock(path, "holding", 30, words.append):
        pass
