"""Who is woken by a watch of pods, over whatever the API server may say: a scripted one."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.runtime.kubernetes.cluster import Expired, Kind
from graph_platform.runtime.kubernetes.informer import Informer
from graph_platform_tests.simulated_clock import SimulatedClock
from graph_platform_tests.waiting import until

AWAY = PlatformError(ErrorCode.BACKEND_UNREACHABLE, "away")


def pod(name: str, version: str = "1", uid: str = "u") -> dict[str, Any]:
    return {"metadata": {"name": name, "uid": uid, "resourceVersion": version}}


def event(kind: str, what: dict[str, Any]) -> dict[str, Any]:
    return {"type": kind, "object": what}


class Scripted:
    """A cluster whose lists and watches are as the test says, one after another; the last watch goes on for ever. An
    event in a watch is waited for.
    """

    def __init__(self) -> None:
        self.lists: list[list[dict[str, Any]] | Exception] = []
        self.watches: list[list[dict[str, Any] | threading.Event] | Exception] = []
        self.listed_times = 0
        self.may_go_on, self.may_list = threading.Event(), threading.Event()
        self.versions: list[str] = []

    def listed(self, kind: Kind, labels: str) -> tuple[list[dict[str, Any]], str]:
        assert (kind, labels) == (Kind.POD, "app=x")
        assert self.may_list.wait(60)
        self.listed_times += 1
        found = self.lists.pop(0) if len(self.lists) > 1 else self.lists[0]
        if isinstance(found, Exception):
            raise found
        return found, f"v{self.listed_times}"

    def watch(self, kind: Kind, version: str, seconds: float, labels: str) -> Iterator[dict[str, Any]]:
        self.versions.append(version)
        if not self.watches:
            self.may_go_on.wait(60)
            return
        told = self.watches.pop(0)
        if isinstance(told, Exception):
            raise told
        for each in told:
            if isinstance(each, threading.Event):
                each.wait(60)
            else:
                yield each


@pytest.fixture
def cluster() -> Iterator[Scripted]:
    made = Scripted()
    made.may_list.set()
    yield made
    made.may_go_on.set()


def informer(cluster: Scripted, clock: SimulatedClock | None = None) -> Informer:
    return Informer(cluster, "app=x", clock=clock or SimulatedClock())  # type: ignore[arg-type]  # what it uses of one


@pytest.mark.parametrize("kind", ["ADDED", "MODIFIED", "DELETED"])
def test_who_waits_for_a_pod_is_woken_by_what_happens_to_it_and_by_nothing_else(cluster: Scripted, kind: str) -> None:
    cluster.lists = [[]]
    cluster.watches = [[event("BOOKMARK", pod("other")), event(kind, pod("mine"))]]
    watching = informer(cluster)
    mine, other = watching.changed("mine"), watching.changed("other")
    assert mine.wait(60)
    assert not other.is_set()


def test_what_happened_while_a_watch_was_broken_is_found_by_the_next_list(cluster: Scripted) -> None:
    cluster.lists = [[pod("a"), pod("b"), pod("c")], [pod("a"), pod("b", "2"), pod("d")]]
    broken = threading.Event()
    cluster.watches = [[broken]]
    cluster.may_list.clear()
    watching = informer(cluster)
    first = [watching.changed(name) for name in "abc"]
    cluster.may_list.set()
    for each in first:
        assert each.wait(60)
    same, changed, gone, new = (watching.changed(name) for name in "abcd")
    broken.set()
    assert changed.wait(60) and gone.wait(60) and new.wait(60)
    assert not same.is_set()


def test_a_watch_that_the_server_no_longer_knows_is_listed_again_at_once(cluster: Scripted) -> None:
    clock = SimulatedClock()
    cluster.lists = [[]]
    cluster.watches = [Expired(), [event("ADDED", pod("mine"))]]
    assert informer(cluster, clock).changed("mine").wait(60)
    assert cluster.versions[:2] == ["v1", "v2"]
    assert clock.slept == []


def test_between_failed_tries_there_are_pauses_that_grow(cluster: Scripted) -> None:
    clock = SimulatedClock()
    cluster.lists = [AWAY, AWAY, AWAY, [pod("mine")]]
    cluster.watches = [AWAY]
    watching = informer(cluster, clock)
    mine, other = watching.changed("mine"), watching.changed("other")
    assert mine.wait(60)
    until(lambda: len(cluster.versions) >= 2, "it is not listed again")
    assert clock.slept == [0.5, 1.0, 2.0, 4.0]
    assert not other.is_set()


def test_nothing_is_followed_while_nobody_waits(cluster: Scripted) -> None:
    cluster.lists = [[pod("mine")]]
    watching = informer(cluster)
    assert watching.changed("mine").wait(60)
    cluster.may_go_on.set()
    until(lambda: not watching.is_following, "it goes on")
    cluster.may_go_on.clear()
    times = cluster.listed_times
    mine = watching.changed("mine")
    assert mine.wait(60)
    assert cluster.listed_times == times + 1
