"""Which of many a list shows: the newest, of somebody, in some states. Ids are chosen before anything is added up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, Table, select


@dataclass(frozen=True)
class Selection:
    """What a list is narrowed to; as it is, it selects all that is not gone.

    Args:
        owner: whose they are.
        statuses: the states that they are in; with one of them, what is gone is not left out.
        mapping: the id of the mapping that they are of.
        gone: whether what is deleted or terminated is listed too.
        limit: how many at most, the newest.
    """

    owner: str | None = None
    statuses: tuple[str, ...] = ()
    mapping: str | None = None
    gone: bool = False
    limit: int | None = None


EVERY = Selection()
"""All that is not gone."""


def newest(table: Table) -> tuple[ColumnElement[Any], ...]:
    """The order of every list."""
    return table.c.created_at.desc(), table.c.id


def selected(table: Table, selection: Selection, gone: str, *also: ColumnElement[bool]) -> Select[Any]:
    """The ids of the rows that are selected.

    Args:
        gone: the state of what is not listed unless it is asked for.
        also: what holds for them besides.
    """
    query = select(table.c.id).where(*also)
    if selection.owner is not None:
        query = query.where(table.c.owner == selection.owner)
    if selection.statuses:
        query = query.where(table.c.status.in_(selection.statuses))
    elif not selection.gone:
        query = query.where(table.c.status != gone)
    return query if selection.limit is None else query.order_by(*newest(table)).limit(selection.limit)
