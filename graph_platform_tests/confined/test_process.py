"""A confined process is stopped at its limits whatever it does, and dies with the one that started it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from graph_platform.confined.frames import MOST_BYTES
from graph_platform.confined.process import ConfinedProcess, NotReady, Stopped
from graph_platform.confined.program import memory
from graph_platform.processes.ending import Cause, Ending
from graph_platform_tests.waiting import until

PROGRAM = "graph_platform_tests.confined.misbehaving"
MEGABYTE = 1024**2
ALLOWANCE = 200 * MEGABYTE


def start(opening: bytes = b"", **changes: float) -> ConfinedProcess:
    return ConfinedProcess(PROGRAM, opening, memory_bytes=ALLOWANCE, **changes)  # type: ignore[arg-type]


@pytest.fixture
def process() -> Iterator[ConfinedProcess]:
    started = start()
    yield started
    started.end()


def exists(pid: int) -> bool:
    """Whether a process is there and not only its exit status."""
    try:
        return not re.search(r"^State:\s+[ZX]", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    except FileNotFoundError:
        return False


@contextmanager
def stopped(by: Cause) -> Iterator[list[Ending]]:
    endings: list[Ending] = []
    with pytest.raises(Stopped) as caught:
        yield endings
    assert caught.value.ending.cause is by, caught.value.ending
    endings.append(caught.value.ending)


def test_it_answers_one_request_after_the_other(process: ConfinedProcess) -> None:
    long = os.urandom(3_000_000)
    assert [process.ask(b"echo " + content) for content in (b"one", b"", long)] == [b"one", b"", long]
    assert process.alive


def test_the_kernel_has_the_limit_and_it_counts_from_when_the_program_was_ready(process: ConfinedProcess) -> None:
    limits = Path(f"/proc/{process.pid}/limits").read_text()
    soft, hard = map(int, re.findall(r"^Max data size\s+(\d+)\s+(\d+)", limits, re.MULTILINE)[0])
    assert soft == hard
    assert abs(soft - ALLOWANCE - memory(process.pid)["VmData"]) < 30 * MEGABYTE
    assert re.search(r"^Max core file size\s+0\s+0", limits, re.MULTILINE)


@pytest.mark.parametrize("how", ["take", "take_in_native_code", "map"])
def test_what_is_within_the_limit_is_given_and_what_is_beyond_it_is_not(how: str) -> None:
    process = start()
    process.ask(f"{how} {ALLOWANCE // 2}".encode())
    with stopped(Cause.MEMORY) if how != "map" else pytest.raises(Stopped):
        process.ask(f"{how} {ALLOWANCE * 20}".encode())
    assert not process.alive
    assert not exists(process.pid)


def test_a_process_that_grows_is_ended_at_the_limit_and_tells_its_peak(process: ConfinedProcess) -> None:
    with stopped(Cause.MEMORY) as endings:
        process.ask(b"grow")
    assert endings[0].peak_bytes is not None
    assert ALLOWANCE / 2 < endings[0].peak_bytes < ALLOWANCE + 100 * MEGABYTE
    assert not process.alive


def test_an_answer_that_is_too_long_ends_the_process_and_not_the_one_that_asked(process: ConfinedProcess) -> None:
    assert len(process.ask(f"long {MOST_BYTES // 2}".encode())) == MOST_BYTES // 2
    with stopped(Cause.MEMORY):
        process.ask(f"long {MOST_BYTES + 1}".encode())


def test_what_stops_when_it_is_told_to_may_be_asked_again(process: ConfinedProcess) -> None:
    with stopped(Cause.TIME):
        process.ask(b"wait", 0.2)
    assert process.alive
    assert process.ask(b"echo on", 60) == b"on"


@pytest.mark.parametrize("how", [b"spin", b"hold_the_interpreter"])
def test_what_does_not_stop_is_killed(process: ConfinedProcess, how: bytes) -> None:
    with stopped(Cause.TIME) as endings:
        process.ask(how, 0.2)
    assert endings[0].status == -signal.SIGKILL
    assert not process.alive
    assert not exists(process.pid)


@pytest.mark.parametrize("name", ["SIGSEGV", "SIGABRT", "SIGBUS", "SIGFPE"])
def test_a_crash_is_told_with_its_signal(process: ConfinedProcess, name: str) -> None:
    with stopped(Cause.CRASHED) as endings:
        process.ask(b"crash " + name.encode())
    assert endings[0].how == name
    assert "Fatal Python error" in endings[0].last_line
    assert not process.alive


def test_an_exit_is_told_with_its_status(process: ConfinedProcess) -> None:
    with stopped(Cause.EXITED) as endings:
        process.ask(b"exit 5")
    assert endings[0].how == "status 5"


def test_a_kill_from_outside_is_told_as_one(process: ConfinedProcess) -> None:
    threading.Timer(0.2, os.kill, (process.pid, signal.SIGKILL)).start()
    with stopped(Cause.KILLED):
        process.ask(b"wait")


def test_a_kill_from_outside_between_two_requests_is_seen(process: ConfinedProcess) -> None:
    os.kill(process.pid, signal.SIGKILL)
    until(lambda: not process.alive, "the killed process is taken for one that lives")


def test_ending_it_wakes_whoever_waits_for_its_answer(process: ConfinedProcess) -> None:
    seen: list[Cause] = []

    def ask() -> None:
        try:
            process.ask(b"spin")
        except Stopped as caught:
            seen.append(caught.ending.cause)

    asking = threading.Thread(target=ask)
    asking.start()
    asking.join(0.3)
    process.end()
    asking.join(60)
    assert seen == [Cause.STOPPED]
    assert not exists(process.pid)


def test_the_last_answer_comes_and_then_nobody_is_there(process: ConfinedProcess) -> None:
    assert process.ask(b"last") == b"good-bye"
    until(lambda: not process.alive, "it goes on after its last answer")


def test_a_program_that_is_not_ready_says_why_and_is_gone() -> None:
    with pytest.raises(NotReady) as refused:
        start(b"refuse")
    assert refused.value.content == b"not today"


def test_a_start_that_fails_or_takes_too_long_is_ended() -> None:
    with stopped(Cause.EXITED):
        start(b"die")
    with stopped(Cause.TIME):
        start(b"sleep", start_seconds=0.5)


def test_what_is_to_be_done_at_its_end_is_done_once() -> None:
    ended: list[int] = []
    process = ConfinedProcess(PROGRAM, b"", memory_bytes=ALLOWANCE, on_end=lambda: ended.append(1))
    assert ended == []
    process.end()
    process.end()
    with pytest.raises(NotReady):
        ConfinedProcess(PROGRAM, b"refuse", memory_bytes=ALLOWANCE, on_end=lambda: ended.append(2))
    assert ended == [1, 2]


def test_it_has_no_settings_and_no_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRAPH_PLATFORM_WAREHOUSE_PASSWORD", "secret")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    process = start()
    names = json.loads(process.ask(b"environment"))
    process.end()
    assert "PATH" in names
    assert not [name for name in names if name.startswith(("GRAPH_PLATFORM", "AWS"))]


def test_a_signal_to_our_group_is_not_for_it(process: ConfinedProcess) -> None:
    assert os.getpgid(process.pid) == process.pid
    assert os.getsid(process.pid) == process.pid


def test_the_end_of_the_thread_that_started_it_is_not_its_own() -> None:
    started: list[ConfinedProcess] = []
    thread = threading.Thread(target=lambda: started.append(start()))
    thread.start()
    thread.join()
    assert started[0].ask(b"echo still here", 60) == b"still here"
    started[0].end()


@pytest.mark.parametrize("how", ["wait", "spin", "hold_the_interpreter"])
def test_it_dies_with_the_process_that_started_it(how: str) -> None:
    script = (
        "import sys, threading\n"
        "from graph_platform.confined.process import ConfinedProcess\n"
        f"process = ConfinedProcess({PROGRAM!r}, b'', memory_bytes={ALLOWANCE})\n"
        "print(process.pid, flush=True)\n"
        f"process.ask(b{how!r})\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as starter:
        assert starter.stdout is not None
        pid = int(starter.stdout.readline())
        assert exists(pid)
        starter.kill()
    until(lambda: not exists(pid), "it outlives the process that started it")
