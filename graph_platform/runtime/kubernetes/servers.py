"""Servers of instances as pods of a namespace."""

from __future__ import annotations

import base64
import builtins
import datetime
import secrets
import threading
from collections.abc import Sequence
from dataclasses import replace

from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.polling import SYSTEM, Clock
from graph_platform.runtime.asking import server_status
from graph_platform.runtime.kubernetes import manifests
from graph_platform.runtime.kubernetes.attempts import Attempts, Found
from graph_platform.runtime.kubernetes.cluster import Cluster, Document, Kind
from graph_platform.runtime.kubernetes.forward import Forward
from graph_platform.runtime.kubernetes.manifests import Image
from graph_platform.runtime.kubernetes.pods import Stage, gone, look
from graph_platform.runtime.protocol import Connection, Observation, Presence
from graph_platform.runtime.spec import ServerSpec


class KubernetesServers:
    """`Servers` of a namespace.

    Args:
        pending_seconds: how long a pod may find no place before that counts as a failure.
        direct: whether this process reaches pods by their addresses, as one in the cluster does; else its way to them
            is through the API server.
    """

    def __init__(
        self,
        cluster: Cluster,
        installation: str,
        image: Image,
        pending_seconds: float,
        *,
        direct: bool,
        clock: Clock = SYSTEM,
    ) -> None:
        self._direct = direct
        self._forwards: dict[str, Forward] = {}
        self._forwarding = threading.Lock()
        self._cluster = cluster
        self._image = image
        self._pending_seconds = pending_seconds
        self._attempts: Attempts[ServerSpec] = Attempts(
            cluster, "server", "an instance", installation, self._belongings, clock
        )

    def start(self, spec: ServerSpec) -> None:
        """Make the pod unless this attempt had one before. See `Attempts.start`."""
        self._attempts.start(spec.instance, replace(spec, limits=manifests.server_limits(spec.limits)))

    def stop(self, instance: str, up_to_attempt: int, grace_seconds: float) -> None:
        """Delete the pod and what belongs to it. See `Attempts.end`."""
        self._attempts.end(instance, up_to_attempt, grace_seconds)

    def observe(self, instance: str) -> Observation:
        """Look at the pod, and ask the server."""
        found = self._attempts.find(instance)
        if found is None:
            return Observation(instance, 0, Presence.ABSENT)
        return self._observation(found, ask=True)

    def connect(self, instance: str) -> Connection:
        """The pod's address, or one of loopback that leads there, and the token from the pod's Secret."""
        found = self._attempts.find(instance, mine=True)
        if found is None:
            raise PlatformError(ErrorCode.RESOURCE_NOT_FOUND, f"{instance} is not in this namespace")
        url = self._way(found.pod)
        if url is None:
            raise PlatformError(ErrorCode.INVALID_STATE, f"{instance} does not listen", "look at its status")
        return Connection(url, self._token(found), None if self._direct else _url(found.pod))

    def changed(self, instance: str) -> threading.Event:
        """Set by a watch of the pods. See `Attempts.changed`."""
        return self._attempts.changed(instance)

    def list(self) -> builtins.list[Observation]:
        """Every instance of this installation, from one listing of the pods."""
        return [self._observation(found, ask=False) for found in self._attempts.all()]

    def _belongings(self, spec: ServerSpec, claim: Document) -> Sequence[tuple[Kind, Document]]:
        return (
            (Kind.SECRET, manifests.token(spec, secrets.token_urlsafe(32), claim)),
            (Kind.POD, manifests.server_pod(spec, self._image, claim)),
        )

    def _observation(self, found: Found, *, ask: bool) -> Observation:
        instance, attempt = found.identifier, found.attempt
        if found.pod is None:
            failure = gone(f"server-{instance}").document() if found.was_started else None
            return _pending_or_ended(found, failure)
        now = datetime.datetime.now(datetime.UTC)
        sight = look(found.pod, f"serving {instance}", patience_seconds=self._pending_seconds, now=now)
        if sight.stage in (Stage.DONE, Stage.FAILED):
            failure = sight.failure or (self._attempts.told_to_end(found, found.pod) if ask else None)
            return Observation(instance, attempt, Presence.ENDED, failure=failure)
        if sight.stage is Stage.PENDING:
            failure = self._attempts.volume_failure(found.pod, self._pending_seconds) if ask else None
            return _pending_or_ended(found, failure)
        if ask:
            return self._asked(found, found.pod, sight.stage)
        return Observation(instance, attempt, Presence.READY if sight.stage is Stage.READY else Presence.ALIVE)

    def _asked(self, found: Found, pod: Document, stage: Stage) -> Observation:
        """What the server in a running pod says of itself."""
        url = self._way(pod)
        status = server_status(url, self._token(found)) if url else None
        if status is None:
            presence = Presence.READY if stage is Stage.READY else Presence.STARTING
            return Observation(found.identifier, found.attempt, presence, phase="unresponsive")
        phase = str(status["phase"])
        return Observation(
            found.identifier,
            found.attempt,
            Presence.READY if phase == "ready" else Presence.STARTING,
            phase,
            float(status["progress"]),
            last_activity=status["last_activity"],
        )

    def _way(self, pod: Document | None) -> str | None:
        """Where this process reaches a pod's server, None while no container runs."""
        if pod is None or self._direct or _url(pod) is None:
            return _url(pod)
        uid = pod["metadata"]["uid"]
        with self._forwarding:
            if uid not in self._forwards:
                self._forwards[uid] = self._cluster.forward(pod["metadata"]["name"], manifests.PORT)
            return self._forwards[uid].url

    def _token(self, found: Found) -> str:
        name = f"server-{found.identifier}-{found.attempt}"
        secret = self._cluster.get(Kind.SECRET, name)
        if secret is None:
            raise PlatformError(ErrorCode.INVALID_STATE, f"{found.identifier} ends now", "look at its status")
        return base64.b64decode(secret["data"]["token"]).decode("ascii")


def _pending_or_ended(found: Found, failure: dict[str, object] | None) -> Observation:
    if failure is not None:
        return Observation(found.identifier, found.attempt, Presence.ENDED, failure=failure)
    return Observation(found.identifier, found.attempt, Presence.STARTING, phase="pending")


def _url(pod: Document | None) -> str | None:
    """Where a pod's server listens, None while no container runs."""
    status = (pod or {}).get("status", {})
    running = any("running" in each.get("state", {}) for each in status.get("containerStatuses", ()))
    address = status.get("podIP", "")
    if not running or not address:
        return None
    return f"http://[{address}]:{manifests.PORT}" if ":" in address else f"http://{address}:{manifests.PORT}"
