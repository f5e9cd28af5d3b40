"""What a pod's status means, without a cluster: what a test on the node would have to wait long for."""

from __future__ import annotations

import datetime
import json
from typing import Any

import pytest

from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.runtime.kubernetes.pods import Stage, look, volume_failure

NOW = datetime.datetime(2026, 1, 1, 12, 0, tzinfo=datetime.UTC)


def stamp(seconds_ago: float) -> str:
    return f"{NOW - datetime.timedelta(seconds=seconds_ago):%Y-%m-%dT%H:%M:%SZ}"


def pod(phase: str = "Pending", state: dict[str, Any] | None = None, **status: Any) -> dict[str, Any]:
    container = [{"name": "server", "state": state}] if state else []
    return {
        "metadata": {"name": "server-inst-1"},
        "spec": {"containers": [{"resources": {"limits": {"memory": str(512 * 1024**2)}}}]},
        "status": {"phase": phase, "containerStatuses": container, **status},
    }


def deleted(seconds_ago: float, state: dict[str, Any], **status: Any) -> dict[str, Any]:
    """A pod whose grace was over then."""
    found = pod("Running", state, **status)
    found["metadata"]["deletionTimestamp"] = stamp(seconds_ago)
    found["spec"]["nodeName"] = "node-1"
    return found


def condition(kind: str, status: str, **said: str) -> dict[str, Any]:
    return {"conditions": [{"type": kind, "status": status, **said}]}


EVICTED = condition("DisruptionTarget", "True", reason="EvictionByEvictionAPI", message="Eviction API: evicting")


def unschedulable(seconds_ago: float) -> dict[str, Any]:
    condition = {
        "type": "PodScheduled",
        "status": "False",
        "message": "0/3 nodes are available",
        "lastTransitionTime": stamp(seconds_ago),
    }
    return pod(conditions=[condition])


def seen(document: dict[str, Any]) -> tuple[Stage, str, str]:
    sight = look(document, "serving inst-1", patience_seconds=60, now=NOW)
    failure = sight.failure or {}
    return sight.stage, str(failure.get("code", "")), str(failure.get("message", ""))


def ended(**terminated: Any) -> dict[str, Any]:
    return pod("Failed", {"terminated": terminated})


SAID = json.dumps(PlatformError(ErrorCode.SNAPSHOT_FETCH_ERROR, "no manifest").document())


@pytest.mark.parametrize(
    ("document", "stage", "code", "words"),
    [
        (pod(), Stage.PENDING, "", ""),
        (unschedulable(59), Stage.PENDING, "", ""),
        (unschedulable(61), Stage.FAILED, "UNEXPECTED_TERMINATION", "no node has room for the pod: 0/3 nodes"),
        (pod(state={"waiting": {"reason": "ContainerCreating"}}), Stage.PENDING, "", ""),
        (pod(state={"waiting": {"reason": "ErrImagePull"}}), Stage.PENDING, "", ""),
        (
            pod(state={"waiting": {"reason": "ImagePullBackOff", "message": "manifest unknown"}}),
            Stage.FAILED,
            "UNEXPECTED_TERMINATION",
            "ImagePullBackOff: manifest unknown",
        ),
        (pod("Running", {"running": {}}), Stage.RUNNING, "", ""),
        (ended(exitCode=0), Stage.DONE, "", ""),
        (ended(exitCode=1, message=SAID), Stage.FAILED, "SNAPSHOT_FETCH_ERROR", "no manifest"),
        (ended(exitCode=137, reason="OOMKilled"), Stage.FAILED, "OOM_KILLED", "its pod may have 512 MB"),
        (ended(exitCode=139, message="x"), Stage.FAILED, "UNEXPECTED_TERMINATION", "SIGSEGV"),
        (ended(exitCode=3, message="the last words"), Stage.FAILED, "UNEXPECTED_TERMINATION", "the last words"),
        (pod("Running", {"running": {}}, **condition("Ready", "False")), Stage.RUNNING, "", ""),
        (deleted(-30, {"running": {}}), Stage.RUNNING, "", ""),
        (deleted(10, {"running": {}}), Stage.RUNNING, "", ""),
        (deleted(21, {"running": {}}), Stage.FAILED, "UNEXPECTED_TERMINATION", "its node node-1 does not say"),
        (deleted(-30, {"waiting": {}}), Stage.FAILED, "UNEXPECTED_TERMINATION", "somebody deleted the pod"),
        (
            deleted(-1, {"terminated": {"exitCode": 143}}),
            Stage.FAILED,
            "UNEXPECTED_TERMINATION",
            "somebody deleted the pod",
        ),
        (
            deleted(-1, {"terminated": {"exitCode": 137}}, **EVICTED),
            Stage.FAILED,
            "UNEXPECTED_TERMINATION",
            "the cluster ended the pod server-inst-1: EvictionByEvictionAPI: Eviction API: evicting",
        ),
        (deleted(-1, {"terminated": {"exitCode": 0}}), Stage.DONE, "UNEXPECTED_TERMINATION", "somebody deleted"),
        (
            pod("Failed", reason="Evicted", message="The node was low on resource: memory."),
            Stage.FAILED,
            "UNEXPECTED_TERMINATION",
            "Evicted: The node was low on resource: memory.",
        ),
        (
            pod("Failed", {"terminated": {"exitCode": 137}}, reason="Evicted", message="low on disk"),
            Stage.FAILED,
            "UNEXPECTED_TERMINATION",
            "Evicted: low on disk",
        ),
    ],
)
def test_what_a_pods_status_means(document: dict[str, Any], stage: Stage, code: str, words: str) -> None:
    found = seen(document)
    assert found[:2] == (stage, code)
    assert words in found[2]


def test_a_volume_has_failed_once_the_node_has_tried_for_long() -> None:
    def event(reason: str, first: float, last: float) -> dict[str, Any]:
        return {
            "reason": reason,
            "message": "no such disk",
            "firstTimestamp": stamp(first),
            "lastTimestamp": stamp(last),
        }

    scheduled = {"reason": "Scheduled", "firstTimestamp": None}
    assert volume_failure([scheduled, event("FailedMount", 100, 99)], 60) is None
    failed = volume_failure([scheduled, event("FailedMount", 100, 30)], 60)
    assert failed is not None and "no such disk" in failed.message
