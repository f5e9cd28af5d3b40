"""What may be asked for about instances."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field

from graph_platform.requests import INACTIVITY, TTL, Request


class LaunchInstance(Request):
    """Serve a snapshot as a graph database, and wait until it answers."""

    job: ClassVar[str] = "launch_instance"

    snapshot: str = Field(
        description="The snapshot to serve: its id or name, or a mapping as NAME or NAME@VERSION for its newest one."
    )
    name: str | None = Field(
        default=None, description="A name for the instance. It makes the launch repeatable: same name, same instance."
    )
    ttl: str | None = Field(default=None, description=TTL)
    inactivity_timeout: str | None = Field(default=None, description=INACTIVITY)

    def about(self) -> dict[str, str]:
        return {"snapshot": self.snapshot, **({"instance": self.name} if self.name else {})}

    def excludes(self) -> str | None:
        return f"instance:{self.name}" if self.name else None


class _OfInstance(Request):
    """A request about an instance that is there."""

    instance: str = Field(description="Id or name of the instance.")

    def about(self) -> dict[str, str]:
        return {"instance": self.instance}


class SuspendInstance(_OfInstance):
    """End an instance's server and keep the instance, to be resumed."""

    job: ClassVar[str] = "suspend_instance"

    def excludes(self) -> str:
        return f"instance:{self.instance}"


class ResumeInstance(_OfInstance):
    """Start the server of a suspended instance again, and wait until it answers."""

    job: ClassVar[str] = "resume_instance"

    def excludes(self) -> str:
        return f"instance:{self.instance}"


class ExtendInstance(_OfInstance):
    """Let an instance live longer, within the installation's ceiling."""

    job: ClassVar[str] = "extend_instance"

    duration: str = Field(description="By how much its life is longer, 4h, 90m or 7d, or in ISO 8601 PT4H.")
    reason: str = Field(description="Why, for the audit.")


class TerminateInstance(_OfInstance):
    """End an instance and its server for good. Its snapshot stays."""

    job: ClassVar[str] = "terminate_instance"


class QueryInstance(Request):
    """A question to an instance. No job: it changes nothing, and its answer is the asker's alone."""

    instance: str
    cypher: str
    parameters: dict[str, Any] = Field(default_factory=dict)
    timeout_seconds: float | None = None
    row_limit: int | None = None
