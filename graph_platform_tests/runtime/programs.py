"""A program for tests of tasks: does what its order says, and nothing of it by itself.

What it leaves for the test to see lies in storage, since that is what a task shares with others wherever it runs.
"""

from __future__ import annotations

import ctypes
import itertools
import os
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.storage.connect import open_storage
from graph_platform.tasks.program import Task

PROGRAM = __name__
_MEBIBYTE = 1024**2


def _answer(order: Mapping[str, Any], task: Task) -> Mapping[str, Any]:
    return {"text": "x" * order["bytes"]}


def _count(order: Mapping[str, Any], task: Task) -> Mapping[str, Any]:
    """Leave an object that no other process leaves."""
    open_storage(order["storage"]).write(f"runs/{os.getpid()}-{time.monotonic_ns()}", b"")
    return {}


def _tell(order: Mapping[str, Any], task: Task) -> Mapping[str, Any]:
    for number in range(order["steps"]):
        task.step("loading", f"Table{number}", number, order["steps"])
    return {}


def _chatter(order: Mapping[str, Any], task: Task) -> Mapping[str, Any]:
    """Print what looks like steps, as native code may."""
    print('{"step": {"phase": "printed", "subject": null, "done": 0, "of": 1}}')
    os.write(1, b'{"step": {"phase": "written", "subject": null, "done": 0, "of": 1}}\n{"failure": {}}\n\xff')
    task.step("told", None, 0, 1)
    return {}


def _beat(order: Mapping[str, Any], task: Task) -> Mapping[str, Any]:
    """Go on for ever, and leave signs of life."""
    storage = open_storage(order["storage"])
    for number in itertools.count():
        storage.write(order["beat"], f"{number}".encode())
        task.step("beating", None, 0, 1)
        time.sleep(0.05)
    raise AssertionError("counting does not end")


def _hang(order: Mapping[str, Any], task: Task) -> Mapping[str, Any]:
    """Sleep in native code that lets no other thread of Python run."""
    ctypes.PyDLL(None).sleep(3600)
    return {}


def _refuse(order: Mapping[str, Any], task: Task) -> Mapping[str, Any]:
    raise PlatformError(ErrorCode.DATA_LOAD_ERROR, "wrong", "mend it", {"errors": list(range(order["errors"]))})


def _defect(order: Mapping[str, Any], task: Task) -> Mapping[str, Any]:
    return {"never": 1 // 0}


def _vanish(order: Mapping[str, Any], task: Task) -> Mapping[str, Any]:
    os._exit(order["status"])


def _signal(order: Mapping[str, Any], task: Task) -> Mapping[str, Any]:
    sys.stderr.write("the last words\n")
    os.kill(os.getpid(), order["signal"])
    return {}


def _swell(order: Mapping[str, Any], task: Task) -> Mapping[str, Any]:
    held = []
    while True:
        held.append(b"x" * (16 * _MEBIBYTE))
        time.sleep(0.01)


def _want(order: Mapping[str, Any], task: Task) -> Mapping[str, Any]:
    raise MemoryError("a block of memory")


_ACTS: Mapping[str, Callable[[Mapping[str, Any], Task], Mapping[str, Any]]] = {
    "answer": _answer,
    "beat": _beat,
    "chatter": _chatter,
    "count": _count,
    "defect": _defect,
    "hang": _hang,
    "refuse": _refuse,
    "signal": _signal,
    "swell": _swell,
    "tell": _tell,
    "vanish": _vanish,
    "want": _want,
}


def run(order: Mapping[str, Any], task: Task) -> Mapping[str, Any]:
    """Carry out `order["act"]`."""
    return _ACTS[order["act"]](order, task)
