"""Tests that take `engine_name` run once per engine, each engine in a process of its own.

Two engines cannot be in one process, and an engine that crashes must fail its test, not the whole run. So the body of
such a test is called in a worker, by name, with its arguments as JSON; a worker that died is started again.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ENGINES = ("ladybug", "ryugraph")
_WORKERS = pytest.StashKey[dict[str, "Worker"]]()


class Worker:
    """A Python process that calls test functions."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-W", "error", "-m", "graph_platform_tests.engine.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
        )

    def call(self, module: str, function: str, arguments: dict[str, Any]) -> str | None:
        """Call the function; the traceback if it failed, None if not."""
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(json.dumps([module, function, arguments]) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            return f"the process died with status {self.process.wait()}"
        failure: str | None = json.loads(answer)
        return failure

    def close(self) -> None:
        """End the process."""
        if self.process.stdin:
            self.process.stdin.close()
        self.process.wait(timeout=10)
        if self.process.stdout:
            self.process.stdout.close()


@pytest.fixture(params=ENGINES)
def engine_name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="session", autouse=True)
def engine_workers(pytestconfig: pytest.Config) -> Iterator[None]:
    workers: dict[str, Worker] = {}
    pytestconfig.stash[_WORKERS] = workers
    yield
    for worker in workers.values():
        worker.close()


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    arguments = {name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames}
    if "engine_name" not in arguments:
        return None
    workers = pyfuncitem.config.stash[_WORKERS]
    name = str(arguments["engine_name"])
    worker = workers.get(name) or Worker()
    workers[name] = worker
    ready = {key: str(value) if isinstance(value, Path) else value for key, value in arguments.items()}
    failure = worker.call(pyfuncitem.module.__name__, pyfuncitem.originalname, ready)
    if worker.process.poll() is not None:
        worker.close()
        del workers[name]
    if failure:
        pytest.fail(f"in the process of {name}:\n{failure}", pytrace=False)
    return True
