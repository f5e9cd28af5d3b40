"""The error for a process that ended without a word: its code says what may help."""

from __future__ import annotations

import io
import signal

from graph_platform.errors import ErrorCode
from graph_platform.processes.termination import LOG_TAIL_LINES, log_tail, termination


def test_a_killed_process_may_be_tried_again() -> None:
    error = termination(-signal.SIGKILL, "", "building the database")
    assert error.code is ErrorCode.OOM_KILLED
    assert error.hint and "trying again is enough" in error.hint


def test_native_code_that_ends_itself_for_want_of_memory_is_told_as_that() -> None:
    log = "terminate called after throwing an instance of 'std::bad_alloc'\n  what():  std::bad_alloc\n"
    error = termination(-signal.SIGABRT, log + "Fatal Python error: Aborted", "serving inst-1")
    assert error.code is ErrorCode.OOM_KILLED and "end of its memory" in error.message
    assert termination(-signal.SIGABRT, "Fatal Python error: Aborted", "x").code is ErrorCode.UNEXPECTED_TERMINATION


def test_a_process_that_had_set_itself_a_time_limit_ended_at_it() -> None:
    assert termination(-signal.SIGALRM, "", "building the database").code is ErrorCode.TASK_TIMEOUT


def test_of_a_log_without_end_only_its_last_lines_are_read() -> None:
    log = io.BytesIO(b"".join(b"line %d\n" % number for number in range(1_000_000)))
    tail = log_tail(log).splitlines()
    assert (len(tail), tail[-1]) == (LOG_TAIL_LINES, "line 999999")
    assert log_tail(io.BytesIO(b"\xff one\ntwo")) == "\ufffd one\ntwo"
