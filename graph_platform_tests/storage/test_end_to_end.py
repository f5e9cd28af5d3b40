"""A snapshot in a bucket: its database is built from there in a process of its own, and an instance serves it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.failpoints import Failpoint
from graph_platform.instance.requests import LaunchInstance, QueryInstance, TerminateInstance
from graph_platform.platform import Platform
from graph_platform.progress import Attribution
from graph_platform.proving.requests import CreateMapping
from graph_platform.runtime.local.servers import LocalServers
from graph_platform.runtime.protocol import Presence
from graph_platform.settings import Settings
from graph_platform.snapshot.requests import CreateSnapshot, DeleteSnapshot
from graph_platform.storage.bucket import BucketStorage
from graph_platform.stored.manifest import Manifest
from graph_platform_tests.killing import Killing
from graph_platform_tests.services.buckets import SECRET, begin_upload, unfinished_uploads
from graph_platform_tests.services.runtimes import settled
from graph_platform_tests.snapshots import ATTEMPT, Snapshot, make_snapshot
from graph_platform_tests.worlds import BY, Recorder, make_settings, people

ENGINE = "ladybug"
PEOPLE = [["Ada"], ["Zoë"], ["it's"]]


@pytest.fixture(params=["s3_url", "gs_url"])
def url(request: pytest.FixtureRequest) -> str:
    found: str = request.getfixturevalue(request.param)
    return found


def names_served(snapshot: Snapshot, home: Path) -> tuple[list[list[str]], str]:
    """What an instance of the snapshot answers, and what its server wrote into its log."""
    runtime = LocalServers(home, "test-installation")
    runtime.start(snapshot.spec(ENGINE))
    try:
        seen = settled(runtime, "inst-1")
        assert seen.presence is Presence.READY, seen
        way = runtime.connect("inst-1")
        answer = httpx.post(
            f"{way.url}/query",
            json={"cypher": "MATCH (p:Person) RETURN p.name ORDER BY p.name"},
            headers={"Authorization": f"Bearer {way.token}"},
            trust_env=False,
        )
        rows: list[list[str]] = answer.json()["rows"]
        return rows, "\n".join(path.read_text() for path in home.rglob("*.log"))
    finally:
        runtime.stop("inst-1", 1, 5)


def _nothing(snapshot: Snapshot) -> None:
    pass


def _without_its_database(snapshot: Snapshot) -> None:
    assert snapshot.storage.delete(f"{ATTEMPT}/databases") == 1


@pytest.mark.parametrize(("change", "loaded_again"), [(_nothing, False), (_without_its_database, True)])
def test_a_snapshot_in_a_bucket_is_built_and_served(
    url: str, tmp_path: Path, change: Callable[[Snapshot], None], loaded_again: bool
) -> None:
    snapshot = make_snapshot(tmp_path, ENGINE, url=url)
    assert snapshot.storage.url == url
    change(snapshot)
    rows, log = names_served(snapshot, tmp_path / "home")
    assert rows == PEOPLE
    assert ("loading the Parquet files instead" in log) is loaded_again
    assert not (tmp_path / "storage root").exists()


def _scratch(settings: Settings) -> list[Path]:
    return list((settings.home / "scratch").glob("*/*"))


def test_duckdb_exports_into_a_bucket_and_the_graph_answers(url: str, home: Path, catalog_url: str) -> None:
    settings, report, ada = make_settings(home, catalog_url, storage=url), Recorder(), Attribution("ada@example.com")
    with Platform.open(settings) as platform:
        platform.mappings.create(CreateMapping(mapping=people()), ada, report)
        snapshot = platform.snapshots.create(CreateSnapshot(mapping="people", name="s"), ada, report)
        assert (snapshot.status, snapshot.rows) == ("ready", 620)
        instance = platform.instances.launch(LaunchInstance(snapshot=snapshot.id), BY, report)
        counted = "MATCH (p:Person)-[:LIVES_IN]->(c:City {code: 'c7'}) RETURN count(*)"
        assert platform.instances.query(QueryInstance(instance=instance.id, cypher=counted))["rows"] == [[10]]
        platform.instances.terminate(TerminateInstance(instance=instance.id), BY, report)
        shown = [str(platform.snapshots.show(snapshot.id).document()), str(report), repr(settings)]
        shown += [path.read_text(errors="replace") for path in home.rglob("*") if path.is_file()]
        shown += [platform.storage.read(found.key).decode(errors="replace") for found in platform.storage.list("")]
        assert not [text for text in shown if SECRET in text]
        platform.snapshots.delete(DeleteSnapshot(snapshot=snapshot.id), BY)
        assert [found.key for found in platform.storage.list("")] == ["installation.json"]
    assert _scratch(settings) == []


def test_an_upload_that_is_refused_fails_the_export_and_leaves_nothing(
    s3_url: str, home: Path, catalog_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = make_settings(home, catalog_url, storage=s3_url)

    def refuse(self: BucketStorage, source: Path, key: str) -> None:
        raise PlatformError(ErrorCode.STORAGE_ERROR, f"{key} is refused")

    with Platform.open(settings) as platform:
        platform.mappings.create(CreateMapping(mapping=people()), BY, Recorder())
        with monkeypatch.context() as patched:
            patched.setattr(BucketStorage, "put", refuse)
            with pytest.raises(PlatformError, match=r"data_0\.parquet is refused"):
                platform.snapshots.create(CreateSnapshot(mapping="people", name="s"), BY, Recorder())
        assert [found.key for found in platform.storage.list("")] == ["installation.json"]
        platform.warehouse.close()  # what it spills into is there as long as it is open
        assert _scratch(settings) == []
    with Platform.open(settings) as platform:
        assert platform.snapshots.create(CreateSnapshot(mapping="people", name="s"), BY, Recorder()).rows == 620


def test_a_run_killed_while_duckdb_exports_into_a_bucket_is_tried_again_and_nothing_is_left(
    url: str, home: Path, catalog_url: str
) -> None:
    settings = make_settings(home, catalog_url, storage=url)
    killing = Killing(home, catalog_url, settings)
    try:
        storage = killing.platform.storage
        killing.platform.mappings.create(CreateMapping(mapping=people()), BY, Recorder())
        assert killing.order("snapshot", "s", failpoint=Failpoint.JOB_SUBMITTED.value)["status"] == -9
        (begun,) = killing.platform.snapshots.list()
        if url.startswith("s3:"):  # as a kill in the middle of a file leaves it; these files have no middle
            begin_upload(storage.uri(f"{begun.folder}/1/nodes/Person/data_0.parquet"))
        assert killing.order("snapshot", "s")["status"] == 0
        (snapshot,) = killing.platform.snapshots.list()
        assert (snapshot.id, snapshot.status, snapshot.rows) == (begun.id, "ready", 620)
        assert snapshot.manifest_key is not None
        manifest = Manifest.from_json(storage.read(snapshot.manifest_key))
        named = {f"{snapshot.folder}/{file.key}" for table in manifest.tables for file in table.files}
        named |= {f"{snapshot.folder}/{database.key}" for database in manifest.databases}
        assert {found.key for found in storage.list(snapshot.folder)} == named | {snapshot.manifest_key}
        if url.startswith("s3:"):
            assert unfinished_uploads(url) == []
        killing.platform.warehouse.close()
        assert _scratch(settings) == []
    finally:
        killing.close()
