"""`mapping suggest`, from tables to a file that validates."""

from pathlib import Path

from graph_platform_tests.cli.conftest import CommandLine


def test_what_is_printed_validates_as_it_stands(cli: CommandLine, people: Path) -> None:
    answer = cli.run("mapping", "suggest", "--name", "guessed")
    assert answer.status == 0, answer.err
    assert answer.out.startswith("name: guessed\n")
    assert "# id is the key: 3 rows, each with a value of its own" in answer.out
    file = cli.home / "guessed.yaml"
    file.write_text(answer.out, encoding="utf-8")
    report = cli.json("mapping", "validate", file, "--check", "enforced")
    assert report["valid"] is True
    assert report["estimate"]["rows"] > 0


def test_one_query_becomes_a_definition_from_the_line_or_a_file(cli: CommandLine, people: Path) -> None:
    sql = "SELECT name, id FROM people"
    by_line = cli.json("mapping", "suggest", "--sql", sql)
    file = cli.home / "query.sql"
    file.write_text(sql, encoding="utf-8")
    assert cli.json("mapping", "suggest", "--sql", file) == by_line
    assert by_line["mapping"]["node_definitions"][0]["primary_key"] == {"name": "id", "type": "INT64"}
    edge = cli.json("mapping", "suggest", "--sql", "SELECT a, b FROM knows", "--edge")
    assert edge["mapping"]["edge_definitions"][0]["from_key"] == "a"


def test_two_ways_to_begin_and_an_unknown_schema_are_refused(cli: CommandLine, people: Path) -> None:
    assert cli.run("mapping", "suggest", "--sql", "SELECT 1", "--schema", "main").status == 2
    assert cli.run("mapping", "suggest", "--edge").status == 2
    answer = cli.run("mapping", "suggest", "--schema", "nowhere", "-o", "json")
    assert answer.status == 1
    assert answer.json()["code"] == "RESOURCE_NOT_FOUND"


def test_bad_data_is_an_error_where_the_checks_are_enforced(cli: CommandLine, people: Path) -> None:
    file = cli.home / "bad.yaml"
    text = people.read_text(encoding="utf-8").replace("FROM people", "FROM people WHERE id < 3")
    file.write_text(text, encoding="utf-8")
    assert cli.json("mapping", "validate", file)["valid"] is True
    sampled = cli.run("mapping", "validate", file, "--check", "enforced", "-o", "json")
    assert sampled.status == 1
    assert [problem["code"] for problem in sampled.json()["errors"]] == ["DATA_END_MISSING"]
    shown = cli.run("mapping", "validate", file, "--check", "enforced")
    assert "1 of 2 rows (50 %) name 1 key that no Person has: 3" in shown.out + shown.err
