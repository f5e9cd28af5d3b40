"""When lives and idleness end: what Postgres writes, what an upgrade leaves, and how what is due is found."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, create_engine, or_, select, text, update
from sqlalchemy.exc import ProgrammingError

from graph_platform.catalog import instances, mappings, migrations, snapshots
from graph_platform.catalog.catalog import Catalog, clock
from graph_platform.catalog.lease import claim_of
from graph_platform.catalog.records import InstanceRecord, MappingRecord, SnapshotRecord
from graph_platform.catalog.states import Entity
from graph_platform.catalog.tables import ENTITY_TABLES
from graph_platform.catalog.transition import Session
from graph_platform.durations import Duration, parse_duration
from graph_platform.lives import Lives
from graph_platform_tests.catalog.rows import (
    BY,
    DEFINITION,
    a_mapping,
    a_pending_snapshot,
    a_ready_snapshot,
    a_starting_instance,
)

DAY = timedelta(days=1)
LEAP_DAY_EVE = datetime(2028, 1, 31, 12, tzinfo=UTC)
LIVED = (Entity.MAPPING, Entity.SNAPSHOT, Entity.INSTANCE)


def set_clock(session: Session, moment: datetime) -> None:
    session.execute(
        text("UPDATE graph_platform.installation SET clock_offset = :moment - clock_timestamp()"), {"moment": moment}
    )


def with_lives(session: Session, name: str, ttl: str | None, inactivity_timeout: str) -> MappingRecord:
    lives = Lives(parse_duration(ttl) if ttl else None, parse_duration(inactivity_timeout))
    return mappings.insert_mapping(session, {"name": name, **DEFINITION}, lives=lives, by=BY)


def lasting(session: Session, snapshot: SnapshotRecord, lives: Lives) -> InstanceRecord:
    request = instances.InstanceRequest(None, "local:", lives, 10, 10)
    return a_starting_instance(session, snapshot, request)


def test_a_mapping_ends_months_after_it_was_made_as_the_calendar_counts(catalog: Catalog) -> None:
    with catalog.transaction() as session:
        set_clock(session, LEAP_DAY_EVE)
        made = with_lives(session, "a month", "P1M", "P1Y")
    assert made.created_at.date() == LEAP_DAY_EVE.date()
    assert made.expires_at == made.created_at.replace(month=2, day=29)
    assert made.idle_ends_at == made.last_used_at.replace(year=2029)
    assert (made.document()["ttl"], made.document()["inactivity_timeout"]) == ("P1M", "P1Y")


def test_a_mapping_without_ttl_never_ends_but_by_idleness(catalog: Catalog) -> None:
    with catalog.transaction() as session:
        made = with_lives(session, "for ever", None, "P30D")
    assert (made.expires_at, made.idle_ends_at) == (None, made.last_used_at + 30 * DAY)


def test_a_mapping_that_goes_is_not_idle(catalog: Catalog) -> None:
    with catalog.transaction() as session:
        made = with_lives(session, "gone", "P1D", "P1D")
        mappings.delete_mapping(session, made, by=BY)
        gone = mappings.get_mapping(session, made.id)
    assert (gone.expires_at, gone.idle_ends_at) == (made.expires_at, None)


def test_a_new_version_brings_its_own_lives(catalog: Catalog) -> None:
    with catalog.transaction() as session:
        made = with_lives(session, "flights", "P1D", "PT1H")
        changed = mappings.insert_version(
            session,
            made,
            {"name": "flights", **DEFINITION},
            change_description="longer",
            lives=Lives(parse_duration("P2D"), parse_duration("PT2H")),
            by=BY,
        )
    assert changed.expires_at == made.created_at + 2 * DAY
    assert changed.idle_ends_at == changed.last_used_at + timedelta(hours=2)


def test_a_snapshot_has_no_deadline_until_it_is_ready(catalog: Catalog) -> None:
    with catalog.transaction() as session:
        mapping = a_mapping(session)
        pending = snapshots.get_snapshot(session, a_pending_snapshot(session, mapping))
        ready = a_ready_snapshot(session, mapping)
    assert (pending.expires_at, pending.idle_ends_at) == (None, None)
    assert ready.ready_at is not None
    assert ready.expires_at == ready.ready_at + 7 * DAY
    assert ready.idle_ends_at == ready.last_used_at + DAY


def test_an_instance_lives_from_its_birth_and_is_idle_only_while_it_runs(catalog: Catalog) -> None:
    with catalog.transaction() as session:
        lives = Lives(parse_duration("P1D"), parse_duration("PT4H"))
        starting = lasting(session, a_ready_snapshot(session, a_mapping(session)), lives)
        assert instances.mark_running(session, claim_of(Entity.INSTANCE, starting), "http://127.0.0.1:1", by=BY)
        running = instances.get_instance(session, starting.id)
        suspending = instances.begin_suspension(session, running, by=BY)
    assert {each.expires_at for each in (starting, running, suspending)} == {starting.created_at + DAY}
    assert (starting.idle_ends_at, suspending.idle_ends_at) == (None, None)
    assert running.idle_ends_at == running.last_activity_at + timedelta(hours=4)


def test_an_extension_by_a_month_ends_on_the_same_day_of_the_next(catalog: Catalog) -> None:
    with catalog.transaction() as session:
        set_clock(session, LEAP_DAY_EVE)
        instance = lasting(session, a_ready_snapshot(session, a_mapping(session)), Lives(Duration(1), Duration(1)))
        once = extend(session, instance, "P1M")
        twice = extend(session, instance, "P1DT12H")
    assert instance.expires_at == instance.created_at.replace(month=2, day=29)
    assert once.expires_at == instance.created_at.replace(month=3, day=29)
    assert twice.expires_at == once.expires_at + timedelta(hours=36)


def extend(session: Session, instance: InstanceRecord, by: str) -> InstanceRecord:
    return instances.extend_instance(
        session, instance, parse_duration(by), ceiling=Duration(months=12), reason="needed", by=BY
    )


def test_a_deadline_is_nobodys_to_set(catalog: Catalog) -> None:
    with pytest.raises(ProgrammingError, match="generated column"), catalog.transaction() as session:
        a_mapping(session)
        session.execute(update(ENTITY_TABLES[Entity.MAPPING]).values(life_ends_at=clock()))


@pytest.fixture
def old(empty_url: str) -> Iterator[Connection]:
    """A connection to a catalog as it was before its deadlines were columns, in the zone of a server in Berlin."""
    engine = create_engine(empty_url)
    config = Config()
    config.set_main_option("script_location", str(migrations.__path__[0]))
    config.set_main_option("path_separator", "os")
    with engine.connect() as connection:
        connection.exec_driver_sql("CREATE SCHEMA graph_platform")
        config.attributes["connection"] = connection
        command.upgrade(config, "0002")
        # Rows as they were left, without the way that they went.
        connection.exec_driver_sql("SET session_replication_role = replica; SET timezone = 'Europe/Berlin'")
        yield connection
    engine.dispose()


OLD_ROWS = """
    INSERT INTO graph_platform.mappings
        (id, name, owner, status, revision, current_version, ttl, inactivity_timeout, created_at, last_used_at)
    VALUES
        ('map-own', 'own', 'o', 'active', 1, 1, '90 days', '10 days', '2026-03-01 10:00+00', '2026-03-20 10:00+00'),
        ('map-none', 'none', 'o', 'active', 1, 1, NULL, NULL, '2026-03-01 10:00+00', '2026-03-20 10:00+00'),
        ('map-gone', 'gone', 'o', 'deleted', 3, 1, '90 days', '10 days', '2026-03-01 10:00+00', '2026-03-20 10:00+00');
    INSERT INTO graph_platform.snapshots
        (id, mapping_id, mapping_version, owner, status, revision, attempt, export_round, storage_url, folder, engine,
         data_checks, lease_owner, lease_expires_at, manifest_key, ttl, inactivity_timeout, ready_at, last_used_at)
    SELECT 'snap-' || status, 'map-own', 1, 'o', status, 1, 1, 1, 'file:///x', 'f', 'ladybug', 'trusted',
        CASE WHEN status = 'creating' THEN 'o' END, CASE WHEN status = 'creating' THEN now() END,
        'k', '7 days', '3 days', ready_at::timestamptz, '2026-03-27 10:00+00'
    FROM (VALUES ('pending', NULL), ('creating', NULL), ('failed', NULL), ('cancelled', NULL),
        ('ready', '2026-03-25 10:00+00'), ('deleted', '2026-03-25 10:00+00')) AS s (status, ready_at);
    -- What was written at birth was the moment plus the life in the zone of the session, and each extension moved it.
    INSERT INTO graph_platform.instances
        (id, snapshot_id, owner, status, revision, attempt, engine, runtime, url, ttl, inactivity_timeout, created_at,
         started_at, expires_at, last_activity_at)
    SELECT 'inst-' || status || number, 'snap-ready', 'o', status, 1, 1, 'ladybug', 'local:', 'http://x', '1 day',
        '04:00', born, born, moved + interval '11 microseconds', '2026-03-28 15:00+00'
    FROM unnest(ARRAY['waiting_for_snapshot', 'starting', 'running', 'suspending', 'suspended', 'resuming', 'failed',
            'stopping', 'terminated']) AS s (status),
        (VALUES (timestamptz '2026-03-28 12:00+00')) AS b (born),
        unnest(ARRAY[born + interval '1 day', born + interval '3 days 04:00', born + interval '20:00'])
            WITH ORDINALITY AS m (moved, number);
