"""Every object that the platform makes in a cluster, as functions of a spec that only build data.

An attempt of a server or task is a ConfigMap with its spec, the *claim*, which owns all the rest: what a late start
makes has an owner that is gone, and the cluster collects it. The pod has the same name for every attempt, so that there
is never more than one. A *mark* remembers which attempts are over.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from graph_platform.runtime.spec import ServerLimits, ServerSpec, TaskSpec, spec_document

Manifest = dict[str, Any]

PORT = 8080
USER = 10001
"""The user of the images."""

MEGABYTE = 1024**2
SERVER_BYTES = 256 * MEGABYTE
"""What the server in front of its workers takes at most, with room to spare."""

WORKER_BYTES = 160 * MEGABYTE
"""What a worker takes before it has opened a database."""

LEAST_WORKERS = 3

APP = "graph-instance"
INSTALLATION, INSTANCE, ATTEMPT, ROLE = "installation", "instance-id", "attempt", "role"
DOING = "graph-platform/doing"
"""The annotation of a task's pod that says what it does."""

STARTED = "graph-platform/pod"
"""The annotation of a claim whose pod was made: its UID. Without it a start that was killed goes on."""


@dataclass(frozen=True)
class Image:
    """What pods are made of.

    Args:
        name: the server's image, with its tag or digest.
        storage_secret: the Secret whose entries become variables of the environment, by which storage is reached; ""
            where the nodes have a role for that.
    """

    name: str
    storage_secret: str = ""


def server_limits(limits: ServerLimits) -> ServerLimits:
    """The limits with a number of workers: a pod does not have the cores of its node."""
    return limits if limits.workers else ServerLimits(**{**vars(limits), "workers": LEAST_WORKERS})


def server_bytes(limits: ServerLimits) -> int:
    """The memory of a server's pod: more than all of its workers may take, so that their limits strike before it."""
    return SERVER_BYTES + limits.workers * (limits.pool_bytes + limits.worker_allowance_bytes + WORKER_BYTES)


def labels(role: str, installation: str, identifier: str, attempt: int | None = None) -> dict[str, str]:
    """The labels of whatever belongs to a server or task."""
    known = {"app": APP, INSTALLATION: installation, INSTANCE: identifier, ROLE: role}
    return known if attempt is None else {**known, ATTEMPT: str(attempt)}


def mark(role: str, installation: str, identifier: str, ended: int, day: str) -> Manifest:
    """The note of the last attempt that is over, and the day on which it was written."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": f"{role}-{identifier}",
            "labels": {**labels(role, installation, identifier), "mark": day},
        },
        "data": {"ended": str(ended)},
    }


def claim(role: str, spec: ServerSpec | TaskSpec, identifier: str) -> Manifest:
    """The ConfigMap with the spec."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": f"{role}-{identifier}-{spec.attempt}",
            "labels": {**labels(role, spec.installation, identifier, spec.attempt), "claim": "true"},
        },
        "data": {"spec.json": json.dumps(spec_document(spec))},
    }


def token(spec: ServerSpec, text: str, owner: Manifest) -> Manifest:
    """The Secret with the bearer token of an attempt."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": _metadata(
            f"server-{spec.instance}-{spec.attempt}",
            labels("server", spec.installation, spec.instance, spec.attempt),
            owner,
        ),
        "stringData": {"token": text},
    }


def server_pod(spec: ServerSpec, image: Image, owner: Manifest) -> Manifest:
    """The pod of an instance of a snapshot."""
    memory = server_bytes(spec.limits)
    container = {
        **_container(image, memory),
        "name": "server",
        "command": [
            *("python", "-P", "-X", "faulthandler", "-m", "graph_platform.server"),
            *("--spec", "/given/spec.json", "--token-file", "/token/token", "--bind", f"0.0.0.0:{PORT}"),
            *("--work", "/scratch/server", "--data", "/data", "--failure-file", "/dev/termination-log"),
        ],
        "ports": [{"containerPort": PORT, "name": "http"}],
        "readinessProbe": {"httpGet": {"path": "/ready", "port": PORT}, "periodSeconds": 1, "timeoutSeconds": 2},
    }
    container["volumeMounts"] += [{"name": "token", "mountPath": "/token", "readOnly": True}]
    secret = {"secretName": f"server-{spec.instance}-{spec.attempt}", "defaultMode": 0o440}
    known = labels("server", spec.installation, spec.instance, spec.attempt)
    return _pod(
        _metadata(f"server-{spec.instance}", known, owner), owner, container, [{"name": "token", "secret": secret}]
    )


def task_pod(spec: TaskSpec, image: Image, owner: Manifest, memory_bytes: int) -> Manifest:
    """The pod of a task. What it tells begins with the claim's UID, since its log is not only what it tells."""
    container = {
        **_container(image, memory_bytes),
        "name": "task",
        "command": [
            *("python", "-P", "-X", "faulthandler", "-m", "graph_platform.tasks"),
            *("--spec", "/given/spec.json", "--work", "/scratch/task", "--failure-file", "/dev/termination-log"),
            *("--mark", owner["metadata"]["uid"]),
        ],
    }
    known = labels("task", spec.installation, spec.task, spec.attempt)
    metadata = {**_metadata(f"task-{spec.task}", known, owner), "annotations": {DOING: spec.doing}}
    return _pod(metadata, owner, container, [])


def _metadata(name: str, known: Mapping[str, str], owner: Manifest) -> Manifest:
    reference = {
        "apiVersion": owner.get("apiVersion", "v1"),
        "kind": owner.get("kind", "ConfigMap"),
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
    }
    return {"name": name, "labels": dict(known), "ownerReferences": [reference]}


def _container(image: Image, memory_bytes: int) -> Manifest:
    return {
        "image": image.name,
        "imagePullPolicy": "IfNotPresent",
        "env": [{"name": "TMPDIR", "value": "/scratch"}, {"name": "HOME", "value": "/scratch"}],
        "envFrom": [{"secretRef": {"name": image.storage_secret}}] if image.storage_secret else [],
        "resources": {
            "requests": {"cpu": "100m", "memory": str(memory_bytes)},
            "limits": {"memory": str(memory_bytes)},
        },
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        },
        # The last lines of the log where the program itself could not say why it ended.
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [
            {"name": "given", "mountPath": "/given", "readOnly": True},
            {"name": "scratch", "mountPath": "/scratch"},
        ],
    }


def _pod(metadata: Manifest, owner: Manifest, container: Manifest, volumes: Sequence[Manifest]) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata,
        "spec": {
            "restartPolicy": "Never",
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            # The program is not the first process of its namespace, which no signal of its own would end.
            "shareProcessNamespace": True,
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": USER,
                "runAsGroup": USER,
                "fsGroup": USER,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [container],
            "volumes": [
                {"name": "given", "configMap": {"name": owner["metadata"]["name"]}},
                {"name": "scratch", "emptyDir": {}},
                *volumes,
            ],
        },
    }
