"""Instances: rows in, records out, the limits on how many there may be, and who starts one.

A start is leased: whoever launches or resumes an instance owns its row until the server answers, and an abandoned start
is gone on with under the next attempt. An end is not: whoever finds it half done does the rest of it, and two that do
so at once do no harm, since each stop names the attempt that it is for.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta
from types import MappingProxyType
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Row,
    Select,
    and_,
    case,
    func,
    select,
    text,
    update,
)

from graph_platform.catalog import lease as leases
from graph_platform.catalog.catalog import clock
from graph_platform.catalog.ids import new_id
from graph_platform.catalog.intervals import after, interval
from graph_platform.catalog.lease import RELEASED, Claim
from graph_platform.catalog.records import InstanceRecord, SnapshotRecord
from graph_platform.catalog.selection import EVERY, Selection, newest, selected
from graph_platform.catalog.states import Entity, InstanceStatus
from graph_platform.catalog.tables import instances, mappings, snapshots
from graph_platform.catalog.transition import Session, create_named, note, transition
from graph_platform.catalog.use import server_time
from graph_platform.durations import Duration
from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.lives import Lives
from graph_platform.processes.owner import known_dead
from graph_platform.progress import Attribution

_LIMIT_LOCK = 0x67706C69  # serialises the births of instances, so that counting and inserting are one act
_NOT_COUNTED = (InstanceStatus.FAILED, InstanceStatus.TERMINATED, InstanceStatus.SUSPENDED)
_NAME_FREE = (InstanceStatus.FAILED, InstanceStatus.STOPPING, InstanceStatus.TERMINATED)
_STARTING = (InstanceStatus.STARTING, InstanceStatus.RESUMING)
_NO_ACTIVITY: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True)
class InstanceRequest:
    """An instance to be launched from a ready snapshot."""

    name: str | None
    runtime: str
    lives: Lives
    max_instances: int
    max_instances_per_user: int


def _query(activity: Mapping[str, str] = _NO_ACTIVITY) -> Select[Any]:
    idle_ends_at = _idle_ends_at(activity)
    over_at = func.least(instances.c.life_ends_at, idle_ends_at)
    expired_at = case((and_(instances.c.status.not_in(_NAME_FREE), over_at <= clock()), over_at))
    return (
        select(
            *(column for column in instances.c if column.name not in ("last_activity_at", "idle_ends_at")),
            _last_activity(activity).label("last_activity_at"),
            idle_ends_at.label("idle_ends_at"),
            expired_at.label("expired_at"),
            (instances.c.lease_expires_at < clock()).label("lease_over"),
            mappings.c.name.label("mapping"),
            snapshots.c.mapping_version.label("version"),
        )
        .join(snapshots, snapshots.c.id == instances.c.snapshot_id)
        .join(mappings, mappings.c.id == snapshots.c.mapping_id)
    )


def _record(row: Row[Any]) -> InstanceRecord:
    return InstanceRecord(
        id=row.id,
        name=row.name,
        status=row.status,
        snapshot_id=row.snapshot_id,
        mapping=row.mapping,
        version=row.version,
        attempt=row.attempt,
        engine=row.engine,
        runtime=row.runtime,
        url=row.url,
        owner=row.owner,
        lease_owner=row.lease_owner,
        lease_expires_at=row.lease_expires_at,
        abandoned=row.status in _STARTING
        and (row.lease_owner is None or row.lease_over or known_dead(row.lease_owner)),
        run_id=row.run_id,
        error=row.error,
        ttl=row.ttl,
        inactivity_timeout=row.inactivity_timeout,
        created_at=row.created_at,
        started_at=row.started_at,
        expires_at=row.life_ends_at,
        last_activity_at=row.last_activity_at,
        idle_ends_at=row.idle_ends_at,
        expired=row.expired_at is not None,
        expired_at=row.expired_at,
    )


def _last_activity(activity: Mapping[str, str]) -> ColumnElement[Any]:
    if not activity:
        return instances.c.last_activity_at
    seen = case(*((instances.c.id == identifier, server_time(text)) for identifier, text in activity.items()))
    return func.greatest(instances.c.last_activity_at, seen)


def _idle_ends_at(activity: Mapping[str, str]) -> ColumnElement[Any]:
    """The column, which knows only of the use that is written."""
    if not activity:
        return instances.c.idle_ends_at
    used = after(_last_activity(activity), instances.c.inactivity_timeout)
    return case((instances.c.idle_ends_at.is_not(None), used))


def list_instances(
    session: Session, activity: Mapping[str, str] = _NO_ACTIVITY, selection: Selection = EVERY
) -> list[InstanceRecord]:
    """The instances that are not terminated, newest first, or what is selected of all.

    Args:
        activity: by id, servers' own ISO 8601 times of their last queries, which count beside what the catalog knows.
    """
    of_mapping = select(snapshots.c.id).where(snapshots.c.mapping_id == selection.mapping)
    also = [instances.c.snapshot_id.in_(of_mapping)] if selection.mapping else []
    ids = selected(instances, selection, InstanceStatus.TERMINATED, *also)
    rows = session.execute(_query(activity).where(instances.c.id.in_(ids)).order_by(*newest(instances)))
    return [_record(row) for row in rows]


def find_instance(session: Session, reference: str) -> InstanceRecord | None:
    """The instance with that id, else the living one of that name, else the newest that bore it."""
    row = session.execute(_query().where(instances.c.id == reference)).first()
    if row is None:
        row = session.execute(
            _query()
            .where(instances.c.name == reference)
            .order_by(
                instances.c.status.not_in(_NAME_FREE).desc(),
                (instances.c.status != InstanceStatus.TERMINATED).desc(),
                instances.c.created_at.desc(),
            )
        ).first()
    return _record(row) if row else None


def get_instance(session: Session, reference: str) -> InstanceRecord:
    """Like `find_instance`.

    Raises:
        PlatformError: RESOURCE_NOT_FOUND.
    """
    record = find_instance(session, reference)
    if record is None:
        raise PlatformError(
            ErrorCode.RESOURCE_NOT_FOUND,
            f"there is no instance {reference!r}",
            "`graph-platform instance list` shows what there is",
        )
    return record


def find_named(session: Session, name: str) -> InstanceRecord | None:
    """The living instance of that name, locked."""
    identifier = session.scalar(
        select(instances.c.id).where(instances.c.name == name, instances.c.status.not_in(_NAME_FREE)).with_for_update()
    )
    return find_instance(session, identifier) if identifier else None


def lock_births(session: Session) -> None:
    """Until the transaction ends, nobody else makes an instance: looking for one and making it are then one act."""
    session.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LIMIT_LOCK})


def insert_instance(
    session: Session,
    snapshot: SnapshotRecord,
    request: InstanceRequest,
    owner: str,
    lease: timedelta,
    *,
    by: Attribution,
) -> InstanceRecord:
    """An instance that `owner` starts, inside the limits. Births are locked from here on.

    Raises:
        PlatformError: CONCURRENCY_LIMIT_EXCEEDED, or ALREADY_EXISTS if the name was taken a moment ago.
    """
    _check_limits(session, request, by.user)
    identifier = new_id("inst")
    create_named(
        session,
        Entity.INSTANCE,
        {
            "id": identifier,
            "snapshot_id": snapshot.id,
            "name": request.name,
            "owner": by.user,
            "attempt": 1,
            "engine": snapshot.engine,
            "runtime": request.runtime,
            "run_id": by.run_id,
            **leases.terms(owner, lease),
            "ttl": request.lives.ttl,
            "inactivity_timeout": request.lives.inactivity_timeout,
        },
        status=InstanceStatus.STARTING,
        by=by,
        taken=PlatformError(
            ErrorCode.ALREADY_EXISTS, f"an instance {request.name!r} is just being launched", "try again"
        ),
    )
    return get_instance(session, identifier)


def _check_limits(session: Session, request: InstanceRequest, user: str) -> None:
    lock_births(session)
    counted = instances.c.status.not_in(_NOT_COUNTED)
    row = session.execute(
        select(func.count().label("all"), func.count().filter(instances.c.owner == user).label("own")).where(counted)
    ).one()
    for count, limit, whose in (
        (row.own, request.max_instances_per_user, f"of {user}"),
        (row.all, request.max_instances, "of this installation"),
    ):
        if count >= limit:
            raise PlatformError(
                ErrorCode.CONCURRENCY_LIMIT_EXCEEDED,
                f"{count} instances {whose} run already, and {limit} may",
                "end one with `graph-platform instance terminate`, or have the limit raised "
                "(GRAPH_PLATFORM_MAX_INSTANCES, GRAPH_PLATFORM_MAX_INSTANCES_PER_USER)",
            )


def take_over_start(
    session: Session, instance: InstanceRecord, owner: str, lease: timedelta, *, by: Attribution
) -> InstanceRecord:
    """Go on with a start that nobody works on any more, under the next attempt.

    Returns:
        The row as it is now: in the hands of `owner`, or as somebody else has it.
    """
    left = and_(leases.abandoned(Entity.INSTANCE, instance), instances.c.status.in_(_STARTING))
    leases.take_over(session, Entity.INSTANCE, left, owner, lease, by=by, values={"run_id": by.run_id})
    return get_instance(session, instance.id)


def mark_running(session: Session, claim: Claim, url: str, *, by: Attribution) -> bool:
    """The server answers. False if the start is in other hands, or over."""
    return leases.finish(
        session,
        claim,
        from_=_STARTING,
        to=InstanceStatus.RUNNING,
        by=by,
        values={"url": url, "started_at": clock(), "last_activity_at": clock(), "error": None},
    )


def mark_failed(
    session: Session,
    instance: InstanceRecord,
    error: Mapping[str, Any],
    *,
    from_: Collection[InstanceStatus],
    by: Attribution,
) -> bool:
    """The server did not start, or ended on its own. False if the attempt is over for another reason."""
    moved = transition(
        session,
        Entity.INSTANCE,
        _attempt_of(instance),
        from_=from_,
        to=InstanceStatus.FAILED,
        by=by,
        values={**RELEASED, "error": dict(error), "url": None},
        reason=error.get("message"),
    )
    return bool(moved)


def begin_suspension(session: Session, instance: InstanceRecord, *, by: Attribution) -> InstanceRecord:
    """A running instance is being suspended; a second call goes on with the first.

    Returns:
        The row as it is now, with the attempt whose server is to be ended.

    Raises:
        PlatformError: INVALID_STATE.
    """
    transition(
        session,
        Entity.INSTANCE,
        instances.c.id == instance.id,
        from_=[InstanceStatus.RUNNING],
        to=InstanceStatus.SUSPENDING,
        by=by,
        values={"url": None},
    )
    return _expect(session, instance, [InstanceStatus.SUSPENDING, InstanceStatus.SUSPENDED], "suspended")


def end_suspension(session: Session, instance: InstanceRecord, *, by: Attribution) -> bool:
    """The attempt's server is gone. False if the row has moved on."""
    moved = transition(
        session,
        Entity.INSTANCE,
        _attempt_of(instance),
        from_=[InstanceStatus.SUSPENDING],
        to=InstanceStatus.SUSPENDED,
        by=by,
    )
    return bool(moved)


