"""Run the build program as a child process and turn its end, whatever it was, into a result or a `PlatformError`.

Not here: the build itself. A child that was killed for memory, or that crashed in native code, is a failure with a
code and the last lines of its log, and never takes the run that asked for it along.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

from graph_platform.engine.build import BuildProgress, BuildRequest, BuildResult
from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.private import private_folder
from graph_platform.processes.ending import Cause, ending

LOG_TAIL_LINES = 100


def build_database(
    request: BuildRequest,
    *,
    timeout_seconds: float,
    on_progress: Callable[[BuildProgress], None] = lambda progress: None,
) -> BuildResult:
    """Build a graph database file in a process of its own, and wait for it.

    Args:
        timeout_seconds: after which the process is killed.
        on_progress: called in this thread; what it raises ends the build.

    Raises:
        PlatformError: what the build raised; OOM_KILLED if it was killed, UNEXPECTED_TERMINATION if it crashed,
            DATABASE_ERROR if it took longer than the time limit.
    """
    private_folder(request.scratch)
    with tempfile.TemporaryFile(dir=request.scratch) as log, _child(log) as process:
        lines = _send(process, request)
        deadline = time.monotonic() + timeout_seconds
        while (line := _next_line(lines, deadline)) is not None:
            event = _event(line)
            if event.get("event") == "progress":
                on_progress(BuildProgress(event["phase"], event["table"], event["done"], event["of"]))
            elif event.get("event") == "error":
                raise PlatformError.from_document(event["error"])
            elif event.get("event") == "result":
                event.pop("event")
                return BuildResult(**event)
        if time.monotonic() >= deadline:
            raise PlatformError(
                ErrorCode.DATABASE_ERROR,
                f"building the database took longer than {timeout_seconds:g} seconds and was stopped",
                "raise GRAPH_PLATFORM_BUILD_SECONDS",
            )
        raise termination(process.wait(), _tail(log), "building the database")


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
    return PlatformError(
        ErrorCode.UNEXPECTED_TERMINATION,
        f"the process {doing} ended with {ended.how}: {ended.last_line}",
        details=details,
    )


@contextlib.contextmanager
def _child(log: IO[bytes]) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-X", "faulthandler", "-m", "graph_platform.engine.build"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=log,
        text=True,
        start_new_session=True,  # a Ctrl-C at the terminal is the parent's to handle
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()


def _send(process: subprocess.Popen[str], request: BuildRequest) -> queue.Queue[str | None]:
    """Send the request, and read the answers in a thread, so that waiting for one can have a limit."""
    lines: queue.Queue[str | None] = queue.Queue()
    standard_input, answers = process.stdin, process.stdout
    if standard_input is None or answers is None:
        raise AssertionError("the pipes were asked for")

    def read() -> None:
        with contextlib.suppress(ValueError, OSError):
            for line in answers:
                lines.put(line)
        lines.put(None)

    threading.Thread(target=read, daemon=True).start()
    with contextlib.suppress(BrokenPipeError):  # it died at once: its status says more
        standard_input.write(request.to_json() + "\n")
        standard_input.flush()
    return lines


def _next_line(lines: queue.Queue[str | None], deadline: float) -> str | None:
    try:
        return lines.get(timeout=max(0.0, deadline - time.monotonic()))
    except queue.Empty:
        return None


def _event(line: str) -> dict[str, Any]:
    try:
        event = json.loads(line)
    except ValueError:  # native code that prints
        return {}
    return event if isinstance(event, dict) else {}


def _tail(log: IO[bytes]) -> str:
    log.seek(0)
    return b"\n".join(log.read().splitlines()[-LOG_TAIL_LINES:]).decode(errors="replace")


def log_tail(path: Path) -> str:
    """The last lines of a log file, "" if there is none."""
    try:
        with path.open("rb") as log:
            return _tail(log)
    except OSError:
        return ""
