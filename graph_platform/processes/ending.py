"""How a process ended, told from its exit status and its log: the one place where that is decided.

What it means for somebody (an error code, a problem of a mapping) is decided where the process was started for them.
"""

from __future__ import annotations

import signal
from dataclasses import dataclass
from enum import StrEnum

OUT_OF_MEMORY_STATUS = 77
"""The exit status of a confined process that noticed by itself that it came to the end of its memory."""


_FROM_OUTSIDE = frozenset({signal.SIGKILL, signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT})
"""Signals that only somebody else sends: a machine that shuts down, an operator, the kernel out of memory."""


class Cause(StrEnum):
    """Why a process is no more, or why what it did was stopped."""

    MEMORY = "memory"
    TIME = "time"
    CRASHED = "crashed"
    KILLED = "killed from outside"
    EXITED = "exited"
    STOPPED = "stopped"


@dataclass(frozen=True)
class Ending:
    """How a process ended.

    `status` is its exit status, the negative number of the signal if it was one, None while it lives. `log_tail` are
    the last lines that it wrote; `peak_bytes` the most memory that it had at once, as far as it could still tell.
    """

    cause: Cause
    status: int | None = None
    log_tail: str = ""
    peak_bytes: int | None = None

    @property
    def how(self) -> str:
        """The signal's name, or the exit status in words."""
        if self.status is None:
            return "nothing"
        return signal.Signals(-self.status).name if self.status < 0 else f"status {self.status}"

    @property
    def last_line(self) -> str:
        """The line of its log that says most: what the interpreter wrote of a crash, else the last one."""
        lines = self.log_tail.strip().splitlines()
        crash = [line for line in lines if line.startswith("Fatal Python error")]
        return (crash or lines[-1:] or ["its log is empty"])[0]


def ending(status: int, log_tail: str = "", peak_bytes: int | None = None) -> Ending:
    """How a process ended that nobody here told to. SIGALRM is a time limit that it had set itself.

    Args:
        status: its exit status, or the negative number of the signal.
    """
    if status == -signal.SIGALRM:
        cause = Cause.TIME
    elif -status in _FROM_OUTSIDE:
        cause = Cause.KILLED
    elif status == OUT_OF_MEMORY_STATUS or _wanted_memory(status, log_tail):
        cause = Cause.MEMORY
    else:
        cause = Cause.CRASHED if status < 0 else Cause.EXITED
    return Ending(cause, status, log_tail, peak_bytes)


def _wanted_memory(status: int, log_tail: str) -> bool:
    """Whether C++ or Python wrote as its last word that it could not allocate."""
    last = log_tail.strip().rpartition("\n")[2]
    return (status == -signal.SIGABRT and "std::bad_alloc" in log_tail) or last.startswith("MemoryError")
