"""What the commands say of an instance whose server died, or whose time is over."""

import json
import os
import signal
import subprocess
import sys
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from graph_platform.catalog.catalog import Catalog
from graph_platform.catalog.embedded import EmbeddedPostgres
from graph_platform_tests.cli.conftest import CommandLine
from graph_platform_tests.waiting import until


@pytest.fixture(scope="module")
def snapshot(cli: CommandLine, people: Path) -> str:
    """The id of the snapshot `first`."""
    cli.json("mapping", "create", people)
    return str(cli.json("snapshot", "create", "people", "--name", "first")["id"])


def kill_server(cli: CommandLine, instance: str) -> None:
    folder = cli.home / "instances" / instance
    os.kill(json.loads((folder / "process.json").read_text())["pid"], signal.SIGSEGV)
    until((folder / "exit-status").exists, "the end is not written down")


def pass_time(cli: CommandLine, time: timedelta) -> None:
    with closing(Catalog(EmbeddedPostgres(cli.home).ensure())) as catalog, catalog.transaction() as session:
        session.execute(text("UPDATE graph_platform.installation SET clock_offset = clock_offset + :t"), {"t": time})


def test_an_expired_instance_is_listed_as_such_and_answers_with_a_warning_on_standard_error(
    cli: CommandLine, snapshot: str
) -> None:
    assert cli.json("instance", "launch", "first", "--name", "old")["expired"] is False
    pass_time(cli, timedelta(hours=30))
    assert "running, expired" in cli.run("instance", "list").out
    assert "running, expired" in cli.run("instance", "show", "old").out
    answer = cli.run("instance", "query", "old", "RETURN 1 AS one", "-o", "json")
    assert (answer.status, answer.json()["rows"]) == (0, [[1]])
    assert "warning: instance old expired at" in answer.err
    assert "graph-platform instance extend old PT4H" in answer.err
    assert answer.json()["warnings"] == [answer.err.strip().removeprefix("warning: ")]
    assert cli.json("instance", "extend", "old", "4h", "--reason", "still needed")["expired"] is False
    assert "still needed" in cli.run("instance", "show", "old").out
    assert cli.run("instance", "query", "old", "RETURN 1").err == ""
    cli.json("instance", "terminate", "old")
    assert cli.json("instance", "list") == []
    (gone,) = cli.json("instance", "list", "--all", "--mapping", "people")
    assert (gone["name"], gone["status"]) == ("old", "terminated")


def test_a_dead_instance_is_listed_and_shown_as_failed_without_a_url_and_with_what_to_do(
    cli: CommandLine, snapshot: str
) -> None:
    ours = cli.json("instance", "launch", "first", "--name", "ours")
    kill_server(cli, ours["id"])
    assert [each["id"] for each in cli.json("instance", "list", "--status", "failed")] == [ours["id"]]
    assert cli.json("instance", "list", "--status", "running") == []
    again = f"graph-platform instance launch {snapshot} --name ours"
    for answer in (cli.run("instance", "list"), cli.run("instance", "show", "ours")):
        assert answer.status == 0
        for said in ("failed", "UNEXPECTED_TERMINATION", again):
            assert said in answer.out
        assert ours["url"] not in answer.out
    (document,) = cli.json("instance", "list")
    assert (document["id"], document["status"], document["url"]) == (ours["id"], "failed", None)
    assert document["error"]["code"] == "UNEXPECTED_TERMINATION"
    assert again in document["error"]["hint"]
    checks = {check["name"]: check for check in cli.run("doctor", "-o", "json").json()["checks"]}
    assert ours["id"] in checks["instances"]["message"]
    refused = cli.run("instance", "suspend", "ours", "-o", "json")
    assert (refused.status, refused.json()["code"]) == (1, "UNEXPECTED_TERMINATION")
    cli.json("instance", "terminate", "ours")


def test_down_ends_the_living_though_one_is_dead_and_one_was_never_ready(cli: CommandLine, snapshot: str) -> None:
    dead = cli.json("instance", "launch", "first", "--name", "dead")
    kill_server(cli, dead["id"])
    cli.json("instance", "launch", "first", "--name", "living")
    # A launch that is killed leaves a row that is starting, and a server. It takes its whole process group with it.
    killed = subprocess.run(
        [sys.executable, "-m", "graph_platform", "instance", "launch", "first", "--name", "late"],
        env=cli.variables(GRAPH_PLATFORM_FAILPOINT="instance-answered"),
        start_new_session=True,
        capture_output=True,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL
    assert cli.json("down")["status"] == "down"
    states = {each["name"]: each["status"] for each in cli.json("instance", "list")}
    assert states == {"living": "suspended", "dead": "failed"}


def test_a_list_imports_nothing_that_it_could_do_without() -> None:
    program = "import sys, graph_platform.cli.instance.listing; print(*sorted(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    heavy = {"dagster", "duckdb", "httpx", "psutil", "sqlglot", "pydantic", "pyarrow", "yaml", "alembic"}
    assert heavy.isdisjoint(loaded)
