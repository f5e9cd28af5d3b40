"""The list of instances. It imports what it reads and no more: a list must come at once."""

from __future__ import annotations

from contextlib import closing

import click

from graph_platform.catalog import mappings
from graph_platform.catalog.catalog import Catalog
from graph_platform.catalog.limits import Work
from graph_platform.catalog.selection import Selection
from graph_platform.catalog.states import InstanceStatus
from graph_platform.cli import options
from graph_platform.cli.output import Output, ends, instance_status
from graph_platform.instance.listing import list_as_seen
from graph_platform.settings import Settings


@click.command
@options.selection([*InstanceStatus])
@options.output
def list_instances(
    owner: str | None, statuses: tuple[str, ...], mapping: str | None, gone: bool, limit: int, output: Output
) -> None:
    """List the instances that are not terminated, newest first, as they are seen to be."""
    settings = Settings.load()
    with closing(Catalog.open(settings, tell=output.progress)) as catalog:
        identifier = None
        if mapping:
            with catalog.transaction(Work.READING) as session:
                identifier = mappings.get_mapping(session, mapping).id
        wanted = Selection(owner, statuses, identifier, gone, limit + 1)
        listing = list_as_seen(settings, catalog, wanted)
    if listing.unseen:
        output.warn(f"whether they run could not be seen: {listing.unseen.message}; {listing.unseen.hint}")
    records = output.newest(listing.instances, limit)
    if output.as_json:
        output.document([record.document() for record in records])
        return
    output.table(
        ["id", "name", "mapping", "status", "snapshot", "url", "owner", "ends"],
        [
            (
                r.id,
                r.name,
                f"{r.mapping}@{r.version}",
                instance_status(r.status, expired=r.expired, abandoned=r.abandoned),
                r.snapshot_id,
                r.url,
                r.owner,
                ends(r),
            )
            for r in records
        ],
    )
    for record in records:
        if record.error:
            output.failure(record.error, record.name or record.id)
    if not records:
        output.say("There are none: graph-platform instance launch SNAPSHOT makes one", "dim")
