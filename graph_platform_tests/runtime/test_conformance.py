"""What every runtime promises. A new adapter is a new line in `services.runtimes.PLACES`."""

from __future__ import annotations

import contextlib
import threading
from pathlib import Path

import httpx
import pytest

from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.runtime.protocol import Observation, Presence, Servers
from graph_platform.runtime.spec import ServerSpec
from graph_platform_tests.services.runtimes import Place, settled
from graph_platform_tests.snapshots import Snapshot, make_snapshot


@pytest.fixture
def snapshots(place: Place, snapshots: dict[str, Snapshot], tmp_path: Path) -> dict[str, Snapshot]:
    """A snapshot where the servers of the runtime reach it."""
    if place.name == "local":
        return snapshots
    return {"ladybug": make_snapshot(tmp_path, "ladybug", url=place.storage_url)}


def ask(servers: Servers, cypher: str, instance: str = "inst-1") -> httpx.Response:
    way = servers.connect(instance)
    headers = {"Authorization": f"Bearer {way.token}"}
    return httpx.post(f"{way.url}/query", json={"cypher": cypher}, headers=headers, timeout=10)


def test_an_instance_starts_answers_and_leaves_nothing(servers: Servers, snapshots: dict[str, Snapshot]) -> None:
    spec = snapshots["ladybug"].spec("ladybug")
    assert servers.observe("inst-1") == Observation("inst-1", 0, Presence.ABSENT)
    servers.start(spec)
    assert servers.observe("inst-1").presence in (Presence.STARTING, Presence.READY)
    ready = settled(servers, "inst-1")
    assert (ready.presence, ready.attempt, ready.phase, ready.progress) == (Presence.READY, 1, "ready", 1.0)
    assert ready.last_activity is None
    assert ask(servers, "MATCH (p:Person) RETURN count(*) AS n").json()["rows"] == [[3]]
    assert servers.observe("inst-1").last_activity is not None
    assert [seen.instance for seen in servers.list()] == ["inst-1"]
    servers.stop("inst-1", 1, 5)
    assert servers.observe("inst-1").presence is Presence.ABSENT
    assert list(servers.list()) == []
    servers.stop("inst-1", 1, 5)


def test_a_token_is_in_no_repr_and_another_for_each_instance(servers: Servers, snapshots: dict[str, Snapshot]) -> None:
    for name in ("inst-1", "inst-2"):
        servers.start(snapshots["ladybug"].spec("ladybug", instance=name))
        settled(servers, name)
    first, second = servers.connect("inst-1"), servers.connect("inst-2")
    assert first.token != second.token and first.url != second.url
    assert first.token not in repr(first)
    headers = {"Authorization": f"Bearer {second.token}"}
    assert httpx.get(f"{first.url}/status", headers=headers).status_code == 401


def test_starting_twice_at_once_gives_one_server(servers: Servers, snapshots: dict[str, Snapshot]) -> None:
    spec = snapshots["ladybug"].spec("ladybug")
    starters = [threading.Thread(target=servers.start, args=(spec,)) for _ in range(4)]
    for starter in starters:
        starter.start()
    for starter in starters:
        starter.join()
    settled(servers, "inst-1")
    way = servers.connect("inst-1")
    servers.start(spec)
    assert servers.connect("inst-1") == way
    assert len(servers.list()) == 1


def test_a_later_attempt_replaces_an_earlier_one_and_never_the_other_way(
    servers: Servers, snapshots: dict[str, Snapshot]
) -> None:
    snapshot = snapshots["ladybug"]
    servers.start(snapshot.spec("ladybug"))
    settled(servers, "inst-1")
    old = servers.connect("inst-1")
    servers.start(snapshot.spec("ladybug", attempt=2))
    assert settled(servers, "inst-1").attempt == 2
    with pytest.raises(httpx.TransportError):
        httpx.get(f"{old.url}/health")
    assert ask(servers, "RETURN 1").json()["rows"] == [[1]]
    with pytest.raises(PlatformError) as late:
        servers.start(snapshot.spec("ladybug"))
    assert late.value.code is ErrorCode.INVALID_STATE
    assert servers.observe("inst-1").attempt == 2


def test_a_start_that_fails_says_why_and_stays_until_it_is_stopped(
    servers: Servers, snapshots: dict[str, Snapshot]
) -> None:
    spec = snapshots["ladybug"].spec("ladybug", manifest_key="nowhere/manifest.json")
    servers.start(spec)
    ended = settled(servers, "inst-1")
    assert ended.presence is Presence.ENDED
    assert ended.failure is not None and ended.failure["code"] == "SNAPSHOT_FETCH_ERROR"
    assert [seen.presence for seen in servers.list()] == [Presence.ENDED]
    with pytest.raises(PlatformError) as refused:
        servers.connect("inst-1")
    assert refused.value.code is ErrorCode.INVALID_STATE
    servers.start(spec)
    assert servers.observe("inst-1") == ended
    servers.start(snapshots["ladybug"].spec("ladybug", attempt=2))
    assert settled(servers, "inst-1").presence is Presence.READY


