"""Commands that run jobs in their own process: the whole way of a small graph, and what goes wrong on it."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from graph_platform_tests.cli.conftest import PEOPLE, CommandLine


def test_the_whole_way_of_a_graph_from_file_to_answer_and_away_again(cli: CommandLine, people: Path) -> None:
    report = cli.json("mapping", "validate", people)
    assert report["valid"]
    assert [node["name"] for node in report["node_results"]] == ["Person"]

    mapping = cli.json("mapping", "create", people)
    assert (mapping["name"], mapping["status"], mapping["version"]) == ("people", "active", 1)
    assert cli.json("mapping", "create", people)["id"] == mapping["id"]
    assert cli.json("mapping", "show", "people")["definition"]["name"] == "people"

    snapshot = cli.json("snapshot", "create", "people@1", "--name", "first")
    assert (snapshot["status"], snapshot["rows"]) == ("ready", 5)
    assert cli.json("snapshot", "create", "people", "--name", "first")["id"] == snapshot["id"]
    assert [s["id"] for s in cli.json("snapshot", "list", "--mapping", "people")] == [snapshot["id"]]
    refused = cli.run("mapping", "delete", "people", "-o", "json")
    assert (refused.status, refused.json()["code"]) == (1, "RESOURCE_HAS_DEPENDENCIES")

    instance = cli.json("instance", "launch", "first", "--name", "ours")
    assert (instance["status"], instance["snapshot_id"]) == ("running", snapshot["id"])
    assert cli.json("instance", "launch", "people", "--name", "ours")["id"] == instance["id"]
    question = "MATCH (a:Person)-[k:KNOWS]->(b:Person) WHERE k.since > $year RETURN a.name, b.name, k.since"
    answer = cli.json("instance", "query", "ours", question, "-p", "year=2005")
    assert (answer["columns"], answer["rows"]) == (["a.name", "b.name", "k.since"], [["Bo", "Cy", 2010]])
    assert cli.json("instance", "query", "ours", "-", text="RETURN 1 AS one")["rows"] == [[1]]
    written = cli.run("instance", "query", "ours", "CREATE (:Person {id: 9})", "-o", "json")
    assert (written.status, written.json()["code"]) == (1, "PERMISSION_DENIED")
    refused = cli.run("snapshot", "delete", "first", "-o", "json")
    assert (refused.status, refused.json()["code"]) == (1, "RESOURCE_HAS_DEPENDENCIES")

    longer = cli.json("instance", "extend", "ours", "PT1H", "--reason", "a demonstration")
    assert longer["expires_at"] > instance["expires_at"]
    assert cli.json("instance", "suspend", "ours")["status"] == "suspended"
    assert cli.run("instance", "query", "ours", "RETURN 1").status == 1
    assert cli.json("instance", "resume", "ours")["status"] == "running"
    assert cli.json("instance", "query", "ours", "RETURN 2 AS two")["rows"] == [[2]]
    assert cli.json("instance", "show", "ours")["observed"]["presence"] == "ready"

    assert cli.json("instance", "terminate", "ours")["status"] == "terminated"
    assert cli.json("instance", "list") == []
    assert cli.json("snapshot", "delete", "first")["status"] == "deleted"
    assert cli.json("mapping", "delete", "people")["status"] == "deleted"
    assert cli.json("mapping", "list") == []


def test_a_person_sees_progress_on_standard_error_and_tables_on_standard_output(cli: CommandLine, people: Path) -> None:
    checked = cli.run("mapping", "validate", people)
    assert checked.status == 0
    assert "valid" in checked.out
    assert "bigint" in checked.out
    cli.run("mapping", "create", people)
    made = cli.run("snapshot", "create", "people")
    assert "people/nodes/Person: 3 rows" in made.err
    assert "ready" in made.out
    assert "DEBUG" not in made.out + made.err  # Dagster's console lines are in the log
    assert "people" in cli.run("mapping", "list").out


def test_an_update_makes_a_version_and_diff_shows_it(cli: CommandLine) -> None:
    text = PEOPLE.replace("name: people", "name: versions", 1)
    changed = cli.home / "changed.yaml"
    changed.write_text(text.replace("Who knows whom", "Who knows whom, and since when"), encoding="utf-8")
    assert cli.json("mapping", "create", "-", text=text)["version"] == 1
    existing = cli.run("mapping", "create", changed, "-o", "json")
    assert (existing.status, existing.json()["code"]) == (1, "ALREADY_EXISTS")
    assert cli.json("mapping", "update", changed, "-m", "says more")["version"] == 2
    assert "+description: Who knows whom, and since when" in cli.json("mapping", "diff", "versions")["diff"]
    assert cli.json("mapping", "diff", "versions@2", changed)["changed"] is False
    assert cli.json("mapping", "show", "versions")["versions"][-1]["change_description"] == "says more"
    assert cli.json("mapping", "update", "-", text=text)["version"] == 3


BROKEN = {
    "no YAML": ("name: [people", "DOCUMENT_SYNTAX"),
    "an unknown key": (PEOPLE + "colour: red\n", "DOCUMENT_KEY_UNKNOWN"),
    "a missing key": (PEOPLE.replace("name: people\n", ""), "DOCUMENT_KEY_MISSING"),
    "two statements": (PEOPLE.replace("FROM knows", "FROM knows; SELECT 1"), "SQL_MULTIPLE_STATEMENTS"),
    "DDL": (PEOPLE.replace("SELECT a, b, since FROM knows", "DROP TABLE knows"), "SQL_NOT_A_QUERY"),
    "a missing table": (PEOPLE.replace("FROM knows", "FROM know"), "TABLE_NOT_FOUND"),
    "a column too many": (PEOPLE.replace("SELECT a, b, since", "SELECT a, b, since, 1 AS one"), "COLUMN_EXTRA"),
    "a column too few": (PEOPLE.replace("SELECT a, b, since", "SELECT a, b"), "COLUMN_MISSING"),
}


@pytest.mark.parametrize(("text", "code"), BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_mapping_is_reported_with_status_1_and_nothing_is_kept(cli: CommandLine, text: str, code: str) -> None:
    checked = cli.run("mapping", "validate", "-", "-o", "json", text=text)
    assert checked.status == 1
    assert code in {problem["code"] for problem in checked.json()["errors"]}
    refused = cli.run("mapping", "create", "-", "-o", "json", text=text.replace("name: people", "name: broken", 1))
    assert (refused.status, refused.json()["code"]) == (1, "VALIDATION_FAILED")
    assert refused.json()["details"]["report"]["errors"]
    assert "broken" not in {mapping["name"] for mapping in cli.json("mapping", "list")}


def test_every_problem_is_printed_at_once_with_its_place_and_its_fix(cli: CommandLine) -> None:
    text = PEOPLE.replace("SELECT id, name, born FROM people", "SELECT id, nam, born FROM people").replace(
        "FROM knows", "FROM know"
    )
    refused = cli.run("mapping", "create", "-", text=text.replace("name: people", "name: broken", 1))
    assert refused.out == ""
    assert "Person" in refused.err
    assert "KNOWS" in refused.err
    assert "did you mean" in refused.err
    assert "Traceback" not in refused.err


def test_an_interrupted_run_ends_with_130_and_leaves_nothing_that_looks_ready(cli: CommandLine) -> None:
    tables = ", ".join(f"people p{number}" for number in range(16))
    names = " || ".join(f"p{number}.name" for number in range(16))
    count = f"SELECT CAST(sum(length({names})) AS BIGINT) AS n FROM {tables}"
    slow = {
        "name": "slow",
        "node_definitions": [{"label": "Count", "sql": count, "primary_key": {"name": "n", "type": "INT64"}}],
    }
    cli.json("mapping", "create", "-", text=yaml.safe_dump(slow))
    with subprocess.Popen(
        [sys.executable, "-m", "graph_platform", "snapshot", "create", "slow", "-o", "json"],
        env=cli.variables(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as running:
        while not cli.json("snapshot", "list", "--mapping", "slow"):
            assert running.poll() is None
        running.send_signal(signal.SIGINT)
        out, _ = running.communicate(timeout=120)
    assert (running.returncode, out) == (130, b"")
    assert [snapshot["status"] for snapshot in cli.json("snapshot", "list", "--mapping", "slow")] == ["cancelled"]


def test_plain_dagster_executes_a_job_with_the_variables_of_env(cli: CommandLine, people: Path) -> None:
    config = cli.home / "run.yaml"
    config.write_text(
        yaml.safe_dump({"ops": {"validate_mapping": {"config": {"mapping": yaml.safe_load(PEOPLE)}}}}), encoding="utf-8"
    )
    command = ["-m", "dagster", "job", "execute", "-m", "graph_platform.definitions", "-j", "validate_mapping"]
    executed = subprocess.run(
        [sys.executable, *command, "-c", os.fspath(config)],
        env=cli.variables(**cli.json("env")),
        capture_output=True,
        text=True,
        check=False,
    )
    assert executed.returncode == 0, executed.stderr
    assert "RUN_SUCCESS" in executed.stderr + executed.stdout


def test_a_name_with_a_nul_character_is_refused_by_plain_dagster_too(cli: CommandLine) -> None:
    variables = cli.variables(**cli.json("env"))
    definition = {"name": "peo\0ple", "node_definitions": []}
    for job, config in (("create_snapshot", {"mapping": "people\0x"}), ("create_mapping", {"mapping": definition})):
        file = cli.home / "run.json"
        file.write_text(json.dumps({"ops": {job: {"config": config}}}))
        command = ["-m", "dagster", "job", "execute", "-m", "graph_platform.definitions", "-j", job, "-c", str(file)]
        ran = subprocess.run(
            [sys.executable, *command], env=variables, cwd=cli.home, capture_output=True, text=True, check=False
        )
        assert "VALIDATION_FAILED" in ran.stdout + ran.stderr
        assert "ValueError" not in ran.stdout + ran.stderr
