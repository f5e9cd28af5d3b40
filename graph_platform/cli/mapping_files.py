"""Commands about mapping files alone: reading one from a path or standard input, its JSON Schema, differences."""

from __future__ import annotations

import difflib
import sys
from pathlib import Path
from typing import Any

import click
from rich.text import Text

from graph_platform.catalog.mappings import get_version
from graph_platform.catalog.transition import Session
from graph_platform.cli import options
from graph_platform.cli.output import Output
from graph_platform.cli.reading import reading
from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.mapping.document import mapping_json_schema, read_mapping, write_mapping
from graph_platform.mapping.model import MappingDefinition
from graph_platform.mapping.report import ValidationReport

_STYLES = {"+": "green", "-": "red", "@": "cyan"}


def read_file(file: str) -> MappingDefinition:
    """The mapping in a file; `-` is standard input.

    Raises:
        PlatformError: RESOURCE_NOT_FOUND, or VALIDATION_FAILED with every problem's line.
    """
    try:
        text = sys.stdin.buffer.read().decode() if file == "-" else Path(file).read_bytes().decode()
    except UnicodeDecodeError as error:
        raise PlatformError(
            ErrorCode.VALIDATION_FAILED, f"{file} is not UTF-8 text: {error.reason} at byte {error.start}"
        ) from error
    except OSError as error:
        raise PlatformError(
            ErrorCode.RESOURCE_NOT_FOUND, f"{file} cannot be read: {error.strerror}", "name a YAML or JSON file, or -"
        ) from error
    return read_mapping(text)


@click.command
@click.option("--report", is_flag=True, help="The schema of the validation report instead.")
@options.output
def schema(report: bool, output: Output) -> None:
    """Print the JSON Schema of a mapping file, for editors and other tools."""
    output.document(ValidationReport.model_json_schema() if report else mapping_json_schema())


@click.command
@click.argument("old", metavar="NAME[@VERSION]")
@click.argument("new", metavar="[NAME@VERSION|FILE]", required=False)
@options.output
def diff(old: str, new: str | None, output: Output) -> None:
    """Show what changed from one version of a mapping to another, or to a file.

    With one argument: what its last change was, or, for NAME@VERSION, what that version changed.
    """
    with reading() as session:
        if new is None:
            after_label, after, version = _stored(session, old)
            name = after["name"]
            before_label, before = "nothing", None
            if version > 1:
                before_label, before, _ = _stored(session, f"{name}@{version - 1}")
        else:
            before_label, before, _ = _stored(session, old)
            if new == "-" or Path(new).exists():
                after_label, after = new, read_file(new).model_dump(mode="json")
            else:
                after_label, after, _ = _stored(session, new)
    lines = list(difflib.unified_diff(_lines(before), _lines(after), before_label, after_label, n=2, lineterm=""))
    if output.as_json:
        output.document({"from": before_label, "to": after_label, "changed": bool(lines), "diff": lines})
        return
    for line in lines:
        output.person.print(Text(line, style=_STYLES.get(line[:1], "")))
    if not lines:
        output.say("no difference")


def _stored(session: Session, reference: str) -> tuple[str, dict[str, Any], int]:
    mapping, version = get_version(session, reference)
    return f"{mapping.name}@{version.version}", version.definition, version.version


def _lines(definition: dict[str, Any] | None) -> list[str]:
    return write_mapping(MappingDefinition.model_validate(definition)).splitlines() if definition else []
