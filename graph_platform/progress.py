"""How an operation tells what it is doing, and who asked for it.

Operations know nothing of Dagster or terminals: they talk to a `Reporter`, and the caller decides where it shows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Attribution:
    """Who did it: written on what is created and in the audit. `run_id` is the Dagster run's, if there is one."""

    user: str
    run_id: str | None = None


@dataclass(frozen=True)
class DefinitionExported:
    """One definition of a snapshot is exported. `kind` is `nodes` or `edges`; size in bytes, time in seconds."""

    mapping: str
    kind: str
    name: str
    snapshot: str
    rows: int
    bytes: int
    seconds: float


class Reporter(Protocol):
    """Where progress goes."""

    def progress(self, message: str) -> None:
        """A line for a person who waits."""
        ...

    def exported(self, event: DefinitionExported) -> None:
        """A definition's export ended."""
        ...

    def touched(self, kind: str, identifier: str) -> None:
        """The operation works on this entity: `mapping`, `snapshot` or `instance`, and its name or id."""
        ...