"""


def test_an_upgrade_leaves_every_deadline_as_it_was(old: Connection, empty_url: str) -> None:
    old.exec_driver_sql(OLD_ROWS)
    said = old.exec_driver_sql(
        "SELECT id, expires_at, CASE WHEN status = 'running' THEN last_activity_at + inactivity_timeout END "
        "FROM graph_platform.instances ORDER BY id"
    ).all()
    old.commit()
    catalog = Catalog(empty_url)
    catalog.migrate()
    with catalog.transaction() as session:
        found = {
            entity: [
                tuple(row)
                for row in session.execute(
                    select(table.c.id, table.c.life_ends_at, table.c.idle_ends_at).order_by(table.c.id)
                )
            ]
            for entity in LIVED
            for table in [ENTITY_TABLES[entity]]
        }
        listed = instances.list_instances(session)
        ready = snapshots.get_snapshot(session, "snap-ready")
    catalog.close()
    assert len(said) == 27
    assert found[Entity.INSTANCE] == [tuple(row) for row in said]
    assert {(each.id, each.expires_at, each.idle_ends_at) for each in listed} <= set(found[Entity.INSTANCE])
    assert found[Entity.MAPPING] == [
        ("map-gone", datetime(2026, 5, 30, 10, tzinfo=UTC), None),
        ("map-none", None, None),
        ("map-own", datetime(2026, 5, 30, 10, tzinfo=UTC), datetime(2026, 3, 30, 10, tzinfo=UTC)),
    ]
    assert found[Entity.SNAPSHOT] == [
        ("snap-cancelled", None, None),
        ("snap-creating", None, None),
        ("snap-deleted", datetime(2026, 4, 1, 10, tzinfo=UTC), None),
        ("snap-failed", None, None),
        ("snap-pending", None, None),
        ("snap-ready", datetime(2026, 4, 1, 10, tzinfo=UTC), datetime(2026, 3, 30, 10, tzinfo=UTC)),
    ]
    assert (str(ready.ttl), str(ready.inactivity_timeout)) == ("P7D", "P3D")


MANY = """
    SET LOCAL session_replication_role = replica;
    INSERT INTO graph_platform.mappings
        (id, name, owner, status, revision, current_version, ttl, inactivity_timeout, created_at, last_used_at)
    SELECT 'map-' || n, 'name ' || n, 'o', CASE WHEN n % 10 > 0 THEN 'active' ELSE 'deleted' END, 1, 1, '365 days',
        '30 days', now() - n * interval '365 days' / 100000, now() - n * interval '30 days' / 100000
    FROM generate_series(1, 100000) AS n;
    INSERT INTO graph_platform.snapshots
        (id, mapping_id, mapping_version, owner, status, revision, attempt, export_round, storage_url, folder, engine,
         data_checks, manifest_key, ttl, inactivity_timeout, ready_at, last_used_at)
    SELECT 'snap-' || n, 'map-1', 1, 'o', CASE WHEN n % 10 > 0 THEN 'ready' ELSE 'deleted' END, 1, 1, 1, 'file:///x',
        'f', 'ladybug', 'trusted', 'k', '30 days', '7 days', now() - n * interval '30 days' / 100000,
        now() - n * interval '7 days' / 100000
    FROM generate_series(1, 100000) AS n;
    INSERT INTO graph_platform.instances
        (id, snapshot_id, owner, status, revision, attempt, engine, runtime, url, ttl, inactivity_timeout, created_at,
         started_at, last_activity_at)
    SELECT 'inst-' || n, 'snap-1', 'o', CASE WHEN n % 10 > 0 THEN 'running' ELSE 'terminated' END, 1, 1, 'ladybug',
        'local:', 'http://x', '7 days', '7 days', now() - n * interval '7 days' / 100000, now(),
        now() - n * interval '7 days' / 100000
    FROM generate_series(1, 100000) AS n;
