"""`mapping diff` as a person and as a program sees it."""

from pathlib import Path

import duckdb

from graph_platform_tests.cli.conftest import CommandLine
from graph_platform_tests.services.trino import TrinoServer


def test_versions_files_and_the_warehouse_are_compared(cli: CommandLine, people: Path) -> None:
    with duckdb.connect(cli.home / "warehouse.duckdb") as connection:
        connection.execute("CREATE OR REPLACE TABLE friends AS FROM knows")
    text = people.read_text(encoding="utf-8").replace("name: people", "name: compared").replace("knows", "friends")
    first, second = cli.home / "compared1.yaml", cli.home / "compared2.yaml"
    first.write_text(text, encoding="utf-8")
    second.write_text(text.replace("since, type: INT64", "since, type: DOUBLE"), encoding="utf-8")
    cli.json("mapping", "create", first)

    found = cli.json("mapping", "diff", "compared", second)
    assert [(c["kind"], c["field"]) for c in found["changes"]] == [("PROPERTY_RETYPED", "since")]
    shown = cli.run("mapping", "diff", "compared", second)
    assert "~ edge KNOWS: property since was INT64 and is DOUBLE" in shown.out + shown.err

    second.write_text(text.replace("label: Person", "label: PERSON"), encoding="utf-8")
    found = cli.json("mapping", "diff", "compared", second)
    assert (found["changed"], [(c["kind"], c["after"]) for c in found["changes"]]) == (
        True,
        [("RENAMED_IN_CASE", "PERSON")],
    )
    assert "label was spelt Person and is spelt PERSON" in cli.run("mapping", "diff", "compared", second).out
    found = cli.json("mapping", "diff", "compared", first)
    assert (found["changed"], found["changes"], found["diff"]) == (False, [], [])

    assert cli.json("mapping", "diff", "compared", "--warehouse")["changed"] is False
    with duckdb.connect(cli.home / "warehouse.duckdb") as connection:
        connection.execute("ALTER TABLE friends DROP COLUMN since")
    answer = cli.run("mapping", "diff", "compared", "--warehouse", "-o", "json")
    assert answer.status == 1
    assert [(c["kind"], c["field"]) for c in answer.json()["changes"]] == [("COLUMN_GONE", "since")]
    assert cli.run("mapping", "diff", "compared", "compared@1", "--warehouse").status == 2


def test_on_trino_what_changed_is_told_as_text_and_as_json_and_no_snapshot_is_begun(
    cli: CommandLine, people: Path, trino_server: TrinoServer
) -> None:
    trino_server.run("CREATE SCHEMA IF NOT EXISTS hive.compared")
    trino_server.run(
        "CREATE TABLE hive.compared.people AS SELECT * FROM (VALUES (BIGINT '1', 'Ana', DATE '1980-02-01')) "
        "AS t(id, name, born)"
    )
    trino_server.run("CREATE TABLE hive.compared.knows AS SELECT BIGINT '1' AS a, BIGINT '1' AS b, 2001 AS since")
    warehouse = {"GRAPH_PLATFORM_WAREHOUSE": f"trino://tester@127.0.0.1:{trino_server.port}/hive/compared"}
    text = people.read_text(encoding="utf-8").replace("name: people", "name: on-trino", 1)
    cli.json("mapping", "create", "-", text=text, **warehouse)
    assert cli.json("mapping", "diff", "on-trino", "--warehouse", **warehouse)["changed"] is False

    trino_server.run("ALTER TABLE hive.compared.people DROP COLUMN born")
    trino_server.run("ALTER TABLE hive.compared.knows RENAME TO acquainted")
    answer = cli.run("mapping", "diff", "on-trino", "--warehouse", "-o", "json", **warehouse)
    assert answer.status == 1
    assert [(c["kind"], c["entity"], c["before"], c["after"], c["breaks"]) for c in answer.json()["changes"]] == [
        ("COLUMN_GONE", "Person", "born", None, True),
        ("TABLE_RENAMED", "KNOWS", "knows", "acquainted", True),
    ]
    shown = cli.run("mapping", "diff", "on-trino", "--warehouse", **warehouse)
    assert shown.status == 1
    assert "! Person: the column born is gone" in shown.out
    assert "! KNOWS: the table knows is gone; acquainted has the same columns" in shown.out

    refused = cli.run("snapshot", "create", "on-trino", "-o", "json", **warehouse)
    assert (refused.status, refused.json()["code"]) == (1, "STARBURST_ERROR")
    assert refused.json()["message"].startswith("Schema has changed since mapping was created: on-trino@1")
    assert "mapping update" in refused.json()["hint"]
    assert len(refused.json()["details"]["changes"]) == 2
    assert [one for one in cli.json("snapshot", "list") if one["mapping"] == "on-trino"] == []
