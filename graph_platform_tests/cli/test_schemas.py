"""What commands print is what the published JSON Schemas say: no field more, none less, none of another type."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from graph_platform.schemas import RESULTS
from graph_platform_tests.cli.conftest import CommandLine

Printed = dict[str, list[Any]]


@pytest.fixture(scope="module")
def printed(cli: CommandLine, people: Path) -> Iterator[Printed]:
    """By result, the documents of commands that print it."""
    found: Printed = {
        "validation_report": [cli.json("mapping", "validate", people, "--check", "enforced")],
        "mapping": [cli.json("mapping", "create", people), *cli.json("mapping", "list")],
        "mapping_details": [cli.json("mapping", "show", "people")],
        "drift": [cli.json("mapping", "diff", "people", "--warehouse")],
        "suggestion": [cli.json("mapping", "suggest")],
        "snapshot": [cli.json("snapshot", "create", "people", "--name", "s"), *cli.json("snapshot", "list")],
        "snapshot_details": [cli.json("snapshot", "show", "s")],
        "instance": [cli.json("instance", "launch", "s", "--name", "i"), *cli.json("instance", "list")],
        "instance_details": [cli.json("instance", "show", "i")],
        "answer": [cli.json("instance", "query", "i", "MATCH (p:Person) RETURN p, p.born ORDER BY p.id")],
        "way": [cli.json("instance", "connect", "i")],
        "error": [
            cli.run("mapping", "show", "nobody", "-o", "json").json(),
            cli.run("mapping", "create", "nowhere.yaml", "-o", "json").json(),
        ],
    }
    found["instance"].append(cli.json("instance", "suspend", "i"))
    found["instance_details"].append(cli.json("instance", "show", "i"))
    found["instance"].append(cli.json("instance", "terminate", "i"))
    found["instance_details"].append(cli.json("instance", "show", "i"))
    found["snapshot"].append(cli.json("snapshot", "delete", "s"))
    yield found


# Those that no command prints alone: they are parts of others, or of a job without a command.
PARTS = {"change", "refreshed_schema"}


@pytest.mark.parametrize("name", sorted(RESULTS.keys() - PARTS))
def test_what_is_printed_is_what_its_schema_says(cli: CommandLine, printed: Printed, name: str) -> None:
    schema = cli.run("schema", name).json()
    Draft202012Validator.check_schema(schema)
    validator = Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)
    assert printed[name]
    for document in printed[name]:
        validator.validate(document)
        assert set(document) == set(schema["properties"]), "each field is there, also where it is null"


@pytest.mark.parametrize(
    "spoil",
    [lambda found: found.pop("status"), lambda found: found.update(more=1), lambda found: found.update(version="one")],
    ids=["a field less", "a field more", "a field of another type"],
)
def test_a_document_that_is_none_is_told(cli: CommandLine, printed: Printed, spoil: Callable[[Any], Any]) -> None:
    document = dict(printed["snapshot"][0])
    spoil(document)
    assert not Draft202012Validator(cli.run("schema", "snapshot").json()).is_valid(document)
