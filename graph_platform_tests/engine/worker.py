"""The process in which the tests of one engine run: reads calls, answers each with a traceback or null."""

from __future__ import annotations

import importlib
import json
import os
import sys
import traceback
from pathlib import Path
from typing import Any

import pytest


def _argument(name: str, value: Any) -> Any:
    return Path(value) if name.endswith("_path") else value


def main() -> None:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a test or an engine prints is not an answer
    for line in sys.stdin:
        module, function, arguments = json.loads(line)
        failure = None
        try:
            body = getattr(importlib.import_module(module), function)
            body(**{name: _argument(name, value) for name, value in arguments.items()})
        except (Exception, pytest.fail.Exception):  # noqa: BLE001 — it is handed on, whatever it is
            failure = traceback.format_exc()
        print(json.dumps(failure), file=answers, flush=True)


if __name__ == "__main__":
    main()
