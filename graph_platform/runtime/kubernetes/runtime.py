"""The runtime of a cluster: pods of one namespace."""

from __future__ import annotations

from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.polling import SYSTEM, Clock
from graph_platform.runtime.kubernetes.cluster import Cluster, cluster_client, inside_a_cluster
from graph_platform.runtime.kubernetes.manifests import Image
from graph_platform.runtime.kubernetes.servers import KubernetesServers
from graph_platform.runtime.kubernetes.tasks import KubernetesTasks
from graph_platform.settings import Settings


class KubernetesRuntime:
    """Servers and tasks of one namespace."""

    def __init__(
        self,
        cluster: Cluster,
        installation: str,
        image: Image,
        *,
        pending_seconds: float,
        task_memory_bytes: int,
        direct: bool,
        clock: Clock = SYSTEM,
    ) -> None:
        self._servers = KubernetesServers(cluster, installation, image, pending_seconds, direct=direct, clock=clock)
        self._tasks = KubernetesTasks(cluster, installation, image, pending_seconds, task_memory_bytes, clock)

    @property
    def servers(self) -> KubernetesServers:
        """Its servers."""
        return self._servers

    @property
    def tasks(self) -> KubernetesTasks:
        """Its tasks."""
        return self._tasks


def kubernetes_runtime(settings: Settings, installation: str, namespace: str) -> KubernetesRuntime:
    """The runtime of a namespace, as the settings say.

    Raises:
        PlatformError: VALIDATION_FAILED, without a way to a cluster or with storage that no pod could reach.
    """
    if settings.storage.startswith("file:"):
        raise PlatformError(
            ErrorCode.VALIDATION_FAILED,
            "pods do not reach storage in a folder of this machine",
            "set GRAPH_PLATFORM_STORAGE to s3://BUCKET/PREFIX or gs://BUCKET/PREFIX",
        )
    cluster = Cluster(cluster_client(), namespace, patience_seconds=settings.kubernetes_patience_seconds)
    return KubernetesRuntime(
        cluster,
        installation,
        Image(settings.kubernetes_image, settings.kubernetes_storage_secret),
        pending_seconds=settings.kubernetes_pending_seconds,
        task_memory_bytes=settings.kubernetes_task_memory_bytes,
        direct=inside_a_cluster(),
    )
