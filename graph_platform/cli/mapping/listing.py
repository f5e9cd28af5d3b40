"""The list of mappings. It imports what it reads and no more: a list must come at once."""

from __future__ import annotations

import click

from graph_platform.catalog import mappings
from graph_platform.catalog.selection import Selection
from graph_platform.catalog.states import MappingStatus
from graph_platform.cli import options
from graph_platform.cli.output import Output, ends, moment
from graph_platform.cli.reading import reading


@click.command
@options.selection([*MappingStatus], of_mapping=False)
@options.output
def list_mappings(owner: str | None, statuses: tuple[str, ...], gone: bool, limit: int, output: Output) -> None:
    """List the mappings that live, newest first."""
    wanted = Selection(owner, statuses, gone=gone, limit=limit + 1)
    with reading(output) as session:
        records = output.newest(mappings.list_mappings(session, wanted), limit)
    if output.as_json:
        output.document([record.document() for record in records])
        return
    output.table(
        ["name", "status", "version", "nodes", "edges", "owner", "updated", "ends", "description"],
        [
            (r.name, r.status, r.version, r.nodes, r.edges, r.owner, moment(r.updated_at), ends(r), r.description)
            for r in records
        ],
    )
    if not records:
        output.say("There are none: graph-platform mapping create FILE makes one", "dim")
