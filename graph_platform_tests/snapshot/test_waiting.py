"""How long a snapshot that another run makes is waited for, on a simulated clock that the catalog follows."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from graph_platform.catalog import mappings, snapshots
from graph_platform.catalog.catalog import clock
from graph_platform.catalog.export_jobs import ExportDefinition
from graph_platform.catalog.lease import Claim
from graph_platform.catalog.snapshots import SnapshotRequest
from graph_platform.catalog.states import SnapshotStatus
from graph_platform.platform import Platform
from graph_platform.proving.requests import CreateMapping
from graph_platform.snapshot.requests import CreateSnapshot
from graph_platform_tests.catalog.rows import LEASE, LIVES, pass_time
from graph_platform_tests.simulated_clock import SimulatedClock
from graph_platform_tests.worlds import BY, Recorder, make_settings, people

ELSEWHERE = "another-machine/1/1/run-7"


@pytest.fixture
def platform(home: Path, catalog_url: str) -> Iterator[Platform]:
    with Platform.open(make_settings(home, catalog_url)) as opened:
        opened.mappings.create(CreateMapping(mapping=people()), BY, Recorder())
        yield opened


def made_elsewhere(platform: Platform) -> Claim:
    """A snapshot `s` that a run of another machine makes."""
    with platform.catalog.transaction() as session:
        mapping, version = mappings.get_version(session, "people")
        wanted = SnapshotRequest(
            mapping.id, version.version, "s", platform.storage.url, "f", platform.settings.engine, LIVES
        )
        identifier = snapshots.insert_snapshot(session, wanted, [ExportDefinition("node", "N", "SELECT 1")], by=BY)
        return snapshots.claim_snapshot(session, identifier, ELSEWHERE, LEASE, by=BY)


def test_a_snapshot_that_another_run_makes_is_waited_for_and_is_the_answer(platform: Platform) -> None:
    claim = made_elsewhere(platform)

    def meanwhile(moment: float) -> None:
        with platform.catalog.transaction() as session:
            if moment < 400:
                assert snapshots.renew_snapshot(session, claim, LEASE)
            elif moment == 400:
                ready = {"manifest_key": "k", "ready_at": clock()}
                assert snapshots.finish_snapshot(session, claim, to=SnapshotStatus.READY, by=BY, values=ready)

    simulated, report = SimulatedClock(meanwhile), Recorder()
    with Platform.open(platform.settings, clock=simulated) as waiting:
        found = waiting.snapshots.create(CreateSnapshot(mapping="people", name="s"), BY, report)
    assert (found.id, found.status, found.attempt) == (claim.id, "ready", 1)
    assert simulated.now == 400
    assert f"snapshot {claim.id} is being made by run run-7: waiting for it" in report.lines


def test_a_snapshot_whose_machine_renews_no_more_is_taken_over_once_its_lease_is_over(platform: Platform) -> None:
    claim = made_elsewhere(platform)
    passed, waited = 0.0, []

    def meanwhile(moment: float) -> None:
        nonlocal passed
        with platform.catalog.transaction() as session:
            taken_over = snapshots.get_snapshot(session, claim.id).attempt > 1
        if taken_over:
            time.sleep(0.02)  # the build that is waited for now is a real process
            return
        pass_time(platform.catalog, moment - passed)
        passed = moment
        waited.append(moment)

    simulated, report = SimulatedClock(meanwhile), Recorder()
    with Platform.open(platform.settings, clock=simulated) as waiting:
        found = waiting.snapshots.create(CreateSnapshot(mapping="people", name="s"), BY, report)
    assert (found.id, found.status, found.attempt, found.rows) == (claim.id, "ready", 2, 620)
    assert f"snapshot {claim.id} is being made by run run-7: waiting for it" in report.lines
    assert 0 < waited[-1] <= 60.5  # the real time that passes counts for the catalog, too
