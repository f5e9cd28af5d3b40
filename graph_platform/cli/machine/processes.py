"""Starting and ending what the platform runs on this machine: the embedded Postgres, `dev`, instances, tasks."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import click

from graph_platform.catalog.catalog import Catalog
from graph_platform.catalog.embedded import EmbeddedPostgres
from graph_platform.catalog.states import InstanceStatus
from graph_platform.cli import options
from graph_platform.cli.machine.dev import end_dev
from graph_platform.cli.output import Output
from graph_platform.errors import PlatformError
from graph_platform.instance.requests import SuspendInstance, TerminateInstance
from graph_platform.orchestration.home import prepare
from graph_platform.platform import Platform
from graph_platform.progress import Attribution, DefinitionExported
from graph_platform.runtime.protocol import Presence, TaskPresence
from graph_platform.settings import Settings, redacted

_EMBEDDED = "embedded:"
_NOT_YET_RUNNING = (InstanceStatus.STARTING, InstanceStatus.RESUMING, InstanceStatus.STOPPING)


class _Narrator:
    """A `Reporter` for what happens outside a Dagster run."""

    def __init__(self, output: Output) -> None:
        self._output = output

    def progress(self, message: str) -> None:
        self._output.progress(message)

    def exported(self, event: DefinitionExported) -> None:
        self._output.progress(f"{event.name}: {event.rows:,} rows")

    def touched(self, kind: str, identifier: str) -> None:
        pass


@click.command
@options.output
def up(output: Output) -> None:
    """Start the embedded Postgres if it is the catalog, and see that the catalog can be used.

    The embedded catalog is brought up to date; one on a server of your own, only by `graph-platform catalog migrate`.
    """
    settings = Settings.load()
    prepare(settings)
    with closing(Catalog.open(settings, tell=output.progress)) as catalog:
        installation = catalog.installation
    document: dict[str, Any] = {
        "status": "up",
        "installation": installation,
        "home": str(settings.home),
        "catalog": redacted(settings, "catalog"),
    }
    if settings.catalog == _EMBEDDED:
        server = EmbeddedPostgres(settings.home).status()
        document |= {"postgres_pid": server.pid, "postgres_log": str(server.log)}
    if output.as_json:
        output.document(document)
    else:
        output.fields(document, list(document))


@click.command
@options.output
def down(output: Output) -> int:
    """End every process that this home has started, and only those: the UI, local instances and tasks, Postgres.

    Nothing is lost. A running instance is suspended, and the next launch under its name resumes it. One that was not
    running yet is ended for good.
    """
    settings = Settings.load()
    ended: list[dict[str, Any]] = []
    problems: list[dict[str, Any]] = []
    for pid in end_dev(settings):
        ended.append({"what": "dev", "id": pid})
        output.progress(f"ended process {pid} of the UI")
    server = EmbeddedPostgres(settings.home, tell=output.progress)
    if settings.catalog != _EMBEDDED or server.data.exists():
        try:
            for identifier in _end_instances(settings, output, problems):
                ended.append({"what": "instance", "id": identifier})
            for identifier in _end_tasks(settings, output):
                ended.append({"what": "task", "id": identifier})
        except PlatformError as error:
            problems.append(error.document())
    if settings.catalog == _EMBEDDED and server.stop():
        ended.append({"what": "postgres", "id": None})
        output.progress("ended Postgres")
    if output.as_json:
        output.document({"status": "down" if not problems else "partial", "ended": ended, "problems": problems})
    else:
        for problem in problems:
            output.say(f"not every instance could be ended: {problem['message']}", "red")
        output.say(f"{len(ended)} ended; everything is down." if ended else "Nothing was running.")
    return 1 if problems else 0


def _end_instances(settings: Settings, output: Output, problems: list[dict[str, Any]]) -> list[str]:
    """Suspend what runs, then stop whatever else of this installation the local runtime still has."""
    ended: list[str] = []
    if not settings.runtime.startswith("local:"):
        return ended
    narrator, by = _Narrator(output), Attribution(settings.user)
    with Platform.open(settings, tell=output.progress) as platform:
        living = {instance.id: instance for instance in platform.instances.list()}
        for instance in living.values():
            if instance.status == InstanceStatus.RUNNING:
                try:
                    platform.instances.suspend(SuspendInstance(instance=instance.id), by, narrator)
                except PlatformError as error:  # one that cannot be ended is no reason to leave the others
                    problems.append(error.document())
                    continue
                output.progress(f"suspended instance {instance.name or instance.id}")
                ended.append(instance.id)
        for seen in platform.runtime.servers.list():
            status = living[seen.instance].status if seen.instance in living else None
            if seen.presence == Presence.ENDED or status == InstanceStatus.RUNNING:
                continue
            if status in _NOT_YET_RUNNING:  # with its row, else the next launch would go on with what is over
                platform.instances.terminate(TerminateInstance(instance=seen.instance), by, narrator)
            elif status in (InstanceStatus.SUSPENDING, InstanceStatus.SUSPENDED):
                platform.instances.suspend(SuspendInstance(instance=seen.instance), by, narrator)
            else:
                platform.runtime.servers.stop(seen.instance, seen.attempt, settings.instance_stop_seconds)
            output.progress(f"ended instance {seen.instance}")
            ended.append(seen.instance)
    return ended


def _end_tasks(settings: Settings, output: Output) -> list[str]:
    """End the tasks of the local runtime, which outlive a run that was killed, and clear up after those that ended."""
    ended: list[str] = []
    if not settings.runtime.startswith("local:"):
        return ended
    with Platform.open(settings, tell=output.progress) as platform:
        for seen in platform.runtime.tasks.list():
            platform.runtime.tasks.stop(seen.task, seen.attempt)
            if seen.presence is TaskPresence.RUNNING:
                output.progress(f"ended task {seen.task}")
                ended.append(seen.task)
    return ended
