"""The doctor names what is wrong and what mends it."""

import os
from pathlib import Path

import pytest

from graph_platform.confined.kernel import kept
from graph_platform_tests.cli.conftest import CommandLine


def found(cli: CommandLine, **variables: str) -> tuple[int, dict[str, dict[str, str]]]:
    """The exit status, and the checks by name."""
    answer = cli.run("doctor", "-o", "json", **variables)
    return answer.status, {check["name"]: check for check in answer.json()["checks"]}


def test_a_sound_set_up_has_nothing_that_fails(cli: CommandLine) -> None:
    status, checks = found(cli)
    assert status == 0
    assert {check["status"] for check in checks.values()} <= {"ok", "warn"}
    named = {"home", "postgres", "catalog", "dagster", "warehouse", "storage", "engine ladybug", "confinement"}
    assert named <= checks.keys()
    kernel = kept()
    assert (checks["confinement"]["status"] == "ok") == (kernel.landlock > 0 and kernel.seccomp)


@pytest.mark.parametrize(
    ("variables", "check"),
    [
        ({"GRAPH_PLATFORM_CATALOG": "postgresql+psycopg://nobody@127.0.0.1:9/x"}, "catalog"),
        ({"GRAPH_PLATFORM_ENGINE": "neo"}, "engine"),
        ({"GRAPH_PLATFORM_STORAGE": "ftp://somewhere"}, "storage"),
        ({"GRAPH_PLATFORM_WAREHOUSE": "mysql://somewhere"}, "warehouse"),
        ({"GRAPH_PLATFORM_QUERY_ROWS": "many"}, "settings"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_each_broken_part_is_named_with_its_mending(cli: CommandLine, variables: dict[str, str], check: str) -> None:
    status, checks = found(cli, **variables)
    assert status == 1
    assert checks[check]["status"] == "fail"
    assert checks[check]["hint"]


def test_a_home_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    cli = CommandLine(tmp_path)
    status, checks = found(cli, GRAPH_PLATFORM_HOME=os.fspath(tmp_path / "file" / "home"))
    assert status == 1
    assert "GRAPH_PLATFORM_HOME" in checks["home"]["hint"]


def test_storage_of_another_installation_fails(cli: CommandLine, tmp_path: Path) -> None:
    cli.json("up")
    storage = tmp_path / "storage"
    storage.mkdir()
    (storage / "installation.json").write_text('{"installation": "somebody-else"}')
    status, checks = found(cli, GRAPH_PLATFORM_STORAGE=f"file://{storage}")
    assert status == 1
    assert "somebody-else" in checks["storage"]["message"]


def test_a_cluster_that_does_not_answer_fails_and_exports_that_it_would_stream_are_a_warning(cli: CommandLine) -> None:
    status, checks = found(cli, GRAPH_PLATFORM_WAREHOUSE="trino://somebody@127.0.0.1:9/hive/sales")
    assert status == 1
    assert checks["warehouse"]["status"] == "fail"
    assert "could not be reached" in checks["warehouse"]["message"]
    assert checks["exports"]["status"] == "warn"
    assert "GRAPH_PLATFORM_EXPORT_SCHEMA" in checks["exports"]["hint"]
    assert "exports" not in found(cli)[1]
