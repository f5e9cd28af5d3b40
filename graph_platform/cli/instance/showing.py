"""One instance with all that is known of it, and what its server says right now."""

from __future__ import annotations

import click

from graph_platform.cli import options
from graph_platform.cli.output import Output, instance_status
from graph_platform.platform import Platform


@click.command
@click.argument("instance", metavar="INSTANCE")
@options.output
def show_instance(instance: str, output: Output) -> None:
    """Show an instance by its id or name, and what its server says right now."""
    with Platform.open(tell=output.progress) as platform:
        document = platform.instances.show(instance).document()
    if output.as_json:
        output.document(document)
        return
    output.fields(
        {
            **document,
            "mapping": f"{document['mapping']}@{document['version']}",
            "status": instance_status(document["status"], expired=document["expired"], abandoned=document["abandoned"]),
        },
        [
            "id",
            "name",
            "status",
            "mapping",
            "snapshot_id",
            "url",
            "engine",
            "runtime",
            "owner",
            "started_at",
            "last_activity_at",
            "ttl",
            "inactivity_timeout",
            "expires_at",
            "idle_ends_at",
            "expired_at",
        ],
    )
    observed = document["observed"]
    if observed:
        output.fields({"server": observed["presence"], "phase": observed["phase"]}, ["server", "phase"])
    if document["error"]:
        output.failure(document["error"])
    output.events(document["events"])
