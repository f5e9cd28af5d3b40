"""Statements on a real engine, in one process per engine that is started again when a statement crashed it."""

from __future__ import annotations

import atexit
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ENGINES = ("ladybug", "ryugraph")
_SCRIPT = Path(__file__).with_name("engine_script.py")
_RUNNING: dict[str, subprocess.Popen[str]] = {}


def run_on(engine: str, statements: Sequence[str]) -> list[Any]:
    """The rows of the last statement, on an empty database; values that JSON lacks come as text."""
    process = _RUNNING.get(engine)
    if process is None:
        process = _RUNNING[engine] = subprocess.Popen(
            [sys.executable, str(_SCRIPT), engine], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(json.dumps(list(statements)) + "\n")
    process.stdin.flush()
    line = process.stdout.readline()
    if not line:
        del _RUNNING[engine]
        status = process.wait()
        raise AssertionError(f"{engine} ended with exit status {status} at {statements[-2:]}")
    answer = json.loads(line)
    assert "error" not in answer, answer["error"]
    rows: list[Any] = answer["rows"]
    return rows


@atexit.register
def _end() -> None:
    for process in _RUNNING.values():
        with process:  # closes its pipes, which ends it, and waits
            pass
