"""What only a cluster does, on a real node: failures in its words, rights, an API server that goes away."""

from __future__ import annotations

import base64
import gc
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.runtime.kubernetes.cluster import Cluster, Expired, Kind
from graph_platform.runtime.kubernetes.runtime import KubernetesRuntime
from graph_platform.runtime.protocol import Observation, Presence
from graph_platform.runtime.spec import StoredObject, TaskSpec
from graph_platform_tests.engine.costly import HUNGRY
from graph_platform_tests.runtime.programs import PROGRAM
from graph_platform_tests.runtime.test_conformance import ask
from graph_platform_tests.services.kubernetes.certificates import Authority
from graph_platform_tests.services.kubernetes.fixtures import TASK_BYTES, Namespace, platform_client
from graph_platform_tests.services.runtimes import INSTALLATION, settled
from graph_platform_tests.simulated_clock import SimulatedClock
from graph_platform_tests.snapshots import LIMITS, Snapshot, make_snapshot
from graph_platform_tests.waiting import until


@pytest.fixture
def snapshot(namespace: Namespace, tmp_path: Path) -> Snapshot:
    return make_snapshot(tmp_path, "ladybug", url=namespace.storage_url)


@pytest.fixture
def runtime(namespace: Namespace) -> Iterator[KubernetesRuntime]:
    made = namespace.runtime(INSTALLATION)
    yield made
    for seen in made.servers.list():
        made.servers.stop(seen.instance, seen.attempt, 0.2)


def failure(seen: Observation) -> dict[str, Any]:
    assert seen.presence is Presence.ENDED, seen
    assert seen.failure is not None
    return dict(seen.failure)


def test_a_pod_is_restricted_and_holds_no_token_but_its_own(
    namespace: Namespace, runtime: KubernetesRuntime, snapshot: Snapshot
) -> None:
    runtime.servers.start(snapshot.spec("ladybug"))
    settled(runtime.servers, "inst-1")
    token = runtime.servers.connect("inst-1").token
    until(lambda: runtime.servers.list()[0].presence is Presence.READY, "the cluster does not see that it is ready")
    (pod,) = namespace.objects("pods")
    assert token not in json.dumps(pod)
    assert token not in json.dumps(namespace.objects("configmaps"))
    assert token not in namespace.kubectl("logs", "server-inst-1")

    def inside(*command: str) -> str:
        return namespace.kubectl("exec", "server-inst-1", "--", *command)

    status = dict(line.split(":\t", 1) for line in inside("cat", "/proc/self/status").splitlines() if ":\t" in line)
    assert (status["CapEff"], status["CapBnd"]) == ("0000000000000000", "0000000000000000")
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
    assert status["Uid"].split() == ["10001"] * 4
    assert inside("sh", "-c", "touch /opt/graph-platform/x /usr/x /x 2>&1 || true").count("Read-only file system") == 3
    assert "No such file" in inside("sh", "-c", "ls /var/run/secrets/kubernetes.io 2>&1 || true")
    assert token not in inside("sh", "-c", "cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ | tr '\\0' ' '")


def test_an_end_leaves_nothing_but_the_mark(
    namespace: Namespace, runtime: KubernetesRuntime, snapshot: Snapshot
) -> None:
    runtime.servers.start(snapshot.spec("ladybug"))
    settled(runtime.servers, "inst-1")
    runtime.servers.stop("inst-1", 1, 5)
    until(lambda: not namespace.objects("secrets"), "the cluster does not collect the token")
    assert namespace.objects("pods") == []
    (mark,) = namespace.objects("configmaps")
    assert (mark["metadata"]["name"], mark["data"]) == ("server-inst-1", {"ended": "1"})


