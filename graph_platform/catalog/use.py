"""When things were used last: one way to note it, for whatever may come to an end for want of use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from types import MappingProxyType
from typing import Any

from sqlalchemy import Column, ColumnElement, DateTime, Integer, Interval, Text, cast, func, literal, select, update

from graph_platform.catalog.catalog import clock
from graph_platform.catalog.states import Entity, InstanceStatus, MappingStatus, SnapshotStatus
from graph_platform.catalog.tables import ENTITY_TABLES, instances, mappings, snapshots
from graph_platform.catalog.transition import Session

_STAMP_EVERY = timedelta(minutes=1)


@dataclass(frozen=True)
class _Use:
    """Where the last use of an entity is written, and the state in which it can be used."""

    column: Column[Any]
    usable: str


_USES: Mapping[Entity, _Use] = MappingProxyType(
    {
        Entity.MAPPING: _Use(mappings.c.last_used_at, MappingStatus.ACTIVE),
        Entity.SNAPSHOT: _Use(snapshots.c.last_used_at, SnapshotStatus.READY),
        Entity.INSTANCE: _Use(instances.c.last_activity_at, InstanceStatus.RUNNING),
    }
)


def stamp_use(session: Session, entity: Entity, identifier: str, seen: str | None = None) -> None:
    """Note when a thing was last used, at most once a minute; it never goes back. What can't be used is not stamped.

    Nobody is waited for: a row that somebody else holds is stamped the next time.

    Args:
        seen: the ISO 8601 time of the use by a server's own clock; None: it is used now.
    """
    table, use = ENTITY_TABLES[entity], _USES[entity]
    moment = clock() if seen is None else server_time(seen)
    # A life so short that a minute matters is stamped as often as it needs.
    tenth = table.c.inactivity_timeout.op("/", return_type=Interval())(literal(10, Integer))
    pause = func.least(literal(_STAMP_EVERY), tenth)
    due = (
        select(table.c.id)
        .where(table.c.id == identifier, table.c.status == use.usable, use.column + pause < moment)
        .with_for_update(skip_locked=True, key_share=True)
        .scalar_subquery()
    )
    session.execute(update(table).where(table.c.id == due).values({use.column.name: moment}))


def hold_for_use(session: Session, entity: Entity, identifier: str) -> bool:
    """Stamp a use, and lock the row until the transaction ends: who makes something of it keeps it from going.

    Returns:
        False if it is not in the state in which it can be used.
    """
    table, use = ENTITY_TABLES[entity], _USES[entity]
    # Not the whole lock: what refers to the row may still be born, it is the row's end that waits.
    held = select(table.c.status).where(table.c.id == identifier).with_for_update(key_share=True)
    if session.scalar(held) != use.usable:
        return False
    stamp_use(session, entity, identifier)
    return True


def server_time(seen: str) -> ColumnElement[Any]:
    """A server's time, in the platform's: the one clock may have been moved, and no server's is ahead of it."""
    moved = cast(literal(seen, Text), DateTime(timezone=True)) + (clock() - func.clock_timestamp())
    return func.least(moved, clock())
