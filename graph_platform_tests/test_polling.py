"""Waiting by a clock that is handed in."""

from __future__ import annotations

import itertools

import pytest

from graph_platform.polling import SYSTEM, Pauses, wait_until
from graph_platform_tests.simulated_clock import SimulatedClock

PAUSES = Pauses(first=1.0, longest=4.0, factor=2.0)


def test_pauses_grow_to_the_longest() -> None:
    assert list(itertools.islice(PAUSES, 5)) == [1.0, 2.0, 4.0, 4.0, 4.0]


def test_what_holds_already_is_not_waited_for() -> None:
    clock = SimulatedClock()
    assert wait_until(lambda: True, within_seconds=10, pauses=PAUSES, clock=clock)
    assert not clock.slept


def test_a_wait_ends_when_the_condition_holds() -> None:
    clock = SimulatedClock()
    assert wait_until(lambda: clock.now >= 3, within_seconds=None, pauses=PAUSES, clock=clock)
    assert clock.slept == [1.0, 2.0]


def test_a_wait_ends_with_its_time_and_looks_once_more_then() -> None:
    looks: list[float] = []
    clock = SimulatedClock()

    def look() -> bool:
        looks.append(clock.now)
        return False

    assert not wait_until(look, within_seconds=5, pauses=PAUSES, clock=clock)
    assert looks == [0.0, 1.0, 3.0, 5.0]


@pytest.mark.parametrize("seconds", [0.0, -1.0])
def test_without_time_there_is_one_look(seconds: float) -> None:
    clock = SimulatedClock()
    assert not wait_until(lambda: False, within_seconds=seconds, pauses=PAUSES, clock=clock)
    assert not clock.slept


def test_the_clock_of_the_machine_passes() -> None:
    begun = SYSTEM.monotonic()
    SYSTEM.sleep(0.01)
    assert SYSTEM.monotonic() - begun >= 0.01