def test_a_pod_that_takes_more_memory_than_its_limit_is_killed_and_told_the_limit(
    namespace: Namespace, runtime: KubernetesRuntime
) -> None:
    order = {"act": "swell"}
    result = StoredObject(namespace.storage_url, "result.json")
    spec = TaskSpec(INSTALLATION, "task-1", 1, PROGRAM, "rehearsing", order, result, 600.0, "give it more time", 0)
    runtime.tasks.start(spec)
    until(lambda: runtime.tasks.observe("task-1").failure, "the kernel does not kill it")
    found = dict(runtime.tasks.observe("task-1").failure or {})
    assert (found["code"], found["details"]) == ("OOM_KILLED", {"limit": str(TASK_BYTES), "log_tail": ""})
    assert f"{TASK_BYTES / 1024**2:,.0f} MB" in str(found["message"])
    runtime.tasks.stop("task-1", 1)


@pytest.mark.parametrize("what", HUNGRY)
def test_a_querys_limit_strikes_before_the_pods(runtime: KubernetesRuntime, snapshot: Snapshot, what: str) -> None:
    runtime.servers.start(snapshot.spec("ladybug"))
    settled(runtime.servers, "inst-1")
    way = runtime.servers.connect("inst-1")
    cypher, parameters = HUNGRY[what]
    with httpx.Client(base_url=way.url, headers={"Authorization": f"Bearer {way.token}"}, timeout=60) as client:
        with ThreadPoolExecutor(3) as pool:
            question = {"cypher": cypher, "parameters": parameters}
            asked = [pool.submit(client.post, "/query", json=question) for _ in range(3)]
            answers = [each.result() for each in asked]
        assert {(answer.status_code, answer.json()["code"]) for answer in answers} <= {
            (400, "QUERY_ERROR"),
            (504, "QUERY_TIMEOUT"),
        }
        assert client.post("/query", json={"cypher": "RETURN 1"}).json()["rows"] == [[1]]
    assert runtime.servers.observe("inst-1").presence is Presence.READY


def _no_image(namespace: Namespace) -> KubernetesRuntime:
    return namespace.runtime(INSTALLATION, image="localhost:1/nowhere:1")


def _no_name(namespace: Namespace) -> KubernetesRuntime:
    return namespace.runtime(INSTALLATION, image="Not A Name")


def _no_secret(namespace: Namespace) -> KubernetesRuntime:
    namespace.kubectl("delete", "secret", "storage")
    return namespace.runtime(INSTALLATION)


@pytest.mark.parametrize(
    ("given", "words", "hint"),
    [
        (_no_image, "ImagePullBackOff", "GRAPH_PLATFORM_KUBERNETES_IMAGE"),
        (_no_name, "InvalidImageName", "GRAPH_PLATFORM_KUBERNETES_IMAGE"),
        (_no_secret, 'secret "storage" not found', "GRAPH_PLATFORM_KUBERNETES_STORAGE_SECRET"),
    ],
    ids=["an image that cannot be had", "no name of an image", "no secret of storage"],
)
def test_what_cannot_start_is_told_in_the_clusters_words_before_any_time_limit(
    namespace: Namespace, snapshot: Snapshot, given: Callable[[Namespace], KubernetesRuntime], words: str, hint: str
) -> None:
    runtime = given(namespace)
    runtime.servers.start(snapshot.spec("ladybug"))
    found = failure(settled(runtime.servers, "inst-1"))
    assert words in found["message"]
    assert hint in found["hint"]
    assert [failure(seen) for seen in runtime.servers.list()] == [found]
    runtime.servers.stop("inst-1", 1, 1)


def test_what_no_node_has_room_for_is_told_in_the_schedulers_words(
    runtime: KubernetesRuntime, snapshot: Snapshot
) -> None:
    limits = type(LIMITS)(**{**vars(LIMITS), "pool_bytes": 2**50})
    runtime.servers.start(snapshot.spec("ladybug", limits=limits))
    found = failure(settled(runtime.servers, "inst-1"))
    assert "no node has room" in found["message"] and "Insufficient memory" in found["message"]


