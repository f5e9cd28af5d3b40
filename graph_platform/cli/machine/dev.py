"""The Dagster UI and daemon on this home's catalog, and how `down` finds and ends them again."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import sys
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import click
import psutil

from graph_platform.catalog.catalog import Catalog
from graph_platform.catalog.limits import Work
from graph_platform.cli import options
from graph_platform.cli.output import Output
from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.orchestration.home import MODULE, prepare
from graph_platform.polling import SYSTEM, Clock, Pauses, wait_until
from graph_platform.processes.lock import file_lock
from graph_platform.settings import Settings

_MARK = "_GRAPH_PLATFORM_DEV"  # in the environment of everything that this `dev` starts, however deep
_HOST = "127.0.0.1"
_GRACE_SECONDS = 15.0
_LOCK_SECONDS = 10.0


@dataclass(frozen=True)
class DevRecord:
    """The `dev` of a home: its process, the mark of its descendants, its port."""

    pid: int
    create_time: float
    mark: str
    port: int


@click.command
@click.option("--port", type=click.IntRange(1, 65535), default=3000, show_default=True, help="Port of the UI.")
@options.output
def dev(port: int, output: Output) -> None:
    """Run the Dagster UI and daemon on this catalog until Ctrl-C, or `graph-platform down`."""
    settings = Settings.load()
    _check_alone(settings)
    _check_port(port)
    with closing(Catalog.open(settings, tell=output.progress)) as catalog, catalog.transaction(Work.READING):
        pass  # its version is one that this code can use
    environment = {**os.environ, **prepare(settings), _MARK: uuid4().hex, "DAGSTER_WEBSERVER_NO_TELEMETRY": "1"}
    record = DevRecord(os.getpid(), psutil.Process().create_time(), environment[_MARK], port)
    with file_lock(settings.home / "dev.lock", "starting the UI", _LOCK_SECONDS, output.progress):
        _check_alone(settings)  # another may have come in between
        _check_port(port)
        _record_path(settings).write_text(json.dumps(record.__dict__), encoding="utf-8")
    if output.as_json:
        output.document({"status": "starting", "url": f"http://{_HOST}:{port}", "pid": record.pid})
    else:
        output.say(f"Dagster UI: http://{_HOST}:{port}   (Ctrl-C or `graph-platform down` ends it)", "bold")
    sys.stdout.flush()
    # A shell starts background commands with interrupts ignored, and Dagster would then ignore SIGTERM as well.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    # Becoming Dagster instead of starting it: Ctrl-C, exit status and terminal are its own.
    command = [sys.executable, "-m", "dagster", "dev", "-m", MODULE, "-h", _HOST, "-p", str(port)]
    os.execve(sys.executable, command, environment)  # noqa: S606


def _check_alone(settings: Settings) -> None:
    running = find_dev(settings)
    if running:
        raise PlatformError(
            ErrorCode.ALREADY_EXISTS,
            f"the UI of {settings.home} runs already, at http://{_HOST}:{running.port} (process {running.pid})",
            "open it, or end it with `graph-platform down`",
        )


def find_dev(settings: Settings) -> DevRecord | None:
    """The `dev` of this home, if it runs. A pid alone is not believed: its start time must fit."""
    try:
        record = DevRecord(**json.loads(_record_path(settings).read_text(encoding="utf-8")))
        alive = abs(psutil.Process(record.pid).create_time() - record.create_time) < 1
    except (FileNotFoundError, ValueError, TypeError, psutil.Error):
        return None
    return record if alive else None


def end_dev(settings: Settings) -> list[int]:
    """End this home's `dev` and everything it started; returns the processes that were ended.

    First as Ctrl-C does, so that the webserver and the daemon leave in order, then whatever still bears its mark: code
    servers and runs outlive a parent that was killed.
    """
    try:
        record = DevRecord(**json.loads(_record_path(settings).read_text(encoding="utf-8")))
    except (FileNotFoundError, ValueError, TypeError):
        return []
    ended: list[int] = []
    if find_dev(settings):
        ended.append(record.pid)
        os.kill(record.pid, signal.SIGINT)
        _wait([psutil.Process(record.pid)])
    leftovers = _marked(record.mark)
    for process in leftovers:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.terminate()
    for process in _wait(leftovers):
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    _record_path(settings).unlink(missing_ok=True)
    return ended + [process.pid for process in leftovers]


def _marked(mark: str) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            # The database server may have been started from within, and is not `dev`'s to end.
            if process.environ().get(_MARK) == mark and not process.name().startswith("postgres"):
                found.append(process)
    return found


def _wait(processes: list[psutil.Process], clock: Clock = SYSTEM) -> list[psutil.Process]:
    """Until they have ended, or for `_GRACE_SECONDS`; those that live on."""
    wait_until(
        lambda: not any(map(_alive, processes)), within_seconds=_GRACE_SECONDS, pauses=Pauses(0.05, 0.05), clock=clock
    )
    return [process for process in processes if _alive(process)]


def _alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _record_path(settings: Settings) -> Path:
    return settings.home / "dev.json"


def _check_port(port: int) -> None:
    if free_port(port):
        return
    other = next((candidate for candidate in range(port + 1, min(port + 50, 65535)) if free_port(candidate)), None)
    raise PlatformError(
        ErrorCode.BACKEND_UNREACHABLE,
        f"port {port} is in use by another program",
        f"graph-platform dev --port {other}" if other else "choose another with --port",
    )


def free_port(port: int) -> bool:
    """Whether a server could listen there, on loopback."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_HOST, port))
        except OSError:
            return False
    return True
