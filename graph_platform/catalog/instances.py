"""Instances: rows in, records out, and the limits on how many there may be."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import Row, Select, and_, func, literal, select, text, update
from sqlalchemy.exc import IntegrityError

from graph_platform.catalog.catalog import clock
from graph_platform.catalog.ids import new_id
from graph_platform.catalog.records import InstanceRecord, SnapshotRecord
from graph_platform.catalog.states import Entity, InstanceStatus
from graph_platform.catalog.tables import instances, mappings, snapshots
from graph_platform.catalog.transition import Session, create, note, transition
from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.progress import Attribution

_LIMIT_LOCK = 0x67706C69  # serialises the births of instances, so that counting and inserting are one act
_NOT_COUNTED = (InstanceStatus.FAILED, InstanceStatus.TERMINATED, InstanceStatus.SUSPENDED)
_NAME_FREE = (InstanceStatus.FAILED, InstanceStatus.STOPPING, InstanceStatus.TERMINATED)


@dataclass(frozen=True)
class InstanceRequest:
    """An instance to be launched from a ready snapshot."""

    name: str | None
    runtime: str
    ttl: timedelta
    inactivity_timeout: timedelta
    max_instances: int
    max_instances_per_user: int


def _query() -> Select[Any]:
    return (
        select(instances, mappings.c.name.label("mapping"), snapshots.c.mapping_version.label("version"))
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
        run_id=row.run_id,
        error=row.error,
        ttl=row.ttl,
        inactivity_timeout=row.inactivity_timeout,
        created_at=row.created_at,
        started_at=row.started_at,
        expires_at=row.expires_at,
        last_activity_at=row.last_activity_at,
    )


def list_instances(session: Session) -> list[InstanceRecord]:
    """The instances that are not terminated, newest first."""
    query = _query().where(instances.c.status != InstanceStatus.TERMINATED)
    return [_record(row) for row in session.execute(query.order_by(instances.c.created_at.desc(), instances.c.id))]


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
    session: Session, snapshot: SnapshotRecord, request: InstanceRequest, *, by: Attribution
) -> InstanceRecord:
    """A starting instance, inside the limits. Births are locked from here on.

    Raises:
        PlatformError: CONCURRENCY_LIMIT_EXCEEDED, or ALREADY_EXISTS if the name was taken a moment ago.
    """
    _check_limits(session, request, by.user)
    identifier = new_id("inst")
    try:
        with session.begin_nested():
            create(
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
                    "ttl": request.ttl,
                    "inactivity_timeout": request.inactivity_timeout,
                    "expires_at": clock() + request.ttl,
                },
                status=InstanceStatus.STARTING,
                by=by,
            )
    except IntegrityError as error:
        raise PlatformError(
            ErrorCode.ALREADY_EXISTS, f"an instance {request.name!r} is just being launched", "try again"
        ) from error
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


def mark_running(session: Session, instance: InstanceRecord, url: str, *, by: Attribution) -> bool:
    """The server answers. False if the instance is no longer starting under this attempt."""
    moved = transition(
        session,
        Entity.INSTANCE,
        and_(instances.c.id == instance.id, instances.c.attempt == instance.attempt),
        from_=[InstanceStatus.STARTING, InstanceStatus.RESUMING],
        to=InstanceStatus.RUNNING,
        by=by,
        values={"url": url, "started_at": clock(), "last_activity_at": clock(), "error": None},
    )
    return bool(moved)


def mark_failed(session: Session, instance: InstanceRecord, error: dict[str, Any], *, by: Attribution) -> bool:
    """The server did not start, or ended on its own. False if the attempt is over for another reason."""
    moved = transition(
        session,
        Entity.INSTANCE,
        and_(instances.c.id == instance.id, instances.c.attempt == instance.attempt),
        from_=[InstanceStatus.STARTING, InstanceStatus.RESUMING, InstanceStatus.RUNNING],
        to=InstanceStatus.FAILED,
        by=by,
        values={"error": error, "url": None},
        reason=error.get("message"),
    )
    return bool(moved)


def begin_suspension(session: Session, instance: InstanceRecord, *, by: Attribution) -> None:
    """A running instance is being suspended; a second call goes on with the first.

    Raises:
        PlatformError: INVALID_STATE.
    """
    this = instances.c.id == instance.id
    transition(
        session,
        Entity.INSTANCE,
        this,
        from_=[InstanceStatus.RUNNING],
        to=InstanceStatus.SUSPENDING,
        by=by,
        values={"url": None},
    )
    _expect(session, instance, [InstanceStatus.SUSPENDING, InstanceStatus.SUSPENDED], "suspended")


def end_suspension(session: Session, instance: InstanceRecord, *, by: Attribution) -> None:
    """The server is gone."""
    this = instances.c.id == instance.id
    transition(session, Entity.INSTANCE, this, from_=[InstanceStatus.SUSPENDING], to=InstanceStatus.SUSPENDED, by=by)


def begin_resumption(session: Session, instance: InstanceRecord, *, by: Attribution) -> InstanceRecord:
    """A suspended instance is being resumed under the next attempt; a running one is returned as it is.

    Raises:
        PlatformError: INVALID_STATE.
    """
    this = instances.c.id == instance.id
    transition(
        session,
        Entity.INSTANCE,
        this,
        from_=[InstanceStatus.SUSPENDED],
        to=InstanceStatus.RESUMING,
        by=by,
        values={"attempt": instances.c.attempt + 1, "run_id": by.run_id},
    )
    return _expect(session, instance, [InstanceStatus.RESUMING, InstanceStatus.RUNNING], "resumed")


def begin_termination(session: Session, instance: InstanceRecord, *, by: Attribution, reason: str) -> None:
    """Whatever it was doing, it is being ended; a second call goes on with the first."""
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
        values={"url": None},
        reason=reason,
    )


def end_termination(session: Session, instance: InstanceRecord, *, by: Attribution) -> None:
    """The runtime has nothing of it any more."""
    transition(
        session,
        Entity.INSTANCE,
        instances.c.id == instance.id,
        from_=[InstanceStatus.STOPPING],
        to=InstanceStatus.TERMINATED,
        by=by,
    )


def extend_instance(
    session: Session,
    instance: InstanceRecord,
    by_duration: timedelta,
    ceiling: timedelta,
    reason: str,
    *,
    by: Attribution,
) -> InstanceRecord:
    """Move the deadline; never further than `ceiling` from now.

    Raises:
        PlatformError: INVALID_STATE for an instance that is at its end.
    """
    extended = session.execute(
        update(instances)
        .where(
            instances.c.id == instance.id,
            instances.c.status.not_in([InstanceStatus.FAILED, InstanceStatus.STOPPING, InstanceStatus.TERMINATED]),
        )
        .values(
            expires_at=func.least(
                func.greatest(instances.c.expires_at, clock()) + by_duration, clock() + literal(ceiling)
            )
        )
        .returning(instances.c.expires_at)
    ).first()
    if extended is None:
        raise PlatformError(
            ErrorCode.INVALID_STATE, f"instance {instance.id} is {instance.status}: it can't be extended"
        )
    note(
        session,
        Entity.INSTANCE,
        instance.id,
        "extended",
        by=by,
        details={"expires_at": extended.expires_at.isoformat(), "reason": reason},
    )
    return get_instance(session, instance.id)


def stamp_activity(session: Session, instance: InstanceRecord, seen: str) -> None:
    """Bring the server's own time of the last query into the catalog; it never goes back."""
    session.execute(
        update(instances)
        .where(instances.c.id == instance.id)
        .values(last_activity_at=func.greatest(instances.c.last_activity_at, seen))
    )


def _expect(session: Session, instance: InstanceRecord, states: list[InstanceStatus], verb: str) -> InstanceRecord:
    current = get_instance(session, instance.id)
    if current.status not in states:
        raise PlatformError(
            ErrorCode.INVALID_STATE,
            f"instance {current.id} is {current.status}: it can't be {verb}",
            (current.error or {}).get("hint"),
        )
    return current
