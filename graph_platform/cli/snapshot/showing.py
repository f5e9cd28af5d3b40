"""One snapshot with all that is known of it."""

from __future__ import annotations

import click

from graph_platform.cli import options
from graph_platform.cli.output import Output, size
from graph_platform.platform import Platform


@click.command
@click.argument("snapshot", metavar="SNAPSHOT")
@options.output
def show_snapshot(snapshot: str, output: Output) -> None:
    """Show a snapshot by its id, its name, or as the newest of MAPPING[@VERSION]."""
    with Platform.open(tell=output.progress) as platform:
        document = platform.snapshots.show(snapshot).document()
    if output.as_json:
        output.document(document)
        return
    output.fields(
        {
            **document,
            "mapping": f"{document['mapping']}@{document['version']}",
            "size": size(document["bytes"]),
            "database": size(document["database_bytes"]),
        },
        [
            *("id", "name", "status", "mapping", "attempt", "engine", "owner", "storage_url", "folder", "data_checks"),
            *("rows", "size", "database", "created_at", "ready_at", "last_used_at", "ttl", "inactivity_timeout"),
            *("expires_at", "idle_ends_at"),
        ],
    )
    if document["error"]:
        output.failure(document["error"])
    output.table(
        ["kind", "definition", "status", "rows", "size", "seconds"],
        [
            (e["kind"], e["name"], e["status"], e["rows"], size(e["bytes"]), _seconds(e["seconds"]))
            for e in document["exports"]
        ],
    )
    output.events(document["events"])


def _seconds(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 2)
