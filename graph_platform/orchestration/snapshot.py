"""What Dagster has about snapshots: ops and jobs."""

from __future__ import annotations

from graph_platform.demo.mapping import DEMO_NAME
from graph_platform.orchestration.operations import change, job
from graph_platform.snapshot.requests import CreateSnapshot, DeleteSnapshot

create_snapshot = change(
    CreateSnapshot, lambda platform, request, by, report: platform.snapshots.create(request, by, report)
)
delete_snapshot = change(DeleteSnapshot, lambda platform, request, by, _: platform.snapshots.delete(request, by))

jobs = [job(create_snapshot, {"mapping": DEMO_NAME}), job(delete_snapshot, {"snapshot": DEMO_NAME})]
