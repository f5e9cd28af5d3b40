"""What `show` prints of a mapping, and that its author gets the file back."""

from __future__ import annotations

from pathlib import Path

import pytest

from graph_platform.mapping.definition.document import read_mapping, write_mapping
from graph_platform_tests.cli.conftest import PEOPLE, CommandLine

# Longer than any terminal, as one line of SQL, as a text with a colon in it, and as words that YAML likes to fold.
LONG = PEOPLE.replace(
    "SELECT id, name, born FROM people", f"SELECT id, name, born FROM people WHERE name NOT IN ('{'x' * 300}')"
).replace("Who knows whom", f'"{"who knows whom: " * 30}"')


@pytest.fixture(scope="module")
def long_file(cli: CommandLine) -> Path:
    """The file of a kept mapping with lines of more than 300 characters."""
    file = cli.home / "long.yaml"
    file.write_text(LONG.replace("name: people", "name: long", 1), encoding="utf-8")
    cli.json("mapping", "create", file)
    return file


def test_the_yaml_of_a_mapping_reads_back_in_a_terminal_of_any_width(cli: CommandLine, long_file: Path) -> None:
    kept = read_mapping(long_file.read_bytes())
    for width in ("20", "80", "200"):
        alone = cli.run("mapping", "show", "long", "-o", "yaml", COLUMNS=width)
        assert alone.status == 0, alone.err
        assert read_mapping(alone.out) == kept
        for_a_person = cli.run("mapping", "show", "long", COLUMNS=width)
        assert for_a_person.out.endswith(alone.out)


def test_what_show_prints_as_yaml_is_a_file_that_validates(cli: CommandLine, long_file: Path) -> None:
    alone = cli.run("mapping", "show", "long@1", "-o", "yaml").out
    assert cli.run("mapping", "validate", "-", text=alone).status == 0
    assert cli.json("mapping", "diff", "long", long_file)["changed"] is False


def test_an_error_is_for_a_person_where_yaml_was_asked_for(cli: CommandLine) -> None:
    missing = cli.run("mapping", "show", "nothing", "-o", "yaml")
    assert (missing.status, missing.out) == (1, "")
    assert "there is no mapping 'nothing'" in missing.err


def test_no_line_of_written_yaml_is_folded() -> None:
    mapping = read_mapping(LONG)
    written = write_mapping(mapping)
    assert read_mapping(written) == mapping
    assert sum(len(line) > 300 for line in written.splitlines()) == 2


def test_a_suggestion_is_yaml_in_both_of_its_formats(cli: CommandLine) -> None:
    query = ("mapping", "suggest", "--sql", f"SELECT id, name FROM people WHERE name <> '{'y' * 300}'")
    default, asked_for = cli.run(*query, COLUMNS="40"), cli.run(*query, "-o", "yaml", COLUMNS="40")
    assert default.out == asked_for.out
    assert "y" * 300 in read_mapping(default.out).node_definitions[0].sql
