"""The list of instances. It imports what it reads and no more: a list must come at once."""

from __future__ import annotations

from contextlib import closing

import click

from graph_platform.catalog.catalog import Catalog
from graph_platform.cli import options
from graph_platform.cli.output import Output, instance_status, moment
from graph_platform.instance.listing import list_as_seen
from graph_platform.settings import Settings


@click.command
@options.output
def list_instances(output: Output) -> None:
    """List the instances that are not terminated, newest first, as they are seen to be."""
    settings = Settings.load()
    with closing(Catalog.open(settings, tell=output.progress)) as catalog:
        listing = list_as_seen(settings, catalog)
    if listing.unseen:
        output.warn(f"whether they run could not be seen: {listing.unseen.message}; {listing.unseen.hint}")
    records = listing.instances
    if output.as_json:
        output.document([record.document() for record in records])
        return
    output.table(
        ["id", "name", "mapping", "status", "snapshot", "url", "owner", "expires"],
        [
            (
                r.id,
                r.name,
                f"{r.mapping}@{r.version}",
                instance_status(r.status, expired=r.expired, abandoned=r.abandoned),
                r.snapshot_id,
                r.url,
                r.owner,
                moment(r.expires_at),
            )
            for r in records
        ],
    )
    for record in records:
        if record.error:
            output.failure(record.error, record.name or record.id)
    if not records:
        output.say("There are none yet: graph-platform instance launch SNAPSHOT", "dim")
