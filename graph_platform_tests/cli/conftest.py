"""A home with a small warehouse, and the command line as a real process on it."""

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import pytest

from graph_platform.settings import PREFIX
from graph_platform_tests.cli.forked import run_forked

PEOPLE = """\
name: people
description: Who knows whom
node_definitions:
  - label: Person
    sql: SELECT id, name, born FROM people
    primary_key: {name: id, type: INT64}
    properties:
      - {name: name, type: STRING}
      - {name: born, type: DATE}
edge_definitions:
  - type: KNOWS
    from_node: Person
    to_node: Person
    sql: SELECT a, b, since FROM knows
    from_key: a
    to_key: b
    properties:
      - {name: since, type: INT64}
"""


@dataclass(frozen=True)
class Answer:
    """What a command did."""

    status: int
    out: str
    err: str

    def json(self) -> Any:
        """Its one document; anything else on standard output fails here."""
        return json.loads(self.out)


@dataclass(frozen=True)
class CommandLine:
    """`graph-platform` with a home and an environment of its own."""

    home: Path
    environment: Mapping[str, str] = field(default_factory=dict)

    def variables(self, **more: str) -> dict[str, str]:
        """The environment of a command: this home, and nothing of the tester's own settings."""
        clean = {name: value for name, value in os.environ.items() if not name.startswith((PREFIX, "DAGSTER_"))}
        own = {"GRAPH_PLATFORM_HOME": str(self.home), "GRAPH_PLATFORM_ENGINE_WORKERS": "1", "COLUMNS": "200"}
        return clean | own | dict(self.environment) | more

    def run(self, *arguments: str | Path, text: str | None = None, **variables: str) -> Answer:
        """Run a command as a person would."""
        finished = run_forked(list(map(str, arguments)), self.variables(**variables), self.home, text, 180)
        return Answer(finished.status, finished.out, finished.err)

    def json(self, *arguments: str | Path, text: str | None = None, **variables: str) -> Any:
        """Run a command with `-o json`; it must succeed."""
        answer = self.run(*arguments, "-o", "json", text=text, **variables)
        assert answer.status == 0, answer.out + answer.err
        return answer.json()


@pytest.fixture(scope="module")
def cli(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CommandLine]:
    """A command line on a home with a small warehouse. What was started is ended afterwards."""
    home = tmp_path_factory.mktemp("a home with ü")
    with duckdb.connect(home / "warehouse.duckdb") as connection:
        connection.execute("CREATE TABLE people (id BIGINT, name VARCHAR, born DATE)")
        connection.execute(
            "INSERT INTO people VALUES (1, 'Ana', '1980-02-01'), (2, 'Bo', '1990-03-04'), (3, 'Cy', NULL)"
        )
        connection.execute("CREATE TABLE knows (a BIGINT, b BIGINT, since INTEGER)")
        connection.execute("INSERT INTO knows VALUES (1, 2, 2001), (2, 3, 2010)")
    line = CommandLine(home)
    yield line
    line.run("down")


@pytest.fixture(scope="module")
def people(cli: CommandLine) -> Path:
    """The file of a valid mapping on that warehouse."""
    file = cli.home / "people.yaml"
    file.write_text(PEOPLE, encoding="utf-8")
    return file
