"""Snapshots and runtimes for the tests of instances; every process that they start is ended."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from graph_platform.runtime.local.runtime import LocalRuntime
from graph_platform.runtime.protocol import Observation, Presence, Runtime
from graph_platform_tests.snapshots import Snapshot, make_snapshot
from graph_platform_tests.waiting import until

ENGINES = ("ladybug", "ryugraph")
INSTALLATION = "test-installation"
RUNTIMES: dict[str, Callable[[Path], Runtime]] = {"local": lambda home: LocalRuntime(home, INSTALLATION)}


@pytest.fixture(scope="session")
def snapshots(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Snapshot]:
    """A snapshot per engine, not to be changed."""
    return {engine: make_snapshot(tmp_path_factory.mktemp(engine), engine) for engine in ENGINES}


@pytest.fixture(params=RUNTIMES)
def runtime(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Runtime]:
    made = RUNTIMES[request.param](tmp_path / "home with space")
    yield made
    for observation in made.list():
        made.stop(observation.instance, observation.attempt, 0.2)


def settled(runtime: Runtime, instance: str) -> Observation:
    """Wait until the instance is no longer starting."""

    def look() -> Observation | None:
        seen = runtime.observe(instance)
        return None if seen.presence is Presence.STARTING else seen

    found = until(look, f"{instance} is still starting")
    assert found is not None
    return found
