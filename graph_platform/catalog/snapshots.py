"""Snapshots: rows in, records out, and the leases that keep two runs off the same one.

A snapshot's `attempt` counts its owners: whoever claims it or takes it over raises it, and every later write names the
attempt it was made by, so a late, fenced-off owner changes nothing. Its `export_round` counts how often its export
jobs were laid out anew: a retry after a failure begins a round of its own, since what failed left no files behind.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import Row, Select, and_, func, select

from graph_platform.catalog import export_jobs as jobs
from graph_platform.catalog import lease as leases
from graph_platform.catalog.ids import new_id
from graph_platform.catalog.lease import RELEASED, Claim
from graph_platform.catalog.mappings import get_version
from graph_platform.catalog.records import ExportJobRecord, SnapshotRecord
from graph_platform.catalog.selection import EVERY, Selection, newest, selected
from graph_platform.catalog.states import Entity, ExportJobStatus, InstanceStatus, SnapshotStatus
from graph_platform.catalog.tables import export_jobs, instances, mappings, snapshots
from graph_platform.catalog.transition import Session, create_named, transition
from graph_platform.catalog.use import hold_for_use
from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.lives import Lives
from graph_platform.progress import Attribution

_GONE = (SnapshotStatus.CANCELLED, SnapshotStatus.DELETING, SnapshotStatus.DELETED)


@dataclass(frozen=True)
class SnapshotRequest:
    """A snapshot to be made. `folder` is what comes before its id in storage."""

    mapping_id: str
    version: int
    name: str | None
    storage_url: str
    folder: str
    engine: str
    lives: Lives
    data_checks: str = "trusted"


def _query() -> Select[Any]:
    done = export_jobs.c.status == ExportJobStatus.COMPLETED
    totals = (
        select(
            func.count().label("definitions"),
            func.count().filter(done).label("exported"),
            func.coalesce(func.sum(export_jobs.c.rows).filter(done), 0).label("rows"),
            func.coalesce(func.sum(export_jobs.c.bytes).filter(done), 0).label("bytes"),
        )
        .where(export_jobs.c.snapshot_id == snapshots.c.id, export_jobs.c.export_round == snapshots.c.export_round)
        .lateral("totals")
    )
    return (
        select(snapshots, mappings.c.name.label("mapping"), *totals.c)
        .join(mappings, mappings.c.id == snapshots.c.mapping_id)
        .join(totals, totals.c.definitions >= 0)
    )


def _record(row: Row[Any]) -> SnapshotRecord:
    return SnapshotRecord(
        id=row.id,
        name=row.name,
        status=row.status,
        mapping_id=row.mapping_id,
        mapping=row.mapping,
        version=row.mapping_version,
        attempt=row.attempt,
        engine=row.engine,
        data_checks=row.data_checks,
        definitions=row.definitions,
        exported=row.exported,
        rows=int(row.rows),
        bytes=int(row.bytes),
        database_bytes=row.database_bytes,
        owner=row.owner,
        storage_url=row.storage_url,
        folder=row.folder,
        manifest_key=row.manifest_key,
        lease_owner=row.lease_owner,
        lease_expires_at=row.lease_expires_at,
        run_id=row.run_id,
        error=row.error,
        ttl=row.ttl,
        inactivity_timeout=row.inactivity_timeout,
        created_at=row.created_at,
        ready_at=row.ready_at,
        last_used_at=row.last_used_at,
        expires_at=row.life_ends_at,
        idle_ends_at=row.idle_ends_at,
    )


def list_snapshots(session: Session, selection: Selection = EVERY) -> list[SnapshotRecord]:
    """The snapshots that are not deleted, newest first, or what is selected of all."""
    of_mapping = [snapshots.c.mapping_id == selection.mapping] if selection.mapping else []
    ids = selected(snapshots, selection, SnapshotStatus.DELETED, *of_mapping)
    rows = session.execute(_query().where(snapshots.c.id.in_(ids)).order_by(*newest(snapshots)))
    return [_record(row) for row in rows]


def find_snapshot(session: Session, identifier: str) -> SnapshotRecord | None:
    """The snapshot with that id, whatever its state."""
    row = session.execute(_query().where(snapshots.c.id == identifier)).first()
    return _record(row) if row else None


def get_snapshot(session: Session, reference: str) -> SnapshotRecord:
    """A snapshot by its id, its name, or as the newest of `MAPPING[@VERSION]`; a ready one is preferred.

    Raises:
        PlatformError: RESOURCE_NOT_FOUND.
    """
    found = find_snapshot(session, reference)
    if found:
        return found
    best = (
        (snapshots.c.status == SnapshotStatus.READY).desc(),
        snapshots.c.created_at.desc(),
        snapshots.c.id,
    )
    living = snapshots.c.status.not_in(_GONE)
    named = find_named(session, reference)
    if named:
        return named
    try:
        mapping, version = get_version(session, reference)
    except PlatformError as error:
        raise PlatformError(
            ErrorCode.RESOURCE_NOT_FOUND,
            f"there is no snapshot {reference!r}, and no mapping of that name",
            "`graph-platform snapshot list` shows what there is",
        ) from error
    row = session.execute(
        _query()
        .where(snapshots.c.mapping_id == mapping.id, snapshots.c.mapping_version == version.version, living)
        .order_by(*best)
    ).first()
    if row is None:
        raise PlatformError(
            ErrorCode.RESOURCE_NOT_FOUND,
            f"mapping {mapping.name!r} has no snapshot of version {version.version}",
            f"make one with `graph-platform snapshot create {reference}`",
        )
    return _record(row)


def insert_snapshot(
    session: Session, request: SnapshotRequest, definitions: Sequence[jobs.ExportDefinition], *, by: Attribution
) -> str:
    """A pending snapshot with its export jobs, in the caller's transaction; returns its id.

    Raises:
        PlatformError: ALREADY_EXISTS if the name was taken a moment ago, for another mapping.
    """
    identifier = new_id("snap")
    create_named(
        session,
        Entity.SNAPSHOT,
        {
            "id": identifier,
            "mapping_id": request.mapping_id,
            "mapping_version": request.version,
            "name": request.name,
            "owner": by.user,
            "attempt": 1,
            "export_round": 1,
            "storage_url": request.storage_url,
            "folder": f"{request.folder}/{identifier}",
            "engine": request.engine,
            "data_checks": request.data_checks,
            "ttl": request.lives.ttl,
            "inactivity_timeout": request.lives.inactivity_timeout,
        },
        status=SnapshotStatus.PENDING,
        by=by,
        taken=PlatformError(
            ErrorCode.ALREADY_EXISTS, f"a snapshot {request.name!r} was made a moment ago", "choose another name"
        ),
    )
    jobs.insert_jobs(session, identifier, 1, definitions, by=by)
    return identifier


def find_unfinished(session: Session, mapping_id: str, version: int, name: str | None) -> SnapshotRecord | None:
    """The snapshot that a request for this version and name goes on with, locked: the living one of that name, or,
    without a name, one whose owner died. The lock makes two requests at once decide one after the other.

    Raises:
        PlatformError: ALREADY_EXISTS if the name is that of another version's snapshot.
    """
    if name is not None:
        this = [snapshots.c.name == name, snapshots.c.status.not_in(_GONE)]
    else:
        this = [
            snapshots.c.mapping_id == mapping_id,
            snapshots.c.mapping_version == version,
            snapshots.c.name.is_(None),
            snapshots.c.status.in_([SnapshotStatus.PENDING, SnapshotStatus.CREATING]),
        ]
    query = select(snapshots.c.id).where(*this).order_by(snapshots.c.created_at, snapshots.c.id).with_for_update()
    for identifier in session.scalars(query).all():
        record = find_snapshot(session, identifier)
        if record and name is not None:
            refuse_taken(record, mapping_id, version)
        if record and (name is not None or is_abandoned(session, record)):
            return record
    return None


def find_named(session: Session, name: str) -> SnapshotRecord | None:
    """The living snapshot of that name."""
    row = session.execute(_query().where(snapshots.c.name == name, snapshots.c.status.not_in(_GONE))).first()
    return _record(row) if row else None


def refuse_taken(named: SnapshotRecord, mapping_id: str, version: int) -> None:
    """Refuse a name for a snapshot of this version, if the one that has it is of another.

    Raises:
        PlatformError: ALREADY_EXISTS.
    """
    if (named.mapping_id, named.version) != (mapping_id, version):
        raise PlatformError(
            ErrorCode.ALREADY_EXISTS,
            f"snapshot {named.name!r} is of {named.mapping}@{named.version}, and its id is {named.id}",
            f"delete it with `graph-platform snapshot delete {named.name}`, or choose another name",
        )


def is_abandoned(session: Session, snapshot: SnapshotRecord) -> bool:
    """Whether nobody works on a pending or creating snapshot: its lease is over, or its owner is seen to be dead."""
    if snapshot.status == SnapshotStatus.PENDING:
        return True  # created and claimed in one transaction: who left it pending is gone
    return snapshot.status == SnapshotStatus.CREATING and leases.is_abandoned(session, Entity.SNAPSHOT, snapshot)


def retry_snapshot(
    session: Session,
    snapshot: SnapshotRecord,
    storage_url: str,
    definitions: Sequence[jobs.ExportDefinition],
    *,
    by: Attribution,
) -> None:
    """A failed snapshot is pending again, with a new round of export jobs into what is the storage by now."""
    moved = transition(
        session,
        Entity.SNAPSHOT,
        snapshots.c.id == snapshot.id,
        from_=[SnapshotStatus.FAILED],
        to=SnapshotStatus.PENDING,
        by=by,
        values={
            "attempt": snapshots.c.attempt + 1,
            "export_round": snapshots.c.export_round + 1,
            "storage_url": storage_url,
            "error": None,
            "database_bytes": None,
        },
        reason="tried again",
    )
    for row in moved:
        jobs.insert_jobs(session, snapshot.id, row.export_round, definitions, by=by)


def claim_snapshot(
    session: Session,
    identifier: str,
    owner: str,
    lease: timedelta,
    *,
    by: Attribution,
    data_checks: str | None = None,
) -> Claim:
    """Make `owner` the one who works on a pending or abandoned snapshot.

    The caller has locked the row and looked at it (`find_unfinished`, `insert_snapshot`).

    Args:
        data_checks: how the owner checked the data, which is what counts from now on; None for no change.
    """
    values = {"run_id": by.run_id, **({} if data_checks is None else {"data_checks": data_checks})}
    this = snapshots.c.id == identifier
    taken = leases.take(
        session,
        Entity.SNAPSHOT,
        this,
        owner,
        lease,
        from_=[SnapshotStatus.PENDING],
        to=SnapshotStatus.CREATING,
        by=by,
        values=values,
    )
    if taken is None:
        left = and_(this, snapshots.c.status == SnapshotStatus.CREATING)
        taken = leases.take_over(session, Entity.SNAPSHOT, left, owner, lease, by=by, values=values)
    if taken is None:
        raise ValueError(f"snapshot {identifier} is neither pending nor being made")
    return leases.claim_of(Entity.SNAPSHOT, taken)


def renew_snapshot(session: Session, claim: Claim, lease: timedelta) -> bool:
    """Hold the snapshot and its jobs for another lease; False if another attempt has it."""
    if not leases.renew(session, claim, lease):
        return False
    jobs.renew_jobs(session, claim, lease)
    return True


def finish_snapshot(
    session: Session,
    claim: Claim,
    *,
    to: SnapshotStatus,
    by: Attribution,
    values: Mapping[str, Any] | None = None,
    reason: str | None = None,
) -> bool:
    """End the attempt: ready, failed or cancelled. False if another attempt has the snapshot by now."""
    return leases.finish(
        session, claim, from_=[SnapshotStatus.CREATING], to=to, by=by, values=values or {}, reason=reason
    )


def begin_deletion(session: Session, snapshot: SnapshotRecord, *, by: Attribution) -> list[ExportJobRecord]:
    """A snapshot that no instance uses is being deleted; a second call goes on with the first.

    Returns:
        The jobs of a dead owner whose query may still run.

    Raises:
        PlatformError: RESOURCE_HAS_DEPENDENCIES with the instances, INVALID_STATE while it is being made.
    """
    session.execute(select(snapshots.c.id).where(snapshots.c.id == snapshot.id).with_for_update())
    users = session.scalars(
        select(instances.c.id)
        .where(instances.c.snapshot_id == snapshot.id, instances.c.status != InstanceStatus.TERMINATED)
        .order_by(instances.c.created_at)
    ).all()
    if users:
        raise PlatformError(
            ErrorCode.RESOURCE_HAS_DEPENDENCIES,
            f"snapshot {snapshot.id} is served by {len(users)} instance(s): {', '.join(users[:10])}",
            "end these first with `graph-platform instance terminate`",
            {"instances": list(users)},
        )
    left: list[ExportJobRecord] = []
    current = find_snapshot(session, snapshot.id)
    if current and is_abandoned(session, current):
        where_abandoned = and_(snapshots.c.id == snapshot.id, snapshots.c.attempt == current.attempt)
        transition(
            session,
            Entity.SNAPSHOT,
            where_abandoned,
            from_=[SnapshotStatus.PENDING, SnapshotStatus.CREATING],
            to=SnapshotStatus.CANCELLED,
            by=by,
            values={**RELEASED, "attempt": snapshots.c.attempt + 1},
            reason="nobody works on it, and it is to be deleted",
        )
        left = jobs.cancel_jobs(session, snapshot.id, by=by)
    moved = transition(
        session,
        Entity.SNAPSHOT,
        snapshots.c.id == snapshot.id,
        from_=[SnapshotStatus.READY, SnapshotStatus.FAILED, SnapshotStatus.CANCELLED],
        to=SnapshotStatus.DELETING,
        by=by,
    )
    if moved:
        return left
    status = session.scalar(select(snapshots.c.status).where(snapshots.c.id == snapshot.id))
    if status in (SnapshotStatus.DELETING, SnapshotStatus.DELETED):
        return left
    raise PlatformError(
        ErrorCode.INVALID_STATE,
        f"snapshot {snapshot.id} is being made by run {snapshot.run_id or 'of another process'}",
        "wait until it is done, or end that run first",
    )


def end_deletion(session: Session, identifier: str, *, by: Attribution) -> None:
    """The files are gone: so is the snapshot."""
    transition(
        session,
        Entity.SNAPSHOT,
        snapshots.c.id == identifier,
        from_=[SnapshotStatus.DELETING],
        to=SnapshotStatus.DELETED,
        by=by,
    )


def use_snapshot(session: Session, identifier: str) -> SnapshotRecord:
    """Stamp a use, and lock the row until the transaction ends: who launches from it keeps it from going.

    Raises:
        PlatformError: INVALID_STATE if it is not ready.
    """
    held = hold_for_use(session, Entity.SNAPSHOT, identifier)
    record = find_snapshot(session, identifier)
    if record is None or not held:
        status = record.status if record else "unknown"
        raise PlatformError(
            ErrorCode.INVALID_STATE,
            f"snapshot {identifier} is {status}, not ready",
            (record.error or {}).get("message")
            if record and record.error
            else "`graph-platform snapshot list` shows others",
        )
    return record
