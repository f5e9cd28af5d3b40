"""A snapshot's name is its own, whatever it is a snapshot of."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from graph_platform.catalog import snapshots
from graph_platform.catalog.catalog import Catalog
from graph_platform.catalog.snapshots import SnapshotRequest
from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.platform import Platform
from graph_platform.proving.requests import CreateMapping, UpdateMapping
from graph_platform.snapshot.requests import CreateSnapshot, DeleteSnapshot
from graph_platform_tests.catalog.earlier import make_catalog
from graph_platform_tests.catalog.rows import LIVES
from graph_platform_tests.worlds import BY, Recorder, make_settings, people


@pytest.fixture
def platform(home: Path, catalog_url: str) -> Iterator[Platform]:
    """People in two versions, and the same under another name."""
    changed = people().model_copy(update={"description": "the same, otherwise told"})
    with Platform.open(make_settings(home, catalog_url)) as opened:
        opened.mappings.create(CreateMapping(mapping=people()), BY, Recorder())
        opened.mappings.create(CreateMapping(mapping=people().model_copy(update={"name": "others"})), BY, Recorder())
        opened.mappings.update(UpdateMapping(mapping=changed), BY, Recorder())
        yield opened


def test_a_name_that_lives_is_refused_to_another_version_and_to_another_mapping(platform: Platform) -> None:
    made = platform.snapshots.create(CreateSnapshot(mapping="people@1", name="q3"), BY, Recorder())
    for other in ("people", "people@2", "others"):
        report = Recorder()
        with pytest.raises(PlatformError) as refused:
            platform.snapshots.create(CreateSnapshot(mapping=other, name="q3"), BY, report)
        assert refused.value.code is ErrorCode.ALREADY_EXISTS
        assert refused.value.message == f"snapshot 'q3' is of people@1, and its id is {made.id}"
        assert "snapshot delete q3" in str(refused.value.hint)
        assert report.lines == []  # nothing was proved first
    assert platform.snapshots.create(CreateSnapshot(mapping="people@1", name="q3"), BY, Recorder()).id == made.id
    assert [each.id for each in platform.snapshots.list()] == [made.id]


def test_a_name_is_free_again_once_its_snapshot_is_deleted(platform: Platform) -> None:
    platform.snapshots.create(CreateSnapshot(mapping="people@1", name="q3"), BY, Recorder())
    platform.snapshots.delete(DeleteSnapshot(snapshot="q3"), BY)
    again = platform.snapshots.create(CreateSnapshot(mapping="others", name="q3"), BY, Recorder())
    assert platform.snapshots.show("q3").id == again.id


def test_of_many_mappings_that_want_one_name_at_once_one_gets_it(platform: Platform) -> None:
    ids = [(each.id, version) for each, version in ((platform.mappings.list()[0], 1), (platform.mappings.list()[1], 1))]

    def insert(wanted: tuple[str, int]) -> str | ErrorCode:
        request = SnapshotRequest(*wanted, "q3", platform.storage.url, "f", platform.settings.engine, LIVES)
        try:
            with platform.catalog.transaction() as session:
                return snapshots.insert_snapshot(session, request, [], by=BY)
        except PlatformError as error:
            return error.code

    with ThreadPoolExecutor(8) as pool:
        got = list(pool.map(insert, ids * 8))
    assert got.count(ErrorCode.ALREADY_EXISTS) == 15
    (winner,) = [each for each in got if each is not ErrorCode.ALREADY_EXISTS]
    assert platform.snapshots.show("q3").id == winner


def test_of_several_that_an_earlier_catalog_kept_under_one_name_that_one_keeps_it_which_the_name_meant(
    empty_url: str,
) -> None:
    make_catalog(empty_url, "0003")
    engine = create_engine(empty_url)
    with engine.begin() as connection:
        connection.execute(text("SET LOCAL session_replication_role = replica"))
        connection.execute(
            text(
                "INSERT INTO graph_platform.mappings (id, name, owner, status, revision, current_version) "
                "VALUES ('map-1', 'people', 'ada', 'active', 1, 4);"
                "INSERT INTO graph_platform.mapping_versions (mapping_id, version, definition, columns, "
                "change_description, created_by) SELECT 'map-1', n, '{}', '[]', '', 'ada' FROM generate_series(1, 5) n;"
                "INSERT INTO graph_platform.snapshots (id, mapping_id, mapping_version, name, owner, status, revision, "
                "attempt, export_round, storage_url, folder, manifest_key, engine, data_checks, ready_at, created_at) "
                "SELECT id, 'map-1', version, 'q3', 'ada', status, 3, 1, 1, 'file:///x', 'f', 'k', 'ladybug', "
                "'trusted', CASE WHEN status <> 'failed' THEN now() END, now() + version * interval '1 hour' "
                "FROM (VALUES ('snap-old', 1, 'ready'), ('snap-new', 2, 'ready'), ('snap-failed', 3, 'failed'), "
                "('snap-gone', 4, 'deleted'), ('snap-gone2', 5, 'deleted')) AS s (id, version, status)"
            )
        )
    catalog = Catalog(empty_url)
    catalog.migrate()
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT id, name FROM graph_platform.snapshots")).all()
    engine.dispose()
    catalog.close()
    assert {row.id: row.name for row in rows} == {
        "snap-new": "q3",
        "snap-old": "q3-snap-old",
        "snap-failed": "q3-snap-failed",
        "snap-gone": "q3",
        "snap-gone2": "q3",
    }
