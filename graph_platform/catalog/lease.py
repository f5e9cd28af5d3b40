"""The lease: who works on a row, and until when nobody else may; one for every entity.

An entity whose table has `attempt`, `lease_owner` and `lease_expires_at` can be leased. Its owner holds it for a time
and renews that; who finds the time over, or the owner dead, takes it over under the next attempt. What makes a late
owner harmless is not the time but the guard `held` in each of its writes. Each act is one compare-and-set statement,
and one by which a row changes hands writes its audit event with it.

Which rows may be taken when, and what else is written with it, is said by the entity's own module.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta
from types import MappingProxyType
from typing import Any, Protocol

from sqlalchemy import ColumnElement, FromClause, Row, and_, select, update

from graph_platform.catalog.catalog import clock
from graph_platform.catalog.states import Entity
from graph_platform.catalog.tables import ENTITY_TABLES
from graph_platform.catalog.transition import Session, noted, transition
from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.processes.owner import known_dead
from graph_platform.progress import Attribution

RELEASED: Mapping[str, None] = MappingProxyType({"lease_owner": None, "lease_expires_at": None})
"""The columns of a row that nobody works on, for a transition that ends whatever work there was."""

_NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True)
class Claim:
    """Who works on what: the row of an entity, under an attempt, in the owner's hands."""

    entity: Entity
    id: str
    attempt: int
    owner: str


class Leased(Protocol):
    """A row or record that can be leased, as somebody has read it."""

    @property
    def id(self) -> str: ...
    @property
    def attempt(self) -> int: ...
    @property
    def lease_owner(self) -> str | None: ...


def claim_of(entity: Entity, row: Leased) -> Claim:
    """The claim under which a row is held.

    Raises:
        ValueError: nobody holds it; a defect of the caller.
    """
    if row.lease_owner is None:
        raise ValueError(f"nobody holds {entity} {row.id}")
    return Claim(entity, row.id, row.attempt, row.lease_owner)


def terms(owner: str, lease: timedelta) -> dict[str, Any]:
    """The columns of a row that is the owner's from now on: for one that is born in its hands."""
    return {"lease_owner": owner, "lease_expires_at": clock() + lease}


def held(claim: Claim, table: FromClause | None = None) -> ColumnElement[bool]:
    """The guard of every write of an owner: the row is still in its hands, under its attempt.

    A lease that is over is held on to until somebody takes it.

    Args:
        table: the entity's, or an alias of it.
    """
    columns = (ENTITY_TABLES[claim.entity] if table is None else table).c
    return and_(columns.id == claim.id, columns.attempt == claim.attempt, columns.lease_owner == claim.owner)


def abandoned(entity: Entity, seen: Leased) -> ColumnElement[bool]:
    """The guard of a takeover: the row is as it was seen, and nobody works on it.

    That is: it was released, its lease is over, or its owner was a process of this machine that is gone.
    """
    columns = ENTITY_TABLES[entity].c
    same = and_(
        columns.id == seen.id,
        columns.attempt == seen.attempt,
        columns.lease_owner.is_not_distinct_from(seen.lease_owner),
    )
    if seen.lease_owner is None or known_dead(seen.lease_owner):
        return same
    return and_(same, columns.lease_expires_at < clock())


def is_abandoned(session: Session, entity: Entity, seen: Leased) -> bool:
    """Whether nobody works on what was seen; False as well if somebody has taken it since."""
    return session.scalar(select(ENTITY_TABLES[entity].c.id).where(abandoned(entity, seen))) is not None


def take(
    session: Session,
    entity: Entity,
    where: ColumnElement[bool],
    owner: str,
    lease: timedelta,
    *,
    from_: Collection[str],
    to: str,
    by: Attribution,
    values: Mapping[str, Any] = _NOTHING,
) -> Row[Any] | None:
    """Begin to work on the row that `where` finds, with the transition that says so; None if it finds none.

    Args:
        values: further columns to set, as for `transition`.
    """
    moved = transition(session, entity, where, from_=from_, to=to, by=by, values={**values, **terms(owner, lease)})
    return moved[0] if moved else None


