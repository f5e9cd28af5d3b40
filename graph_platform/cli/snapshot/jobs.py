"""Commands that run a job on a snapshot."""

from __future__ import annotations

from typing import Any

import click

from graph_platform.cli import options
from graph_platform.cli.output import Output, size
from graph_platform.cli.runs import run_job
from graph_platform.snapshot.requests import CreateSnapshot, DeleteSnapshot


@click.command
@click.argument("mapping", metavar="MAPPING[@VERSION]")
@click.option("--name", metavar="NAME", help="A name for the snapshot: the same name again is the same snapshot.")
@options.lives
@options.data_checks
@options.wait
@options.output
def create(
    mapping: str,
    name: str | None,
    ttl: str | None,
    inactivity_timeout: str | None,
    data_checks: str,
    wait: bool,
    output: Output,
) -> None:
    """Export a mapping's nodes and edges as Parquet files, and build the graph database from them."""
    request = CreateSnapshot(
        mapping=mapping, name=name, ttl=ttl, inactivity_timeout=inactivity_timeout, data_checks=data_checks
    )
    _show(run_job(request, output, wait=wait), output)


@click.command
@click.argument("snapshot", metavar="SNAPSHOT")
@options.wait
@options.output
def delete(snapshot: str, wait: bool, output: Output) -> None:
    """Delete a snapshot and its files. It is refused while an instance serves it."""
    _show(run_job(DeleteSnapshot(snapshot=snapshot), output, wait=wait), output)


def _show(document: dict[str, Any], output: Output) -> None:
    if output.as_json:
        output.document(document)
        return
    shown = {**document, "size": size(document.get("bytes")), "database": size(document.get("database_bytes"))}
    output.fields(shown, ["id", "name", "status", "mapping", "version", "rows", "size", "database", "run_url"])
