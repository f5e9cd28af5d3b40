"""The list of snapshots. It imports what it reads and no more: a list must come at once."""

from __future__ import annotations

import click

from graph_platform.catalog import mappings, snapshots
from graph_platform.catalog.selection import Selection
from graph_platform.catalog.states import SnapshotStatus
from graph_platform.cli import options
from graph_platform.cli.output import Output, ends, moment, size
from graph_platform.cli.reading import reading


@click.command
@options.selection([*SnapshotStatus])
@options.output
def list_snapshots(
    owner: str | None, statuses: tuple[str, ...], mapping: str | None, gone: bool, limit: int, output: Output
) -> None:
    """List the snapshots that are not deleted, newest first."""
    with reading(output) as session:
        identifier = mappings.get_mapping(session, mapping).id if mapping else None
        wanted = Selection(owner, statuses, identifier, gone, limit + 1)
        records = output.newest(snapshots.list_snapshots(session, wanted), limit)
    if output.as_json:
        output.document([record.document() for record in records])
        return
    output.table(
        ["id", "name", "mapping", "status", "rows", "size", "owner", "created", "ends"],
        [
            (
                r.id,
                r.name,
                f"{r.mapping}@{r.version}",
                r.status,
                r.rows,
                size(r.bytes),
                r.owner,
                moment(r.created_at),
                ends(r),
            )
            for r in records
        ],
    )
    if not records:
        output.say("There are none: graph-platform snapshot create MAPPING makes one", "dim")
