"""One mapping with all that is known of it."""

from __future__ import annotations

import click

from graph_platform.cli import options
from graph_platform.cli.output import Output
from graph_platform.mapping.definition.document import write_mapping
from graph_platform.mapping.definition.model import MappingDefinition
from graph_platform.platform import Platform
from graph_platform.proving.requests import ShowMapping


@click.command
@click.argument("mapping", metavar="NAME[@VERSION]")
@options.output_or_yaml
def show_mapping(mapping: str, output: Output) -> None:
    """Show a mapping: what it is, its versions, and the definition of one of them."""
    with Platform.open(tell=output.progress) as platform:
        document = platform.mappings.show(ShowMapping(mapping=mapping)).document()
    if output.as_json:
        output.document(document)
        return
    definition = write_mapping(MappingDefinition.model_validate(document["definition"]))
    if output.as_yaml:
        output.text(definition)
        return
    output.fields(
        document,
        [
            *("name", "id", "status", "version", "owner", "description", "ttl", "inactivity_timeout", "last_used_at"),
            *("created_at", "updated_at", "expires_at", "idle_ends_at"),
        ],
    )
    output.table(
        ["version", "by", "at", "change"],
        [(v["version"], v["created_by"], v["created_at"][:16], v["change_description"]) for v in document["versions"]],
    )
    output.events(document["events"])
    output.say(f"version {document['shown_version']}:", "bold")
    output.text(definition)
