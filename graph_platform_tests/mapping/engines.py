"""Statements on a real engine, in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ENGINES = ("ladybug", "ryugraph")
_SCRIPT = Path(__file__).with_name("engine_script.py")


def run_on(engine: str, statements: Sequence[str]) -> list[Any]:
    """The rows of the last statement; values that JSON lacks come as text."""
    done = subprocess.run(
        [sys.executable, str(_SCRIPT), engine], input=json.dumps(list(statements)), capture_output=True, text=True,
        timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"exit status {done.returncode}: {done.stderr[-800:]}"
    rows: list[Any] = json.loads(done.stdout)
    return rows
