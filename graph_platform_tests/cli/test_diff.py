"""`mapping diff` as a person and as a program sees it."""

from pathlib import Path

import duckdb

from graph_platform_tests.cli.conftest import CommandLine


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

    assert cli.json("mapping", "diff", "compared", "--warehouse")["changed"] is False
    with duckdb.connect(cli.home / "warehouse.duckdb") as connection:
        connection.execute("ALTER TABLE friends DROP COLUMN since")
    answer = cli.run("mapping", "diff", "compared", "--warehouse", "-o", "json")
    assert answer.status == 1
    assert [(c["kind"], c["field"]) for c in answer.json()["changes"]] == [("COLUMN_GONE", "since")]
    assert cli.run("mapping", "diff", "compared", "compared@1", "--warehouse").status == 2
