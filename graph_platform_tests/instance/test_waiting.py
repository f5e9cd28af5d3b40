"""How long a launch waits, and for whom: minutes of it in a moment, on a simulated clock that the catalog follows."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import pytest

from graph_platform.catalog import instances, lease
from graph_platform.catalog.catalog import Catalog
from graph_platform.catalog.keeper import Keeper
from graph_platform.catalog.records import InstanceRecord
from graph_platform.catalog.states import Entity
from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.instance import service
from graph_platform.instance.requests import LaunchInstance, ResumeInstance
from graph_platform.instance.service import InstanceService
from graph_platform.runtime.protocol import Connection, Observation, Presence
from graph_platform.runtime.spec import ServerSpec
from graph_platform_tests.catalog.rows import (
    BY,
    LEASE,
    a_mapping,
    a_ready_snapshot,
    a_starting_instance,
    an_instance_request,
    pass_time,
)
from graph_platform_tests.simulated_clock import SimulatedClock
from graph_platform_tests.waiting import until
from graph_platform_tests.worlds import Recorder, make_settings

ELSEWHERE = "another-machine/1/1/run-7"


class SlowServers:
    """Servers that take a simulated time to be ready, in seconds."""

    def __init__(self, clock: SimulatedClock, seconds: float) -> None:
        self._clock = clock
        self._seconds = seconds
        self.started: dict[str, tuple[int, float]] = {}

    def start(self, spec: ServerSpec) -> None:
        self.started[spec.instance] = (spec.attempt, self._clock.now)

    def observe(self, instance: str) -> Observation:
        if instance not in self.started:
            return Observation(instance, 0, Presence.ABSENT)
        attempt, since = self.started[instance]
        ready = self._clock.now - since >= self._seconds
        return Observation(instance, attempt, Presence.READY if ready else Presence.STARTING, "fetching")

    def changed(self, instance: str) -> threading.Event:
        return threading.Event()

    def connect(self, instance: str) -> Connection:
        return Connection("http://127.0.0.1:1", "token")

    def stop(self, instance: str, up_to_attempt: int, grace_seconds: float) -> None:
        self.started.pop(instance, None)

    def list(self) -> Sequence[Observation]:
        return [self.observe(instance) for instance in self.started]


class Simulation:
    """A real catalog whose time passes as the simulated clock's does, servers, and what others do at some moment."""

    def __init__(self, home: Path, catalog: Catalog, seconds_to_start: float) -> None:
        self.catalog = catalog
        self.clock = SimulatedClock(self._pass)
        self.servers = SlowServers(self.clock, seconds_to_start)
        self.settings = make_settings(home, "postgresql://unused@localhost/unused")
        self.service = InstanceService(self.settings, lambda: catalog, lambda: self.servers, self.clock)
        self.report = Recorder()
        self.others: list[tuple[float, Callable[[], object]]] = []
        self._passed = 0.0
        with catalog.transaction() as session:
            self.snapshot = a_ready_snapshot(session, a_mapping(session))

    def started_elsewhere(self, name: str) -> InstanceRecord:
        """An instance that a run of another machine starts."""
        with self.catalog.transaction() as session:
            return a_starting_instance(session, self.snapshot, an_instance_request(name), ELSEWHERE)

    def launch(self, name: str | None) -> InstanceRecord:
        return self.service.launch(LaunchInstance(snapshot=self.snapshot.id, name=name), BY, self.report)

    def _pass(self, moment: float) -> None:
        pass_time(self.catalog, moment - self._passed)
        self._passed = moment
        due = [act for at, act in self.others if at <= moment]
        self.others = [(at, act) for at, act in self.others if at > moment]
        for act in due:
            act()


def test_a_start_that_does_not_end_is_given_up_after_its_time_and_looked_at_more_seldom_meanwhile(
    home: Path, catalog: Catalog
) -> None:
    world = Simulation(home, catalog, seconds_to_start=10_000)
    with pytest.raises(PlatformError, match=r"not ready after 300 s \(phase: fetching\)") as late:
        world.launch("mine")
    assert late.value.code == ErrorCode.STARTUP_TIMEOUT
    assert 300 <= world.clock.now <= 303
    assert (world.clock.slept[0], world.clock.slept[-1]) == (0.05, 2.0)
    assert world.servers.list() == []
    with catalog.transaction() as session:
        (failed,) = instances.list_instances(session)
    assert (failed.status, failed.lease_owner, failed.abandoned) == ("failed", None, False)


