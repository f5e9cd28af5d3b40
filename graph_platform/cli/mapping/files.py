"""Commands about mapping files alone: reading one from a path or standard input, its JSON Schema, differences."""

from __future__ import annotations

import difflib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import click
from rich.text import Text

from graph_platform.catalog.mappings import get_version
from graph_platform.catalog.transition import Session
from graph_platform.cli import options
from graph_platform.cli.output import Output
from graph_platform.cli.reading import reading
from graph_platform.cli.runs import run_job
from graph_platform.cli.standard_input import standard_input
from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.mapping.change.diff import change_lines, compare
from graph_platform.mapping.definition.document import (
    MAX_DOCUMENT_BYTES,
    check_document_size,
    mapping_json_schema,
    read_mapping,
    write_mapping,
)
from graph_platform.mapping.definition.model import MappingDefinition
from graph_platform.proving.requests import DiffMapping

_STYLES = {"+": "green", "-": "red", "@": "cyan", "~": "yellow", "!": "bold red"}


def read_file(file: str) -> MappingDefinition:
    """The mapping in a file; `-` is standard input.

    Raises:
        PlatformError: RESOURCE_NOT_FOUND, or VALIDATION_FAILED with the problems and their lines.
    """
    try:
        if file == "-":
            return read_mapping(_content(standard_input()))
        with Path(file).open("rb") as opened:
            return read_mapping(_content(opened))
    except (OSError, ValueError) as error:  # ValueError: a name that no file has
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise PlatformError(
            ErrorCode.RESOURCE_NOT_FOUND, f"{file} cannot be read: {reason}", "name a YAML or JSON file, or -"
        ) from error


def _content(opened: BinaryIO) -> bytes:
    """All of a file, unless it is larger than a mapping may be: then it is not read, if it tells its size."""
    check_document_size(os.fstat(opened.fileno()).st_size)
    return opened.read(MAX_DOCUMENT_BYTES + 1)


@click.command
@options.output
def schema(output: Output) -> None:
    """Print the JSON Schema of a mapping file, for editors and other tools."""
    output.document(mapping_json_schema())


@click.command
@click.argument("old", metavar="NAME[@VERSION]")
@click.argument("new", metavar="[NAME@VERSION|FILE]", required=False)
@click.option("--warehouse", is_flag=True, help="Compare with what the warehouse has today instead.")
@options.output
def diff(old: str, new: str | None, warehouse: bool, output: Output) -> int:
    """Show what changed from one version of a mapping to another, or to a file.

    With one argument: what its last change was, or, for NAME@VERSION, what that version changed. With --warehouse: what
    changed in the warehouse since that version was kept; the exit status is 1 if the mapping no longer holds.
    """
    if warehouse:
        if new is not None:
            raise click.UsageError("--warehouse takes the place of the second argument")
        return _with_warehouse(old, output)
    with reading(output) as session:
        if new is None:
            after_label, after, version = _stored(session, old)
            before_label, before = "nothing", None
            if version > 1:
                before_label, before, _ = _stored(session, f"{after.name}@{version - 1}")
        else:
            before_label, before, _ = _stored(session, old)
            if new == "-" or Path(new).exists():
                after_label, after = new, read_file(new)
            else:
                after_label, after, _ = _stored(session, new)
    changes = compare(before, after)
    if output.as_json:
        lines = list(difflib.unified_diff(_lines(before), _lines(after), before_label, after_label, n=2, lineterm=""))
        output.document(
            {
                "from": before_label,
                "to": after_label,
                "changed": bool(changes),
                "changes": [change.document() for change in changes],
                "diff": lines,
            }
        )
    else:
        _show_changes(f"{before_label} → {after_label}", change_lines(changes), output)
    return 0


def _with_warehouse(reference: str, output: Output) -> int:
    found = run_job(DiffMapping(mapping=reference), output)
    if output.as_json:
        output.document(found)
    else:
        _show_changes(f"{found['from']} → {found['to']}", found["text"], output)
        if not found["holds"]:
            output.say("it no longer holds; bring it up to date with `graph-platform mapping update FILE`", "bold red")
    return 0 if found["holds"] else 1


def _show_changes(title: str, lines: Sequence[str], output: Output) -> None:
    output.say(title, "dim")
    for line in lines:
        output.person.print(Text(line, style=_STYLES.get(line.strip()[:1], "")), soft_wrap=True)
    if not lines:
        output.say("no difference")


def _stored(session: Session, reference: str) -> tuple[str, MappingDefinition, int]:
    mapping, version = get_version(session, reference)
    definition = MappingDefinition.model_validate(version.definition)
    return f"{mapping.name}@{version.version}", definition, version.version


def _lines(definition: MappingDefinition | None) -> list[str]:
    return write_mapping(definition).splitlines() if definition else []