def take_next(
    session: Session,
    entity: Entity,
    where: ColumnElement[bool],
    owner: str,
    lease: timedelta,
    *,
    order: ColumnElement[Any],
    from_: Collection[str],
    to: str,
    by: Attribution,
) -> Row[Any] | None:
    """Like `take`, of the first row that nobody else is just taking: many may ask at once, and none waits."""
    table = ENTITY_TABLES[entity]
    free = (
        select(table.c.id)
        .where(where, table.c.status.in_([str(status) for status in from_]))
        .order_by(order)
        .limit(1)
        .with_for_update(skip_locked=True)
        .correlate(None)
        .scalar_subquery()
    )
    return take(session, entity, table.c.id == free, owner, lease, from_=from_, to=to, by=by)


def take_over(
    session: Session,
    entity: Entity,
    where: ColumnElement[bool],
    owner: str,
    lease: timedelta,
    *,
    by: Attribution,
    values: Mapping[str, Any] = _NOTHING,
    in_place: bool = False,
) -> Row[Any] | None:
    """Go on with what another has left, in the state in which it is; None if `where` finds no row.

    Args:
        where: the guard, `abandoned` as a rule.
        values: further columns to set.
        in_place: under the same attempt: what the former owner began goes on as it is, and the guard of its writes
            is the owner's name alone.
    """
    table = ENTITY_TABLES[entity]
    attempt = {} if in_place else {"attempt": table.c.attempt + 1}
    taken = (
        update(table)
        .where(where)
        .values({**values, **attempt, **terms(owner, lease)})
        .returning(*table.c)
        .cte("changed")
    )
    event = noted(entity, taken, "taken over", by=by, details={"owner": owner})
    return session.execute(select(taken).add_cte(event)).first()


def renew(session: Session, claim: Claim, lease: timedelta) -> bool:
    """Hold it for another lease from now on; False if it is in other hands, or released."""
    return renew_all(session, claim.entity, held(claim), claim.owner, lease) == 1


def renew_all(session: Session, entity: Entity, where: ColumnElement[bool], owner: str, lease: timedelta) -> int:
    """Hold all rows of these that are the owner's for another lease from now on; how many there are."""
    table = ENTITY_TABLES[entity]
    return session.execute(
        update(table).where(where, table.c.lease_owner == owner).values(terms(owner, lease))
    ).rowcount


def finish(
    session: Session,
    claim: Claim,
    *,
    from_: Collection[str],
    to: str,
    by: Attribution,
    values: Mapping[str, Any] = _NOTHING,
    reason: str | None = None,
) -> bool:
    """End the work with the transition that says how, and release the row; False if it is in other hands by now."""
    return bool(
        transition(
            session,
            claim.entity,
            held(claim),
            from_=from_,
            to=to,
            by=by,
            values={**values, **RELEASED},
            reason=reason,
        )
    )


def release(session: Session, claim: Claim, *, by: Attribution) -> bool:
    """Leave it as it is to whoever comes next, at once; False if it is in other hands by now."""
    table = ENTITY_TABLES[claim.entity]
    released = update(table).where(held(claim)).values(RELEASED).returning(*table.c).cte("changed")
    event = noted(claim.entity, released, "released", by=by, details={"owner": claim.owner})
    return session.execute(select(released.c.id).add_cte(event)).first() is not None


def fenced_off(claim: Claim) -> PlatformError:
    """The error of an attempt that lost what it worked on."""
    return PlatformError(
        ErrorCode.INVALID_STATE,
        f"attempt {claim.attempt} no longer owns {claim.entity} {claim.id}: another run took it over or ended it",
        f"`graph-platform {claim.entity} show {claim.id}` tells which",
    )
