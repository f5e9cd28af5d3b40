"""Run the build program as a child process and turn its end, whatever it was, into a result or a `PlatformError`.

For a server that has to load Parquet files again; a snapshot's database is built by a task. A child that was killed
for memory, or that crashed in native code, is a failure with a code and the last lines of its log, and never takes
whoever asked for it along.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from typing import IO, Any

from graph_platform.engine.build import BuildProgress, BuildRequest, BuildResult
from graph_platform.errors import PlatformError
from graph_platform.private import private_folder
from graph_platform.processes.termination import log_tail, termination


def build_database(
    request: BuildRequest, on_progress: Callable[[BuildProgress], None] = lambda progress: None
) -> BuildResult:
    """Build a graph database file in a process of its own that ends with this one, and wait for it.

    Whoever asks has a time limit of its own: a server that starts is ended when that takes too long.

    Args:
        on_progress: called in this thread; what it raises ends the build.

    Raises:
        PlatformError: what the build raised; OOM_KILLED if it was killed, UNEXPECTED_TERMINATION if it crashed.
    """
    private_folder(request.scratch)
    with tempfile.TemporaryFile(dir=request.scratch) as log, _child(log) as process:
        for line in _answers(process, request):
            event = _event(line)
            if event.get("event") == "progress":
                on_progress(BuildProgress(event["phase"], event["table"], event["done"], event["of"]))
            elif event.get("event") == "error":
                raise PlatformError.from_document(event["error"])
            elif event.get("event") == "result":
                event.pop("event")
                return BuildResult(**event)
        raise termination(process.wait(), log_tail(log), "building the database")


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


def _answers(process: subprocess.Popen[str], request: BuildRequest) -> IO[str]:
    """Send the request; the lines that come back."""
    if process.stdin is None or process.stdout is None:
        raise AssertionError("the pipes were asked for")
    with contextlib.suppress(BrokenPipeError):  # it died at once: its status says more
        process.stdin.write(request.to_json() + "\n")
        process.stdin.flush()
    return process.stdout


def _event(line: str) -> dict[str, Any]:
    try:
        event = json.loads(line)
    except ValueError:  # native code that prints
        return {}
    return event if isinstance(event, dict) else {}
