"""The tables of the schema `graph_platform`, as SQLAlchemy Core sees them.

The migrations create them (triggers and all); here is only what queries need. Core and not the ORM: every change of
status is one compare-and-set statement, and a list must start fast.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Double,
    FetchedValue,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Integer,
    Interval,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
)
from sqlalchemy.dialects.postgresql import JSONB

from graph_platform.catalog.intervals import Lasting
from graph_platform.catalog.states import Entity

SCHEMA = "graph_platform"

metadata = MetaData(schema=SCHEMA)

_MOMENT = DateTime(timezone=True)


def _deadlines() -> tuple[Column[datetime], Column[datetime]]:
    """When a life and an idleness end. Postgres fills them, from the columns that they depend on, and nobody else can.

    NULL where nothing ends: no TTL, not ready yet, or in a state in which it can't be used, and so not be idle.
    """
    return Column("life_ends_at", _MOMENT, FetchedValue()), Column("idle_ends_at", _MOMENT, FetchedValue())


installation = Table(
    "installation",
    metadata,
    Column("id", Text, primary_key=True),
    Column("created_at", _MOMENT, nullable=False),
    Column("clock_offset", Interval, nullable=False),
)

mappings = Table(
    "mappings",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("owner", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("current_version", Integer, nullable=False),
    Column("ttl", Lasting),
    Column("inactivity_timeout", Lasting),
    Column("created_at", _MOMENT, nullable=False),
    Column("updated_at", _MOMENT, nullable=False),
    Column("last_used_at", _MOMENT, nullable=False),
    *_deadlines(),
)

mapping_versions = Table(
    "mapping_versions",
    metadata,
    Column("mapping_id", Text, ForeignKey("graph_platform.mappings.id"), nullable=False),
    Column("version", Integer, nullable=False),
    Column("definition", JSONB, nullable=False),
    Column("columns", JSONB, nullable=False),
    Column("change_description", Text, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("created_at", _MOMENT, nullable=False),
    PrimaryKeyConstraint("mapping_id", "version"),
)

snapshots = Table(
    "snapshots",
    metadata,
    Column("id", Text, primary_key=True),
    Column("mapping_id", Text, nullable=False),
    Column("mapping_version", Integer, nullable=False),
    Column("name", Text),
    Column("owner", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("export_round", Integer, nullable=False),
    Column("storage_url", Text, nullable=False),
    Column("folder", Text, nullable=False),
    Column("manifest_key", Text),
    Column("database_bytes", BigInteger),
    Column("engine", Text, nullable=False),
    Column("data_checks", Text, nullable=False),
    Column("lease_owner", Text),
    Column("lease_expires_at", _MOMENT),
    Column("run_id", Text),
    Column("error", JSONB),
    Column("ttl", Lasting),
    Column("inactivity_timeout", Lasting),
    Column("created_at", _MOMENT, nullable=False),
    Column("ready_at", _MOMENT),
    Column("last_used_at", _MOMENT, nullable=False),
    *_deadlines(),
    ForeignKeyConstraint(
        ["mapping_id", "mapping_version"],
        ["graph_platform.mapping_versions.mapping_id", "graph_platform.mapping_versions.version"],
    ),
)

export_jobs = Table(
    "export_jobs",
    metadata,
    Column("id", Text, primary_key=True),
    Column("snapshot_id", Text, ForeignKey("graph_platform.snapshots.id"), nullable=False),
    Column("export_round", Integer, nullable=False),
    Column("ordinal", Integer, nullable=False),
    Column("kind", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("sql", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("query_id", Text),
    Column("query_state", Text),
    Column("lease_owner", Text),
    Column("lease_expires_at", _MOMENT),
    Column("rows", BigInteger),
    Column("bytes", BigInteger),
    Column("seconds", Double),
    Column("error", JSONB),
)

instances = Table(
    "instances",
    metadata,
    Column("id", Text, primary_key=True),
    Column("snapshot_id", Text, ForeignKey("graph_platform.snapshots.id"), nullable=False),
    Column("name", Text),
    Column("owner", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("engine", Text, nullable=False),
    Column("runtime", Text, nullable=False),
    Column("url", Text),
    Column("lease_owner", Text),
    Column("lease_expires_at", _MOMENT),
    Column("run_id", Text),
    Column("error", JSONB),
    Column("ttl", Lasting),
    Column("inactivity_timeout", Lasting),
    Column("created_at", _MOMENT, nullable=False),
    Column("started_at", _MOMENT),
    Column("extended", Interval, nullable=False),
    Column("last_activity_at", _MOMENT, nullable=False),
    *_deadlines(),
)

status_transitions = Table(
    "status_transitions",
    metadata,
    Column("entity", Text, nullable=False),
    Column("from_status", Text, nullable=False),
    Column("to_status", Text, nullable=False),
    PrimaryKeyConstraint("entity", "from_status", "to_status"),
)

audit_events = Table(
    "audit_events",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("at", _MOMENT, nullable=False),
    Column("entity", Text, nullable=False),
    Column("entity_id", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("from_status", Text),
    Column("to_status", Text),
    Column("revision", Integer),
    Column("attempt", Integer),
    Column("actor", Text, nullable=False),
    Column("run_id", Text),
    Column("reason", Text),
    Column("details", JSONB),
)

ENTITY_TABLES = {
    Entity.MAPPING: mappings,
    Entity.SNAPSHOT: snapshots,
    Entity.EXPORT_JOB: export_jobs,
    Entity.INSTANCE: instances,
}
