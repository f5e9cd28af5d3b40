"""A Postgres that is killed under a command: wherever that happens, a backend was away, and nothing else is claimed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from graph_platform_tests.cli.conftest import CommandLine
from graph_platform_tests.waiting import until


def _kill_postgres(home: Path) -> None:
    """End this home's Postgres as the kernel does for want of memory: the server and all that serve a connection."""
    pid = int((home / "postgres" / "data" / "postmaster.pid").read_text().split()[0])
    server = psutil.Process(pid)
    processes = [server, *server.children()]
    server.kill()
    until(lambda: not any(_lives(process) for process in processes), "Postgres does not end")


def _lives(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _run_to(cli: CommandLine, place: str, meanwhile: Callable[[], None], *arguments: str) -> tuple[int, str, str]:
    """Run a command until it stops itself at the place, do something, and let it go on to its end."""
    command = [sys.executable, "-m", "graph_platform_tests.cli.stopped", place, *arguments]
    with subprocess.Popen(
        command,
        env=cli.variables(GRAPH_PLATFORM_CATALOG_PATIENCE_SECONDS="1"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # a failpoint stops its whole process group
    ) as process:
        _, status = os.waitpid(process.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status), f"it did not come to {place}: {process.communicate()}"
        meanwhile()
        os.killpg(process.pid, signal.SIGCONT)
        out, err = process.communicate(timeout=120)
    return process.returncode, out, err


@pytest.fixture(scope="module")
def kept(cli: CommandLine, people: Path) -> None:
    """A mapping and a snapshot of it, named kept."""
    cli.json("mapping", "create", people)
    cli.json("snapshot", "create", "people", "--name", "kept")


SNAPSHOT = ("snapshot", "create", "people")
PLACES = {
    # Dagster's storage is open, and there is no run yet; the run is there, and has not begun; then inside of it, where
    # the next word is to the catalog or to Dagster.
    "before the run": ("graph_platform.cli.run_here:execute", SNAPSHOT),
    "at the start of the run": ("dagster._core.execution.execute_in_process:core_execute_in_process", SNAPSHOT),
    "when the run is tagged": ("graph_platform.orchestration.reporting:RunReporter.touched", SNAPSHOT),
    "at the end of the work": ("instance-answered", ("instance", "launch", "kept", "--name", "ours")),
}


@pytest.mark.usefixtures("kept")
@pytest.mark.parametrize(("place", "command"), PLACES.values(), ids=PLACES.keys())
def test_a_postgres_that_is_killed_under_a_command_is_a_backend_that_did_not_answer(
    cli: CommandLine, place: str, command: tuple[str, ...]
) -> None:
    status, out, err = _run_to(cli, place, lambda: _kill_postgres(cli.home), *command, "-o", "json")
    assert status == 3, out + err
    document = json.loads(out)
    assert document["code"] == "BACKEND_UNREACHABLE"
    assert "defect" not in out + err
    assert "Traceback" not in err


@pytest.mark.usefixtures("kept")
def test_what_was_interrupted_so_is_gone_on_with(cli: CommandLine) -> None:
    command = ("snapshot", "create", "people", "--name", "again")
    status, _, err = _run_to(cli, "exports-completed", lambda: _kill_postgres(cli.home), *command)
    assert status == 3
    assert "did not answer" in err or "could not be reached" in err
    assert cli.json(*command)["status"] == "ready"
