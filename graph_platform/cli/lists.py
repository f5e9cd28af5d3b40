"""The lists of what lives. They read the catalog and nothing else."""

from __future__ import annotations

from datetime import datetime

import click

from graph_platform.catalog import instances, mappings, snapshots
from graph_platform.cli import options
from graph_platform.cli.output import Output, size
from graph_platform.cli.reading import reading


@click.command
@options.output
def list_mappings(output: Output) -> None:
    """List the mappings that live, by name."""
    with reading() as session:
        records = mappings.list_mappings(session)
    if output.as_json:
        output.document([record.document() for record in records])
        return
    output.table(
        ["name", "status", "version", "nodes", "edges", "owner", "updated", "description"],
        [
            (r.name, r.status, r.version, r.nodes, r.edges, r.owner, _moment(r.updated_at), r.description)
            for r in records
        ],
    )
    if not records:
        output.say("There are none yet: graph-platform mapping create FILE", "dim")


@click.command
@click.option("--mapping", metavar="NAME", help="Only those of one mapping.")
@options.output
def list_snapshots(mapping: str | None, output: Output) -> None:
    """List the snapshots that are not deleted, newest first."""
    with reading() as session:
        identifier = mappings.get_mapping(session, mapping).id if mapping else None
        records = snapshots.list_snapshots(session, identifier)
    if output.as_json:
        output.document([record.document() for record in records])
        return
    output.table(
        ["id", "name", "mapping", "status", "rows", "size", "owner", "created"],
        [
            (r.id, r.name, f"{r.mapping}@{r.version}", r.status, r.rows, size(r.bytes), r.owner, _moment(r.created_at))
            for r in records
        ],
    )
    if not records:
        output.say("There are none yet: graph-platform snapshot create MAPPING", "dim")


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
            (r.id, r.name, f"{r.mapping}@{r.version}", r.status, r.snapshot_id, r.url, r.owner, _moment(r.expires_at))
            for r in records
        ],
    )
    if not records:
        output.say("There are none yet: graph-platform instance launch SNAPSHOT", "dim")


def _moment(moment: datetime | None) -> str:
    """A moment in this machine's own time."""
    return moment.astimezone().strftime("%Y-%m-%d %H:%M") if moment else ""
