"""The list of snapshots. It imports what it reads and no more: a list must come at once."""

from __future__ import annotations

import click

from graph_platform.catalog import mappings, snapshots
from graph_platform.cli import options
from graph_platform.cli.output import Output, moment, size
from graph_platform.cli.reading import reading


@click.command
@click.option("--mapping", metavar="NAME", help="Only those of one mapping.")
@options.output
def list_snapshots(mapping: str | None, output: Output) -> None:
    """List the snapshots that are not deleted, newest first."""
    with reading(output) as session:
        identifier = mappings.get_mapping(session, mapping).id if mapping else None
        records = snapshots.list_snapshots(session, identifier)
    if output.as_json:
        output.document([record.document() for record in records])
        return
    output.table(
        ["id", "name", "mapping", "status", "rows", "size", "owner", "created"],
        [
            (r.id, r.name, f"{r.mapping}@{r.version}", r.status, r.rows, size(r.bytes), r.owner, moment(r.created_at))
            for r in records
        ],
    )
    if not records:
        output.say("There are none yet: graph-platform snapshot create MAPPING", "dim")
