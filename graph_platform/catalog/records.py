"""Entities as their readers see them: frozen, and JSON-ready through `document()`."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, is_dataclass
from datetime import datetime
from typing import Any

from graph_platform.durations import Duration


def _ready(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Duration):
        return str(value)
    if isinstance(value, Record):
        return value.document()
    if isinstance(value, tuple):
        return [_ready(item) for item in value]
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    return value


@dataclass(frozen=True)
class Record:
    """What every record can do. Its JSON Schema is made from its fields, and no others are in its document."""

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012  a name that Pydantic looks for

    def document(self) -> dict[str, Any]:
        """The record as JSON-ready data: moments and durations in ISO 8601."""
        return {f.name: _ready(getattr(self, f.name)) for f in fields(self)}


@dataclass(frozen=True)
class VersionLine(Record):
    """A version of a mapping in a list: who made it, when, and why."""

    version: int
    change_description: str
    created_by: str
    created_at: datetime


@dataclass(frozen=True)
class MappingVersion(VersionLine):
    """One immutable version of a mapping; `definition` is the document that the user wrote, normalised.

    `columns` is what the warehouse gave when it was kept: per definition `kind`, `name` and `columns`, each of these
    with `name`, `warehouse_type` and `engine_type`.
    """

    definition: dict[str, Any]
    columns: list[dict[str, Any]]


@dataclass(frozen=True)
class MappingRecord(Record):
    """A mapping with its current version. `expires_at` is when its life ends, `idle_ends_at` when it ends if it is not
    used again.
    """

    id: str
    name: str
    status: str
    version: int
    description: str
    nodes: int
    edges: int
    owner: str
    ttl: Duration | None
    inactivity_timeout: Duration | None
    created_at: datetime
    updated_at: datetime
    last_used_at: datetime
    expires_at: datetime | None
    idle_ends_at: datetime | None


@dataclass(frozen=True)
class SnapshotRecord(Record):
    """A snapshot; rows and bytes are those of its completed exports, added up. Its life begins when it is ready."""

    id: str
    name: str | None
    status: str
    mapping_id: str
    mapping: str
    version: int
    attempt: int
    engine: str
    data_checks: str
    definitions: int
    exported: int
    rows: int
    bytes: int
    database_bytes: int | None
    owner: str
    storage_url: str
    folder: str
    manifest_key: str | None
    lease_owner: str | None
    lease_expires_at: datetime | None
    run_id: str | None
    error: dict[str, Any] | None
    ttl: Duration | None
    inactivity_timeout: Duration | None
    created_at: datetime
    ready_at: datetime | None
    last_used_at: datetime
    expires_at: datetime | None
    idle_ends_at: datetime | None


@dataclass(frozen=True)
class ExportJobRecord(Record):
    """The export of one definition; time in seconds."""

    id: str
    kind: str
    name: str
    status: str
    attempt: int
    query_id: str | None
    query_state: str | None
    rows: int | None
    bytes: int | None
    seconds: float | None
    error: dict[str, Any] | None
    sql: str


@dataclass(frozen=True)
class InstanceRecord(Record):
    """An instance. `expires_at` is when its life ends, `idle_ends_at` when it ends if it is not used again, None unless
    it runs; `expired_at` is when either ended, None while neither has.

    While it starts, `lease_owner` is who starts it; `abandoned` says that nobody does so any more.
    """

    id: str
    name: str | None
    status: str
    snapshot_id: str
    mapping: str
    version: int
    attempt: int
    engine: str
    runtime: str
    url: str | None
    owner: str
    lease_owner: str | None
    lease_expires_at: datetime | None
    abandoned: bool
    run_id: str | None
    error: dict[str, Any] | None
    ttl: Duration | None
    inactivity_timeout: Duration | None
    created_at: datetime
    started_at: datetime | None
    expires_at: datetime | None
    last_activity_at: datetime
    idle_ends_at: datetime | None
    expired: bool
    expired_at: datetime | None


@dataclass(frozen=True)
class AuditEvent(Record):
    """A line of the audit."""

    at: datetime
    entity: str
    entity_id: str
    action: str
    from_status: str | None
    to_status: str | None
    attempt: int | None
    actor: str
    run_id: str | None
    reason: str | None
    details: dict[str, Any] | None
