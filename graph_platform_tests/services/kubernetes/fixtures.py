"""A cluster for the session, and a namespace of it for each test, with the platform's own rights and no more."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from kubernetes.client import ApiClient, Configuration
from kubernetes.config import load_kube_config_from_dict

from graph_platform.runtime.kubernetes.cluster import Cluster
from graph_platform.runtime.kubernetes.manifests import Image
from graph_platform.runtime.kubernetes.runtime import KubernetesRuntime
from graph_platform_tests.services.buckets import SECRET, s3_server
from graph_platform_tests.services.kubernetes.images import PLATFORM, ROOT, TESTS, platform_archive, tests_archive
from graph_platform_tests.services.kubernetes.node import Node
from graph_platform_tests.waiting import until

PENDING_SECONDS = 15.0
TASK_BYTES = 512 * 1024**2
STORAGE_SECRET = "storage"

_ANY_POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "any"},
    "spec": {
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [
            {
                "name": "any",
                "image": "any",
                "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
            }
        ],
    },
}


@dataclass(frozen=True)
class Namespace:
    """A namespace with the platform's service account, and storage that its pods reach.

    Args:
        kubeconfig: what the service account uses, as text.
    """

    node: Node
    name: str
    kubeconfig: str
    storage_url: str

    def client(self) -> ApiClient:
        """A client with the service account's rights."""
        return platform_client(self.kubeconfig)

    def runtime(self, installation: str, **changes: Any) -> KubernetesRuntime:
        """The runtime of this namespace."""
        return platform_runtime(self.kubeconfig, self.name, installation, **changes)

    def kubectl(self, *arguments: str, given: str | None = None) -> str:
        """Run kubectl in it, as the administrator."""
        return self.node.kubectl("-n", self.name, *arguments, given=given)

    def objects(self, kinds: str) -> list[dict[str, Any]]:
        """What is in it of these kinds, beside what every namespace has."""
        found: list[dict[str, Any]] = json.loads(self.kubectl("get", kinds, "-o", "json"))["items"]
        every = ("kube-root-ca.crt", STORAGE_SECRET)
        return [each for each in found if each["metadata"]["name"] not in every]

    def refusal(self) -> str:
        """Why the API server would take no pod now, "" if it would: its admission sees a change a moment after it."""
        try:
            self.kubectl("create", "--dry-run=server", "-f", "-", given=json.dumps(_ANY_POD))
        except AssertionError as refused:
            return str(refused)
        return ""

    def may(self, verb: str, resource: str) -> bool:
        """Whether the platform's account has that right now: a role, too, is seen a moment after its change."""
        account = f"system:serviceaccount:{self.name}:graph-platform"
        try:
            return "yes" in self.kubectl("auth", "can-i", verb, resource, "--as", account)
        except AssertionError:
            return False


def platform_client(kubeconfig: str) -> ApiClient:
    """A client by a kubeconfig's text."""
    configuration = Configuration()
    configuration.retries = False
    load_kube_config_from_dict(yaml.safe_load(kubeconfig), client_configuration=configuration)
    return ApiClient(configuration)


def platform_runtime(
    kubeconfig: str,
    namespace: str,
    installation: str,
    *,
    image: str = TESTS,
    pending_seconds: float = PENDING_SECONDS,
    direct: bool = True,
) -> KubernetesRuntime:
    """The runtime of a namespace, in whatever process."""
    return KubernetesRuntime(
        Cluster(platform_client(kubeconfig), namespace),
        installation,
        Image(image, STORAGE_SECRET),
        pending_seconds=pending_seconds,
        task_memory_bytes=TASK_BYTES,
        direct=direct,
    )


@dataclass(frozen=True)
class SessionCluster:
    """A node that has the tests' image, and an S3 server that its pods reach."""

    node: Node
    s3_endpoint: str

    @property
    def environment(self) -> dict[str, str]:
        """The variables by which storage is reached, here and in pods."""
        return {
            "AWS_ENDPOINT_URL": self.s3_endpoint,
            "AWS_ACCESS_KEY_ID": "tester",
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def bucket(self) -> str:
        """A storage root in a bucket of its own."""
        name = f"bucket-{secrets.token_hex(6)}"
        httpx.put(f"{self.s3_endpoint}/{name}", trust_env=False, timeout=60).raise_for_status()
        return f"s3://{name}/root"

    def namespace(self) -> Namespace:
        """A new namespace, under the restricted pod security standard."""
        name = f"test-{secrets.token_hex(4)}"
        secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": STORAGE_SECRET, "namespace": name}}
        labels = {"pod-security.kubernetes.io/enforce": "restricted"}
        self.node.apply(
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}},
            {**secret, "stringData": self.environment},
        )
        self.node.kubectl("apply", "-n", name, "-f", str(ROOT / "deploy/platform.yaml"))
        token = self.node.kubectl("create", "token", "graph-platform", "-n", name, "--duration", "10h").strip()
        made = Namespace(self.node, name, self.node.kubeconfig(token=token), self.bucket())
        until(lambda: not made.refusal(), f"namespace {name} takes no pods")  # until its account is there
        until(lambda: "kube-root-ca.crt" in made.kubectl("get", "configmaps", "-o", "name"), f"{name} has no authority")
        return made


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SessionCluster]:
    """A cluster of the session's own."""
    archive = tests_archive()
    node = Node()
    try:
        node.load(archive)
        with s3_server(tmp_path_factory.mktemp("s3"), node.sandbox.host_address) as endpoint:
            yield SessionCluster(node, endpoint)
    finally:
        node.close()


@pytest.fixture(scope="session")
def platform_image(cluster: SessionCluster) -> str:
    """The platform's own image, brought to the session's node."""
    cluster.node.load(platform_archive())
    return PLATFORM


@pytest.fixture
def namespace(cluster: SessionCluster, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Namespace]:
    """An empty namespace, and the environment that reaches its storage."""
    for name, value in cluster.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "no-config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "no-credentials"))
    monkeypatch.setenv("NO_PROXY", "*")
    made = cluster.namespace()
    yield made
    cluster.node.kubectl("delete", "namespace", made.name, "--wait=false")
