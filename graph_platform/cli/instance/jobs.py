"""Commands that run a job on an instance."""

from __future__ import annotations

from typing import Any

import click

from graph_platform.cli import options
from graph_platform.cli.output import Output, instance_status
from graph_platform.cli.runs import run_job
from graph_platform.instance.requests import (
    ExtendInstance,
    LaunchInstance,
    ResumeInstance,
    SuspendInstance,
    TerminateInstance,
)

_INSTANCE = click.argument("instance", metavar="INSTANCE")


@click.command
@click.argument("snapshot", metavar="SNAPSHOT")
@click.option("--name", metavar="NAME", help="A name for the instance: the same name again is the same instance.")
@options.lives
@options.wait
@options.output
def launch(
    snapshot: str, name: str | None, ttl: str | None, inactivity_timeout: str | None, wait: bool, output: Output
) -> None:
    """Serve a snapshot: by its id, its name, or MAPPING[@VERSION] for its newest one."""
    request = LaunchInstance(snapshot=snapshot, name=name, ttl=ttl, inactivity_timeout=inactivity_timeout)
    _show(run_job(request, output, wait=wait), output)


@click.command
@_INSTANCE
@click.argument("duration", metavar="DURATION")
@click.option("--reason", required=True, metavar="TEXT", help="Why, for the audit.")
@options.wait
@options.output
def extend(instance: str, duration: str, reason: str, wait: bool, output: Output) -> None:
    """Let an instance live longer by DURATION (e.g. 4h, 90m or 7d, or ISO 8601), within the installation's ceiling."""
    request = ExtendInstance(instance=instance, duration=duration, reason=reason)
    _show(run_job(request, output, wait=wait), output)


@click.command
@_INSTANCE
@options.wait
@options.output
def suspend(instance: str, wait: bool, output: Output) -> None:
    """End an instance's server and keep the instance: it can be resumed."""
    _show(run_job(SuspendInstance(instance=instance), output, wait=wait), output)


@click.command
@_INSTANCE
@options.wait
@options.output
def resume(instance: str, wait: bool, output: Output) -> None:
    """Start the server of a suspended instance again, and wait until it answers."""
    _show(run_job(ResumeInstance(instance=instance), output, wait=wait), output)


@click.command
@_INSTANCE
@options.wait
@options.output
def terminate(instance: str, wait: bool, output: Output) -> None:
    """End an instance and its server for good. Its snapshot stays."""
    _show(run_job(TerminateInstance(instance=instance), output, wait=wait), output)


def _show(document: dict[str, Any], output: Output) -> None:
    if output.as_json:
        output.document(document)
        return
    shown = {**document, "status": instance_status(document.get("status", ""), expired=document.get("expired") is True)}
    output.fields(shown, ["id", "name", "status", "mapping", "version", "snapshot_id", "url", "expires_at", "run_url"])