def test_a_quota_refuses_a_pod_by_name_and_nothing_is_left(
    namespace: Namespace, runtime: KubernetesRuntime, snapshot: Snapshot
) -> None:
    namespace.kubectl("create", "quota", "small", "--hard=pods=0")
    until(lambda: "exceeded quota" in namespace.refusal(), "the quota does not hold")
    with pytest.raises(PlatformError) as refused:
        runtime.servers.start(snapshot.spec("ladybug"))
    assert refused.value.code is ErrorCode.CONCURRENCY_LIMIT_EXCEEDED
    assert "exceeded quota: small" in refused.value.message
    namespace.kubectl("delete", "quota", "small")
    until(lambda: not namespace.refusal(), "the quota still holds")
    runtime.servers.start(snapshot.spec("ladybug"))
    assert settled(runtime.servers, "inst-1").presence is Presence.READY


def test_a_right_that_is_missing_is_named(namespace: Namespace, snapshot: Snapshot) -> None:
    role = json.loads(namespace.kubectl("get", "role", "graph-platform", "-o", "json"))
    role["rules"] = [rule for rule in role["rules"] if rule["resources"] != ["secrets"]]
    namespace.node.apply(role)
    until(lambda: not namespace.may("create", "secrets"), "the right is still there")
    with pytest.raises(PlatformError) as refused:
        namespace.runtime(INSTALLATION).servers.start(snapshot.spec("ladybug"))
    assert refused.value.code is ErrorCode.PERMISSION_DENIED
    assert 'cannot create resource "secrets"' in refused.value.message
    assert "deploy/platform.yaml" in str(refused.value.hint)


def test_a_pod_that_somebody_deleted_has_ended_and_does_not_come_back(
    namespace: Namespace, runtime: KubernetesRuntime, snapshot: Snapshot
) -> None:
    spec = snapshot.spec("ladybug")
    runtime.servers.start(spec)
    settled(runtime.servers, "inst-1")
    namespace.kubectl("delete", "pod", "server-inst-1", "--grace-period=1")
    until(lambda: runtime.servers.observe("inst-1").presence is Presence.ENDED, "it is still there")
    until(lambda: not namespace.objects("pods"), "it is still there")
    found = failure(runtime.servers.observe("inst-1"))
    assert "somebody deleted it" in found["message"]
    runtime.servers.start(spec)
    assert failure(runtime.servers.observe("inst-1")) == found
    runtime.servers.start(snapshot.spec("ladybug", attempt=2))
    assert settled(runtime.servers, "inst-1").presence is Presence.READY


def test_a_pod_whose_node_says_nothing_any_more_has_ended(
    namespace: Namespace, runtime: KubernetesRuntime, snapshot: Snapshot
) -> None:
    runtime.servers.start(snapshot.spec("ladybug"))
    settled(runtime.servers, "inst-1")
    namespace.node.stop_program("kubelet")
    try:
        namespace.kubectl("delete", "pod", "server-inst-1", "--grace-period=1", "--wait=false")
        until(lambda: runtime.servers.observe("inst-1").presence is Presence.ENDED, "it is taken to live")
        assert "does not say that it has ended" in failure(runtime.servers.observe("inst-1"))["message"]
    finally:
        namespace.node.start_kubelet()
    runtime.servers.start(snapshot.spec("ladybug", attempt=2))
    assert settled(runtime.servers, "inst-1").presence is Presence.READY


def test_a_pod_that_its_node_evicts_is_told_in_the_nodes_words(
    namespace: Namespace, runtime: KubernetesRuntime, snapshot: Snapshot
) -> None:
    limit = {"type": "Container", "default": {"ephemeral-storage": "100Ki"}}
    limits = {"apiVersion": "v1", "kind": "LimitRange", "metadata": {"name": "small"}, "spec": {"limits": [limit]}}
    namespace.kubectl("apply", "-f", "-", given=json.dumps(limits))
    runtime.servers.start(snapshot.spec("ladybug"))
    until(lambda: runtime.servers.observe("inst-1").presence is Presence.ENDED, "it is not evicted", seconds=120)
    # It ended in good order, so that only an event, which may come a moment later, says why.
    until(lambda: "Evicted: " in failure(runtime.servers.observe("inst-1"))["message"], "its end is not explained")
    assert "ephemeral local storage" in failure(runtime.servers.observe("inst-1"))["message"]


