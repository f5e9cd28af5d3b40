"""Kill -9 of the whole process group, at every named point and at random times: what was promised still holds."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from graph_platform.catalog.records import SnapshotRecord
from graph_platform.failpoints import Failpoint
from graph_platform.stored.manifest import Manifest
from graph_platform_tests.killing import Killing
from graph_platform_tests.worlds import files_below

RANDOM_KILLS = int(os.environ.get("GRAPH_PLATFORM_TESTS_RANDOM_KILLS", "20"))
SNAPSHOT_POINTS = [
    point
    for point in Failpoint
    if not point.value.startswith("instance-") and point is not Failpoint.SNAPSHOT_GIVEN_UP  # only a failure passes it
]
AFTER_THE_END = {Failpoint.SNAPSHOT_READY}


class Makers(Killing):
    """Processes that make snapshots."""

    def snapshot(self, name: str) -> SnapshotRecord | None:
        found = [each for each in self.platform.snapshots.list() if each.name == name]
        assert len(found) <= 1, "the next try went on with the first one, and made no second"
        return found[0] if found else None

    def whole(self, snapshot: SnapshotRecord) -> None:
        """It is all there, and nothing else is: no file that the manifest does not name, no scratch, no process."""
        assert snapshot.status == "ready"
        assert (snapshot.definitions, snapshot.exported, snapshot.rows) == (4, 4, 620)
        assert snapshot.manifest_key is not None
        manifest = Manifest.from_json(self.platform.storage.read(snapshot.manifest_key))
        named = {snapshot.manifest_key}
        named |= {f"{snapshot.folder}/{database.key}" for database in manifest.databases}
        named |= {f"{snapshot.folder}/{file.key}" for table in manifest.tables for file in table.files}
        assert {
            f"{snapshot.folder}/{name}" for name in files_below(self.settings.home / "storage" / snapshot.folder)
        } == named
        assert sum(table.rows for table in manifest.tables) == 620


@pytest.fixture
def makers(home: Path, catalog_url: str) -> Iterator[Makers]:
    program = Makers(home, catalog_url)
    yield program
    program.close()


@pytest.mark.parametrize("point", SNAPSHOT_POINTS)
def test_killed_at_a_named_point_the_next_try_finishes_and_nothing_is_left_over(
    makers: Makers, point: Failpoint
) -> None:
    assert makers.order("snapshot", "s", failpoint=point.value)["status"] == -9, f"the code never passes {point}"
    left = makers.snapshot("s")
    ready = left is not None and left.status == "ready"
    assert ready == (point in AFTER_THE_END)
    assert makers.order("snapshot", "s")["status"] == 0
    finished = makers.snapshot("s")
    assert finished is not None
    assert left is None or left.id == finished.id
    makers.whole(finished)
    assert files_below(makers.settings.home / "scratch") == set()
    assert list(makers.platform.runtime.tasks.list()) == []


def test_killed_at_random_times_the_next_try_finishes_and_nothing_is_left_over(
    makers: Makers, capsys: pytest.CaptureFixture[str]
) -> None:
    seed = random.randrange(2**32)
    generator = random.Random(seed)
    assert makers.order("snapshot", "warm-up")["status"] == 0
    seconds = makers.order("snapshot", "measure")["seconds"]
    killed = survived = taken_over = 0
    # As many more as it takes: how long a run is depends on what else the machine does.
    while killed + survived < 10 * RANDOM_KILLS and (killed < RANDOM_KILLS or taken_over < RANDOM_KILLS * 0.1):
        number = killed + survived
        name = f"s{number}"
        ended = makers.order("snapshot", name, kill_after=generator.uniform(0, seconds))
        status = ended["status"]
        left = makers.snapshot(name)
        if status == 0:
            survived += 1
            seconds = min(seconds, ended["seconds"])
            assert left is not None
        else:
            assert status == -9, f"seed {seed}"
            killed += 1
            taken_over += left is not None
            assert left is None or left.status != "ready" or left.manifest_key is not None
        if left is not None and left.status == "ready":
            makers.whole(left)
        assert makers.order("snapshot", name)["status"] == 0, f"seed {seed}, number {number}"
        finished = makers.snapshot(name)
        assert finished is not None
        assert left is None or left.id == finished.id
        makers.whole(finished)
    assert files_below(makers.settings.home / "scratch") == set()
    assert list(makers.platform.runtime.tasks.list()) == []
    with capsys.disabled():
        print(
            f"\n{killed} kills at random times within {seconds:.2f} s (seed {seed}): {taken_over} snapshots were "
            f"begun and gone on with, {killed - taken_over} had no row yet; {survived} runs were done before their kill"
        )
    assert killed >= RANDOM_KILLS, "too few runs were really killed"
    assert taken_over >= RANDOM_KILLS * 0.1, "too few kills fell into the work"
