"""Snapshots and runtimes for the tests of instances; every process that they start is ended."""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from graph_platform.runtime.local.runtime import LocalRuntime
from graph_platform.runtime.protocol import Observation, Presence, Runtime, Servers, Tasks
from graph_platform_tests.services.kubernetes.fixtures import Namespace
from graph_platform_tests.snapshots import Snapshot, make_snapshot
from graph_platform_tests.waiting import until

ENGINES = ("ladybug", "ryugraph")
INSTALLATION = "test-installation"


@pytest.fixture(scope="session")
def snapshots(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Snapshot]:
    """A snapshot per engine, not to be changed."""
    return {engine: make_snapshot(tmp_path_factory.mktemp(engine), engine) for engine in ENGINES}


@dataclass(frozen=True)
class Place:
    """A runtime, and storage that what runs there reaches.

    Args:
        code: makes the same `runtime` in another process.
    """

    name: str
    runtime: Runtime
    storage_url: str
    code: str


def _local(request: pytest.FixtureRequest, folder: Path) -> Place:
    home = folder / "home with space"
    code = (
        "from pathlib import Path; from graph_platform.runtime.local.runtime import LocalRuntime\n"
        f"runtime = LocalRuntime(Path({str(home)!r}), {INSTALLATION!r})\n"
    )
    return Place("local", LocalRuntime(home, INSTALLATION), (folder / "task's storage").as_uri(), code)


def _kubernetes(request: pytest.FixtureRequest, folder: Path) -> Place:
    namespace: Namespace = request.getfixturevalue("namespace")
    code = (
        "from graph_platform_tests.services.kubernetes.fixtures import platform_runtime\n"
        f"runtime = platform_runtime({namespace.kubeconfig!r}, {namespace.name!r}, {INSTALLATION!r})\n"
    )
    return Place("kubernetes", namespace.runtime(INSTALLATION), namespace.storage_url, code)


PLACES: dict[str, Callable[[pytest.FixtureRequest, Path], Place]] = {"local": _local, "kubernetes": _kubernetes}


@pytest.fixture(params=PLACES)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """Each runtime that there is, empty."""
    made = PLACES[request.param](request, tmp_path)
    yield made
    for server in made.runtime.servers.list():
        made.runtime.servers.stop(server.instance, server.attempt, 0.2)
    for task in made.runtime.tasks.list():
        made.runtime.tasks.stop(task.task, task.attempt)


@pytest.fixture
def runtime(place: Place) -> Runtime:
    return place.runtime


@pytest.fixture
def servers(runtime: Runtime) -> Servers:
    return runtime.servers


@pytest.fixture
def tasks(runtime: Runtime) -> Tasks:
    return runtime.tasks


@pytest.fixture
def elsewhere(place: Place) -> Callable[[str, object], int]:
    """Runs code in a process and a group of its own, with `runtime` and a `spec`, and returns the exit status."""

    def run(code: str, spec: object) -> int:
        program = f"import os, pickle, sys\n{place.code}spec = pickle.load(sys.stdin.buffer)\n{code}"
        command = [sys.executable, "-c", program]
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
