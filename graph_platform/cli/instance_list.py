"""The list of instances. It imports what it reads and no more: a list must come at once."""

from __future__ import annotations

import click

from graph_platform.catalog import instances
from graph_platform.cli import options
from graph_platform.cli.output import Output, moment
from graph_platform.cli.reading import reading


@click.command
@options.output
def list_instances(output: Output) -> None:
    """List the instances that are not terminated, newest first."""
    with reading() as session:
        records = instances.list_instances(session)
    if output.as_json:
        output.document([record.document() for record in records])
        return
    output.table(
        ["id", "name", "mapping", "status", "snapshot", "url", "owner", "expires"],
        [
            (r.id, r.name, f"{r.mapping}@{r.version}", r.status, r.snapshot_id, r.url, r.owner, moment(r.expires_at))
            for r in records
        ],
    )
    if not records:
        output.say("There are none yet: graph-platform instance launch SNAPSHOT", "dim")
