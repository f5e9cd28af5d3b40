"""What a pod's status says of the program in it: whether it runs, and why it does not, in the cluster's own words.

Decisions only: no call to the cluster.
"""

from __future__ import annotations

import datetime
import json
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.processes.termination import termination

Document = Mapping[str, Any]

HOPELESS: Mapping[str, str] = {
    "ErrImageNeverPull": "bring the image to the nodes, or set GRAPH_PLATFORM_KUBERNETES_IMAGE to one that is there",
    "InvalidImageName": "set GRAPH_PLATFORM_KUBERNETES_IMAGE to the name of an image",
    "ImagePullBackOff": "see that GRAPH_PLATFORM_KUBERNETES_IMAGE can be pulled from the nodes",
    "CreateContainerConfigError": "see GRAPH_PLATFORM_KUBERNETES_STORAGE_SECRET: is that Secret in the namespace?",
    "CreateContainerError": "see `kubectl describe pod`",
    "RunContainerError": "see `kubectl describe pod`",
}
"""Why a container waits for what does not come by itself, and what to do about it."""

SILENT_SECONDS = 20.0
"""How long after a deleted pod's grace its node may take to say that it has ended."""

_NO_ROOM = "add a node, end instances, or lower GRAPH_PLATFORM_ENGINE_MEMORY_BYTES and GRAPH_PLATFORM_ENGINE_WORKERS"


class Stage(Enum):
    """How far a pod is."""

    PENDING = "pending"
    RUNNING = "running"
    READY = "ready"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True)
class Sight:
    """A look at a pod: its stage, once it failed or was ended by others the document of an error, and what it waits
    for, if it says so.
    """

    stage: Stage
    failure: dict[str, Any] | None = None
    waits_for: str | None = None


def look(pod: Document, doing: str, *, patience_seconds: float, now: datetime.datetime) -> Sight:
    """What the pod is.

    Args:
        doing: what its program does, to follow "the process".
        patience_seconds: how long a pod may find no place: a cluster that grows takes a while.
        now: the cluster's time.
    """
    status = pod.get("status", {})
    container: Document = next(iter(status.get("containerStatuses", ())), {})
    state = container.get("state", {})
    if "terminated" in state:
        return _terminated(pod, state["terminated"], doing)
    if status.get("phase") == "Failed":
        return Sight(Stage.FAILED, _lost(pod).document())
    over = pod["metadata"].get("deletionTimestamp")  # when its grace is over
    if over and "running" not in state:
        return Sight(Stage.FAILED, _deleted(pod).document())
    if over and (now - datetime.datetime.fromisoformat(over)).total_seconds() > SILENT_SECONDS:
        return Sight(Stage.FAILED, _silent(pod).document())
    if "running" in state:
        # Of a node that does not answer, only the pod's own condition changes.
        ready = container.get("ready") and _condition(pod, "Ready").get("status", "True") == "True"
        return Sight(Stage.READY if ready else Stage.RUNNING)
    return _waiting(pod, state.get("waiting", {}), patience_seconds, now)


def gone(name: str) -> PlatformError:
    """The error for a pod that was there and is no more."""
    return PlatformError(
        ErrorCode.UNEXPECTED_TERMINATION,
        f"the pod {name} is gone: somebody deleted it, or its node is gone",
        "start it again",
    )


def volume_failure(events: Sequence[Document], patience_seconds: float) -> PlatformError | None:
    """The error for a volume that cannot be mounted, None if no event of the pod says so, or has not said so for long:
    a node tries again, and on a busy one the first try comes to nothing.
    """
    for event in events:
        if event.get("reason") not in ("FailedMount", "FailedAttachVolume"):
            continue
        first, last = (datetime.datetime.fromisoformat(event[name]) for name in ("firstTimestamp", "lastTimestamp"))
        if (last - first).total_seconds() >= patience_seconds:
            told = f"a volume of the pod cannot be mounted: {event.get('message')}"
            return PlatformError(ErrorCode.UNEXPECTED_TERMINATION, told, "see `kubectl describe pod`")
    return None


def told_to_end(events: Sequence[Document], name: str) -> PlatformError:
    """The error for a server's pod that ended in good order, though the platform did not ask for it: a node that evicts
    it says so in an event only, once the program has heeded its SIGTERM.
    """
    evicted = next((each for each in events if each.get("reason") in ("Evicted", "Preempting", "Preempted")), None)
    told = f"the pod {name} was told to end, and not by the platform"
    if evicted is not None:
        told = f"the cluster ended the pod {name}: {evicted['reason']}: {evicted.get('message', '')}"
    return PlatformError(ErrorCode.UNEXPECTED_TERMINATION, told, "start it again")


