"""A run that falls asleep between two steps of an instance's life, and wakes when others have gone on with it.

Whatever they did: at the end one server runs for a row that says running, none for any other, and what the row says of
the server is true. Most runs here are threads of this process, each with a platform of its own, that wait at a named
point; a few are processes that are really stopped.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
import pytest

from graph_platform.catalog import instances
from graph_platform.catalog.catalog import Catalog
from graph_platform.catalog.embedded import EmbeddedPostgres
from graph_platform.catalog.records import InstanceRecord
from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.failpoints import Failpoint
from graph_platform.instance import service
from graph_platform.instance.requests import (
    LaunchInstance,
    QueryInstance,
    ResumeInstance,
    SuspendInstance,
    TerminateInstance,
)
from graph_platform.platform import Platform
from graph_platform.proving.requests import CreateMapping
from graph_platform.runtime.protocol import Presence
from graph_platform.settings import Settings
from graph_platform.snapshot.requests import CreateSnapshot
from graph_platform_tests.killing import Killing
from graph_platform_tests.waiting import until
from graph_platform_tests.worlds import BY, Recorder, make_settings, people

FOUND, INSERTED, RESUMING = Failpoint.INSTANCE_FOUND, Failpoint.INSTANCE_INSERTED, Failpoint.INSTANCE_RESUMING
STARTED, ANSWERED = Failpoint.INSTANCE_STARTED, Failpoint.INSTANCE_ANSWERED
STOPPING, STOPPED = Failpoint.INSTANCE_STOPPING, Failpoint.INSTANCE_STOPPED
OTHERS = ("launch", "suspend", "resume", "terminate")

# Who sleeps where, and what the instance is at the end when another has launched, suspended, resumed or terminated it
# meanwhile. An operation that sleeps before its first change of the row still does what it was asked for.
PAIRS: dict[tuple[str, Failpoint], tuple[str, str, str, str]] = {
    ("launch", INSERTED): ("running", "running", "running", "terminated"),
    ("launch", STARTED): ("running", "running", "running", "terminated"),
    ("launch", ANSWERED): ("running", "running", "running", "terminated"),
    ("suspend", FOUND): ("suspended", "suspended", "suspended", "terminated"),
    ("suspend", STOPPING): ("running", "suspended", "running", "terminated"),
    ("suspend", STOPPED): ("running", "suspended", "running", "terminated"),
    ("resume", FOUND): ("running", "running", "running", "terminated"),
    ("resume", RESUMING): ("running", "running", "running", "terminated"),
    ("resume", STARTED): ("running", "running", "running", "terminated"),
    ("resume", ANSWERED): ("running", "running", "running", "terminated"),
    ("terminate", FOUND): ("terminated", "terminated", "terminated", "terminated"),
    ("terminate", STOPPING): ("terminated", "terminated", "terminated", "terminated"),
    ("terminate", STOPPED): ("terminated", "terminated", "terminated", "terminated"),
}
REQUESTS = {"suspend": SuspendInstance, "resume": ResumeInstance, "terminate": TerminateInstance}
LONGER: list[tuple[str, Failpoint, tuple[str, ...], str]] = [
    ("launch", INSERTED, ("launch", "suspend"), "suspended"),
    ("launch", STARTED, ("launch", "suspend", "resume"), "running"),
    ("launch", ANSWERED, ("launch", "suspend"), "suspended"),
    ("launch", ANSWERED, ("launch", "suspend", "resume"), "running"),
    ("launch", INSERTED, ("launch", "terminate", "launch"), "terminated"),
    ("suspend", FOUND, ("suspend", "resume"), "suspended"),
    ("suspend", STOPPING, ("resume", "suspend"), "suspended"),
    ("suspend", STOPPING, ("resume", "suspend", "resume"), "running"),
    ("suspend", STOPPED, ("resume", "suspend", "resume"), "running"),
    ("resume", FOUND, ("resume", "suspend"), "suspended"),
    ("resume", RESUMING, ("launch", "suspend"), "suspended"),
    ("resume", RESUMING, ("launch", "suspend", "resume"), "running"),
    ("resume", STARTED, ("launch", "terminate"), "terminated"),
    ("resume", ANSWERED, ("launch", "suspend"), "suspended"),
    ("terminate", FOUND, ("suspend", "resume"), "terminated"),
    ("terminate", STOPPING, ("terminate", "launch"), "terminated"),
]


@dataclass
class World:
    """A ready snapshot `s`, and a platform for whoever is awake."""

    settings: Settings
    platform: Platform
    pool: ThreadPoolExecutor

    def act(self, platform: Platform, act: str, reference: str) -> InstanceRecord:
        """One operation, on the instance of that name or id."""
        if act == "launch":
            return platform.instances.launch(LaunchInstance(snapshot="s", name=reference), BY, Recorder())
        record: InstanceRecord = getattr(platform.instances, act)(REQUESTS[act](instance=reference), BY, Recorder())
        return record

    def act_alone(self, act: str, reference: str) -> InstanceRecord:
        with Platform.open(self.settings) as own:
            return self.act(own, act, reference)

    def rows(self, name: str) -> list[InstanceRecord]:
        """What the catalog says of the instances of that name that are not terminated, whatever runs."""
        with self.platform.catalog.transaction() as session:
            return [each for each in instances.list_instances(session) if each.name == name]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    home = tmp_path_factory.mktemp("home of sleepers")
    postgres = EmbeddedPostgres(tmp_path_factory.mktemp("catalog of sleepers"))
    url = postgres.ensure()
    Catalog(url).migrate()
    settings = make_settings(home, url, instance_stop_seconds=3)
    with Platform.open(settings) as platform, ThreadPoolExecutor(1) as pool:
        platform.mappings.create(CreateMapping(mapping=people()), BY, Recorder())
        platform.snapshots.create(CreateSnapshot(mapping="people", name="s"), BY, Recorder())
        yield World(settings, platform, pool)
        for left in platform.instances.list():
            platform.instances.terminate(TerminateInstance(instance=left.id), BY, Recorder())
    postgres.stop()


class Sleeper:
    """A run in a thread of its own that waits at a named point until it is woken."""

    def __init__(self, world: World, monkeypatch: pytest.MonkeyPatch, act: str, name: str, point: Failpoint) -> None:
        self._asleep, self._wake = threading.Event(), threading.Event()

        def run() -> InstanceRecord:
            self._thread = threading.get_ident()
            return world.act_alone(act, name)

        def reached(here: Failpoint) -> None:
            if here == point and threading.get_ident() == self._thread and not self._wake.is_set():
                self._asleep.set()
                assert self._wake.wait(120)

        self._thread = 0
        monkeypatch.setattr(service, "reached", reached)
        self._run: Future[InstanceRecord] = world.pool.submit(run)
        until(lambda: self._asleep.is_set() or self._run.done(), "it did not come to its point")
        assert self._asleep.is_set(), self._run.exception()

    def wake(self) -> InstanceRecord | PlatformError:
        self._wake.set()
        error = self._run.exception(120)
        if error is None:
            return self._run.result()
        assert isinstance(error, PlatformError), error
        return error


def servers(settings: Settings) -> dict[str, list[int]]:
    """The processes that serve an instance of this home, by the instance's id."""
    found: dict[str, list[int]] = {}
    for process in psutil.process_iter(["cmdline", "name"]):
        command = process.info["cmdline"] or [""]
        if "graph_platform.server" in command and process.info["name"] != "sh":
            spec = Path(command[-1])
            if spec.is_relative_to(settings.home):
                found.setdefault(spec.parent.name, []).append(process.pid)
    return found


