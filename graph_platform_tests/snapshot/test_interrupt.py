"""Ctrl-C while a snapshot is made: it is cancelled, and nothing of it is left."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from graph_platform.platform import Platform
from graph_platform.snapshot.requests import CreateSnapshot
from graph_platform_tests.killing import Killing
from graph_platform_tests.worlds import BY, Recorder


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
