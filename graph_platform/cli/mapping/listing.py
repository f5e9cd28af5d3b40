"""The list of mappings. It imports what it reads and no more: a list must come at once."""

from __future__ import annotations

import click

from graph_platform.catalog import mappings
from graph_platform.cli import options
from graph_platform.cli.output import Output, moment
from graph_platform.cli.reading import reading


@click.command
@options.output
def list_mappings(output: Output) -> None:
    """List the mappings that live, by name."""
    with reading(output) as session:
        records = mappings.list_mappings(session)
    if output.as_json:
        output.document([record.document() for record in records])
        return
    output.table(
        ["name", "status", "version", "nodes", "edges", "owner", "updated", "description"],
        [
            (r.name, r.status, r.version, r.nodes, r.edges, r.owner, moment(r.updated_at), r.description)
            for r in records
        ],
    )
    if not records:
        output.say("There are none yet: graph-platform mapping create FILE", "dim")