def begin_resumption(
    session: Session, instance: InstanceRecord, owner: str, lease: timedelta, *, by: Attribution
) -> InstanceRecord:
    """A suspended instance is being resumed by `owner` under the next attempt, and so is one whose start nobody works
    on any more; a running one is returned as it is, and one that somebody else starts.

    Raises:
        PlatformError: INVALID_STATE, also if somebody has resumed and suspended it since `instance` was read.
    """
    taken = leases.take(
        session,
        Entity.INSTANCE,
        _attempt_of(instance),
        owner,
        lease,
        from_=[InstanceStatus.SUSPENDED],
        to=InstanceStatus.RESUMING,
        by=by,
        values={"attempt": instances.c.attempt + 1, "run_id": by.run_id},
    )
    if taken is None and instance.abandoned:
        take_over_start(session, instance, owner, lease, by=by)
    return _expect(session, instance, [*_STARTING, InstanceStatus.RUNNING], "resumed")


def begin_termination(session: Session, instance: InstanceRecord, *, by: Attribution, reason: str) -> InstanceRecord:
    """Whatever it was doing, it is being ended; a second call goes on with the first.

    Returns:
        The row as it is now, with the last attempt that it will have.
    """
    transition(
        session,
        Entity.INSTANCE,
        instances.c.id == instance.id,
        from_=[
            InstanceStatus.WAITING_FOR_SNAPSHOT,
            InstanceStatus.STARTING,
            InstanceStatus.RUNNING,
            InstanceStatus.SUSPENDING,
            InstanceStatus.SUSPENDED,
            InstanceStatus.RESUMING,
            InstanceStatus.FAILED,
        ],
        to=InstanceStatus.STOPPING,
        by=by,
        values={**RELEASED, "url": None},
        reason=reason,
    )
    return get_instance(session, instance.id)


