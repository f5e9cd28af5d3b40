"""The state machine, against a real Postgres: what moves, what is refused, and what the audit says of it."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from graph_platform.catalog import migrations
from graph_platform.catalog.catalog import Catalog
from graph_platform.catalog.states import CREATION, FINAL, TRANSITIONS, Entity
from graph_platform.catalog.tables import ENTITY_TABLES, audit_events, metadata, status_transitions
from graph_platform.catalog.transition import create, transition
from graph_platform.catalog.version import HEAD
from graph_platform_tests.catalog.rows import BY, a_mapping, rows_of_every_entity, values_for

STATUSES = {
    entity: sorted({status for pair in pairs for status in pair} - {CREATION}) for entity, pairs in TRANSITIONS.items()
}


def test_the_database_has_the_same_transitions_as_the_code(catalog: Catalog) -> None:
    with catalog.transaction() as session:
        rows = session.execute(select(status_transitions)).all()
    kept = {(row.entity, row.from_status, row.to_status) for row in rows}
    assert kept == {(str(entity), *pair) for entity, pairs in TRANSITIONS.items() for pair in pairs}


def test_the_tables_of_the_code_are_those_of_the_migrations(catalog: Catalog) -> None:
    with catalog.transaction() as session:
        for table in metadata.sorted_tables:
            found = session.execute(
                text("SELECT column_name FROM information_schema.columns WHERE table_schema = :s AND table_name = :t"),
                {"s": table.schema, "t": table.name},
            ).scalars()
            assert {column.name for column in table.columns} <= set(found), table.name


def test_the_constant_head_is_the_newest_migration() -> None:
    config = Config()
    config.set_main_option("script_location", str(migrations.__path__[0]))
    config.set_main_option("path_separator", "os")
    assert ScriptDirectory.from_config(config).get_current_head() == HEAD


def test_random_sequences_on_two_connections_never_leave_the_table_and_leave_one_event_each(catalog: Catalog) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    with catalog.transaction() as session:
        entities = [
            row for number in range(10) for row in rows_of_every_entity(session, a_mapping(session, f"m{number}"))
        ]
    together = Barrier(2)

    def act(generator: random.Random) -> tuple[int, int]:
        moved = refused = 0
        together.wait()
        for _ in range(400):
            entity, identifier = generator.choice(entities)
            table = ENTITY_TABLES[entity]
            to = generator.choice(STATUSES[entity])
            allowed = [before for before, after in TRANSITIONS[entity] if after == to and before != CREATION]
            if allowed and generator.random() < 0.7:
                with catalog.transaction() as session:
                    moved += len(
                        transition(
                            session,
                            entity,
                            table.c.id == identifier,
                            from_=generator.sample(allowed, generator.randint(1, len(allowed))),
                            to=to,
                            by=BY,
                            values=values_for(entity, to),
                        )
                    )
                continue
            changes = {"status": to, **values_for(entity, to)}
            if generator.random() < 0.5:
                changes["revision"] = table.c.revision + 1  # as somebody would who knows half of the rule
            try:
                with catalog.transaction() as session:
                    before = session.scalar(select(table.c.status).where(table.c.id == identifier).with_for_update())
                    session.execute(table.update().where(table.c.id == identifier).values(changes))
                assert before == to and "revision" not in changes, f"{entity} went from {before} to {to} with no event"
            except DBAPIError:
                refused += 1
        return moved, refused

    with ThreadPoolExecutor(2) as pool:
        outcomes = list(pool.map(act, (random.Random(seed), random.Random(seed + 1))))

    assert all(moved > 20 and refused > 20 for moved, refused in outcomes), outcomes
    total = 0
    with catalog.transaction() as session:
        for entity, identifier in entities:
            row = session.execute(select(ENTITY_TABLES[entity]).where(ENTITY_TABLES[entity].c.id == identifier)).one()
            events = session.execute(
                select(audit_events)
                .where(audit_events.c.entity_id == identifier, audit_events.c.revision.is_not(None))
                .order_by(audit_events.c.revision)
            ).all()
            assert [event.revision for event in events] == list(range(1, row.revision + 1))
            status = CREATION
            for event in events:
                assert event.from_status == status
                assert (event.from_status, event.to_status) in TRANSITIONS[entity]
                status = event.to_status
            assert status == row.status
            total += len(events) - 1
    assert total == sum(moved for moved, _ in outcomes)


def test_of_two_that_race_for_one_row_exactly_one_gets_it(catalog: Catalog) -> None:
    with catalog.transaction() as session:
        mapping = a_mapping(session)
    table = ENTITY_TABLES[Entity.MAPPING]
    together = Barrier(8)

    def take(_: int) -> int:
        together.wait()
        with catalog.transaction() as session:
            return len(
                transition(session, Entity.MAPPING, table.c.id == mapping.id, from_=["active"], to="deleting", by=BY)
            )

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(take, range(8))) == 1


def test_a_transition_tells_the_state_before_and_writes_who_and_why(catalog: Catalog) -> None:
    with catalog.transaction() as session:
        mapping = a_mapping(session)
        table = ENTITY_TABLES[Entity.MAPPING]
        (row,) = transition(
            session, Entity.MAPPING, table.c.id == mapping.id, from_=["active"], to="deleting", by=BY, reason="a test"
        )
        event = session.execute(select(audit_events).order_by(audit_events.c.id.desc()).limit(1)).one()
    assert (row.previous_status, row.status) == ("active", "deleting")
    assert (event.actor, event.run_id, event.reason, event.from_status) == ("tester", "run-1", "a test", "active")


def test_a_pair_outside_the_table_is_a_defect_of_the_caller(catalog: Catalog) -> None:
    table = ENTITY_TABLES[Entity.MAPPING]
    with catalog.transaction() as session:
        with pytest.raises(ValueError, match="no transition"):
            transition(session, Entity.MAPPING, table.c.id == "x", from_=["deleted"], to="active", by=BY)
        with pytest.raises(ValueError, match="not born"):
            create(session, Entity.MAPPING, {"id": "x"}, status="deleted", by=BY)


def test_nothing_leaves_a_final_state() -> None:
    assert {entity: set(states) for entity, states in FINAL.items()} == {
        Entity.MAPPING: {"deleted"},
        Entity.SNAPSHOT: {"deleted"},
        Entity.EXPORT_JOB: {"completed", "cancelled"},
        Entity.INSTANCE: {"terminated"},
    }


FORBIDDEN = [
    "UPDATE graph_platform.mappings SET status = 'deleting'",
    "UPDATE graph_platform.mappings SET status = 'deleted', revision = revision + 1",
    "UPDATE graph_platform.mappings SET status = 'deleting', revision = revision + 1",
    "UPDATE graph_platform.mappings SET revision = revision + 1",
    "UPDATE graph_platform.mappings SET id = 'map-other'",
    "DELETE FROM graph_platform.mappings",
    "TRUNCATE graph_platform.mappings CASCADE",
    "UPDATE graph_platform.mapping_versions SET definition = '{}'",
    "DELETE FROM graph_platform.mapping_versions",
    "UPDATE graph_platform.audit_events SET actor = 'nobody'",
    "DELETE FROM graph_platform.audit_events",
    "TRUNCATE graph_platform.audit_events",
    "INSERT INTO graph_platform.audit_events (entity, entity_id, action, from_status, to_status, revision, actor) "
    "SELECT 'mapping', id, 'transition', 'active', 'deleting', 2, 'forger' FROM graph_platform.mappings",
    "INSERT INTO graph_platform.mappings (id, name, owner, status, revision, current_version) "
    "VALUES ('map-x', 'x', 'me', 'active', 1, 1)",
]


@pytest.mark.parametrize("statement", FORBIDDEN)
def test_a_person_with_psql_can_not_go_round_the_rule(catalog: Catalog, statement: str) -> None:
    with catalog.transaction() as session:
        a_mapping(session)
    with pytest.raises(DBAPIError) as refused, catalog.transaction() as session:
        session.exec_driver_sql(statement)
    assert getattr(refused.value.orig, "sqlstate", None) == "23001"  # restrict_violation: ours, not an accident
