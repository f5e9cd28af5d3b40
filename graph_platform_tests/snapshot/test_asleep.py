"""A run that slept past its lease, and wakes when another one has finished its snapshot, harms nothing of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from graph_platform.failpoints import Failpoint
from graph_platform.instance.requests import LaunchInstance, QueryInstance, TerminateInstance
from graph_platform.platform import Platform
from graph_platform.proving.requests import CreateMapping
from graph_platform.snapshot.requests import CreateSnapshot
from graph_platform_tests.killing import Killing
from graph_platform_tests.worlds import BY, Recorder, make_settings, make_warehouse, people

# Valid by its types, and without the nodes that edges name: the load fails, after the exports.
BROKEN = """
CREATE TABLE person AS SELECT 1::BIGINT AS id, 'a' AS name, DATE '2000-01-01' AS born, 1::DECIMAL(12, 4) AS score;
CREATE TABLE city AS SELECT 'c1' AS code, TIMESTAMP '2020-01-01 00:00:00' AS founded;
CREATE TABLE lives AS SELECT 9::BIGINT AS person, 'c9' AS city;
CREATE TABLE knows AS SELECT 1::BIGINT AS one, 1::BIGINT AS other, 1::BIGINT AS years;
"""


@pytest.fixture
def killing(home: Path, catalog_url: str) -> Iterator[Killing]:
    settings = make_settings(home, catalog_url, lease_seconds=1)
    with Platform.open(settings) as platform:
        platform.mappings.create(CreateMapping(mapping=people()), BY, Recorder())
    made = Killing(home, catalog_url, settings)
    yield made
    made.close()


def _is_whole(platform: Platform) -> None:
    instance = platform.instances.launch(LaunchInstance(snapshot="s"), BY, Recorder())
    answer = platform.instances.query(QueryInstance(instance=instance.id, cypher="MATCH (a)-[e]->(b) RETURN count(*)"))
    platform.instances.terminate(TerminateInstance(instance=instance.id), BY, Recorder())
    assert answer["rows"] == [[400]]


@pytest.mark.parametrize("point", [Failpoint.DATABASE_STORED, Failpoint.MANIFEST_WRITTEN, Failpoint.LEFTOVERS_REMOVED])
def test_an_attempt_that_slept_past_its_lease_leaves_its_successors_snapshot_whole(
    killing: Killing, point: Failpoint
) -> None:
    asleep = killing.order("snapshot", "s", stop_at=point.value)
    assert asleep["stopped"]
    snapshot = killing.platform.snapshots.create(CreateSnapshot(mapping="people", name="s"), BY, Recorder())
    assert (snapshot.status, snapshot.attempt) == ("ready", 2)
    before = {found.key for found in killing.platform.storage.list(snapshot.folder)}
    assert killing.order("continue", pid=asleep["pid"])["status"] == 1
    assert {found.key for found in killing.platform.storage.list(snapshot.folder)} >= before
    _is_whole(killing.platform)


def test_what_a_failed_attempt_could_not_remove_the_retry_removes(killing: Killing, home: Path) -> None:
    warehouse = home / "warehouse.duckdb"
    warehouse.unlink()
    make_warehouse(warehouse, BROKEN)
    assert killing.order("snapshot", "s", failpoint=Failpoint.SNAPSHOT_GIVEN_UP.value)["status"] == -9
    warehouse.unlink()
    make_warehouse(warehouse)
    snapshot = killing.platform.snapshots.create(CreateSnapshot(mapping="people", name="s"), BY, Recorder())
    keys = [found.key.removeprefix(f"{snapshot.folder}/") for found in killing.platform.storage.list(snapshot.folder)]
    assert {key.partition("/")[0] for key in keys} == {"2"}
    assert len(keys) == 6


def test_an_attempt_that_failed_and_slept_leaves_the_retry_whole(killing: Killing, home: Path) -> None:
    warehouse = home / "warehouse.duckdb"
    warehouse.unlink()
    make_warehouse(warehouse, BROKEN)
    asleep = killing.order("snapshot", "s", stop_at=Failpoint.SNAPSHOT_GIVEN_UP.value)
    assert asleep["stopped"]
    (failed,) = killing.platform.snapshots.list()
    assert failed.status == "failed"
    warehouse.unlink()
    make_warehouse(warehouse)
    snapshot = killing.platform.snapshots.create(CreateSnapshot(mapping="people", name="s"), BY, Recorder())
    assert (snapshot.status, snapshot.attempt) == ("ready", 2)
    before = {found.key for found in killing.platform.storage.list(snapshot.folder)}
    assert killing.order("continue", pid=asleep["pid"])["status"] == 1
    assert {found.key for found in killing.platform.storage.list(snapshot.folder)} == before
    _is_whole(killing.platform)
