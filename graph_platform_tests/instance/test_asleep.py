"""A run that falls asleep between two steps of an instance's life, and wakes when others have gone on with it.

Whatever they did: at the end one server runs for a row that says running, none for any other, and what the row says of
the server is true. The runs here are threads of this process, each with a platform of its own, that wait at a named
point and renew no lease meanwhile; `test_kill` has processes that are really stopped.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import pytest

from graph_platform.catalog.keeper import Keeper
from graph_platform.catalog.records import InstanceRecord
from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.failpoints import Failpoint
from graph_platform.instance import service
from graph_platform.instance.requests import (
    LaunchInstance,
    ResumeInstance,
    SuspendInstance,
    TerminateInstance,
)
from graph_platform.platform import Platform
from graph_platform.proving.requests import CreateMapping
from graph_platform.runtime.protocol import Presence
from graph_platform.settings import Settings
from graph_platform.snapshot.requests import CreateSnapshot
from graph_platform_tests.catalog.rows import pass_time
from graph_platform_tests.instance.agreement import agreed, rows
from graph_platform_tests.server_processes import server_processes
from graph_platform_tests.waiting import until
from graph_platform_tests.worlds import BY, Recorder, make_settings, people

FOUND, INSERTED, RESUMING = Failpoint.INSTANCE_FOUND, Failpoint.INSTANCE_INSERTED, Failpoint.INSTANCE_RESUMING
STARTED, ANSWERED = Failpoint.INSTANCE_STARTED, Failpoint.INSTANCE_ANSWERED
STOPPING, STOPPED = Failpoint.INSTANCE_STOPPING, Failpoint.INSTANCE_STOPPED
OTHERS = ("launch", "suspend", "resume", "terminate")

# Who sleeps where, and what the instance is at the end when another has launched, suspended, resumed or terminated it
# meanwhile. An operation that sleeps before its first change of the row still does what it was asked for. Whoever wants
# what the sleeper starts waits for it, since its lease is not over.
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
# Those who sleep through several acts sleep past their lease as well.
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

    def act(self, platform: Platform, act: str, reference: str, report: Recorder | None = None) -> InstanceRecord:
        """One operation, on the instance of that name or id."""
        report = report or Recorder()
        if act == "launch":
            return platform.instances.launch(LaunchInstance(snapshot="s", name=reference), BY, report)
        record: InstanceRecord = getattr(platform.instances, act)(REQUESTS[act](instance=reference), BY, report)
        return record

    def act_alone(self, act: str, reference: str, report: Recorder | None = None) -> InstanceRecord:
        with Platform.open(self.settings) as own:
            return self.act(own, act, reference, report)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, module_catalog_url: str) -> Iterator[World]:
    settings = make_settings(tmp_path_factory.mktemp("home of sleepers"), module_catalog_url, instance_stop_seconds=3)
    with Platform.open(settings) as platform, ThreadPoolExecutor(2) as pool:
        platform.mappings.create(CreateMapping(mapping=people()), BY, Recorder())
        platform.snapshots.create(CreateSnapshot(mapping="people", name="s"), BY, Recorder())
        yield World(settings, platform, pool)
        for left in platform.instances.list():
            platform.instances.terminate(TerminateInstance(instance=left.id), BY, Recorder())


class Sleeper:
    """A run in a thread of its own that waits at a named point until it is woken, and renews no lease."""

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
        monkeypatch.setattr(service, "Keeper", partial(Keeper, wait=lambda ended, _: ended.wait()))
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


def others_while_asleep(
    world: World, monkeypatch: pytest.MonkeyPatch, act: str, point: Failpoint, others: tuple[str, ...], overslept: bool
) -> tuple[str, dict[str, str]]:
    """Put one to sleep, let the others do theirs, wake it, check; the instance's id and the states of all.

    It is woken before, if one of the others waits for it, which happens only while its lease is not over.
    """
    name = f"mine-{os.urandom(4).hex()}"
    if act != "launch":
        world.act(world.platform, "launch", name)
    if act == "resume":
        world.act(world.platform, "suspend", name)
    sleeper = Sleeper(world, monkeypatch, act, name, point)
    (row,) = rows(world.platform, name)
    if overslept:
        pass_time(world.platform.catalog, world.settings.lease_seconds + 1)
    ids, waited = {row.id}, False
    for other in others:
        report = Recorder()
        doing = world.pool.submit(world.act_alone, other, name if other == "launch" else row.id, report)
        until(lambda doing=doing, report=report: doing.done() or _is_waiting(report), f"{other} hangs")  # type: ignore[misc]
        if not doing.done():
            waited = True
            sleeper.wake()
        refused = doing.exception(120)
        if refused is None:
            ids.add(doing.result().id)
        else:  # what cannot be done to it as it is
            assert isinstance(refused, PlatformError), refused
            assert refused.code == ErrorCode.INVALID_STATE, refused
    woken = sleeper.wake()
    assert isinstance(woken, InstanceRecord) or woken.code == ErrorCode.INVALID_STATE, woken
    starts = act in ("launch", "resume") and point is not FOUND
    assert waited == (starts and not overslept and others[0] in ("launch", "resume"))
    states = agreed(world.platform, *ids)
    if isinstance(woken, InstanceRecord):
        assert woken.status == states[woken.id]
    for identifier in ids:
        world.platform.instances.terminate(TerminateInstance(instance=identifier), BY, Recorder())
    agreed(world.platform, *ids)
    return row.id, states


def _is_waiting(report: Recorder) -> bool:
    return any("waiting for it" in line for line in report.lines)


@pytest.mark.parametrize("other", OTHERS)
@pytest.mark.parametrize(("act", "point"), PAIRS, ids=str)
def test_whoever_sleeps_while_another_acts_leaves_what_runs_and_what_is_said_in_agreement(
    world: World, monkeypatch: pytest.MonkeyPatch, act: str, point: Failpoint, other: str
) -> None:
    identifier, states = others_while_asleep(world, monkeypatch, act, point, (other,), overslept=False)
    assert states[identifier] == PAIRS[act, point][OTHERS.index(other)]


@pytest.mark.parametrize(("act", "point", "others", "end"), LONGER)
def test_whoever_sleeps_through_several_acts_of_others_changes_nothing_of_the_last(
    world: World, monkeypatch: pytest.MonkeyPatch, act: str, point: Failpoint, others: tuple[str, ...], end: str
) -> None:
    identifier, states = others_while_asleep(world, monkeypatch, act, point, others, overslept=True)
    assert states[identifier] == end
    if others[-1] == "launch":
        assert "running" in states.values()


def test_who_fails_a_dead_instance_and_sleeps_ends_nothing_of_its_successor(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost = world.act(world.platform, "launch", "mortal")
    (server,) = server_processes(world.settings.home)[lost.id]
    server.kill()
    until(lambda: world.platform.runtime.servers.observe(lost.id).presence is Presence.ENDED, "the end is not seen")
    sleeper = Sleeper(world, monkeypatch, "launch", "mortal", Failpoint.INSTANCE_FAILED)
    successor = world.act(world.platform, "launch", "mortal")
    woken = sleeper.wake()
    assert isinstance(woken, InstanceRecord)
    assert woken.id == successor.id != lost.id
    assert agreed(world.platform, lost.id, successor.id) == {lost.id: "failed", successor.id: "running"}


def test_a_terminate_ends_a_server_that_nobody_knows_of(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    instance = world.act(world.platform, "launch", "unknown")
    with monkeypatch.context() as away:
        away.setattr(world.platform.runtime.servers, "stop", lambda *_: None)
        world.act(world.platform, "terminate", "unknown")
    assert len(server_processes(world.settings.home)[instance.id]) == 1
    assert world.act(world.platform, "terminate", "unknown").status == "terminated"
    agreed(world.platform, instance.id)
