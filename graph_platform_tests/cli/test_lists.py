"""What lists show of many things, and what they and `show` say that a thing lives by."""

from __future__ import annotations

from pathlib import Path

import pytest

from graph_platform_tests.cli.conftest import CommandLine


@pytest.fixture(scope="module")
def three(cli: CommandLine, people: Path) -> list[str]:
    """Three mappings, of ada and bob, and a snapshot of the first with a life of its own."""
    text = people.read_text(encoding="utf-8")
    for name, user in (("one", "ada"), ("two", "bob"), ("three", "ada")):
        renamed = text.replace("name: people", f"name: {name}\nttl: 90d", 1)
        cli.json("mapping", "create", "-", text=renamed, GRAPH_PLATFORM_USER=user)
    cli.json("snapshot", "create", "one", "--name", "kept", "--ttl", "7d", "--inactivity-timeout", "4h")
    return ["three", "two", "one"]


def test_the_newest_come_first_and_what_is_cut_is_said_on_standard_error(cli: CommandLine, three: list[str]) -> None:
    assert [each["name"] for each in cli.json("mapping", "list")] == three
    cut = cli.run("mapping", "list", "--limit", "2", "-o", "json")
    assert [each["name"] for each in cut.json()] == three[:2]
    assert "there are more than the newest 2" in cut.err
    assert cli.run("mapping", "list", "--limit", "3", "-o", "json").err == ""
    assert [each["name"] for each in cli.json("mapping", "list", "--owner", "ada", "--limit", "9")] == ["three", "one"]


def test_a_list_is_narrowed_to_a_state_and_a_mapping(cli: CommandLine, three: list[str]) -> None:
    assert [each["name"] for each in cli.json("snapshot", "list", "--mapping", "one", "--status", "ready")] == ["kept"]
    assert cli.json("snapshot", "list", "--mapping", "two") == []
    assert cli.json("snapshot", "list", "--status", "failed", "--status", "deleted") == []
    assert cli.run("snapshot", "list", "--status", "nonsense").status == 2
    assert cli.run("snapshot", "list", "--mapping", "nobody").status == 1


def test_what_a_thing_lives_by_is_shown(cli: CommandLine, three: list[str]) -> None:
    snapshot, shown = cli.json("snapshot", "show", "kept"), cli.run("snapshot", "show", "kept").out
    assert (snapshot["ttl"], snapshot["inactivity_timeout"]) == ("P7D", "PT4H")
    words = {line.split("  ", 1)[0] for line in shown.splitlines()}
    assert {
        "ttl",
        "inactivity timeout",
        "expires at",
        "idle ends at",
        "rows",
        "size",
        "database",
        "data checks",
    } <= words
    shown = cli.run("mapping", "show", "one").out
    words = {line.split("  ", 1)[0] for line in shown.splitlines()}
    assert {"ttl", "inactivity timeout", "expires at", "idle ends at", "owner"} <= words
    assert "created" in shown


def test_a_mapping_goes_with_its_snapshots_when_that_is_asked_for(cli: CommandLine, three: list[str]) -> None:
    refused = cli.run("mapping", "delete", "one", "-o", "json")
    assert (refused.status, refused.json()["code"]) == (1, "RESOURCE_HAS_DEPENDENCIES")
    assert "kept" in refused.json()["message"]
    assert "mapping delete one --with-snapshots" in refused.json()["hint"]

    cli.json("instance", "launch", "kept", "--name", "serving")
    served = cli.run("mapping", "delete", "one", "--with-snapshots", "-o", "json")
    assert (served.status, served.json()["code"]) == (1, "RESOURCE_HAS_DEPENDENCIES")
    assert "serving" in served.json()["message"]
    assert cli.json("snapshot", "show", "kept")["status"] == "ready"

    cli.json("instance", "terminate", "serving")
    deleted = cli.run("mapping", "delete", "one", "--with-snapshots")
    assert deleted.status == 0, deleted.err
    assert "kept" in deleted.err
    assert "deleted" in deleted.out
    assert cli.json("snapshot", "list") == []
    assert [each["name"] for each in cli.json("mapping", "list")] == ["three", "two"]
    assert [each["name"] for each in cli.json("mapping", "list", "--status", "deleted")] == ["one"]