def check(world: World, *ids: str) -> dict[str, str]:
    """One server for each row that says running, as the row says, none for any other; returns the states."""
    running, states = servers(world.settings), {}
    for identifier in ids:
        with world.platform.catalog.transaction() as session:
            row = instances.get_instance(session, identifier)
        seen = world.platform.runtime.servers.observe(identifier)
        states[identifier] = row.status
        if row.status == "running":
            assert len(running[identifier]) == 1
            assert (seen.presence, seen.attempt) == (Presence.READY, row.attempt)
            way = world.platform.runtime.servers.connect(identifier)
            assert way.url == row.url
            status = httpx.get(f"{way.url}/status", headers={"Authorization": f"Bearer {way.token}"}, timeout=30).json()
            assert (status["instance"], status["attempt"], status["phase"]) == (identifier, row.attempt, "ready")
        else:
            assert row.status in ("suspended", "terminated", "failed")
            assert row.url is None
            assert identifier not in running
            assert seen.presence is Presence.ABSENT
    return states


def others_while_asleep(
    world: World, monkeypatch: pytest.MonkeyPatch, act: str, point: Failpoint, others: tuple[str, ...]
) -> tuple[str, dict[str, str]]:
    """Put one to sleep, let the others do theirs, wake it, check; the instance's id and the states of all."""
    name = f"mine-{os.urandom(4).hex()}"
    if act != "launch":
        world.act(world.platform, "launch", name)
    if act == "resume":
        world.act(world.platform, "suspend", name)
    sleeper = Sleeper(world, monkeypatch, act, name, point)
    (row,) = world.rows(name)
    ids = {row.id}
    for other in others:
        try:
            made = world.act(world.platform, other, name if other == "launch" else row.id)
        except PlatformError as refused:  # what cannot be done to it as it is
            assert refused.code == ErrorCode.INVALID_STATE, refused
        else:
            ids.add(made.id)
    woken = sleeper.wake()
    assert isinstance(woken, InstanceRecord) or woken.code == ErrorCode.INVALID_STATE, woken
    states = check(world, *ids)
    if isinstance(woken, InstanceRecord):
        assert woken.status == states[woken.id]
    for identifier in ids:
        world.platform.instances.terminate(TerminateInstance(instance=identifier), BY, Recorder())
    check(world, *ids)
    return row.id, states


