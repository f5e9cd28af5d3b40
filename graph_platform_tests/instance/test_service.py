"""Instances end to end: a real catalog, a real snapshot, a real server process, real HTTP."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Barrier

import psutil
import pytest

from graph_platform.catalog.records import InstanceRecord
from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.instance.requests import (
    LaunchInstance,
    QueryInstance,
    ResumeInstance,
    SuspendInstance,
    TerminateInstance,
)
from graph_platform.platform import Platform
from graph_platform.proving.requests import CreateMapping, DeleteMapping
from graph_platform.snapshot.requests import CreateSnapshot, DeleteSnapshot
from graph_platform_tests.server_processes import server_processes
from graph_platform_tests.waiting import until
from graph_platform_tests.worlds import BY, Recorder, make_settings, people


@pytest.fixture
def platform(home: Path, catalog_url: str) -> Iterator[Platform]:
    with Platform.open(make_settings(home, catalog_url, instance_stop_seconds=3)) as opened:
        opened.mappings.create(CreateMapping(mapping=people()), BY, Recorder())
        opened.snapshots.create(CreateSnapshot(mapping="people", name="s"), BY, Recorder())
        yield opened
        for instance in opened.instances.list():
            opened.instances.terminate(TerminateInstance(instance=instance.id), BY, Recorder())


def launch(platform: Platform, name: str | None = None, snapshot: str = "people") -> InstanceRecord:
    return platform.instances.launch(LaunchInstance(snapshot=snapshot, name=name), BY, Recorder())


def processes(home: Path) -> list[psutil.Process]:
    """The processes that serve an instance of this home."""
    return [each for found in server_processes(home).values() for each in found]


def test_a_launched_instance_answers_and_what_it_answers_is_right(platform: Platform) -> None:
    instance = launch(platform)
    assert instance.status == "running"
    answer = platform.instances.query(
        QueryInstance(
            instance=instance.id,
            cypher="MATCH (p:Person {id: $id})-[:LIVES_IN]->(c:City) RETURN p.name, p.score, c.code",
            parameters={"id": 8},
        )
    )
    assert answer["columns"] == ["p.name", "p.score", "c.code"]
    assert answer["rows"] == [["person 8", "1.1429", "c8"]]
    assert answer["truncated"] is False


def test_a_query_that_the_server_refuses_is_the_servers_own_error(platform: Platform) -> None:
    instance = launch(platform)
    for cypher, code in (
        ("CREATE (:City {code: 'x'})", ErrorCode.PERMISSION_DENIED),
        ("LOAD FROM '/etc/passwd' RETURN *", ErrorCode.PERMISSION_DENIED),
        ("MATCH (n:Nothing) RETURN n", ErrorCode.QUERY_ERROR),
    ):
        with pytest.raises(PlatformError) as refused:
            platform.instances.query(QueryInstance(instance=instance.id, cypher=cypher))
        assert refused.value.code == code


def test_the_same_name_is_the_same_instance(platform: Platform, home: Path) -> None:
    first, again = launch(platform, "mine"), launch(platform, "mine")
    assert first.id == again.id
    assert len(processes(home)) == 1
    other = platform.snapshots.create(CreateSnapshot(mapping="people", name="other"), BY, Recorder())
    with pytest.raises(PlatformError) as taken:
        launch(platform, "mine", other.id)
    assert taken.value.code == ErrorCode.ALREADY_EXISTS


def test_two_launches_of_one_name_at_once_give_one_instance(home: Path, catalog_url: str, platform: Platform) -> None:
    together = Barrier(2)

    def one(_: int) -> str:
        with Platform.open(make_settings(home, catalog_url)) as own:
            together.wait()
            return launch(own, "twice").id

    with ThreadPoolExecutor(2) as pool:
        assert len(set(pool.map(one, range(2)))) == 1
    assert len(processes(home)) == 1


def test_a_suspended_instance_has_no_process_and_comes_back(platform: Platform, home: Path) -> None:
    instance = launch(platform, "mine")
    suspended = platform.instances.suspend(SuspendInstance(instance="mine"), BY, Recorder())
    assert (suspended.status, suspended.url, processes(home)) == ("suspended", None, [])
    assert platform.instances.suspend(SuspendInstance(instance="mine"), BY, Recorder()).status == "suspended"
    with pytest.raises(PlatformError, match="suspended"):
        platform.instances.query(QueryInstance(instance="mine", cypher="RETURN 1"))
    resumed = platform.instances.resume(ResumeInstance(instance="mine"), BY, Recorder())
    assert (resumed.id, resumed.status, resumed.attempt) == (instance.id, "running", 2)
    assert platform.instances.query(QueryInstance(instance="mine", cypher="MATCH (c:City) RETURN count(c)"))[
        "rows"
    ] == [[20]]
    assert launch(platform, "mine").id == instance.id


def test_a_terminated_instance_leaves_nothing_and_its_name_is_free(platform: Platform, home: Path) -> None:
    instance = launch(platform, "mine")
    ended = platform.instances.terminate(TerminateInstance(instance="mine"), BY, Recorder())
    assert ended.status == "terminated"
    assert processes(home) == []
    assert not (home / "instances" / instance.id).exists()
    assert platform.instances.terminate(TerminateInstance(instance=instance.id), BY, Recorder()).status == "terminated"
    assert launch(platform, "mine").id != instance.id


def test_a_server_that_was_killed_is_noticed_and_replaced(platform: Platform, home: Path) -> None:
    instance = launch(platform, "mine")
    (server,) = processes(home)
    server.kill()
    server.wait(10)
    replaced = launch(platform, "mine")
    assert replaced.id != instance.id
    assert platform.instances.show(instance.id).document()["status"] == "failed"
    assert platform.instances.query(QueryInstance(instance="mine", cypher="RETURN 1 AS one"))["rows"] == [[1]]


def test_a_query_to_a_server_that_ended_says_so_and_how_to_start_it_again(platform: Platform, home: Path) -> None:
    instance = launch(platform, "my-graph")
    (server,) = processes(home)
    server.send_signal(signal.SIGSEGV)
    server.wait(10)
    observed = until(
        lambda: platform.instances.show("my-graph").document()["observed"]["failure"], "the end is not seen"
    )
    assert observed["code"] == "UNEXPECTED_TERMINATION"
    with pytest.raises(PlatformError, match=r"my-graph has ended: UNEXPECTED_TERMINATION: .*SIGSEGV") as refused:
        platform.instances.query(QueryInstance(instance="my-graph", cypher="RETURN 1"))
    assert refused.value.code == ErrorCode.UNEXPECTED_TERMINATION
    assert refused.value.hint
    assert f"instance launch {instance.snapshot_id} --name my-graph" in refused.value.hint
    shown = platform.instances.show("my-graph").document()
    assert (shown["status"], shown["url"], shown["error"]["code"]) == ("failed", None, "UNEXPECTED_TERMINATION")


def test_a_launch_on_a_runtime_that_there_is_not_leaves_nothing(platform: Platform) -> None:
    wrong = replace(platform.settings, runtime="k8s://u:HUNTER2@h")
    with Platform.open(wrong) as other, pytest.raises(PlatformError, match="no runtime for"):
        launch(other)
    assert platform.instances.list() == []


def test_a_snapshot_in_use_is_not_deleted_and_the_error_names_the_instance(platform: Platform) -> None:
    instance = launch(platform)
    with pytest.raises(PlatformError) as refused:
        platform.snapshots.delete(DeleteSnapshot(snapshot="s"), BY)
    assert refused.value.code == ErrorCode.RESOURCE_HAS_DEPENDENCIES
    assert refused.value.details["instances"] == [instance.id]
    platform.instances.terminate(TerminateInstance(instance=instance.id), BY, Recorder())
    deleted = platform.snapshots.delete(DeleteSnapshot(snapshot="s"), BY)
    assert deleted.status == "deleted"
    assert list(platform.storage.list(deleted.folder)) == []
    assert platform.mappings.delete(DeleteMapping(mapping="people"), BY).status == "deleted"


def test_a_start_that_fails_says_why_and_leaves_no_process(platform: Platform, home: Path) -> None:
    snapshot = platform.snapshots.show("s").document()
    folder = home / "storage" / snapshot["folder"]
    for path in folder.rglob("*.db"):
        path.write_bytes(b"not a database")
    for path in folder.rglob("*.parquet"):
        path.unlink()
    with pytest.raises(PlatformError) as failed:
        launch(platform, "mine")
    assert failed.value.code == ErrorCode.SNAPSHOT_FETCH_ERROR
    assert processes(home) == []
    (row,) = platform.instances.list()
    assert row.status == "failed"
    assert row.error is not None
    assert row.error["code"] == "SNAPSHOT_FETCH_ERROR"


def test_a_damaged_database_file_is_made_good_from_the_parquet_files(platform: Platform, home: Path) -> None:
    for path in (home / "storage").rglob("*.db"):
        path.write_bytes(b"not a database")
    launch(platform, "mine")
    assert platform.instances.query(QueryInstance(instance="mine", cypher="MATCH ()-[k:KNOWS]->() RETURN count(k)"))[
        "rows"
    ] == [[200]]


def test_a_life_longer_than_the_ceiling_or_unreadable_is_refused(platform: Platform) -> None:
    for ttl, said in (("P8D", "longer"), ("tomorrow", "ISO 8601"), ("P1M", "31 days"), ("P0D", "no time")):
        with pytest.raises(PlatformError, match=said) as refused:
            platform.instances.launch(LaunchInstance(snapshot="people", ttl=ttl), BY, Recorder())
        assert refused.value.code == ErrorCode.VALIDATION_FAILED
    assert platform.instances.list() == []
