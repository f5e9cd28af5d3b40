"""What the platform asks of the place where its servers and tasks run.

An adapter is done when it passes `graph_platform_tests/runtime/test_conformance.py` and `test_task_conformance.py`. It
touches only what carries its own installation id.

Both kinds have ids and attempts, by the same rules: an attempt that was started again changes nothing; a later one
ends the earlier; a `stop` closes it and every earlier one for good, whether or not anything ran.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

from graph_platform.runtime.spec import ServerSpec, TaskSpec
from graph_platform.runtime.tokens import Role, token_of


class Presence(StrEnum):
    """What the runtime sees of an instance. ALIVE is one whose server was not asked whether it is ready."""

    ABSENT = "absent"
    ALIVE = "alive"
    STARTING = "starting"
    READY = "ready"
    ENDED = "ended"


@dataclass(frozen=True)
class Observation:
    """One look at an instance. `phase` and `progress` (0 to 1) come from the server while it starts.

    `failure` is the document of a `PlatformError` once it ended on its own or failed to start; `last_activity` the
    server's own ISO 8601 time of the last query.
    """

    instance: str
    attempt: int
    presence: Presence
    phase: str | None = None
    progress: float | None = None
    failure: dict[str, object] | None = None
    last_activity: str | None = None


@dataclass(frozen=True)
class Connection:
    """How to reach an instance: base URL and the secret that its tokens are made of, which is in no `repr`.

    `inside` is where it is for whoever is at the place itself, if the URL is another one, which then is there only as
    long as this process.
    """

    url: str
    secret: str
    inside: str | None = None

    @property
    def token(self) -> str:
        """The bearer token of who only reads."""
        return self.token_of(Role.READER)

    def token_of(self, role: Role) -> str:
        """The bearer token of a role."""
        return token_of(self.secret, role)

    @property
    def address(self) -> str:
        """The URL that lasts as long as the instance's server."""
        return self.inside or self.url

    def __repr__(self) -> str:
        return f"Connection(url={self.url!r})"


class TaskPresence(StrEnum):
    """What the runtime sees of a task."""

    ABSENT = "absent"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True)
class TaskStep:
    """A step that a task told of: the phase, the thing in work or None, and how many of how many are done."""

    phase: str
    subject: str | None
    done: int
    of: int


@dataclass(frozen=True)
class TaskObservation:
    """One look at a task: all its steps so far, in order; its result once it is done; once it failed, the document of
    a `PlatformError`.
    """

    task: str
    attempt: int
    presence: TaskPresence
    steps: tuple[TaskStep, ...] = ()
    result: Mapping[str, Any] | None = None
    failure: dict[str, object] | None = None


class Servers(Protocol):
    """Servers of instances. Every method raises BACKEND_UNREACHABLE if the place does not answer, PERMISSION_DENIED
    for what is another installation's, and VALIDATION_FAILED for what is not an id.
    """

    def start(self, spec: ServerSpec) -> None:
        """Start the server and return at once. The same instance and attempt again changes nothing.

        Raises:
            PlatformError: INVALID_STATE for an attempt that is over: a later one is there, or `stop` has ended it,
                however long ago and whether or not anything ran then.
        """
        ...

    def observe(self, instance: str) -> Observation:
        """Look at one instance; ABSENT if there is none."""
        ...

    def changed(self, instance: str) -> threading.Event:
        """An event that the runtime sets when the instance may have changed since this call, if it notices: call it
        before a look, and wait for it, for a while at most, before the next one.
        """
        ...

    def connect(self, instance: str) -> Connection:
        """The way in.

        Raises:
            PlatformError: RESOURCE_NOT_FOUND if it is not there, INVALID_STATE if it does not listen yet.
        """
        ...

    def stop(self, instance: str, up_to_attempt: int, grace_seconds: float) -> None:
        """End the server of this attempt or an earlier one, and remove what it had on the runtime.

        A later attempt's server is left alone: whoever slept before a stop must not end what was started meanwhile.
        Absent already counts as ended, and from now on no start of these attempts succeeds. What `OwnFile` databases
        hold stays.
        """
        ...

    def list(self) -> Sequence[Observation]:
        """Every instance of this installation that the runtime has, without asking any server.

        Each is ALIVE or ENDED (with its failure), or STARTING or READY where the runtime knows that by itself.
        """
        ...


class Tasks(Protocol):
    """Programs that run once. Errors are those of `Servers`.

    A task outlives whoever started it, and ends at the latest at its time limit, whether or not anybody looks. What
    it told and made stays to be looked at until it is stopped.
    """

    def start(self, spec: TaskSpec) -> None:
        """Start the task and return at once; as `Servers.start` does."""
        ...

    def observe(self, task: str) -> TaskObservation:
        """Look at one task; ABSENT if there is none.

        Raises:
            PlatformError: what storage raises, where it is done and its result cannot be read now.
        """
        ...

    def changed(self, task: str) -> threading.Event:
        """As `Servers.changed`."""
        ...

    def stop(self, task: str, up_to_attempt: int) -> None:
        """End the task of this attempt or an earlier one at once; as `Servers.stop` does. Its result stays."""
        ...

    def list(self) -> Sequence[TaskObservation]:
        """Every task of this installation that the runtime has, without steps and results."""
        ...


class Runtime(Protocol):
    """A place where servers and tasks run. Ids of the two have nothing to do with each other."""

    @property
    def servers(self) -> Servers:
        """Its servers."""
        ...

    @property
    def tasks(self) -> Tasks:
        """Its tasks."""
        ...
