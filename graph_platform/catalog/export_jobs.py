"""Export jobs: one row per definition of a snapshot, claimed with `FOR UPDATE SKIP LOCKED` and held by a lease.

Every write of a worker names the snapshot's attempt that it works for, and the job's own: what a fenced-off worker
still writes finds no row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, exists, func, select, update

from graph_platform.catalog.catalog import clock
from graph_platform.catalog.ids import new_id
from graph_platform.catalog.records import ExportJobRecord
from graph_platform.catalog.states import Entity, ExportJobStatus
from graph_platform.catalog.tables import export_jobs, snapshots
from graph_platform.catalog.transition import Session, create, note, transition
from graph_platform.progress import Attribution

_HELD = (ExportJobStatus.CLAIMED, ExportJobStatus.SUBMITTED)
_RELEASED: dict[str, Any] = {"lease_owner": None, "lease_expires_at": None}


@dataclass(frozen=True)
class ExportDefinition:
    """What a job exports: `kind` is `node` or `edge`, `name` its folder, `sql` the statement in Trino's dialect."""

    kind: str
    name: str
    sql: str


@dataclass(frozen=True)
class JobHolder:
    """Who works on a snapshot's jobs: the snapshot, the attempt that owns it, and the owner's name."""

    snapshot: str
    attempt: int
    owner: str


def _record(row: Row[Any]) -> ExportJobRecord:
    return ExportJobRecord(
        id=row.id,
        kind=row.kind,
        name=row.name,
        status=row.status,
        attempt=row.attempt,
        query_id=row.query_id,
        query_state=row.query_state,
        rows=row.rows,
        bytes=row.bytes,
        seconds=row.seconds,
        error=row.error,
        sql=row.sql,
    )


def insert_jobs(
    session: Session, snapshot: str, export_round: int, definitions: Sequence[ExportDefinition], *, by: Attribution
) -> None:
    """A round of jobs. Their attempts go on from earlier rounds, so that no two ever write to the same folder."""
    last = last_attempt(session, snapshot)
    for ordinal, definition in enumerate(definitions):
        create(
            session,
            Entity.EXPORT_JOB,
            {
                "id": new_id("exp"),
                "snapshot_id": snapshot,
                "export_round": export_round,
                "ordinal": ordinal,
                "kind": definition.kind,
                "name": definition.name,
                "sql": definition.sql,
                "attempt": last + 1,
            },
            status=ExportJobStatus.PENDING,
            by=by,
        )


def list_jobs(session: Session, snapshot: str) -> list[ExportJobRecord]:
    """The jobs of the snapshot's present round, in the mapping's order."""
    return [_record(row) for row in session.execute(_present(snapshot).order_by(export_jobs.c.ordinal))]


def ids_of_all_rounds(session: Session, snapshot: str) -> list[str]:
    """The id of every job that the snapshot ever had."""
    return list(session.scalars(select(export_jobs.c.id).where(export_jobs.c.snapshot_id == snapshot)))


def last_attempt(session: Session, snapshot: str) -> int:
    """The highest attempt of any job that the snapshot ever had; a new round begins above it."""
    return session.scalar(select(func.max(export_jobs.c.attempt)).where(export_jobs.c.snapshot_id == snapshot)) or 0


def _present(snapshot: str) -> Any:
    return (
        select(export_jobs)
        .join(
            snapshots,
            and_(snapshots.c.id == export_jobs.c.snapshot_id, snapshots.c.export_round == export_jobs.c.export_round),
        )
        .where(export_jobs.c.snapshot_id == snapshot)
    )


def _still_owned(holder: JobHolder) -> ColumnElement[bool]:
    held = snapshots.alias("held")  # an alias: inside `_present` the bare table would be taken for the outer one
    return exists(
        select(held.c.id).where(
            held.c.id == holder.snapshot,
            held.c.attempt == holder.attempt,
            held.c.lease_owner == holder.owner,
            held.c.export_round == export_jobs.c.export_round,
        )
    )


def _mine(holder: JobHolder, job: ExportJobRecord) -> ColumnElement[bool]:
    return and_(
        export_jobs.c.id == job.id,
        export_jobs.c.attempt == job.attempt,
        export_jobs.c.lease_owner == holder.owner,
        _still_owned(holder),
    )


