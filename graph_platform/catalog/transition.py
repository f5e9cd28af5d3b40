"""The one way to set a status: a compare-and-set that appends its audit event in the same statement.

The trigger in the database refuses every other way. Work on sets, not rows: one statement moves as many as its
condition finds.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from psycopg.errors import UniqueViolation
from sqlalchemy import CTE, ColumnElement, Connection, Integer, Row, Text, cast, insert, literal, null, select, update
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.exc import IntegrityError

from graph_platform.catalog.states import CREATION, TRANSITIONS, Entity
from graph_platform.catalog.tables import ENTITY_TABLES, audit_events
from graph_platform.errors import PlatformError
from graph_platform.progress import Attribution
from graph_platform.settings import without_secrets

Session = Connection
"""An open transaction. Functions of the catalog take one and never commit."""

_AUDIT_COLUMNS = (
    "entity",
    "entity_id",
    "action",
    "from_status",
    "to_status",
    "revision",
    "attempt",
    "actor",
    "run_id",
    "reason",
    "details",
)


def transition(
    session: Session,
    entity: Entity,
    where: ColumnElement[bool],
    *,
    from_: Collection[str],
    to: str,
    by: Attribution,
    values: Mapping[str, Any] | None = None,
    reason: str | None = None,
) -> Sequence[Row[Any]]:
    """Move every row that `where` finds in one of the states `from_` to the state `to`.

    The condition is checked on the row as it is once its lock is held, so of two that race for one row exactly one
    gets it. Rows that no longer match are simply not in the result: the caller decides what that means.

    Args:
        where: which rows, and every guard that must still hold (attempt, lease, deadline).
        values: further columns to set; values may be SQL expressions over the row.
        reason: a sentence for the audit.

    Returns:
        The rows as they are now, with `previous_status`.

    Raises:
        ValueError: a pair that the transition table does not have; a defect of the caller.
    """
    for before_status in from_:
        if (before_status, to) not in TRANSITIONS[entity]:
            raise ValueError(f"{entity} has no transition from {before_status!r} to {to!r}")
    table = ENTITY_TABLES[entity]
    before = (
        select(table.c.id, table.c.status)
        .where(where, table.c.status.in_([str(status) for status in from_]))
        .order_by(table.c.id)  # a fixed order of locking: two sets that overlap never deadlock
        .with_for_update()
        .cte("before")
    )
    moved = (
        update(table)
        .values({"status": str(to), "revision": table.c.revision + 1, **_as_kept(values or {})})
        .where(table.c.id == before.c.id)
        .returning(*table.c, before.c.status.label("previous_status"))
        .cte("moved")
    )
    attempt = moved.c.attempt if "attempt" in table.c else null()
    event = (
        insert(audit_events)
        .from_select(
            list(_AUDIT_COLUMNS),
            select(
                literal(str(entity)),
                moved.c.id,
                literal("transition"),
                moved.c.previous_status,
                moved.c.status,
                moved.c.revision,
                cast(attempt, Integer),
                literal(by.user),
                cast(literal(by.run_id), Text),
                cast(literal(without_secrets(reason)), Text),
                cast(null(), JSONB),
            ),
        )
        .cte("event")
    )
    return session.execute(select(moved).add_cte(event)).all()


def _as_kept(values: Mapping[str, Any]) -> Mapping[str, Any]:
    """An error is the words of a library, which may repeat the URL that it was given."""
    return {**values, "error": without_secrets(values["error"])} if "error" in values else values


def create(session: Session, entity: Entity, values: Mapping[str, Any], *, status: str, by: Attribution) -> None:
    """Insert a row in one of its first states, with the audit event of its creation.

    Raises:
        ValueError: the entity is not born in that state; a defect of the caller.
        sqlalchemy.exc.IntegrityError: a unique name is taken.
    """
    if (CREATION, status) not in TRANSITIONS[entity]:
        raise ValueError(f"a {entity} is not born as {status!r}")
    session.execute(insert(ENTITY_TABLES[entity]).values(status=str(status), revision=1, **values))
    session.execute(
        insert(audit_events).values(
            entity=str(entity),
            entity_id=values["id"],
            action="transition",
            from_status=CREATION,
            to_status=str(status),
            revision=1,
            attempt=values.get("attempt"),
            actor=by.user,
            run_id=by.run_id,
        )
    )


def create_named(
    session: Session, entity: Entity, values: Mapping[str, Any], *, status: str, by: Attribution, taken: PlatformError
) -> None:
    """As `create`, for a row whose name is its own; the caller's transaction goes on after a refusal.

    Args:
        taken: what is raised if another row has the name.
    """
    try:
        with session.begin_nested():
            create(session, entity, values, status=status, by=by)
    except IntegrityError as error:
        if not isinstance(error.orig, UniqueViolation):
            raise
        raise taken from error


def note(
    session: Session,
    entity: Entity,
    identifier: str,
    action: str,
    *,
    by: Attribution,
    details: Mapping[str, Any],
    reason: str | None = None,
) -> None:
    """Append an audit event that is not a transition: an extension, a new version."""
    session.execute(
        insert(audit_events).values(
            entity=str(entity),
            entity_id=identifier,
            action=action,
            actor=by.user,
            run_id=by.run_id,
            reason=without_secrets(reason),
            details=dict(details),
        )
    )


def noted(entity: Entity, changed: CTE, action: str, *, by: Attribution, details: Mapping[str, Any]) -> CTE:
    """Like `note`, of every row that a statement changes, as a part of that statement.

    Args:
        changed: the rows as they are now, with `id` and `attempt`.
    """
    return (
        insert(audit_events)
        .from_select(
            ["entity", "entity_id", "action", "attempt", "actor", "run_id", "details"],
            select(
                literal(str(entity)),
                changed.c.id,
                literal(action),
                changed.c.attempt,
                literal(by.user),
                cast(literal(by.run_id), Text),
                literal(dict(details), JSONB),
            ),
        )
        .cte("event")
    )
