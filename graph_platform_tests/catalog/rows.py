"""Rows in any state, for tests of the catalog."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import text

from graph_platform.catalog import export_jobs, instances, mappings, snapshots
from graph_platform.catalog.catalog import Catalog, clock
from graph_platform.catalog.export_jobs import ExportDefinition
from graph_platform.catalog.records import InstanceRecord, MappingRecord, SnapshotRecord
from graph_platform.catalog.snapshots import SnapshotRequest
from graph_platform.catalog.states import Entity, SnapshotStatus
from graph_platform.catalog.transition import Session
from graph_platform.durations import Duration
from graph_platform.lives import Lives
from graph_platform.progress import Attribution

BY = Attribution("tester", "run-1")
LEASE = timedelta(seconds=60)
LIVES = Lives(Duration(days=7), Duration(days=1))
DEFINITION = {"description": "", "node_definitions": [{"label": "A"}], "edge_definitions": []}


def a_mapping(session: Session, name: str = "flights") -> MappingRecord:
    return mappings.insert_mapping(session, {"name": name, **DEFINITION}, lives=Lives(None, Duration(days=1)), by=BY)


def a_request(mapping: MappingRecord, name: str | None = None) -> SnapshotRequest:
    return SnapshotRequest(mapping.id, mapping.version, name, "file:///x", "owner", "ladybug", LIVES)


def a_pending_snapshot(session: Session, mapping: MappingRecord, *, jobs: int = 2, name: str | None = None) -> str:
    definitions = [ExportDefinition("node", f"N{number}", "SELECT 1") for number in range(jobs)]
    return snapshots.insert_snapshot(session, a_request(mapping, name), definitions, by=BY)


def a_ready_snapshot(session: Session, mapping: MappingRecord) -> SnapshotRecord:
    identifier = a_pending_snapshot(session, mapping, jobs=0)
    claim = snapshots.claim_snapshot(session, identifier, "owner", LEASE, by=BY)
    values = {"manifest_key": "k", "ready_at": clock()}
    assert snapshots.finish_snapshot(session, claim, to=SnapshotStatus.READY, by=BY, values=values)
    return snapshots.get_snapshot(session, identifier)


def an_instance_request(
    name: str | None = None, *, everybody: int = 100, one_user: int = 100
) -> instances.InstanceRequest:
    return instances.InstanceRequest(name, "local:", LIVES, everybody, one_user)


def a_starting_instance(
    session: Session, snapshot: SnapshotRecord, request: instances.InstanceRequest | None = None, owner: str = "owner"
) -> InstanceRecord:
    return instances.insert_instance(session, snapshot, request or an_instance_request(), owner, LEASE, by=BY)


def values_for(entity: Entity, status: str) -> dict[str, Any]:
    """The columns that the database demands of a row in that state."""
    held = {"lease_owner": "owner", "lease_expires_at": clock() + LEASE}
    free = {"lease_owner": None, "lease_expires_at": None}
    if entity == Entity.SNAPSHOT:
        ready = {"manifest_key": "k", "ready_at": clock()} if status == "ready" else {}
        return {**(held if status == "creating" else free), **ready}
    if entity == Entity.EXPORT_JOB:
        done = {"rows": 1, "bytes": 1} if status == "completed" else {}
        return {**(held if status in ("claimed", "submitted") else free), "query_id": "q", **done}
    if entity == Entity.INSTANCE:
        running = {"url": "http://127.0.0.1:1", "started_at": clock()} if status == "running" else {}
        return {**(held if status in ("starting", "resuming") else free), **running}
    return {}


def pass_time(catalog: Catalog, seconds: float) -> None:
    """Move the one clock."""
    with catalog.transaction() as session:
        session.execute(
            text("UPDATE graph_platform.installation SET clock_offset = clock_offset + make_interval(secs => :s)"),
            {"s": seconds},
        )


def rows_of_every_entity(session: Session, mapping: MappingRecord) -> list[tuple[Entity, str]]:
    """A mapping, a snapshot with two export jobs, and an instance, each just born."""
    snapshot = a_pending_snapshot(session, mapping)
    ready = a_ready_snapshot(session, mapping)
    instance = a_starting_instance(session, ready)
    jobs = export_jobs.list_jobs(session, snapshot)
    return [
        (Entity.MAPPING, mapping.id),
        (Entity.SNAPSHOT, snapshot),
        *[(Entity.EXPORT_JOB, job.id) for job in jobs],
        (Entity.INSTANCE, instance.id),
    ]
