"""Named points at which a test kills the process group, to prove that every promise holds from there on.

A point stands wherever a death leaves something half done: between two transactions, or between a transaction and an
act outside the catalog. `GRAPH_PLATFORM_FAILPOINT=NAME` arms one; otherwise passing it costs one comparison.
"""

from __future__ import annotations

import os
import signal
from enum import StrEnum


class Failpoint(StrEnum):
    """Where a process may die at the worst moment, in the order in which a snapshot and an instance pass them."""

    SNAPSHOT_VALIDATED = "snapshot-validated"
    SNAPSHOT_CLAIMED = "snapshot-claimed"
    JOB_CLAIMED = "job-claimed"
    JOB_SUBMITTED = "job-submitted"
    JOB_WRITTEN = "job-written"
    JOB_COMPLETED = "job-completed"
    EXPORTS_COMPLETED = "exports-completed"
    BUILD_RUNNING = "build-running"
    DATABASE_STORED = "database-stored"
    MANIFEST_WRITTEN = "manifest-written"
    LEFTOVERS_REMOVED = "leftovers-removed"
    SNAPSHOT_READY = "snapshot-ready"
    SNAPSHOT_GIVEN_UP = "snapshot-given-up"
    INSTANCE_FOUND = "instance-found"
    INSTANCE_INSERTED = "instance-inserted"
    INSTANCE_RESUMING = "instance-resuming"
    INSTANCE_STARTED = "instance-started"
    INSTANCE_ANSWERED = "instance-answered"
    INSTANCE_FAILED = "instance-failed"
    INSTANCE_STOPPING = "instance-stopping"
    INSTANCE_STOPPED = "instance-stopped"


_SIGNAL = signal.SIGKILL
_ARMED = os.environ.get("GRAPH_PLATFORM_FAILPOINT")


def reached(point: Failpoint) -> None:
    """Die here, with the whole process group, if a test has armed this point."""
    if point.value == _ARMED:
        os.killpg(0, _SIGNAL)
