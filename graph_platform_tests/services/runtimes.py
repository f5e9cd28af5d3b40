"""Snapshots and runtimes for the tests of instances; every process that they start is ended."""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from graph_platform.runtime.local.runtime import LocalRuntime
from graph_platform.runtime.protocol import Observation, Presence, Runtime, Servers, Tasks
from graph_platform_tests.snapshots import Snapshot, make_snapshot
from graph_platform_tests.waiting import until

ENGINES = ("ladybug", "ryugraph")
INSTALLATION = "test-installation"
RUNTIMES: dict[str, Callable[[Path], Runtime]] = {"local": lambda home: LocalRuntime(home, INSTALLATION)}


@pytest.fixture(scope="session")
def snapshots(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Snapshot]:
    """A snapshot per engine, not to be changed."""
    return {engine: make_snapshot(tmp_path_factory.mktemp(engine), engine) for engine in ENGINES}


def _home(folder: Path) -> Path:
    return folder / "home with space"


@pytest.fixture(params=RUNTIMES)
def runtime(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Runtime]:
    made = RUNTIMES[request.param](_home(tmp_path))
    yield made
    for server in made.servers.list():
        made.servers.stop(server.instance, server.attempt, 0.2)
    for task in made.tasks.list():
        made.tasks.stop(task.task, task.attempt)


@pytest.fixture
def servers(runtime: Runtime) -> Servers:
    return runtime.servers


@pytest.fixture
def tasks(runtime: Runtime) -> Tasks:
    return runtime.tasks


_ELSEWHERE = """
import os, pickle, sys
from pathlib import Path
from graph_platform_tests.services.runtimes import RUNTIMES
runtime = RUNTIMES[sys.argv[1]](Path(sys.argv[2]))
spec = pickle.load(sys.stdin.buffer)
"""


@pytest.fixture
def elsewhere(request: pytest.FixtureRequest, runtime: Runtime, tmp_path: Path) -> Callable[[str, object], int]:
    """Runs code in a process and a group of its own, with `runtime` and a `spec`, and returns the exit status."""
    name = request.node.callspec.params["runtime"]

    def run(code: str, spec: object) -> int:
        command = [sys.executable, "-c", _ELSEWHERE + code, name, str(_home(tmp_path))]
        return subprocess.run(command, input=pickle.dumps(spec), check=False, start_new_session=True).returncode

    return run


def settled(servers: Servers, instance: str) -> Observation:
    """Wait until the instance is no longer starting."""

    def look() -> Observation | None:
        seen = servers.observe(instance)
        return None if seen.presence is Presence.STARTING else seen

    found = until(look, f"{instance} is still starting")
    assert found is not None
    return found


def server_command(folder: Path, bind: str = "127.0.0.1:0") -> list[str]:
    """The command of a server that has everything in one folder: `spec.json`, `token`, and what it writes."""
    places = ("--work", str(folder), "--data", str(folder / "data"), "--state", str(folder))
    files = ("--spec", str(folder / "spec.json"), "--token-file", str(folder / "token"))
    return [sys.executable, "-m", "graph_platform.server", *files, "--bind", bind, *places]