@pytest.mark.parametrize("act", ["launch", "resume"])
def test_what_another_machine_starts_slowly_and_renews_is_waited_for_however_long(
    home: Path, catalog: Catalog, act: str
) -> None:
    world = Simulation(home, catalog, seconds_to_start=0)
    theirs = world.started_elsewhere("mine")
    claim = lease.claim_of(Entity.INSTANCE, theirs)

    def renew() -> None:
        with catalog.transaction() as session:
            assert lease.renew(session, claim, LEASE)

    def run() -> None:
        world.servers.started[theirs.id] = (theirs.attempt, world.clock.now)
        with catalog.transaction() as session:
            assert instances.mark_running(session, claim, "http://127.0.0.1:1", by=BY)

    world.others = [*((float(moment), renew) for moment in range(20, 500, 20)), (500.0, run)]
    if act == "launch":
        found = world.launch("mine")
    else:
        found = world.service.resume(ResumeInstance(instance="mine"), BY, world.report)
    assert (found.id, found.status, found.attempt) == (theirs.id, "running", 1)
    assert 500 <= world.clock.now <= 503
    assert f"instance {theirs.id} is being started by run run-7: waiting for it" in world.report.lines


@pytest.mark.parametrize("act", ["launch", "resume"])
def test_what_another_machine_no_longer_starts_is_taken_over_once_its_lease_is_over(
    home: Path, catalog: Catalog, act: str
) -> None:
    world = Simulation(home, catalog, seconds_to_start=30)
    theirs = world.started_elsewhere("mine")
    if act == "launch":
        found = world.launch("mine")
    else:
        found = world.service.resume(ResumeInstance(instance="mine"), BY, world.report)
    assert (found.id, found.status, found.attempt) == (theirs.id, "running", 2)
    assert world.servers.started[theirs.id][0] == 2
    assert f"instance {theirs.id} is being started by run run-7: waiting for it" in world.report.lines
    assert 30 < world.clock.now <= 60 + 30 + 5  # the real time that passes counts for the catalog, too


@pytest.fixture
def eager(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leases are renewed again and again, since a simulated minute is over in no time."""
    monkeypatch.setattr(service, "Keeper", partial(Keeper, wait=lambda ended, _: ended.wait(0.005)))


def test_a_slow_start_is_renewed_and_nobody_finds_it_abandoned(home: Path, catalog: Catalog, eager: None) -> None:
    world = Simulation(home, catalog, seconds_to_start=250)

    def is_held() -> bool:
        with catalog.transaction() as session:
            (mine,) = instances.list_instances(session)
        return mine.status == "starting" and not mine.abandoned

    world.others = [(float(moment), lambda: until(is_held, "it is not renewed")) for moment in (65, 130, 195)]
    assert world.launch("mine").attempt == 1
    assert world.others == []


def test_a_start_that_was_taken_over_elsewhere_is_ended_here_and_theirs_is_waited_for(
    home: Path, catalog: Catalog, eager: None
) -> None:
    world = Simulation(home, catalog, seconds_to_start=250)

    def now() -> InstanceRecord:
        with catalog.transaction() as session:
            (found,) = instances.list_instances(session)
        return found

    def take_over() -> None:
        mine = now()
        assert list(world.servers.started) == [mine.id]
        with catalog.transaction() as session:
            guard = lease.held(lease.claim_of(Entity.INSTANCE, mine))
            assert lease.take_over(session, Entity.INSTANCE, guard, ELSEWHERE, LEASE, by=BY)
        until(lambda: not any(thread.name == f"lease of {mine.id}" for thread in threading.enumerate()), "it goes on")

    def run() -> None:
        assert world.servers.list() == [], "what was started here is ended before theirs is waited for"
        with catalog.transaction() as session:
            claim = lease.claim_of(Entity.INSTANCE, now())
            assert instances.mark_running(session, claim, "http://127.0.0.1:2", by=BY)

    world.others = [(10.0, take_over), (50.0, run)]
    found = world.launch("mine")
    assert (found.status, found.attempt, found.url) == ("running", 2, "http://127.0.0.1:2")
    assert 50 <= world.clock.now <= 55


def test_whoever_waited_for_a_start_that_failed_launches_one_of_its_own(home: Path, catalog: Catalog) -> None:
    world = Simulation(home, catalog, seconds_to_start=0)
    theirs = world.started_elsewhere("mine")

    def fail() -> None:
        with catalog.transaction() as session:
            error = {"code": "OOM_KILLED", "message": "killed for want of memory"}
            assert instances.mark_failed(session, theirs, error, from_=["starting"], by=BY)  # type: ignore[list-item]

    world.others = [(10.0, fail)]
    mine = world.launch("mine")
    assert (mine.status, mine.attempt) == ("running", 1)
    assert mine.id != theirs.id


def test_a_launch_that_is_ended_from_outside_leaves_its_start_to_the_next_at_once(home: Path, catalog: Catalog) -> None:
    world = Simulation(home, catalog, seconds_to_start=30)

    def interrupt() -> None:
        raise KeyboardInterrupt

    world.others = [(5.0, interrupt)]
    with pytest.raises(KeyboardInterrupt):
        world.launch("mine")
    with catalog.transaction() as session:
        (left,) = instances.list_instances(session)
    assert (left.status, left.lease_owner, left.abandoned) == ("starting", None, True)
    found = world.launch("mine")
    assert (found.id, found.status, found.attempt) == (left.id, "running", 2)
    assert world.clock.now <= 5 + 30 + 5
