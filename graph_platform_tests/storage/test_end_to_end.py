"""A snapshot in a bucket: its database is built from there in a process of its own, and an instance serves it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.instance.local import LocalRuntime
from graph_platform.instance.protocol import Presence
from graph_platform.platform import Platform
from graph_platform.storage.connect import open_storage
from graph_platform_tests.instance.conftest import settled
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
    runtime = LocalRuntime(home, "test-installation")
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
        runtime.stop("inst-1", 5)


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


def test_duckdb_says_that_it_cannot_export_into_a_bucket_and_leaves_nothing_there(
    s3_url: str, home: Path, catalog_url: str
) -> None:
    settings = make_settings(home, catalog_url, storage=s3_url)
    with Platform.open(settings) as platform:
        platform.create_mapping(people(), BY, Recorder())
        with pytest.raises(PlatformError) as refused:
            platform.create_snapshot("people", "s", None, None, BY, Recorder())
    assert refused.value.code is ErrorCode.VALIDATION_FAILED
    assert "DuckDB" in refused.value.message and "file://" in (refused.value.hint or "")
    assert [found.key for found in open_storage(s3_url).list("")] == ["installation.json"]
