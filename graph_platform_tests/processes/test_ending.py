"""How a process ended, told from its exit status and its log."""

from __future__ import annotations

import signal

import pytest

from graph_platform.processes.ending import OUT_OF_MEMORY_STATUS, Cause, ending

ABORTED = "terminate called after throwing an instance of 'std::bad_alloc'\nFatal Python error: Aborted\n\n<no frame>"


@pytest.mark.parametrize(
    ("status", "log", "cause", "how"),
    [
        (-signal.SIGTERM, "", Cause.KILLED, "SIGTERM"),
        (-signal.SIGKILL, "", Cause.KILLED, "SIGKILL"),
        (-signal.SIGALRM, "", Cause.TIME, "SIGALRM"),
        (-signal.SIGSEGV, "", Cause.CRASHED, "SIGSEGV"),
        (-signal.SIGABRT, "", Cause.CRASHED, "SIGABRT"),
        (-signal.SIGABRT, ABORTED, Cause.MEMORY, "SIGABRT"),
        (1, "Traceback …\nMemoryError", Cause.MEMORY, "status 1"),
        (1, "MemoryError\nwas handled, and this was not", Cause.EXITED, "status 1"),
        (OUT_OF_MEMORY_STATUS, "", Cause.MEMORY, "status 77"),
        (0, "", Cause.EXITED, "status 0"),
    ],
)
def test_the_cause_is_told_from_status_and_log(status: int, log: str, cause: Cause, how: str) -> None:
    found = ending(status, log)
    assert (found.cause, found.how) == (cause, how)


def test_the_line_that_says_most_is_that_of_the_crash() -> None:
    assert ending(-signal.SIGABRT, ABORTED).last_line == "Fatal Python error: Aborted"
    assert ending(1, "one\ntwo\n").last_line == "two"
    assert ending(1).last_line == "its log is empty"