"""


def test_what_is_due_is_found_by_index_among_a_hundred_thousand(catalog: Catalog) -> None:
    with catalog.transaction() as session:
        session.execute(text(MANY))
        session.execute(text("ANALYZE graph_platform.mappings, graph_platform.snapshots, graph_platform.instances"))
    for entity, gone in zip(LIVED, ("deleted", "deleted", "terminated"), strict=True):
        with catalog.transaction() as session:
            plan, due = _asked(session, entity, gone)
        assert "Seq Scan" not in plan, plan
        assert f"{entity}s_life_ends" in plan
        assert f"{entity}s_idle_ends" in plan
        assert 0 < due < 1_000


def _asked(session: Session, entity: Entity, gone: str) -> tuple[str, int]:
    """How Postgres finds what is due in an hour, of those that live, and how many it finds."""
    table = ENTITY_TABLES[entity]
    moment = session.execute(select(clock())).scalar_one() + DAY / 24
    due = select(table.c.id).where(
        table.c.status != gone, or_(table.c.life_ends_at <= moment, table.c.idle_ends_at <= moment)
    )
    statement: Any = due.compile(session.engine)
    cursor: Any = session.connection.cursor()
    cursor.execute(f"EXPLAIN {statement}", statement.params)
    return "\n".join(row[0] for row in cursor.fetchall()), len(session.execute(due).all())
