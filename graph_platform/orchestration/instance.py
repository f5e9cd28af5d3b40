"""What Dagster has about instances: ops and jobs."""

from __future__ import annotations

from graph_platform.demo.mapping import DEMO_NAME
from graph_platform.instance.requests import (
    ExtendInstance,
    LaunchInstance,
    ResumeInstance,
    SuspendInstance,
    TerminateInstance,
)
from graph_platform.orchestration.operations import change, job

launch_instance = change(
    LaunchInstance, lambda platform, request, by, report: platform.instances.launch(request, by, report)
)
suspend_instance = change(
    SuspendInstance, lambda platform, request, by, report: platform.instances.suspend(request, by, report)
)
resume_instance = change(
    ResumeInstance, lambda platform, request, by, report: platform.instances.resume(request, by, report)
)
extend_instance = change(ExtendInstance, lambda platform, request, by, _: platform.instances.extend(request, by))
terminate_instance = change(
    TerminateInstance, lambda platform, request, by, report: platform.instances.terminate(request, by, report)
)

_ON_INSTANCE = {"instance": DEMO_NAME}

jobs = [
    job(launch_instance, {"snapshot": DEMO_NAME, "name": DEMO_NAME}),
    job(suspend_instance, _ON_INSTANCE),
    job(resume_instance, _ON_INSTANCE),
    job(extend_instance, {**_ON_INSTANCE, "duration": "PT4H", "reason": "still needed"}),
    job(terminate_instance, _ON_INSTANCE),
]
