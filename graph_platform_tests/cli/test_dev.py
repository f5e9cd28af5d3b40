"""The UI as a process: started once, submitted to, and ended with everything it started and nothing else."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from graph_platform_tests.cli.conftest import CommandLine
from graph_platform_tests.waiting import until


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def _dev(cli: CommandLine) -> Iterator[tuple[str, int]]:
    port = _free_port()
    with subprocess.Popen(
        [sys.executable, "-m", "graph_platform", "dev", "--port", str(port)],
        env=cli.variables(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        try:
            url = f"http://127.0.0.1:{port}"
            until(lambda: process.poll() is not None or _answers(url), "the UI did not start", 180, 0.2)
            assert process.poll() is None, "the UI ended while it started"
            yield url, process.pid
        finally:
            cli.run("down")
            process.kill()


def _answers(url: str) -> bool:
    with contextlib.suppress(httpx.HTTPError):
        return httpx.get(f"{url}/server_info", trust_env=False).status_code == 200
    return False


def _is_there(url: str) -> bool:
    with contextlib.suppress(httpx.HTTPError):
        httpx.get(url, trust_env=False)
        return True
    return False


def _lives(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


@pytest.fixture(scope="module")
def dagster(cli: CommandLine) -> Iterator[str]:
    """The URL of a running `dev`."""
    with _dev(cli) as (url, _):
        yield url


def _graphql(url: str, query: str) -> Any:
    return httpx.post(f"{url}/graphql", json={"query": query}, trust_env=False, timeout=30).json()["data"]


def test_a_job_that_is_submitted_gives_the_same_documents(cli: CommandLine, dagster: str, people: Path) -> None:
    there = {"GRAPH_PLATFORM_DAGSTER_URL": dagster}
    mapping = cli.json("mapping", "create", people, **there)
    assert (mapping["name"], mapping["status"]) == ("people", "active")
    made = cli.run("snapshot", "create", "people", **there)
    assert made.status == 0, made.err
    assert "people/nodes/Person: 3 rows" in made.err
    assert f"{dagster}/runs/" in made.err
    refused = cli.run("snapshot", "create", "nothing", "-o", "json", **there)
    assert (refused.status, refused.json()["code"]) == (1, "RESOURCE_NOT_FOUND")
    assert refused.json()["details"]["run_url"].startswith(dagster)
    invalid = cli.run(
        "mapping", "validate", "-", "-o", "json", text=people.read_text().replace("knows", "know"), **there
    )
    assert (invalid.status, invalid.json()["valid"]) == (1, False)


def test_who_submits_is_written_on_what_is_created(cli: CommandLine, dagster: str, people: Path) -> None:
    cli.json("mapping", "create", people)
    variables = {"GRAPH_PLATFORM_DAGSTER_URL": dagster, "GRAPH_PLATFORM_USER": "ana"}
    assert cli.json("snapshot", "create", "people", "--name", "anas", **variables)["owner"] == "ana"


def test_no_wait_says_where_the_run_is_and_returns(cli: CommandLine, dagster: str) -> None:
    submitted = cli.json("snapshot", "create", "nothing", "--no-wait", GRAPH_PLATFORM_DAGSTER_URL=dagster)
    assert submitted["status"] == "queued"
    assert submitted["run_url"] == f"{dagster}/runs/{submitted['run_id']}"


def test_runs_of_the_command_line_show_in_the_ui_with_tags_and_materializations(
    cli: CommandLine, dagster: str, people: Path
) -> None:
    cli.json("mapping", "create", people)
    snapshot = cli.json("snapshot", "create", "people", "--name", "shown")
    query = "{ runsOrError { ... on Runs { results { jobName status tags { key value } assets { key { path } } } } } }"
    runs = _graphql(dagster, query)["runsOrError"]["results"]
    run = next(run for run in runs if {"key": "snapshot", "value": snapshot["id"]} in run["tags"] and run["assets"])
    assert (run["jobName"], run["status"]) == ("create_snapshot", "SUCCESS")
    assert {"key": "mapping", "value": "people"} in run["tags"]
    assert {tuple(asset["key"]["path"]) for asset in run["assets"]} == {
        ("people", "nodes", "Person"),
        ("people", "edges", "KNOWS"),
    }


def test_a_server_that_is_no_dagster_is_status_3(cli: CommandLine) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "http.server", "--bind", "127.0.0.1", str(port := _free_port())],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as server:
        try:
            url = f"http://127.0.0.1:{port}"
            until(lambda: _is_there(url), "the server did not start")
            answer = cli.run("mapping", "delete", "x", "-o", "json", GRAPH_PLATFORM_DAGSTER_URL=url)
        finally:
            server.kill()
    assert answer.status == 3
    assert "not as Dagster's GraphQL does" in answer.json()["message"]


def test_a_second_ui_and_a_port_in_use_are_explained(cli: CommandLine, dagster: str, tmp_path: Path) -> None:
    again = cli.run("dev", "-o", "json")
    assert (again.status, again.json()["code"]) == (1, "ALREADY_EXISTS")
    port = dagster.rpartition(":")[2]
    elsewhere = CommandLine(tmp_path).run("dev", "--port", port, "-o", "json")
    assert (elsewhere.status, elsewhere.json()["code"]) == (3, "BACKEND_UNREACHABLE")
    assert "--port" in elsewhere.json()["hint"]


def test_down_ends_the_ui_even_if_its_parent_was_killed_and_no_bystander(tmp_path: Path) -> None:
    cli = CommandLine(tmp_path)
    bystander = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], env=cli.variables())
    try:
        with _dev(cli) as (_, pid):
            children = psutil.Process(pid).children(recursive=True)
            assert children
            os.kill(pid, signal.SIGKILL)
            ended = cli.json("down")["ended"]
            assert {"postgres", "dev"} == {entry["what"] for entry in ended}
            until(lambda: not any(map(_lives, children)), "a process of the UI goes on")
            assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()