def test_a_volume_that_cannot_be_mounted_is_told_in_the_nodes_words(namespace: Namespace, snapshot: Snapshot) -> None:
    runtime = namespace.runtime(INSTALLATION, pending_seconds=3)
    (node,) = json.loads(namespace.node.kubectl("get", "nodes", "-o", "json"))["items"]
    namespace.node.kubectl("cordon", node["metadata"]["name"])
    try:
        runtime.servers.start(snapshot.spec("ladybug"))
        namespace.kubectl("delete", "secret", "server-inst-1-1")
    finally:
        namespace.node.kubectl("uncordon", node["metadata"]["name"])
    found = failure(settled(runtime.servers, "inst-1"))
    assert 'secret "server-inst-1-1" not found' in found["message"]
    runtime.servers.stop("inst-1", 1, 1)


def test_what_another_installation_has_is_never_touched(
    namespace: Namespace, runtime: KubernetesRuntime, snapshot: Snapshot
) -> None:
    other = namespace.runtime("somebody-elses")
    other.servers.start(snapshot.spec("ladybug", installation="somebody-elses"))
    assert settled(other.servers, "inst-1").presence is Presence.READY
    assert runtime.servers.observe("inst-1").presence is Presence.ABSENT
    assert list(runtime.servers.list()) == []
    for act in (
        lambda: runtime.servers.start(snapshot.spec("ladybug")),
        lambda: runtime.servers.stop("inst-1", 9, 1),
        lambda: runtime.servers.connect("inst-1"),
    ):
        with pytest.raises(PlatformError) as refused:
            act()
        assert refused.value.code is ErrorCode.PERMISSION_DENIED
    assert other.servers.observe("inst-1").presence is Presence.READY
    other.servers.stop("inst-1", 1, 1)


