"""A real Kubernetes node: what it adds to a start, many launches at once, and a namespace of thousands of pods."""

from __future__ import annotations

import itertools
import json
import os
import tempfile
import time
import tracemalloc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.measure import Outcome, seconds
from graph_platform.runtime.kubernetes import manifests
from graph_platform.runtime.kubernetes.cluster import Cluster, Kind
from graph_platform.runtime.kubernetes.runtime import KubernetesRuntime
from graph_platform.runtime.local.servers import LocalServers
from graph_platform.runtime.protocol import Presence, Servers
from graph_platform.runtime.spec import ServerSpec
from graph_platform_tests.services.buckets import s3_server
from graph_platform_tests.services.kubernetes.fixtures import Namespace, SessionCluster
from graph_platform_tests.services.kubernetes.images import tests_archive
from graph_platform_tests.services.kubernetes.node import Node
from graph_platform_tests.snapshots import LIMITS, Snapshot, make_snapshot

INSTALLATION = "gp-bench"
PODS, LAUNCHES = 5000, 50
_MEGABYTE = 1024**2


@contextmanager
def _namespace() -> Iterator[Namespace]:
    """One of a node of its own; this process's variables are those by which its storage is reached."""
    node = Node()
    try:
        node.load(tests_archive())
        with (
            tempfile.TemporaryDirectory(prefix="graph-platform-bench-") as folder,
            s3_server(Path(folder), node.sandbox.host_address) as endpoint,
        ):
            cluster = SessionCluster(node, endpoint)
            os.environ.update(cluster.environment)
            yield cluster.namespace()
    finally:
        node.close()


