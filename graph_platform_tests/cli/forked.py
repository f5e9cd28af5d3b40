"""A command as a process of its own, forked from one that has imported what commands import: Dagster takes a second at
each start. What a start itself has to do is tested by real ones (`test_command_line.py`).
"""

from __future__ import annotations

import atexit
import io
import multiprocessing
import os
import pkgutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import graph_platform.cli

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(
    [
        "graph_platform.definitions",
        "dagster_postgres",
        "alembic.command",
        "sqlglot.dialects.trino",
        *(each.name for each in pkgutil.walk_packages(graph_platform.cli.__path__, "graph_platform.cli.")),
    ]
)


@dataclass(frozen=True)
class Finished:
    """How a command ended, and what it wrote."""

    status: int
    out: str
    err: str


def run_forked(
    arguments: Sequence[str], environment: Mapping[str, str], folder: Path, text: str | None, timeout_seconds: float
) -> Finished:
    """Run `graph-platform` to its end.

    Raises:
        subprocess.TimeoutExpired: it had not ended by then, and was killed.
    """
    with tempfile.TemporaryDirectory() as holding:
        streams = [Path(holding) / name for name in ("in", "out", "err")]
        streams[0].write_text(text or "", encoding="utf-8")
        process = _CONTEXT.Process(target=_command, args=(list(arguments), dict(environment), folder, streams))
        process.start()
        process.join(timeout_seconds)
        status = process.exitcode
        if status is None:
            process.kill()
            process.join()
            raise subprocess.TimeoutExpired(list(arguments), timeout_seconds)
        out, err = (stream.read_text(encoding="utf-8") if stream.exists() else "" for stream in streams[1:])
        return Finished(status, out, err)


def _command(arguments: list[str], environment: dict[str, str], folder: Path, streams: list[Path]) -> None:
    from graph_platform.cli.main import main

    for number, stream in enumerate(streams):
        opened = os.open(stream, os.O_RDONLY if number == 0 else os.O_WRONLY | os.O_CREAT)
        os.dup2(opened, number)
        os.close(opened)
    sys.stdin, sys.stdout, sys.stderr = _text(0, "r"), _text(1, "w"), _text(2, "w")
    sys.argv = ["graph-platform", *arguments]
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    try:
        main()
    finally:
        atexit._run_exitfuncs()  # which multiprocessing leaves out


def _text(number: int, mode: str) -> IO[str]:
    opened = open(number, mode, encoding="utf-8", closefd=False)  # noqa: SIM115  as long as the process
    if number == 2 and isinstance(opened, io.TextIOWrapper):
        opened.reconfigure(errors="backslashreplace", line_buffering=True)
    return opened
