"""Export jobs: one row per definition of a snapshot, each leased by whoever works on the snapshot.

Every write of a worker names the claim on the snapshot that it works for, and the job's own attempt: what a fenced-off
worker still writes finds no row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, exists, func, select, update

from graph_platform.catalog import lease as leases
from graph_platform.catalog.ids import new_id
from graph_platform.catalog.lease import RELEASED, Claim
from graph_platform.catalog.records import ExportJobRecord
from graph_platform.catalog.states import Entity, ExportJobStatus
from graph_platform.catalog.tables import export_jobs, snapshots
from graph_platform.catalog.transition import Session, create, transition
from graph_platform.progress import Attribution

_HELD = (ExportJobStatus.CLAIMED, ExportJobStatus.SUBMITTED)


@dataclass(frozen=True)
class ExportDefinition:
    """What a job exports: `kind` is `node` or `edge`, `name` its folder, `sql` the statement in Trino's dialect."""

    kind: str
    name: str
    sql: str


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


def _still_owned(holder: Claim) -> ColumnElement[bool]:
    held = snapshots.alias("held")  # an alias: inside `_present` the bare table would be taken for the outer one
    return exists(select(held.c.id).where(leases.held(holder, held), held.c.export_round == export_jobs.c.export_round))


def _mine(holder: Claim, job: ExportJobRecord) -> ColumnElement[bool]:
    return and_(leases.held(Claim(Entity.EXPORT_JOB, job.id, job.attempt, holder.owner)), _still_owned(holder))


def claim_next(session: Session, holder: Claim, lease: timedelta, *, by: Attribution) -> ExportJobRecord | None:
    """Take the next pending job, or None if there is none left."""
    taken = leases.take_next(
        session,
        Entity.EXPORT_JOB,
        and_(export_jobs.c.snapshot_id == holder.id, _still_owned(holder)),
        holder.owner,
        lease,
        order=export_jobs.c.ordinal,
        from_=[ExportJobStatus.PENDING],
        to=ExportJobStatus.CLAIMED,
        by=by,
    )
    return _record(taken) if taken else None


def submit_job(session: Session, holder: Claim, job: ExportJobRecord, query_id: str, *, by: Attribution) -> bool:
    """Note the query's id before the warehouse is asked; False if the job is not the holder's any more."""
    return _move(session, holder, job, ExportJobStatus.SUBMITTED, by, {"query_id": query_id})


def remember_query(session: Session, holder: Claim, job: ExportJobRecord, state: str) -> bool:
    """Keep what another process needs to go on with the query; False if the job is not the holder's any more."""
    kept = session.execute(
        update(export_jobs)
        .where(_mine(holder, job), export_jobs.c.status == ExportJobStatus.SUBMITTED)
        .values(query_state=state)
    )
    return kept.rowcount == 1


def complete_job(
    session: Session, holder: Claim, job: ExportJobRecord, *, rows: int, size: int, seconds: float, by: Attribution
) -> bool:
    """The files are there: rows, bytes and seconds. False if the job is not the holder's any more."""
    values = {"rows": rows, "bytes": size, "seconds": seconds, **RELEASED}
    return _move(session, holder, job, ExportJobStatus.COMPLETED, by, values)


def fail_job(session: Session, holder: Claim, job: ExportJobRecord, error: dict[str, Any], *, by: Attribution) -> bool:
    """The export failed for good. False if the job is not the holder's any more."""
    return _move(session, holder, job, ExportJobStatus.FAILED, by, {"error": error, **RELEASED})


def release_job(session: Session, holder: Claim, job: ExportJobRecord, reason: str, *, by: Attribution) -> bool:
    """Back to pending with the next attempt: its query ended without a result. False if it is not the holder's."""
    values = {"attempt": export_jobs.c.attempt + 1, "query_id": None, "query_state": None, **RELEASED}
    return _move(session, holder, job, ExportJobStatus.PENDING, by, values, reason)


def _move(
    session: Session,
    holder: Claim,
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


def left_behind(session: Session, holder: Claim) -> list[ExportJobRecord]:
    """The jobs that an earlier owner of the snapshot claimed or submitted and did not end."""
    query = _present(holder.id).where(
        export_jobs.c.status.in_(_HELD), export_jobs.c.lease_owner != holder.owner, _still_owned(holder)
    )
    return [_record(row) for row in session.execute(query.order_by(export_jobs.c.ordinal))]


def reclaim_job(session: Session, holder: Claim, job: ExportJobRecord, *, by: Attribution) -> None:
    """A job that was left behind is pending again with the next attempt: the warehouse does not know its query."""
    transition(
        session,
        Entity.EXPORT_JOB,
        and_(export_jobs.c.id == job.id, export_jobs.c.attempt == job.attempt, _still_owned(holder)),
        from_=list(_HELD),
        to=ExportJobStatus.PENDING,
        by=by,
        values={"attempt": export_jobs.c.attempt + 1, "query_id": None, "query_state": None, **RELEASED},
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
        values=RELEASED,
    )
    return [_record(row) for row in moved if row.query_state]


def take_over(
    session: Session, holder: Claim, job: ExportJobRecord, lease: timedelta, *, by: Attribution
) -> ExportJobRecord | None:
    """Go on with a submitted job of an earlier owner, in place: same attempt, same query, same folder."""
    taken = leases.take_over(
        session,
        Entity.EXPORT_JOB,
        and_(
            export_jobs.c.id == job.id,
            export_jobs.c.attempt == job.attempt,
            export_jobs.c.status == ExportJobStatus.SUBMITTED,
            _still_owned(holder),
        ),
        holder.owner,
        lease,
        by=by,
        in_place=True,
    )
    return _record(taken) if taken else None


def renew_jobs(session: Session, holder: Claim, lease: timedelta) -> None:
    """Hold the jobs that the holder works on for another lease."""
    leases.renew_all(session, Entity.EXPORT_JOB, export_jobs.c.snapshot_id == holder.id, holder.owner, lease)
