"""What the platform asks of the place where instances run.

An adapter is done when it passes `graph_platform_tests/runtime/test_conformance.py`. An adapter touches only what
carries its own installation id.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from graph_platform.runtime.spec import ServerSpec


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
    """How to reach an instance: base URL and bearer token. The token is in no `repr`."""

    url: str
    token: str

    def __repr__(self) -> str:
        return f"Connection(url={self.url!r})"


class Runtime(Protocol):
    """A place where instances run. Every method raises BACKEND_UNREACHABLE if the place does not answer."""

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

    def connect(self, instance: str) -> Connection:
        """The way in.

        Raises:
            PlatformError: RESOURCE_NOT_FOUND if it is not there, INVALID_STATE if it does not listen yet.
        """
        ...

    def stop(self, instance: str, up_to_attempt: int, grace_seconds: float) -> None:
        """End the server of this attempt or an earlier one, and remove what it had on the runtime.

        A later attempt's server is left alone: whoever slept before a stop must not end what was started meanwhile.
        Absent already counts as ended, and from now on no start of these attempts succeeds.
        """
        ...

    def list(self) -> Sequence[Observation]:
        """Every instance of this installation that the runtime has, without asking any server.

        Each is ALIVE or ENDED (with its failure), or STARTING or READY where the runtime knows that by itself.
        """
        ...
