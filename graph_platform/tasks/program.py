"""The process of a task: its limits, its program, and what becomes of both.

Steps and a failure go to standard output as lines of JSON, `{"step": {...}}` and `{"failure": {...}}`, which is what
every runtime can read; the result goes to storage. Whatever else is printed goes to standard error.
"""

from __future__ import annotations

import importlib
import json
import os
import shutil
import signal
import threading
import traceback
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any, Protocol

from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.polling import SYSTEM, Clock
from graph_platform.processes.ending import OUT_OF_MEMORY_STATUS
from graph_platform.runtime.protocol import TaskStep
from graph_platform.runtime.spec import TaskSpec, read_spec
from graph_platform.runtime.state import State
from graph_platform.storage.connect import open_storage

_LOOK_SECONDS = 0.05
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class Task:
    """What a program has of the process that it runs in.

    `work` is a folder of its own for files on the way, removed at the end.
    """

    def __init__(self, work: Path, output: IO[str], mark: str | None = None) -> None:
        self.work = work
        self._output = output
        # On a line of its own, whatever else was written without an end to it.
        self._mark = f"\n{mark} " if mark else ""

    def step(self, phase: str, subject: str | None, done: int, of: int) -> None:
        """Tell how far it is, for whoever waits for the task."""
        self.tell({"step": asdict(TaskStep(phase, subject, done, of))})

    def tell(self, document: Mapping[str, Any]) -> None:
        """Write a line to standard output."""
        print(self._mark + json.dumps(document), file=self._output, flush=True)


class Program(Protocol):
    """A module that a task's spec may name."""

    def run(self, order: Mapping[str, Any], task: Task) -> Mapping[str, Any]:
        """Do what the spec's order says, and return the result, JSON-ready.

        Raises:
            PlatformError: what the task fails with.
        """
        ...


def carry_out(spec_path: Path, work: Path, state: State, mark: str | None = None) -> int:
    """Run the task of a spec in this process.

    Args:
        mark: a word before each line that is told; None for none.

    Returns:
        The exit status: 0 once the result is written, 1 after a failure that was told, 77 at the end of the memory.
        At its time limit the process ends itself with SIGALRM.
    """
    output = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what native code prints is for the log
    task = Task(work, output, mark)
    try:
        spec = read_spec(TaskSpec, spec_path)
        state.process(spec.attempt)
        _limit(spec)
        program: Program = importlib.import_module(spec.program)
        result = program.run(spec.order, task)
        content = json.dumps(result).encode()
        open_storage(spec.result.storage_url).write(spec.result.key, content)
    except MemoryError:
        traceback.print_exc()
        return OUT_OF_MEMORY_STATUS
    except Exception as error:  # noqa: BLE001 - a defect here must end the task with a word
        failure = _failure(error, work).document()
        state.failure(failure)
        task.tell({"failure": failure})
        return 1
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return 0


def _failure(error: Exception, work: Path) -> PlatformError:
    if isinstance(error, PlatformError):
        return error
    if isinstance(error, OSError):
        at = Path(error.filename or work).parent
        return PlatformError(ErrorCode.STORAGE_ERROR, f"the task failed in {at}: {error.strerror}", "see that folder")
    traceback.print_exception(error)
    return PlatformError(ErrorCode.INTERNAL_ERROR, f"the task failed: {type(error).__name__}: {error}")


def _limit(spec: TaskSpec) -> None:
    """Keep the limits. The kernel counts the time: it ends the process also while native code lets no other thread run,
    and the log of a process that sleeps in native code could not tell more.
    """
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, spec.seconds)
    if spec.memory_bytes:
        threading.Thread(target=_watch_memory, args=(spec.memory_bytes,), daemon=True).start()


def _watch_memory(limit: int, clock: Clock = SYSTEM) -> None:
    """End the process once it holds more. Not RLIMIT_DATA: the engines reserve far more than they ever hold."""
    while _resident_bytes() <= limit:
        clock.sleep(_LOOK_SECONDS)
    os.write(2, b"the process holds more memory than its limit\n")
    os._exit(OUT_OF_MEMORY_STATUS)


def _resident_bytes() -> int:
    """What this process holds in memory now; 0 where the system does not tell."""
    try:
        return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * _PAGE_BYTES
    except OSError:
        return 0
