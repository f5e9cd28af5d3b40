"""The error for a process that ended without a word of its own, and the end of its log that goes with it."""

from __future__ import annotations

from pathlib import Path
from typing import IO

from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.processes.ending import Cause, ending

LOG_TAIL_LINES = 100
_LOG_TAIL_BYTES = 64 * 1024


def termination(status: int, log_tail: str, doing: str) -> PlatformError:
    """The error for a process that ended without saying why, from its exit status (negative: the signal)."""
    ended = ending(status, log_tail)
    details = {"exit_status": status, "log_tail": log_tail}
    if ended.cause is Cause.KILLED:
        return PlatformError(
            ErrorCode.OOM_KILLED,
            f"the process {doing} was killed, most likely for want of memory",
            "lower GRAPH_PLATFORM_ENGINE_MEMORY_BYTES, or use a machine with more memory; "
            "if something else killed it, trying again is enough",
            details,
        )
    if ended.cause is Cause.MEMORY:
        message = f"the process {doing} came to the end of its memory"
        return PlatformError(ErrorCode.OOM_KILLED, message, "use a machine with more memory", details)
    if ended.cause is Cause.TIME:
        return PlatformError(ErrorCode.TASK_TIMEOUT, f"{doing} took too long and was stopped", details=details)
    return PlatformError(
        ErrorCode.UNEXPECTED_TERMINATION,
        f"the process {doing} ended with {ended.how}: {ended.last_line}",
        details=details,
    )


def log_tail(log: IO[bytes]) -> str:
    """The last lines of a log."""
    log.seek(max(0, log.seek(0, 2) - _LOG_TAIL_BYTES))
    return b"\n".join(log.read().splitlines()[-LOG_TAIL_LINES:]).decode(errors="replace")


def tail_of(path: Path) -> str:
    """The last lines of a log file, "" if there is none."""
    try:
        with path.open("rb") as log:
            return log_tail(log)
    except OSError:
        return ""
