"""Servers as processes of this machine, on loopback, each with its folder below `HOME/instances`.

What a graph's databases hold outlives its server: it is below `HOME/graphs`.
"""

from __future__ import annotations

import builtins
import secrets
import threading
from collections.abc import Callable
from pathlib import Path

from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.polling import SYSTEM, Clock
from graph_platform.private import write_private
from graph_platform.runtime.asking import server_status
from graph_platform.runtime.local import files
from graph_platform.runtime.local.programs import Kind, Programs, storage_errors
from graph_platform.runtime.protocol import Connection, Observation, Presence
from graph_platform.runtime.spec import ServerSpec
from graph_platform.runtime.state import ENDPOINT, FAILURE, read_document

_ANY_PORT = "127.0.0.1:0"


class LocalServers:
    """`Servers` of this machine. See `Programs`."""

    def __init__(
        self, home: Path, installation: str, tell: Callable[[str], None] | None = None, clock: Clock = SYSTEM
    ) -> None:
        kind = Kind(
            noun="an instance",
            word="server",
            again="launch it again",
            spec=ServerSpec,
            doing=lambda spec: f"serving {spec.instance}",
            command=lambda folder, spec: _command(folder, home / "graphs" / spec.serves.id),
            prepare=_put_token,
        )
        self._programs = Programs(kind, home / "instances", installation, tell, clock)

    def start(self, spec: ServerSpec) -> None:
        """Start the server unless this attempt was started before. See `Programs.start`."""
        self._programs.start(spec.instance, spec)

    def stop(self, instance: str, up_to_attempt: int, grace_seconds: float) -> None:
        """End the server. See `Programs.stop`."""
        self._programs.stop(instance, up_to_attempt, grace_seconds)

    def observe(self, instance: str) -> Observation:
        """Look at the folder, at the lock, and ask the server."""
        found = self._programs.find(instance)
        if found is None:
            return Observation(instance, 0, Presence.ABSENT)
        with storage_errors(found[0]):
            return self._observation(*found)

    def connect(self, instance: str) -> Connection:
        """The server's URL and secret."""
        found = self._programs.find(instance, mine=True)
        if found is None:
            raise PlatformError(
                ErrorCode.RESOURCE_NOT_FOUND,
                f"{instance} is not on this machine",
                "ask it where it was launched; if it is nowhere, end it with `graph-platform instance terminate`",
            )
        folder, _ = found
        with storage_errors(folder):
            url = _url(folder)
            if url is None or (folder / FAILURE).exists() or not self._programs.lives(folder):
                raise PlatformError(ErrorCode.INVALID_STATE, f"{instance} does not listen", "look at its status")
            return Connection(url, _token(folder))

    def changed(self, instance: str) -> threading.Event:
        """Never set: nothing tells this process of another one's state."""
        return threading.Event()

    def list(self) -> builtins.list[Observation]:
        """Every instance of this installation; a folder without a readable spec is one that was not finished."""
        found = []
        for name, folder, spec in self._programs.all():
            if spec is None:
                found.append(Observation(name, 0, Presence.ENDED, failure=self._programs.never_started(name)))
            else:
                with storage_errors(folder):
                    found.append(self._observation(folder, spec, ask=False))
        return found

    def _observation(self, folder: Path, spec: ServerSpec, *, ask: bool = True) -> Observation:
        lives = self._programs.lives(folder)
        if not lives or (folder / FAILURE).exists():
            failure = self._programs.failure(folder, spec)
            return Observation(spec.instance, spec.attempt, Presence.ENDED, failure=failure)
        if not ask:
            return Observation(spec.instance, spec.attempt, Presence.ALIVE)
        url = _url(folder)
        if url is None:
            return Observation(spec.instance, spec.attempt, Presence.STARTING)
        status = server_status(url, _token(folder))
        if status is None:
            if self._programs.end_comes(folder):  # it has just ended
                return self._observation(folder, spec)
            return Observation(spec.instance, spec.attempt, Presence.READY, phase="unresponsive")
        phase = str(status["phase"])
        return Observation(
            spec.instance,
            spec.attempt,
            Presence.READY if phase == "ready" else Presence.STARTING,
            phase,
            float(status["progress"]),
            last_activity=status["last_activity"],
        )


def _command(folder: Path, data: Path) -> list[str]:
    return [
        *("graph_platform.server", "--spec", str(folder / files.SPEC), "--token-file", str(folder / files.TOKEN)),
        *("--bind", _ANY_PORT, "--work", str(folder), "--data", str(data), "--state", str(folder)),
    ]


def _put_token(folder: Path) -> None:
    if not (folder / files.TOKEN).exists():
        write_private(folder / files.TOKEN, secrets.token_urlsafe(32))


def _token(folder: Path) -> str:
    return (folder / files.TOKEN).read_text(encoding="ascii", errors="replace").strip()


def _url(folder: Path) -> str | None:
    """Where the server listens, None if it has not said it."""
    url = (read_document(folder / ENDPOINT) or {}).get("url")
    return url if isinstance(url, str) else None