def claim_next(session: Session, holder: JobHolder, lease: timedelta, *, by: Attribution) -> ExportJobRecord | None:
    """Take the next pending job, or None if there is none left."""
    candidate = session.scalar(
        select(export_jobs.c.id)
        .where(
            export_jobs.c.snapshot_id == holder.snapshot,
            export_jobs.c.status == ExportJobStatus.PENDING,
            _still_owned(holder),
        )
        .order_by(export_jobs.c.ordinal)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    if candidate is None:
        return None
    moved = transition(
        session,
        Entity.EXPORT_JOB,
        export_jobs.c.id == candidate,
        from_=[ExportJobStatus.PENDING],
        to=ExportJobStatus.CLAIMED,
        by=by,
        values={"lease_owner": holder.owner, "lease_expires_at": clock() + lease},
    )
    return _record(moved[0]) if moved else None


def submit_job(session: Session, holder: JobHolder, job: ExportJobRecord, query_id: str, *, by: Attribution) -> bool:
    """Note the query's id before the warehouse is asked; False if the job is not the holder's any more."""
    return _move(session, holder, job, ExportJobStatus.SUBMITTED, by, {"query_id": query_id})


def remember_query(session: Session, holder: JobHolder, job: ExportJobRecord, state: str) -> bool:
    """Keep what another process needs to go on with the query; False if the job is not the holder's any more."""
    kept = session.execute(
        update(export_jobs)
        .where(_mine(holder, job), export_jobs.c.status == ExportJobStatus.SUBMITTED)
        .values(query_state=state)
    )
    return kept.rowcount == 1


def complete_job(
    session: Session, holder: JobHolder, job: ExportJobRecord, *, rows: int, size: int, seconds: float, by: Attribution
) -> bool:
    """The files are there: rows, bytes and seconds. False if the job is not the holder's any more."""
    values = {"rows": rows, "bytes": size, "seconds": seconds, **_RELEASED}
    return _move(session, holder, job, ExportJobStatus.COMPLETED, by, values)


def fail_job(
    session: Session, holder: JobHolder, job: ExportJobRecord, error: dict[str, Any], *, by: Attribution
) -> bool:
    """The export failed for good. False if the job is not the holder's any more."""
    return _move(session, holder, job, ExportJobStatus.FAILED, by, {"error": error, **_RELEASED})


def release_job(session: Session, holder: JobHolder, job: ExportJobRecord, reason: str, *, by: Attribution) -> bool:
    """Back to pending with the next attempt: its query ended without a result. False if it is not the holder's."""
    values = {"attempt": export_jobs.c.attempt + 1, "query_id": None, "query_state": None, **_RELEASED}
    return _move(session, holder, job, ExportJobStatus.PENDING, by, values, reason)


def _move(
    session: Session,
    holder: JobHolder,
    job: ExportJobRecord,
    to: ExportJobStatus,
    by: Attribution,
    values: dict[str, Any],
    reason: str | None = None,
) -> bool:
    before = [ExportJobStatus.SUBMITTED] if to == ExportJobStatus.COMPLETED else list(_HELD)
    if to == ExportJobStatus.SUBMITTED:
        before = [ExportJobStatus.CLAIMED]
    moved = transition(
        session,
        Entity.EXPORT_JOB,
        _mine(holder, job),
        from_=before,
        to=to,
        by=by,
        values=values,
        reason=reason,
    )
    return bool(moved)


def left_behind(session: Session, holder: JobHolder) -> list[ExportJobRecord]:
    """The jobs that an earlier owner of the snapshot claimed or submitted and did not end."""
    query = _present(holder.snapshot).where(
        export_jobs.c.status.in_(_HELD), export_jobs.c.lease_owner != holder.owner, _still_owned(holder)
    )
    return [_record(row) for row in session.execute(query.order_by(export_jobs.c.ordinal))]


def reclaim_job(session: Session, holder: JobHolder, job: ExportJobRecord, *, by: Attribution) -> None:
    """A job that was left behind is pending again with the next attempt: the warehouse does not know its query."""
    transition(
        session,
        Entity.EXPORT_JOB,
        and_(export_jobs.c.id == job.id, export_jobs.c.attempt == job.attempt, _still_owned(holder)),
        from_=list(_HELD),
        to=ExportJobStatus.PENDING,
        by=by,
        values={"attempt": export_jobs.c.attempt + 1, "query_id": None, "query_state": None, **_RELEASED},
        reason="its owner is gone, and the warehouse does not know its query",
    )


def cancel_jobs(session: Session, snapshot: str, *, by: Attribution) -> list[ExportJobRecord]:
    """Everything that is not at its end is cancelled; the snapshot is.

    Returns:
        Those whose query may still run: where their owner is dead, nobody else ends it.
    """
    moved = transition(
        session,
        Entity.EXPORT_JOB,
        export_jobs.c.snapshot_id == snapshot,
        from_=[ExportJobStatus.PENDING, *_HELD],
        to=ExportJobStatus.CANCELLED,
        by=by,
        values=_RELEASED,
    )
    return [_record(row) for row in moved if row.query_state]


def take_over(
    session: Session, holder: JobHolder, job: ExportJobRecord, lease: timedelta, *, by: Attribution
) -> ExportJobRecord | None:
    """Go on with a submitted job of an earlier owner, in place: same attempt, same query, same folder."""
    taken = session.execute(
        update(export_jobs)
        .where(
            export_jobs.c.id == job.id,
            export_jobs.c.attempt == job.attempt,
            export_jobs.c.status == ExportJobStatus.SUBMITTED,
            _still_owned(holder),
        )
        .values(lease_owner=holder.owner, lease_expires_at=clock() + lease)
        .returning(*export_jobs.c)
    ).first()
    if taken is None:
        return None
    note(session, Entity.EXPORT_JOB, job.id, "taken over", by=by, details={"query_id": job.query_id})
    return _record(taken)
