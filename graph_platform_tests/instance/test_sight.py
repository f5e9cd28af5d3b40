"""What is shown of an instance, and written before anybody acts on it, when its server has died or its time is over."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from sqlalchemy import text

from graph_platform.catalog import instances
from graph_platform.catalog.records import InstanceRecord
from graph_platform.durations import parse_duration
from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.instance.listing import list_as_seen
from graph_platform.instance.requests import (
    ExtendInstance,
    LaunchInstance,
    QueryInstance,
    ResumeInstance,
    SuspendInstance,
    TerminateInstance,
)
from graph_platform.instance.sight import as_seen, death, expiry_warning, is_idle
from graph_platform.platform import Platform
from graph_platform.proving.requests import CreateMapping
from graph_platform.runtime.protocol import Observation, Presence
from graph_platform.snapshot.requests import CreateSnapshot
from graph_platform_tests.server_processes import server_processes
from graph_platform_tests.waiting import until
from graph_platform_tests.worlds import BY, Recorder, make_settings, people

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
ROW = InstanceRecord(
    id="inst-1",
    name="my graph",
    status="running",
    snapshot_id="snap-1",
    mapping="people",
    version=1,
    attempt=2,
    engine="ladybug",
    runtime="local:",
    url="http://127.0.0.1:1",
    owner="ada",
    lease_owner=None,
    lease_expires_at=None,
    abandoned=False,
    run_id=None,
    error=None,
    ttl=parse_duration("PT24H"),
    inactivity_timeout=parse_duration("PT4H"),
    created_at=NOW,
    started_at=NOW,
    expires_at=NOW + timedelta(hours=24),
    idle_ends_at=NOW + timedelta(hours=4),
    last_activity_at=NOW,
    expired=False,
    expired_at=None,
)
OOM = PlatformError(ErrorCode.OOM_KILLED, "killed for want of memory", "give it more", {"log_tail": "…"}).document()


def seen(attempt: int, presence: Presence, failure: dict[str, object] | None = None) -> Observation:
    return Observation("inst-1", attempt, presence, failure=failure)


@pytest.mark.parametrize("absence_tells", [True, False])
@pytest.mark.parametrize(
    ("status", "look", "code"),
    [
        ("running", seen(2, Presence.READY), None),
        ("running", seen(2, Presence.ALIVE), None),
        ("running", seen(2, Presence.STARTING), None),
        ("running", seen(2, Presence.ENDED, OOM), "OOM_KILLED"),
        ("running", seen(2, Presence.ENDED), "UNEXPECTED_TERMINATION"),  # somebody told it to end
        ("running", seen(1, Presence.ENDED, OOM), "UNEXPECTED_TERMINATION"),  # another attempt's end says nothing
        ("running", seen(1, Presence.READY), "UNEXPECTED_TERMINATION"),
        ("running", seen(3, Presence.ENDED, OOM), None),  # the row that was read is old
        ("running", seen(3, Presence.READY), None),
        *((status, seen(2, Presence.ENDED, OOM), None) for status in ("starting", "suspending", "suspended", "failed")),
    ],
)
def test_only_a_running_rows_own_attempt_is_dead(
    status: str, look: Observation, code: str | None, absence_tells: bool
) -> None:
    row = replace(ROW, status=status)
    found = death(row, look, absence_tells=absence_tells)
    assert (str(found.code) if found else None) == code
    shown = as_seen(row, look, absence_tells=absence_tells)
    if found is None:
        assert shown is row
    else:
        assert (shown.status, shown.url, shown.error) == ("failed", None, found.document())
        assert found.hint == "`graph-platform instance launch snap-1 --name 'my graph'` starts it again"


def test_what_is_not_here_is_gone_only_where_nothing_else_can_have_it() -> None:
    absent = seen(0, Presence.ABSENT)
    assert death(ROW, absent, absence_tells=False) is None
    found = death(ROW, absent, absence_tells=True)
    assert found is not None
    assert found.code == ErrorCode.UNEXPECTED_TERMINATION


def test_a_warning_says_since_when_and_why_and_what_keeps_it() -> None:
    idle = replace(ROW, expired=True, expired_at=NOW + timedelta(hours=4))
    over = replace(ROW, expired=True, expired_at=ROW.expires_at)
    assert (is_idle(ROW), is_idle(idle), is_idle(over)) == (False, True, False)
    assert "expired at 2026-01-02 07:04:05 UTC, unused for PT4H, and" in expiry_warning(idle)
    assert "expired at 2026-01-03 03:04:05 UTC, and" in expiry_warning(over)
    assert "`graph-platform instance extend 'my graph' PT4H --reason …`" in expiry_warning(over)


@pytest.fixture
def platform(home: Path, catalog_url: str) -> Iterator[Platform]:
    with Platform.open(make_settings(home, catalog_url, instance_stop_seconds=3)) as opened:
        opened.mappings.create(CreateMapping(mapping=people()), BY, Recorder())
        opened.snapshots.create(CreateSnapshot(mapping="people", name="s"), BY, Recorder())
        opened.instances.launch(LaunchInstance(snapshot="s", name="mine"), BY, Recorder())
        yield opened
        for instance in opened.instances.list():
            opened.instances.terminate(TerminateInstance(instance=instance.id), BY, Recorder())


def row_of(platform: Platform, reference: str = "mine") -> InstanceRecord:
    with platform.catalog.transaction() as session:
        return instances.get_instance(session, reference)


def kill_server(platform: Platform, number: signal.Signals = signal.SIGKILL) -> None:
    """Kill it, and wait until its end is written down."""
    (instance,) = platform.runtime.servers.list()
    folder = platform.settings.home / "instances" / instance.instance
    for process in server_processes(platform.settings.home)[instance.instance]:
        process.send_signal(number)
        process.wait(30)
    until((folder / "exit-status").exists, "the end is not written down")


def pass_time(platform: Platform, time: timedelta) -> None:
    with platform.catalog.transaction() as session:
        session.execute(text("UPDATE graph_platform.installation SET clock_offset = clock_offset + :t"), {"t": time})


ACTS: dict[str, Callable[[Platform], object]] = {
    "query": lambda platform: platform.instances.query(QueryInstance(instance="mine", cypher="RETURN 1")),
    "suspend": lambda platform: platform.instances.suspend(SuspendInstance(instance="mine"), BY, Recorder()),
    "resume": lambda platform: platform.instances.resume(ResumeInstance(instance="mine"), BY, Recorder()),
    "extend": lambda platform: platform.instances.extend(
        ExtendInstance(instance="mine", duration="PT1H", reason="needed"), BY
    ),
}


@pytest.mark.parametrize("act", ACTS.values(), ids=ACTS)
def test_a_dead_instance_is_shown_as_failed_by_reads_that_write_nothing_and_written_by_who_acts_on_it(
    platform: Platform, act: Callable[[Platform], object]
) -> None:
    before = row_of(platform)
    kill_server(platform, signal.SIGSEGV)
    (listed,) = platform.instances.list()
    shown = platform.instances.show("mine").document()
    for document in (listed.document(), shown):
        assert (document["status"], document["url"]) == ("failed", None)
        assert document["error"]["code"] == "UNEXPECTED_TERMINATION"
        assert "SIGSEGV" in document["error"]["message"]
        assert f"instance launch {before.snapshot_id} --name mine" in document["error"]["hint"]
    assert row_of(platform) == before, "a read changes nothing"
    with pytest.raises(PlatformError, match="SIGSEGV") as refused:
        act(platform)
    assert refused.value.code == ErrorCode.UNEXPECTED_TERMINATION
    after = row_of(platform)
    assert (after.status, after.url, after.error) == ("failed", None, refused.value.document())
    assert (after.id, after.attempt, list(platform.runtime.servers.list())) == (before.id, before.attempt, [])
    with pytest.raises(PlatformError) as again:
        act(platform)
    assert (again.value.code, again.value.hint) == (ErrorCode.INVALID_STATE, refused.value.hint)
    assert row_of(platform) == after


def test_a_list_on_a_shared_catalog_leaves_what_is_not_here_as_its_row_says(
    platform: Platform, tmp_path: Path, catalog_url: str
) -> None:
    (tmp_path / "elsewhere").mkdir()
    with Platform.open(make_settings(tmp_path / "elsewhere", catalog_url)) as other:
        assert other.instances.list() == platform.instances.list()
        assert other.instances.show("mine").document()["status"] == "running"
        with pytest.raises(PlatformError, match="not on this machine"):
            other.instances.query(QueryInstance(instance="mine", cypher="RETURN 1"))
    assert row_of(platform).status == "running"
    elsewhere = list_as_seen(replace(platform.settings, runtime="kubernetes://n"), platform.catalog)
    assert (elsewhere.unseen, [each.status for each in elsewhere.instances]) == (None, ["running"])


def test_what_a_home_has_lost_is_gone_where_the_catalog_is_of_the_same_home(platform: Platform) -> None:
    row = row_of(platform)
    kill_server(platform)
    shutil.rmtree(platform.settings.home / "instances" / row.id)
    assert [each.status for each in platform.instances.list()] == ["running"]
    (gone,) = list_as_seen(replace(platform.settings, catalog="embedded:"), platform.catalog).instances
    assert (gone.status, gone.url) == ("failed", None)
    assert gone.error is not None
    assert gone.error["code"] == "UNEXPECTED_TERMINATION"


def test_a_list_comes_though_the_runtime_cannot_be_looked_at(platform: Platform) -> None:
    folder = platform.settings.home / "instances"
    folder.rename(folder.with_name("moved"))
    folder.symlink_to("moved")
    listing = list_as_seen(platform.settings, platform.catalog)
    assert [each.status for each in listing.instances] == ["running"]
    assert listing.unseen is not None
    assert "symlink" in listing.unseen.message
    folder.unlink()
    folder.with_name("moved").rename(folder)


def test_whoever_asks_through_the_platform_is_seen_and_so_is_who_asks_the_server_once_somebody_looks(
    platform: Platform,
) -> None:
    started = row_of(platform)
    pass_time(platform, timedelta(minutes=5))
    platform.instances.query(QueryInstance(instance="mine", cypher="RETURN 1"))
    asked = row_of(platform)
    assert asked.last_activity_at - started.last_activity_at > timedelta(minutes=4)
    pass_time(platform, timedelta(minutes=5))
    ask_the_server(platform)
    assert row_of(platform) == asked
    platform.instances.list()
    assert row_of(platform) == asked, "a list writes nothing"
    shown = platform.instances.show("mine").document()
    assert row_of(platform).last_activity_at - asked.last_activity_at > timedelta(minutes=4)
    assert shown["last_activity_at"] == row_of(platform).last_activity_at.isoformat()


def ask_the_server(platform: Platform) -> None:
    way = platform.runtime.servers.connect(row_of(platform).id)
    headers = {"Authorization": f"Bearer {way.token}"}
    assert httpx.post(f"{way.url}/query", json={"cypher": "RETURN 1"}, headers=headers, timeout=30).is_success


def test_one_past_its_time_is_said_to_be_expired_and_answers_with_a_warning_until_it_is_extended(
    platform: Platform,
) -> None:
    assert platform.instances.query(QueryInstance(instance="mine", cypher="RETURN 1"))["warnings"] == []
    pass_time(platform, timedelta(hours=25))
    (listed,) = platform.instances.list()
    assert (listed.status, listed.expired) == ("running", True)
    assert platform.instances.show("mine").document()["expired"] is True
    for _ in range(2):  # used again it is not idle, but its life is over all the same
        answer = platform.instances.query(QueryInstance(instance="mine", cypher="RETURN 1 AS one"))
        assert answer["rows"] == [[1]]
        (warning,) = answer["warnings"]
        assert "mine expired at" in warning
        assert "instance extend mine" in warning
    recorder = Recorder()
    platform.instances.launch(LaunchInstance(snapshot="s", name="mine"), BY, recorder)
    assert any("warning: instance mine expired" in line for line in recorder.lines)
    platform.instances.extend(ExtendInstance(instance="mine", duration="PT4H", reason="needed"), BY)
    assert platform.instances.query(QueryInstance(instance="mine", cypher="RETURN 1"))["warnings"] == []
    assert [each.expired for each in platform.instances.list()] == [False]


def test_one_that_only_the_server_knows_to_be_used_is_not_said_to_be_idle(platform: Platform) -> None:
    pass_time(platform, timedelta(hours=5))
    assert [each.expired for each in platform.instances.list()] == [True]
    ask_the_server(platform)
    before = row_of(platform)
    assert [each.expired for each in platform.instances.list()] == [False]
    assert row_of(platform).last_activity_at == before.last_activity_at
    assert platform.instances.query(QueryInstance(instance="mine", cypher="RETURN 1"))["warnings"] == []


def test_one_that_nobody_used_for_too_long_warns_once_and_is_in_use_again(platform: Platform) -> None:
    pass_time(platform, timedelta(hours=5))
    (warning,) = platform.instances.query(QueryInstance(instance="mine", cypher="RETURN 1"))["warnings"]
    assert "unused for PT4H" in warning
    assert platform.instances.query(QueryInstance(instance="mine", cypher="RETURN 1"))["warnings"] == []