def end_termination(session: Session, instance: InstanceRecord, *, by: Attribution) -> bool:
    """The runtime has nothing of it any more. False if somebody else was first."""
    moved = transition(
        session,
        Entity.INSTANCE,
        _attempt_of(instance),
        from_=[InstanceStatus.STOPPING],
        to=InstanceStatus.TERMINATED,
        by=by,
    )
    return bool(moved)


def extend_instance(
    session: Session,
    instance: InstanceRecord,
    by_duration: Duration,
    ceiling: Duration,
    reason: str,
    *,
    by: Attribution,
) -> InstanceRecord:
    """Move the deadline; never further than `ceiling` from now. It counts as use.

    Raises:
        PlatformError: INVALID_STATE for an instance that is at its end.
    """
    ends_at = func.least(
        after(func.greatest(instances.c.life_ends_at, clock()), interval(by_duration)),
        after(clock(), interval(ceiling)),
    )
    extended = session.execute(
        update(instances)
        .where(
            instances.c.id == instance.id,
            instances.c.status.not_in([InstanceStatus.FAILED, InstanceStatus.STOPPING, InstanceStatus.TERMINATED]),
        )
        .values(
            extended=instances.c.extended + (ends_at - instances.c.life_ends_at),
            last_activity_at=clock(),
        )
        .returning(instances.c.life_ends_at)
    ).first()
    if extended is None:
        raise PlatformError(
            ErrorCode.INVALID_STATE,
            f"instance {instance.id} is {instance.status}: it can't be extended",
            (instance.error or {}).get("hint"),
        )
    note(
        session,
        Entity.INSTANCE,
        instance.id,
        "extended",
        by=by,
        details={"expires_at": extended.life_ends_at.isoformat(), "reason": reason},
        reason=reason,
    )
    return get_instance(session, instance.id)


def _attempt_of(instance: InstanceRecord) -> ColumnElement[bool]:
    """The row, as long as it is at the attempt that `instance` was read with: what slept since then changes nothing."""
    return and_(instances.c.id == instance.id, instances.c.attempt == instance.attempt)


def _expect(session: Session, instance: InstanceRecord, states: list[InstanceStatus], verb: str) -> InstanceRecord:
    current = get_instance(session, instance.id)
    if current.status in states:
        return current
    if current.attempt != instance.attempt:
        raise PlatformError(
            ErrorCode.INVALID_STATE,
            f"instance {current.id} became {current.status} under attempt {current.attempt} while attempt "
            f"{instance.attempt} was to be {verb}",
            "somebody else was at work on it; do it again if it is still wanted",
        )
    hint = (current.error or {}).get("hint")
    if current.abandoned:
        hint = f"the run that started it is gone: `graph-platform instance resume {current.id}` goes on with it"
    raise PlatformError(ErrorCode.INVALID_STATE, f"instance {current.id} is {current.status}: it can't be {verb}", hint)
