"""A run that is ended while it makes a snapshot: it is cancelled, and nothing of it is left, nor goes on."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from graph_platform.errors import PlatformError
from graph_platform.failpoints import Failpoint
from graph_platform.platform import Platform
from graph_platform.proving.requests import CreateMapping
from graph_platform.runtime.spec import StoredObject, TaskSpec
from graph_platform.snapshot.requests import CreateSnapshot
from graph_platform_tests.killing import Killing
from graph_platform_tests.worlds import BY, Recorder, make_settings, people


def test_ctrl_c_while_a_snapshot_is_made_cancels_it_and_removes_its_files(home: Path, catalog_url: str) -> None:
    killing = Killing(home, catalog_url)
    try:
        pid = os.fork()
        if pid == 0:
            os.setsid()

            class Interrupting(Recorder):
                def exported(self, event: object) -> None:
                    if not self.lines:
                        self.lines.append("interrupted")
                        os.kill(os.getpid(), signal.SIGINT)

            signal.signal(signal.SIGINT, signal.default_int_handler)
            try:
                with Platform.open(killing.settings) as own:
                    own.snapshots.create(CreateSnapshot(mapping="people", name="s"), BY, Interrupting())
            except KeyboardInterrupt:
                os._exit(7)
            os._exit(0)
        _, status = os.waitpid(pid, 0)
        assert os.waitstatus_to_exitcode(status) == 7
        (snapshot,) = killing.platform.snapshots.list()
        assert snapshot.status == "cancelled"
        assert snapshot.error is None, "nothing failed: somebody ended it"
        assert list(killing.platform.storage.list(snapshot.folder)) == []
    finally:
        killing.close()


def test_a_run_that_is_ended_while_its_database_is_built_ends_the_build(home: Path, catalog_url: str) -> None:
    class Ending(Recorder):
        def progress(self, message: str) -> None:
            if message.startswith("database: loading"):
                raise KeyboardInterrupt

    with Platform.open(make_settings(home, catalog_url)) as platform:
        platform.mappings.create(CreateMapping(mapping=people()), BY, Recorder())
        with pytest.raises(KeyboardInterrupt):
            platform.snapshots.create(CreateSnapshot(mapping="people", name="s"), BY, Ending())
        (snapshot,) = platform.snapshots.list()
        assert snapshot.status == "cancelled"
        assert list(platform.runtime.tasks.list()) == []
        assert list(platform.storage.list(snapshot.folder)) == []


def test_what_a_build_of_a_dead_run_still_does_is_ended_by_the_next_and_never_seen(
    home: Path, catalog_url: str
) -> None:
    killing = Killing(home, catalog_url)
    try:
        assert killing.order("snapshot", "s", failpoint=Failpoint.BUILD_RUNNING.value)["status"] == -9
        (left,) = killing.platform.runtime.tasks.list()
        assert left.attempt == 1
        assert killing.order("snapshot", "s", failpoint=Failpoint.EXPORTS_COMPLETED.value)["status"] == -9
        assert list(killing.platform.runtime.tasks.list()) == []
        with pytest.raises(PlatformError, match="is over"):
            killing.platform.runtime.tasks.start(_task(killing, left.task))
    finally:
        killing.close()


def _task(killing: Killing, task: str) -> TaskSpec:
    """A late start of the first attempt."""
    place = StoredObject(killing.settings.storage, "result.json")
    return TaskSpec(killing.platform.catalog.installation, task, 1, "nowhere", "x", {}, place, 60.0, "", 0)