def pods(folder: Path) -> Outcome:
    """Listing the instances of a namespace with 5,000 pods against one with 500, for each of them."""
    with _namespace() as namespace:
        cluster = Cluster(namespace.client(), namespace.name)
        runtime = namespace.runtime(INSTALLATION)
        _make_pods(cluster, 0, PODS // 10)
        few, few_peak = _listed(runtime, PODS // 10)
        _make_pods(cluster, PODS // 10, PODS)
        many, many_peak = _listed(runtime, PODS)
    note = f"\n    peak memory {few_peak / _MEGABYTE:.1f} MB and {many_peak / _MEGABYTE:.1f} MB"
    what = f"one listing of {PODS:,} instances / of {PODS // 10:,}"
    return Outcome("pods", what, (many / few,), (many,), (few,), at_most=12, note=note)


def launches(folder: Path) -> Outcome:
    """Fifty launches one after another against the same at once, each until it is seen to be ready."""
    with _namespace() as namespace:
        snapshot = make_snapshot(folder / "small", "ladybug", url=namespace.storage_url)
        runtime, numbers = namespace.runtime(INSTALLATION), itertools.count()
        _launch(runtime.servers, _spec(snapshot, next(numbers)))
        _end_all(runtime)

        def in_turn() -> None:
            for _ in range(LAUNCHES):
                _launch(runtime.servers, _spec(snapshot, next(numbers)))

        one_by_one = seconds(in_turn)
        _end_all(runtime)
        with ThreadPoolExecutor(LAUNCHES) as pool:
            specs = [_spec(snapshot, next(numbers)) for _ in range(LAUNCHES)]
            at_once = seconds(lambda: list(pool.map(partial(_launch, runtime.servers), specs)))
        _end_all(runtime)
    what = f"{LAUNCHES} launches on a node one after another / at once"
    return Outcome("launches", what, (one_by_one / at_once,), (one_by_one,), (at_once,))


def node_start(folder: Path) -> Outcome:
    """A start on a node, until a query would be taken, against one on this machine, of the same small snapshot."""
    with _namespace() as namespace:
        snapshot = make_snapshot(folder / "start", "ladybug", url=namespace.storage_url)
        runtime, local = namespace.runtime(INSTALLATION), LocalServers(folder / "start-home", INSTALLATION)
        rounds, parts = [], dict[str, list[float]]()
        for number in range(6):
            spec = _spec(snapshot, number)
            there = seconds(partial(_launch, runtime.servers, spec))
            for part, taken in _parts(namespace, spec.instance).items():
                parts.setdefault(part, []).append(taken)
            here = seconds(partial(_launch, local, spec))
            runtime.servers.stop(spec.instance, 1, 1)
            local.stop(spec.instance, 1, 1)
            if number:  # the first has the image unpacked, and modules read from the disk
                rounds.append((there, here))
    told = ", ".join(f"{part} {sorted(taken[1:])[len(taken) // 2 - 1]:.1f} s" for part, taken in parts.items())
    ratios = tuple(one / other for one, other in rounds)
    first, second = tuple(one for one, _ in rounds), tuple(other for _, other in rounds)
    what = "start of an instance on a node / on this machine"
    return Outcome(
        "node-start", what, ratios, first, second, note=f"\n    by the pod's own times, whole seconds: {told}"
    )


def _spec(snapshot: Snapshot, number: int) -> ServerSpec:
    spec = snapshot.spec(
        "ladybug", limits=replace(LIMITS, pool_bytes=32 * _MEGABYTE, worker_allowance_bytes=64 * _MEGABYTE)
    )
    return replace(spec, installation=INSTALLATION, instance=f"inst-{number}")


def _launch(servers: Servers, spec: ServerSpec) -> None:
    changed = servers.changed(spec.instance)
    servers.start(spec)
    while (seen := servers.observe(spec.instance)).presence != Presence.READY:
        if seen.presence == Presence.ENDED:
            raise RuntimeError(seen.failure)
        changed.wait(0.05)


def _end_all(runtime: KubernetesRuntime) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda seen: runtime.servers.stop(seen.instance, seen.attempt, 1), runtime.servers.list()))


def _make_pods(cluster: Cluster, first: int, last: int) -> None:
    """Pods that no node takes: as objects they are as others."""

    def make(number: int) -> None:
        identifier = f"inst-{number}"
        metadata = {"name": f"server-{identifier}", "labels": manifests.labels("server", INSTALLATION, identifier, 1)}
        cluster.create(Kind.POD, {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": _UNSCHEDULED})

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(make, range(first, last)))


_UNSCHEDULED: dict[str, Any] = {
    "schedulerName": "nobody",
    "automountServiceAccountToken": False,
    "securityContext": {"runAsNonRoot": True, "runAsUser": 1000, "seccompProfile": {"type": "RuntimeDefault"}},
    "containers": [
        {
            "name": "server",
            "image": "none",
            "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        }
    ],
}


def _listed(runtime: KubernetesRuntime, expected: int) -> tuple[float, int]:
    """Seconds and peak bytes of one listing."""

    def listing() -> None:
        found = runtime.servers.list()
        if len(found) != expected:
            raise RuntimeError(f"{len(found)} of {expected}")

    taken = min(seconds(listing) for _ in range(3))
    tracemalloc.start()
    try:
        listing()
        return taken, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def _parts(namespace: Namespace, instance: str) -> dict[str, float]:
    """How long each part of a pod's start took, by what the cluster has written on it."""
    pod = json.loads(namespace.kubectl("get", "pod", f"server-{instance}", "-o", "json"))
    times = {each["type"]: _time(each["lastTransitionTime"]) for each in pod["status"]["conditions"]}
    created = _time(pod["metadata"]["creationTimestamp"])
    running = _time(pod["status"]["containerStatuses"][0]["state"]["running"]["startedAt"])
    return {
        "to be scheduled": times["PodScheduled"] - created,
        "to run": running - times["PodScheduled"],
        "to be ready": times["Ready"] - running,
    }


def _time(text: str) -> float:
    return time.mktime(time.strptime(text, "%Y-%m-%dT%H:%M:%SZ"))
