"""A snapshot that is tried again after the storage setting changed is made there, and nothing is left where it was."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.failpoints import Failpoint
from graph_platform.instance.requests import LaunchInstance, QueryInstance, TerminateInstance
from graph_platform.platform import Platform
from graph_platform.proving.requests import CreateMapping
from graph_platform.snapshot.requests import CreateSnapshot, DeleteSnapshot
from graph_platform.storage.connect import open_storage
from graph_platform_tests.killing import Killing
from graph_platform_tests.worlds import BY, Recorder, make_settings, make_warehouse, people


@pytest.mark.parametrize("point", [Failpoint.JOB_COMPLETED, Failpoint.DATABASE_STORED])
def test_a_run_that_was_killed_is_gone_on_with_in_the_new_storage(
    home: Path, catalog_url: str, tmp_path: Path, point: Failpoint
) -> None:
    killing = Killing(home, catalog_url)
    try:
        assert killing.order("snapshot", "s", failpoint=point.value)["status"] == -9
    finally:
        killing.close()
    with Platform.open(replace(killing.settings, storage=f"file://{tmp_path / 'elsewhere'}")) as platform:
        snapshot = platform.snapshots.create(CreateSnapshot(mapping="people", name="s"), BY, Recorder())
        assert (snapshot.status, snapshot.storage_url) == ("ready", platform.storage.url)
        assert list(open_storage(killing.settings.storage).list(snapshot.folder)) == []
        instance = platform.instances.launch(LaunchInstance(snapshot="s"), BY, Recorder())
        assert platform.instances.query(QueryInstance(instance=instance.id, cypher="MATCH (n) RETURN count(*)"))[
            "rows"
        ] == [[220]]
        platform.instances.terminate(TerminateInstance(instance=instance.id), BY, Recorder())


def test_a_snapshot_is_deleted_where_it_lies(home: Path, catalog_url: str, tmp_path: Path) -> None:
    settings = make_settings(home, catalog_url)
    with Platform.open(settings) as platform:
        platform.mappings.create(CreateMapping(mapping=people()), BY, Recorder())
        snapshot = platform.snapshots.create(CreateSnapshot(mapping="people", name="s"), BY, Recorder())
    with Platform.open(replace(settings, storage=f"file://{tmp_path / 'elsewhere'}")) as platform:
        assert platform.snapshots.delete(DeleteSnapshot(snapshot="s"), BY).status == "deleted"
    assert list(open_storage(settings.storage).list(snapshot.folder)) == []


def test_a_snapshot_whose_warehouse_is_away_is_not_half_deleted(home: Path, catalog_url: str) -> None:
    settings = make_settings(home, catalog_url)
    with Platform.open(settings) as platform:
        platform.mappings.create(CreateMapping(mapping=people()), BY, Recorder())
        platform.snapshots.create(CreateSnapshot(mapping="people", name="s"), BY, Recorder())
    (home / "warehouse.duckdb").unlink()
    with Platform.open(settings) as platform:
        with pytest.raises(PlatformError) as away:
            platform.snapshots.delete(DeleteSnapshot(snapshot="s"), BY)
        assert away.value.code is ErrorCode.BACKEND_UNREACHABLE
        assert platform.snapshots.show("s").status == "ready"


def test_one_that_failed_for_its_storage_is_tried_again_in_another(
    home: Path, catalog_url: str, tmp_path: Path
) -> None:
    settings = make_settings(home, catalog_url)
    with Platform.open(settings) as platform:
        platform.mappings.create(CreateMapping(mapping=people()), BY, Recorder())
    warehouse = home / "warehouse.duckdb"
    warehouse.unlink()
    make_warehouse(warehouse, BROKEN_LATER)
    with Platform.open(settings) as platform, pytest.raises(PlatformError):
        platform.snapshots.create(CreateSnapshot(mapping="people", name="s"), BY, Recorder())
    warehouse.unlink()
    make_warehouse(warehouse)
    with Platform.open(replace(settings, storage=f"file://{tmp_path / 'elsewhere'}")) as platform:
        snapshot = platform.snapshots.create(CreateSnapshot(mapping="people", name="s"), BY, Recorder())
        assert (snapshot.status, snapshot.storage_url) == ("ready", platform.storage.url)


def test_a_ready_snapshot_whose_files_are_gone_is_not_passed_off_as_one(home: Path, catalog_url: str) -> None:
    with Platform.open(make_settings(home, catalog_url)) as platform:
        platform.mappings.create(CreateMapping(mapping=people()), BY, Recorder())
        snapshot = platform.snapshots.create(CreateSnapshot(mapping="people", name="s"), BY, Recorder())
        platform.storage.delete(snapshot.folder)
        with pytest.raises(PlatformError, match="its files are gone") as gone:
            platform.snapshots.create(CreateSnapshot(mapping="people", name="s"), BY, Recorder())
        assert f"snapshot delete {snapshot.id}" in (gone.value.hint or "")
        platform.snapshots.delete(DeleteSnapshot(snapshot=snapshot.id), BY)
        assert platform.snapshots.create(CreateSnapshot(mapping="people", name="s"), BY, Recorder()).status == "ready"


# Valid by its types, and without the nodes that an edge names: the load fails, after the exports.
BROKEN_LATER = """
CREATE TABLE person AS SELECT 1::BIGINT AS id, 'a' AS name, DATE '2000-01-01' AS born, 1::DECIMAL(12, 4) AS score;
CREATE TABLE city AS SELECT 'c1' AS code, TIMESTAMP '2020-01-01 00:00:00' AS founded;
CREATE TABLE lives AS SELECT 9::BIGINT AS person, 'c9' AS city;
CREATE TABLE knows AS SELECT 1::BIGINT AS one, 1::BIGINT AS other, 1::BIGINT AS years;
"""