def test_a_late_starts_objects_have_an_owner_that_is_gone_and_are_collected(
    namespace: Namespace, runtime: KubernetesRuntime, snapshot: Snapshot, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The end comes between the claim and the pod, and the start is killed before it looks again."""
    create = Cluster.create

    def ended_meanwhile(cluster: Cluster, kind: Kind, manifest: Any) -> Any:
        if kind is Kind.POD:
            monkeypatch.setattr(Cluster, "create", create)
            namespace.runtime(INSTALLATION).servers.stop("inst-1", 1, 1)
            create(cluster, kind, manifest)
            raise KeyboardInterrupt
        return create(cluster, kind, manifest)

    monkeypatch.setattr(Cluster, "create", ended_meanwhile)
    with pytest.raises(KeyboardInterrupt):
        runtime.servers.start(snapshot.spec("ladybug"))
    until(lambda: not namespace.objects("pods,secrets"), "the cluster does not collect them")


def test_an_api_server_that_goes_away_delays_and_changes_nothing(
    namespace: Namespace, runtime: KubernetesRuntime, snapshot: Snapshot
) -> None:
    def away(act: Callable[[], object]) -> None:
        """Carry it out while there is no API server; it comes back meanwhile."""
        namespace.node.stop_program("kube-apiserver")
        acting = pool.submit(act)
        namespace.node.start_api_server()
        acting.result()

    pool = ThreadPoolExecutor(1)
    away(lambda: runtime.servers.start(snapshot.spec("ladybug")))
    assert settled(runtime.servers, "inst-1").presence is Presence.READY
    away(lambda: runtime.servers.observe("inst-1"))
    assert ask(runtime.servers, "RETURN 1").json()["rows"] == [[1]]
    away(lambda: runtime.servers.stop("inst-1", 1, 1))
    assert runtime.servers.observe("inst-1").presence is Presence.ABSENT


def test_whoever_waits_is_woken_by_the_pods_readiness_and_by_its_end(
    namespace: Namespace, runtime: KubernetesRuntime, snapshot: Snapshot
) -> None:
    def awaited(presence: Presence) -> None:
        while True:
            changed = runtime.servers.changed("inst-1")
            if runtime.servers.observe("inst-1").presence is presence:
                return
            assert changed.wait(120), "nobody was told of it"

    runtime.servers.start(snapshot.spec("ladybug"))
    awaited(Presence.READY)
    namespace.kubectl("delete", "pod", "server-inst-1", "--wait=false")
    awaited(Presence.ENDED)


def test_a_list_and_a_watch_that_etcd_has_forgotten_begin_again(
    namespace: Namespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    administrator = platform_client((namespace.node.state / "admin.yaml").read_text())  # the platform watches pods only
    cluster = Cluster(administrator, namespace.name)
    for name in ("a", "b", "c"):
        namespace.kubectl("create", "configmap", name)
    _, version = cluster.listed(Kind.CONFIG_MAP)
    asked = Cluster._document
    forgotten: list[str] = []

    def forgetting(self: Cluster, method: str, path: str, query: Any = None, body: Any = None) -> Any:
        if not forgotten and "continue" in dict(query or ()):
            namespace.kubectl("create", "configmap", "d")
            namespace.node.stop_program("kube-apiserver")  # which remembers a while beside etcd
            namespace.node.compact()
            namespace.node.start_api_server()
            forgotten.append(path)
        return asked(self, method, path, query, body)

    monkeypatch.setattr(Cluster, "_document", forgetting)
    monkeypatch.setattr("graph_platform.runtime.kubernetes.cluster.PAGE", 2)
    names = [each["metadata"]["name"] for each in cluster.list(Kind.CONFIG_MAP)]
    assert forgotten and names == ["a", "b", "c", "d", "kube-root-ca.crt"]
    with pytest.raises(Expired):
        list(cluster.watch(Kind.CONFIG_MAP, version, 60))
    _, version = cluster.listed(Kind.CONFIG_MAP)
    namespace.kubectl("create", "configmap", "e")
    seen = next(cluster.watch(Kind.CONFIG_MAP, version, 60))
    assert (seen["type"], seen["object"]["metadata"]["name"]) == ("ADDED", "e")


def test_the_way_in_wants_the_token(runtime: KubernetesRuntime, snapshot: Snapshot) -> None:
    runtime.servers.start(snapshot.spec("ladybug"))
    settled(runtime.servers, "inst-1")
    way = runtime.servers.connect("inst-1")
    assert httpx.post(f"{way.url}/query", json={"cypher": "RETURN 1"}).status_code == 401


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")
def test_from_outside_the_way_in_is_a_port_of_loopback_and_ends_with_the_pod(
    namespace: Namespace, snapshot: Snapshot
) -> None:
    outside = namespace.runtime(INSTALLATION, direct=False)
    outside.servers.start(snapshot.spec("ladybug"))
    assert settled(outside.servers, "inst-1").presence is Presence.READY
    way = outside.servers.connect("inst-1")
    assert way.url.startswith("http://127.0.0.1:") and way == outside.servers.connect("inst-1")
    headers = {"Authorization": f"Bearer {way.token}"}
    long = {"cypher": "UNWIND range(1, 100) AS x RETURN x, repeat('text', 1000)"}
    with httpx.Client(base_url=way.url, headers=headers, trust_env=False, timeout=30) as client:
        for _ in range(3):
            assert len(client.post("/query", json=long).json()["rows"]) == 100
    outside.servers.stop("inst-1", 1, 1)
    with pytest.raises(httpx.TransportError):
        httpx.get(f"{way.url}/health", timeout=30)
    gc.collect()  # the client's library leaves its sockets to that: here, not in another test


def test_an_api_server_of_another_authority_is_not_answering(namespace: Namespace) -> None:
    stranger = Authority(namespace.node.state / f"strangers-{namespace.name}")
    kubeconfig = yaml.safe_load(namespace.kubeconfig)
    known = base64.b64encode(stranger.certificate.read_bytes()).decode()
    kubeconfig["clusters"][0]["cluster"]["certificate-authority-data"] = known
    cluster = Cluster(platform_client(yaml.safe_dump(kubeconfig)), namespace.name, clock=SimulatedClock())
    with pytest.raises(PlatformError) as refused:
        cluster.get(Kind.POD, "server-inst-1")
    assert refused.value.code is ErrorCode.BACKEND_UNREACHABLE
    assert "certificate verify failed" in refused.value.message