def test_a_late_stop_leaves_a_later_attempt_alone(servers: Servers, snapshots: dict[str, Snapshot]) -> None:
    snapshot = snapshots["ladybug"]
    servers.start(snapshot.spec("ladybug", attempt=3))
    settled(servers, "inst-1")
    way = servers.connect("inst-1")
    for late in (1, 2):
        servers.stop("inst-1", late, 5)
    assert (servers.observe("inst-1").presence, servers.observe("inst-1").attempt) == (Presence.READY, 3)
    assert servers.connect("inst-1") == way
    assert ask(servers, "RETURN 1").json()["rows"] == [[1]]
    servers.stop("inst-1", 4, 5)  # up to, and not only, the attempt that is named
    assert servers.observe("inst-1").presence is Presence.ABSENT
    with pytest.raises(httpx.TransportError):
        httpx.get(f"{way.url}/health")


@pytest.mark.parametrize("ran", [True, False], ids=["ran", "never ran"])
def test_a_late_start_revives_nothing_and_the_next_attempt_starts(
    servers: Servers, snapshots: dict[str, Snapshot], ran: bool
) -> None:
    snapshot = snapshots["ladybug"]
    if ran:
        servers.start(snapshot.spec("ladybug", attempt=2))
        settled(servers, "inst-1")
    servers.stop("inst-1", 2, 5)
    for late in (1, 2):
        with pytest.raises(PlatformError) as refused:
            servers.start(snapshot.spec("ladybug", attempt=late))
        assert refused.value.code is ErrorCode.INVALID_STATE
    assert servers.observe("inst-1") == Observation("inst-1", 0, Presence.ABSENT)
    assert list(servers.list()) == []
    servers.start(snapshot.spec("ladybug", attempt=3))
    assert settled(servers, "inst-1").presence is Presence.READY
    servers.stop("inst-1", 1, 5)  # an end that is later still takes nothing back
    with pytest.raises(PlatformError):
        servers.start(snapshot.spec("ladybug", attempt=2))
    assert servers.observe("inst-1").presence is Presence.READY
    servers.start(snapshot.spec("ladybug", instance="inst-2"))  # another instance's end is none of its own


def test_of_a_start_and_a_stop_at_once_no_server_is_left(servers: Servers, snapshots: dict[str, Snapshot]) -> None:
    for attempt in range(1, 6):
        spec = snapshots["ladybug"].spec("ladybug", attempt=attempt)
        together = threading.Barrier(3)

        def start(spec: ServerSpec = spec, together: threading.Barrier = together) -> None:
            together.wait()
            with contextlib.suppress(PlatformError):
                servers.start(spec)

        starters = [threading.Thread(target=start) for _ in range(2)]
        for starter in starters:
            starter.start()
        together.wait()
        servers.stop("inst-1", attempt, 0.2)
        for starter in starters:
            starter.join()
        assert servers.observe("inst-1").presence is Presence.ABSENT


def test_a_list_asks_no_server_and_tells_who_lives_and_who_has_ended(
    servers: Servers, snapshots: dict[str, Snapshot]
) -> None:
    servers.start(snapshots["ladybug"].spec("ladybug"))
    servers.start(snapshots["ladybug"].spec("ladybug", instance="inst-2", manifest_key="nowhere/manifest.json"))
    settled(servers, "inst-1")
    ended = settled(servers, "inst-2")
    living, dead = servers.list()
    assert living.presence in (Presence.ALIVE, Presence.READY)
    assert dead == ended


def test_what_is_not_there_is_not_found(servers: Servers) -> None:
    with pytest.raises(PlatformError) as refused:
        servers.connect("inst-9")
    assert refused.value.code is ErrorCode.RESOURCE_NOT_FOUND
    for bad in ("", "..", "a/b", "A", "-a", "x" * 64):
        with pytest.raises(PlatformError) as refused:
            servers.stop(bad, 1, 1)
        assert refused.value.code is ErrorCode.VALIDATION_FAILED


def test_a_spec_of_another_installation_is_refused(servers: Servers, snapshots: dict[str, Snapshot]) -> None:
    with pytest.raises(PlatformError) as refused:
        servers.start(snapshots["ladybug"].spec("ladybug", installation="somebody-elses"))
    assert refused.value.code is ErrorCode.PERMISSION_DENIED
    assert list(servers.list()) == []
