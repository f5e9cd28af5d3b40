"""What a list shows of many: the newest, of somebody, in some states, of one mapping."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import text

from graph_platform.catalog import instances, mappings, snapshots
from graph_platform.catalog.catalog import Catalog
from graph_platform.catalog.selection import Selection
from graph_platform.catalog.transition import Session

ROWS = """
    SET LOCAL session_replication_role = replica;
    INSERT INTO graph_platform.mappings (id, name, owner, status, revision, current_version, created_at, last_used_at)
    SELECT 'map-' || n, 'name ' || n, CASE WHEN n % 2 > 0 THEN 'ada' ELSE 'bob' END,
        CASE WHEN n % 10 > 0 THEN 'active' ELSE 'deleted' END, 1, 1, now() - n * interval '1 minute', now()
    FROM generate_series(1, {many}) AS n;
    INSERT INTO graph_platform.mapping_versions (mapping_id, version, definition, columns, change_description,
        created_by)
    SELECT 'map-' || n, 1, '{{"description": "", "node_definitions": [], "edge_definitions": []}}', '[]', '', 'ada'
    FROM generate_series(1, {many}) AS n;
    INSERT INTO graph_platform.snapshots (id, mapping_id, mapping_version, owner, status, revision, attempt,
        export_round, storage_url, folder, engine, data_checks, manifest_key, created_at, ready_at, last_used_at)
    SELECT 'snap-' || n, 'map-' || 1 + n % 2, 1, CASE WHEN n % 2 > 0 THEN 'ada' ELSE 'bob' END,
        CASE WHEN n % 10 = 0 THEN 'deleted' WHEN n % 5 = 0 THEN 'failed' ELSE 'ready' END, 1, 1, 1, 'file:///x', 'f',
        'ladybug', 'trusted', 'k', now() - n * interval '1 minute', now(), now()
    FROM generate_series(1, {many}) AS n;
    INSERT INTO graph_platform.instances (id, snapshot_id, owner, status, revision, attempt, engine, runtime, url,
        created_at, started_at, last_activity_at)
    SELECT 'inst-' || n, 'snap-' || n, CASE WHEN n % 2 > 0 THEN 'ada' ELSE 'bob' END,
        CASE WHEN n % 10 = 0 THEN 'terminated' WHEN n % 5 = 0 THEN 'suspended' ELSE 'running' END, 1, 1, 'ladybug',
        'local:', 'http://x', now() - n * interval '1 minute', now(), now()
    FROM generate_series(1, {many}) AS n;
"""

LISTS: dict[str, Callable[[Session, Selection], list[Any]]] = {
    "map": mappings.list_mappings,
    "snap": snapshots.list_snapshots,
    "inst": lambda session, selection: instances.list_instances(session, selection=selection),
}


@pytest.fixture
def twenty(catalog: Catalog) -> Catalog:
    """Twenty rows of each kind, number 1 the newest, the odd ones ada's, every tenth gone."""
    with catalog.transaction() as session:
        session.execute(text(ROWS.format(many=20)))
    return catalog


def numbers(catalog: Catalog, kind: str, selection: Selection) -> list[int]:
    with catalog.transaction() as session:
        return [int(each.id.removeprefix(f"{kind}-")) for each in LISTS[kind](session, selection)]


@pytest.mark.parametrize("kind", LISTS)
def test_every_list_is_of_what_lives_and_the_newest_come_first(twenty: Catalog, kind: str) -> None:
    assert numbers(twenty, kind, Selection()) == [n for n in range(1, 20) if n != 10]
    assert numbers(twenty, kind, Selection(gone=True)) == list(range(1, 21))
    assert numbers(twenty, kind, Selection(limit=3)) == [1, 2, 3]
    assert numbers(twenty, kind, Selection(owner="bob", limit=5)) == [2, 4, 6, 8, 12]
    assert numbers(twenty, kind, Selection(owner="nobody")) == []


@pytest.mark.parametrize(
    ("kind", "gone", "other"),
    [("map", "deleted", "deleting"), ("snap", "deleted", "failed"), ("inst", "terminated", "suspended")],
)
def test_a_state_that_is_asked_for_is_listed_also_if_it_is_the_end(
    twenty: Catalog, kind: str, gone: str, other: str
) -> None:
    assert numbers(twenty, kind, Selection(statuses=(gone,))) == [10, 20]
    fives = [] if kind == "map" else [5, 15]
    assert numbers(twenty, kind, Selection(statuses=(other,))) == fives
    assert numbers(twenty, kind, Selection(statuses=(gone, other), gone=True)) == sorted([10, 20, *fives])


@pytest.mark.parametrize("kind", ["snap", "inst"])
def test_what_is_of_one_mapping_is_listed_alone(twenty: Catalog, kind: str) -> None:
    assert numbers(twenty, kind, Selection(mapping="map-1", limit=4)) == [2, 4, 6, 8]
    assert numbers(twenty, kind, Selection(mapping="map-2", owner="bob")) == []


def test_the_newest_hundred_of_a_hundred_thousand_are_listed_without_a_look_at_the_others(catalog: Catalog) -> None:
    with catalog.transaction() as session:
        session.execute(text(ROWS.format(many=100_000)))
        session.execute(text("ANALYZE"))
    for kind, listed in LISTS.items():
        took = []
        for selection in (Selection(limit=100), Selection()):
            with catalog.transaction() as session:
                began = time.perf_counter()
                listed(session, selection)
                took.append(time.perf_counter() - began)
        assert took[0] < took[1] / 5, kind
