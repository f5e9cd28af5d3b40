"""One thing with all that is known of it."""

from __future__ import annotations

import click
from rich.text import Text

from graph_platform.cli import options
from graph_platform.cli.output import Output, instance_status, size
from graph_platform.mapping.document import write_mapping
from graph_platform.mapping.model import MappingDefinition
from graph_platform.platform import Platform


@click.command
@click.argument("mapping", metavar="NAME[@VERSION]")
@options.output
def show_mapping(mapping: str, output: Output) -> None:
    """Show a mapping: what it is, its versions, and the definition of one of them."""
    with Platform.open(tell=output.progress) as platform:
        document = platform.show_mapping(mapping)
    if output.as_json:
        output.document(document)
        return
    output.fields(
        document,
        ["name", "id", "status", "version", "owner", "description", "ttl", "inactivity_timeout", "last_used_at"],
    )
    output.table(
        ["version", "by", "at", "change"],
        [(v["version"], v["created_by"], v["created_at"][:16], v["change_description"]) for v in document["versions"]],
    )
    output.say(f"version {document['shown_version']}:", "bold")
    output.person.print(Text(write_mapping(MappingDefinition.model_validate(document["definition"]))))


@click.command
@click.argument("snapshot", metavar="SNAPSHOT")
@options.output
def show_snapshot(snapshot: str, output: Output) -> None:
    """Show a snapshot by its id, its name, or as the newest of MAPPING[@VERSION]."""
    with Platform.open(tell=output.progress) as platform:
        document = platform.show_snapshot(snapshot)
    if output.as_json:
        output.document(document)
        return
    output.fields(
        {**document, "mapping": f"{document['mapping']}@{document['version']}"},
        ["id", "name", "status", "mapping", "attempt", "engine", "owner", "storage_url", "folder", "created_at"],
    )
    _show_failure(document, output)
    output.table(
        ["kind", "definition", "status", "rows", "size", "seconds"],
        [
            (e["kind"], e["name"], e["status"], e["rows"], size(e["bytes"]), _seconds(e["seconds"]))
            for e in document["exports"]
        ],
    )
    _show_events(document, output)


@click.command
@click.argument("instance", metavar="INSTANCE")
@options.output
def show_instance(instance: str, output: Output) -> None:
    """Show an instance by its id or name, and what its server says right now."""
    with Platform.open(tell=output.progress) as platform:
        document = platform.show_instance(instance)
    if output.as_json:
        output.document(document)
        return
    output.fields(
        {
            **document,
            "mapping": f"{document['mapping']}@{document['version']}",
            "status": instance_status(document["status"], document["expired"]),
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
            "expires_at",
            "expired_at",
        ],
    )
    observed = document["observed"]
    if observed:
        output.fields({"server": observed["presence"], "phase": observed["phase"]}, ["server", "phase"])
    _show_failure(document, output)
    _show_events(document, output)


def _show_failure(document: dict[str, object], output: Output) -> None:
    error = document.get("error")
    if isinstance(error, dict):
        output.failure(error)


def _show_events(document: dict[str, object], output: Output) -> None:
    events = document["events"]
    if isinstance(events, list):
        output.table(
            ["at", "what", "from", "to", "by", "why"],
            [(e["at"][:19], e["action"], e["from_status"], e["to_status"], e["actor"], e["reason"]) for e in events],
        )


def _seconds(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 2)