def _terminated(pod: Document, terminated: Document, doing: str) -> Sight:
    status, message = int(terminated.get("exitCode", 0)), terminated.get("message") or ""
    if pod["status"].get("reason") == "Evicted":
        return Sight(Stage.FAILED, _lost(pod).document())
    if terminated.get("reason") == "OOMKilled":
        return Sight(Stage.FAILED, _out_of_memory(pod, doing, message).document())
    said = _said(message)
    if said is not None:
        return Sight(Stage.FAILED, said)
    deleted = _deleted(pod).document() if pod["metadata"].get("deletionTimestamp") else None
    if status == 0:
        return Sight(Stage.DONE, deleted)
    if deleted and status in (128 + signal.SIGTERM, 128 + signal.SIGKILL):
        return Sight(Stage.FAILED, deleted)
    code = 128 - status if 128 < status < 128 + signal.NSIG else status
    return Sight(Stage.FAILED, termination(code, message, doing).document())


def _waiting(pod: Document, waiting: Document, patience_seconds: float, now: datetime.datetime) -> Sight:
    reason, message = waiting.get("reason", ""), waiting.get("message", "")
    if reason in HOPELESS:
        told = f"the pod cannot start: {reason}: {message}"
        return Sight(Stage.FAILED, PlatformError(ErrorCode.UNEXPECTED_TERMINATION, told, HOPELESS[reason]).document())
    scheduled = _condition(pod, "PodScheduled")
    if scheduled.get("status") == "False":
        words = scheduled.get("message", scheduled.get("reason", ""))
        since = datetime.datetime.fromisoformat(scheduled["lastTransitionTime"])
        if (now - since).total_seconds() < patience_seconds:
            return Sight(Stage.PENDING, waits_for=words)
        told = f"no node has room for the pod: {words}"
        return Sight(Stage.FAILED, PlatformError(ErrorCode.UNEXPECTED_TERMINATION, told, _NO_ROOM).document())
    return Sight(Stage.PENDING, waits_for=": ".join(each for each in (reason, message) if each) or None)


def _out_of_memory(pod: Document, doing: str, log_tail: str) -> PlatformError:
    limit = pod["spec"]["containers"][0].get("resources", {}).get("limits", {}).get("memory", "unknown")
    return PlatformError(
        ErrorCode.OOM_KILLED,
        f"the process {doing} was killed for want of memory: its pod may have {_megabytes(limit)}",
        "lower GRAPH_PLATFORM_ENGINE_MEMORY_BYTES or GRAPH_PLATFORM_ENGINE_WORKERS, or give it more",
        {"limit": limit, "log_tail": log_tail},
    )


def _lost(pod: Document) -> PlatformError:
    """A pod that the cluster ended: an eviction, a node that went away."""
    status = pod["status"]
    reason, message = status.get("reason", "Failed"), status.get("message", "")
    return PlatformError(
        ErrorCode.UNEXPECTED_TERMINATION,
        f"the cluster ended the pod: {reason}: {message}".rstrip(": "),
        "start it again",
    )


def _deleted(pod: Document) -> PlatformError:
    name, disruption = pod["metadata"]["name"], _condition(pod, "DisruptionTarget")
    told = f"somebody deleted the pod {name}, or its node is drained"
    if disruption.get("status") == "True":
        told = f"the cluster ended the pod {name}: {disruption.get('reason')}: {disruption.get('message', '')}"
    return PlatformError(ErrorCode.UNEXPECTED_TERMINATION, told.rstrip(": "), "start it again")


def _silent(pod: Document) -> PlatformError:
    name, node = pod["metadata"]["name"], pod["spec"].get("nodeName", "no node")
    return PlatformError(
        ErrorCode.UNEXPECTED_TERMINATION,
        f"the pod {name} was deleted, and its node {node} does not say that it has ended: has the node gone?",
        f"see `kubectl describe node {node}`; start it again, it will be on another node",
    )


def _condition(pod: Document, kind: str) -> Document:
    """The pod's condition of this kind, empty if it has none."""
    return next((each for each in pod.get("status", {}).get("conditions", ()) if each["type"] == kind), {})


def _said(message: str) -> dict[str, Any] | None:
    """The error that a program wrote as its last message, None if it is something else."""
    try:
        document = json.loads(message)
        PlatformError.from_document(document)
    except (ValueError, KeyError, TypeError):
        return None
    found: dict[str, Any] = document
    return found


def _megabytes(quantity: str) -> str:
    return f"{int(quantity) / 1024**2:,.0f} MB" if quantity.isdigit() else quantity
