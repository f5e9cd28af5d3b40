"""When mappings, snapshots and instances were used last: written once a minute, and nobody waits for it."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select, text

from graph_platform.catalog import instances, mappings, snapshots
from graph_platform.catalog.catalog import Catalog
from graph_platform.catalog.lease import claim_of
from graph_platform.catalog.states import Entity
from graph_platform.catalog.tables import ENTITY_TABLES
from graph_platform.catalog.transition import Session
from graph_platform.catalog.use import stamp_use
from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.polling import Pauses, wait_until
from graph_platform_tests.catalog.rows import BY, a_mapping, a_ready_snapshot, a_starting_instance, pass_time

COLUMNS = {Entity.MAPPING: "last_used_at", Entity.SNAPSHOT: "last_used_at", Entity.INSTANCE: "last_activity_at"}


@pytest.fixture
def used(catalog: Catalog) -> dict[Entity, str]:
    """A mapping, a ready snapshot and a running instance, by their ids; each may be unused for a day."""
    with catalog.transaction() as session:
        mapping = a_mapping(session)
        snapshot = a_ready_snapshot(session, mapping)
        instance = a_starting_instance(session, snapshot)
        assert instances.mark_running(session, claim_of(Entity.INSTANCE, instance), "http://127.0.0.1:1", by=BY)
    return {Entity.MAPPING: mapping.id, Entity.SNAPSHOT: snapshot.id, Entity.INSTANCE: instance.id}


def last_use(session: Session, entity: Entity, identifier: str) -> datetime:
    table = ENTITY_TABLES[entity]
    found: datetime = session.execute(select(table.c[COLUMNS[entity]]).where(table.c.id == identifier)).scalar_one()
    return found


@pytest.mark.parametrize("entity", COLUMNS)
def test_the_last_use_is_written_once_a_minute(catalog: Catalog, used: dict[Entity, str], entity: Entity) -> None:
    identifier, seen = used[entity], []
    for pause in (0, 50, 20, 0):
        pass_time(catalog, pause)
        with catalog.transaction() as session:
            stamp_use(session, entity, identifier)
            seen.append(last_use(session, entity, identifier))
    assert seen[0] == seen[1]
    assert seen[1] + timedelta(minutes=1) < seen[2] == seen[3]


@pytest.mark.parametrize("entity", COLUMNS)
def test_nobody_waits_to_write_a_use(catalog: Catalog, used: dict[Entity, str], entity: Entity) -> None:
    def use() -> datetime:
        with catalog.transaction() as session:
            stamp_use(session, entity, used[entity])
            return last_use(session, entity, used[entity])

    pass_time(catalog, 3600)
    table = ENTITY_TABLES[entity]
    with catalog.transaction() as session, ThreadPoolExecutor(1) as pool:
        session.execute(select(table.c.id).where(table.c.id == used[entity]).with_for_update())
        assert pool.submit(use).result(60) == last_use(session, entity, used[entity])
    assert use() == last_use_now(catalog, entity, used[entity])


def last_use_now(catalog: Catalog, entity: Entity, identifier: str) -> datetime:
    with catalog.transaction() as session:
        return last_use(session, entity, identifier)


def make_snapshot(session: Session, mapping: str) -> None:
    mappings.use_mapping(session, mapping)


def launch(session: Session, snapshot: str) -> None:
    snapshots.use_snapshot(session, snapshot)


def delete_mapping(session: Session, mapping: str) -> None:
    mappings.delete_mapping(session, mappings.get_mapping(session, mapping), by=BY)


def delete_snapshot(session: Session, snapshot: str) -> None:
    snapshots.begin_deletion(session, snapshots.get_snapshot(session, snapshot), by=BY)


def until_somebody_waits(session: Session) -> None:
    """Until another transaction waits for this one."""
    waiting = text("SELECT count(*) FROM pg_locks WHERE NOT granted AND transactionid = pg_current_xact_id()::xid")
    assert wait_until(lambda: bool(session.scalar(waiting)), within_seconds=60, pauses=Pauses(0.01, 0.2))


Act = Callable[[Session, str], None]


@pytest.mark.parametrize(("use", "delete"), [(make_snapshot, delete_mapping), (launch, delete_snapshot)])
def test_who_makes_something_of_it_keeps_it_from_going_also_within_the_minute(
    catalog: Catalog, use: Act, delete: Act
) -> None:
    with catalog.transaction() as session:
        mapping = a_mapping(session)
        identifier = mapping.id if delete is delete_mapping else a_ready_snapshot(session, mapping).id

    def going() -> None:
        with catalog.transaction() as session:
            delete(session, identifier)

    with ThreadPoolExecutor(1) as pool:
        with catalog.transaction() as session:
            use(session, identifier)
            gone = pool.submit(going)
            until_somebody_waits(session)
            if delete is delete_mapping:
                a_ready_snapshot(session, mapping)
            else:
                a_starting_instance(session, snapshots.get_snapshot(session, identifier))
        with pytest.raises(PlatformError) as refused:
            gone.result(60)
    assert refused.value.code is ErrorCode.RESOURCE_HAS_DEPENDENCIES
