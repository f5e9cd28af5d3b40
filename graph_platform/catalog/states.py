"""The state machines, written down once: each entity's table of allowed transitions.

The migration copies these rows into the database, where a trigger keeps the same rule against everybody else. A change
here needs a migration that brings the rows along; a test compares the two.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from types import MappingProxyType

CREATION = ""
"""The 'status' before a row exists: transitions from it say in which states an entity may be born."""


class Entity(StrEnum):
    """What has a state. The value is written in the audit; the table is its plural."""

    MAPPING = "mapping"
    SNAPSHOT = "snapshot"
    EXPORT_JOB = "export_job"
    INSTANCE = "instance"


class MappingStatus(StrEnum):
    """States of a mapping; its versions never change."""

    ACTIVE = "active"
    DELETING = "deleting"
    DELETED = "deleted"


class SnapshotStatus(StrEnum):
    """States of a snapshot."""

    PENDING = "pending"
    CREATING = "creating"
    READY = "ready"
    FAILED = "failed"
    CANCELLED = "cancelled"
    DELETING = "deleting"
    DELETED = "deleted"


class ExportJobStatus(StrEnum):
    """States of the export of one definition."""

    PENDING = "pending"
    CLAIMED = "claimed"
    SUBMITTED = "submitted"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class InstanceStatus(StrEnum):
    """States of an instance."""

    WAITING_FOR_SNAPSHOT = "waiting_for_snapshot"
    STARTING = "starting"
    RUNNING = "running"
    SUSPENDING = "suspending"
    SUSPENDED = "suspended"
    RESUMING = "resuming"
    FAILED = "failed"
    STOPPING = "stopping"
    TERMINATED = "terminated"


def _pairs(table: dict[str, Iterable[str]]) -> frozenset[tuple[str, str]]:
    return frozenset((before, after) for before, afters in table.items() for after in afters)


_LIVING_INSTANCE = ("waiting_for_snapshot", "starting", "running", "suspending", "suspended", "resuming")

TRANSITIONS = MappingProxyType(
    {
        Entity.MAPPING: _pairs({CREATION: ["active"], "active": ["deleting"], "deleting": ["deleted"]}),
        Entity.SNAPSHOT: _pairs(
            {
                CREATION: ["pending"],
                "pending": ["creating", "cancelled"],
                "creating": ["ready", "failed", "cancelled"],
                "failed": ["pending", "deleting"],
                "ready": ["deleting"],
                "cancelled": ["deleting"],
                "deleting": ["deleted"],
            }
        ),
        Entity.EXPORT_JOB: _pairs(
            {
                CREATION: ["pending"],
                "pending": ["claimed", "cancelled"],
                "claimed": ["submitted", "pending", "failed", "cancelled"],
                "submitted": ["completed", "failed", "cancelled", "pending"],
                "failed": ["pending"],
            }
        ),
        Entity.INSTANCE: _pairs(
            {
                CREATION: ["waiting_for_snapshot", "starting"],
                "waiting_for_snapshot": ["starting"],
                "starting": ["running"],
                "running": ["suspending"],
                "suspending": ["suspended"],
                "suspended": ["resuming"],
                "resuming": ["running"],
                "failed": ["stopping"],
                "stopping": ["terminated"],
            }
        )
        | frozenset((before, after) for before in _LIVING_INSTANCE for after in ("failed", "stopping")),
    }
)
"""The allowed (before, after) pairs of each entity."""

FINAL = MappingProxyType(
    {
        entity: frozenset({after for _, after in pairs if not any(before == after for before, _ in pairs)})
        for entity, pairs in TRANSITIONS.items()
    }
)
"""The states that nothing leaves."""