@pytest.mark.parametrize("other", OTHERS)
@pytest.mark.parametrize(("act", "point"), PAIRS, ids=str)
def test_whoever_sleeps_while_another_acts_leaves_what_runs_and_what_is_said_in_agreement(
    world: World, monkeypatch: pytest.MonkeyPatch, act: str, point: Failpoint, other: str
) -> None:
    identifier, states = others_while_asleep(world, monkeypatch, act, point, (other,))
    assert states[identifier] == PAIRS[act, point][OTHERS.index(other)]


@pytest.mark.parametrize(("act", "point", "others", "end"), LONGER)
def test_whoever_sleeps_through_several_acts_of_others_changes_nothing_of_the_last(
    world: World, monkeypatch: pytest.MonkeyPatch, act: str, point: Failpoint, others: tuple[str, ...], end: str
) -> None:
    identifier, states = others_while_asleep(world, monkeypatch, act, point, others)
    assert states[identifier] == end
    if others[-1] == "launch":
        assert "running" in states.values()


def test_who_fails_a_dead_instance_and_sleeps_ends_nothing_of_its_successor(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost = world.act(world.platform, "launch", "mortal")
    (pid,) = servers(world.settings)[lost.id]
    psutil.Process(pid).kill()
    until(lambda: world.platform.runtime.servers.observe(lost.id).presence is Presence.ENDED, "the end is not seen")
    sleeper = Sleeper(world, monkeypatch, "launch", "mortal", Failpoint.INSTANCE_FAILED)
    successor = world.act(world.platform, "launch", "mortal")
    woken = sleeper.wake()
    assert isinstance(woken, InstanceRecord)
    assert woken.id == successor.id != lost.id
    assert check(world, lost.id, successor.id) == {lost.id: "failed", successor.id: "running"}


@pytest.fixture
def killing(home: Path, catalog_url: str) -> Iterator[Killing]:
    made = Killing(home, catalog_url)
    made.platform.snapshots.create(CreateSnapshot(mapping="people", name="s"), BY, Recorder())
    yield made
    for left in made.platform.instances.list():
        made.platform.instances.terminate(TerminateInstance(instance=left.id), BY, Recorder())
    made.close()


@pytest.mark.parametrize("point", [INSERTED, STARTED, ANSWERED])
def test_a_launch_that_was_stopped_while_it_was_terminated_revives_nothing(killing: Killing, point: Failpoint) -> None:
    asleep = killing.order("launch", "s", stop_at=point.value)
    assert asleep["stopped"]
    ended = killing.platform.instances.terminate(TerminateInstance(instance="s"), BY, Recorder())
    assert ended.status == "terminated"
    assert killing.order("continue", pid=asleep["pid"])["status"] == 1
    assert servers(killing.settings) == {}
    assert list(killing.platform.runtime.servers.list()) == []
    assert killing.platform.instances.terminate(TerminateInstance(instance="s"), BY, Recorder()) == ended
    assert killing.platform.instances.list() == []


def test_a_terminate_ends_a_server_that_nobody_knows_of(killing: Killing) -> None:
    instance = killing.platform.instances.launch(LaunchInstance(snapshot="s", name="s"), BY, Recorder())
    monkey = pytest.MonkeyPatch()
    monkey.setattr(killing.platform.runtime.servers, "stop", lambda *_: None)
    killing.platform.instances.terminate(TerminateInstance(instance="s"), BY, Recorder())
    monkey.undo()
    assert len(servers(killing.settings)[instance.id]) == 1
    assert killing.platform.instances.terminate(TerminateInstance(instance="s"), BY, Recorder()).status == "terminated"
    assert servers(killing.settings) == {}


@pytest.mark.parametrize("point", [STOPPING, STOPPED])
def test_a_suspension_that_was_stopped_ends_no_server_that_was_resumed_meanwhile(
    killing: Killing, point: Failpoint
) -> None:
    killing.platform.instances.launch(LaunchInstance(snapshot="s", name="s"), BY, Recorder())
    asleep = killing.order("suspend", "s", stop_at=point.value)
    assert asleep["stopped"]
    resumed = killing.platform.instances.resume(ResumeInstance(instance="s"), BY, Recorder())
    assert (resumed.status, resumed.attempt) == ("running", 2)
    assert killing.order("continue", pid=asleep["pid"])["status"] == 0
    assert killing.platform.instances.query(QueryInstance(instance="s", cypher="MATCH (c:City) RETURN count(c)"))[
        "rows"
    ] == [[20]]
    (now,) = killing.platform.instances.list()
    assert now == resumed


def test_a_resumption_that_was_stopped_while_it_was_terminated_revives_nothing(killing: Killing) -> None:
    killing.platform.instances.launch(LaunchInstance(snapshot="s", name="s"), BY, Recorder())
    killing.platform.instances.suspend(SuspendInstance(instance="s"), BY, Recorder())
    asleep = killing.order("resume", "s", stop_at=RESUMING.value)
    assert asleep["stopped"]
    killing.platform.instances.terminate(TerminateInstance(instance="s"), BY, Recorder())
    assert killing.order("continue", pid=asleep["pid"])["status"] == 1
    assert servers(killing.settings) == {}
