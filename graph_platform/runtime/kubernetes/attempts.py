"""The attempts of servers or tasks in a cluster: which is there, which is over, and no more than one pod of each.

A start makes the claim, what belongs to it, and looks once more whether the attempt is over: an end that came in
between did not see what was made after it looked. An end writes its mark first, so that killed from there on, the
attempt is over all the same; then it takes away, by UID, what it sees.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.polling import SYSTEM, Clock, Pauses, wait_until
from graph_platform.runtime.kubernetes import manifests
from graph_platform.runtime.kubernetes.cluster import Cluster, Document, Kind
from graph_platform.runtime.kubernetes.informer import Informer
from graph_platform.runtime.kubernetes.manifests import ATTEMPT, INSTALLATION, INSTANCE, STARTED
from graph_platform.runtime.kubernetes.pods import told_to_end, volume_failure
from graph_platform.runtime.spec import ServerSpec, TaskSpec, check_id

Spec = TypeVar("Spec", bound=ServerSpec | TaskSpec)

GONE_SECONDS = 60.0
"""How long a pod may take to be gone beyond its grace: the node has to say so."""

KEPT_DAYS = 30
"""How long it is remembered that an attempt is over. No start sleeps so long; one that did still finds out from the
catalog, and ends what it started."""

_PAUSES = Pauses(0.05, 1.0)


@dataclass(frozen=True)
class Found:
    """An attempt as the cluster has it: its claim, its pod, or both."""

    identifier: str
    claim: Document | None
    pod: Document | None

    @property
    def attempt(self) -> int:
        """Its number."""
        return attempt_of(self.pod or self.claim or {})

    @property
    def was_started(self) -> bool:
        """Whether a pod of it was ever made."""
        annotations = (self.claim or {}).get("metadata", {}).get("annotations") or {}
        return self.pod is not None or STARTED in annotations


class Attempts(Generic[Spec]):
    """Those of one role in one namespace.

    Args:
        role: "server" or "task".
        noun: what one of them is called in a message.
        belongings: what an attempt consists of beside its claim, of which the pod is the last.
    """

    def __init__(
        self,
        cluster: Cluster,
        role: str,
        noun: str,
        installation: str,
        belongings: Callable[[Spec, Document], Sequence[tuple[Kind, Document]]],
        clock: Clock = SYSTEM,
    ) -> None:
        self._cluster = cluster
        self._role = role
        self._noun = noun
        self._installation = installation
        self._belongings = belongings
        self._clock = clock
        self._selector = f"app={manifests.APP},{INSTALLATION}={installation},{manifests.ROLE}={role}"
        self._informer = Informer(cluster, self._selector, clock=clock)

    def start(self, identifier: str, spec: Spec) -> None:
        """Make what the attempt consists of, unless that was done before; an older one is ended first.

        Raises:
            PlatformError: INVALID_STATE if a later attempt is there or this one was ended, PERMISSION_DENIED if it is
                of another installation.
        """
        check_id(identifier, self._noun)
        if spec.installation != self._installation:
            raise PlatformError(ErrorCode.PERMISSION_DENIED, f"{identifier} is of another installation")
        self._refuse_if_over(identifier, spec.attempt)
        older = [each for each in self._claims(identifier) if attempt_of(each) < spec.attempt]
        if older:
            self.end(identifier, spec.attempt - 1, 1.0)
        claim = self._claim(identifier, spec)
        if not Found(identifier, claim, None).was_started:
            self._make(identifier, spec, claim)

    def end(self, identifier: str, up_to_attempt: int, grace_seconds: float) -> None:
        """Close the attempts, and wait until nothing of them is there.

        Raises:
            PlatformError: PERMISSION_DENIED for one of another installation, BACKEND_UNREACHABLE for a pod that stays.
        """
        check_id(identifier, self._noun)
        self._pod(identifier, mine=True)  # another installation's: not even a mark is left
        self._mark(identifier, up_to_attempt)
        for claim in self._claims(identifier):
            if attempt_of(claim) <= up_to_attempt:
                self._cluster.delete(Kind.CONFIG_MAP, claim)
        self._remove_pod(identifier, up_to_attempt, grace_seconds)
        self._forget_old()

    def find(self, identifier: str, *, mine: bool = False) -> Found | None:
        """The latest attempt that is there and not over.

        Args:
            mine: one of another installation is PERMISSION_DENIED instead of None.
        """
        check_id(identifier, self._noun)
        pod = self._pod(identifier, mine=mine)
        if pod is not None:
            return Found(identifier, None, pod)
        claims = self._claims(identifier)
        ended = self._ended(identifier) if claims else 0
        latest = max((each for each in claims if attempt_of(each) > ended), key=attempt_of, default=None)
        return Found(identifier, latest, None) if latest else None

    def volume_failure(self, pod: Document, patience_seconds: float) -> dict[str, Any] | None:
        """The document of an error, if a pending pod's events say that a volume of it cannot be mounted."""
        error = volume_failure(self._events(pod), patience_seconds)
        return None if error is None else error.document()

    def told_to_end(self, found: Found, pod: Document) -> dict[str, Any] | None:
        """The document of the error for a pod that ended in good order, None where the platform had asked for it."""
        if found.attempt <= self._ended(found.identifier):
            return None
        return told_to_end(self._events(pod), pod["metadata"]["name"]).document()

    def changed(self, identifier: str) -> threading.Event:
        """Set when its pod may have changed since this call."""
        return self._informer.changed(f"{self._role}-{identifier}")

    def all(self) -> Iterator[Found]:
        """Each attempt of this installation that is there."""
        pods = {_identifier(each): each for each in self._cluster.list(Kind.POD, self._selector)}
        claims: dict[str, Document] = {}
        for each in self._cluster.list(Kind.CONFIG_MAP, f"{self._selector},claim=true"):
            known = claims.setdefault(_identifier(each), each)
            if attempt_of(each) > attempt_of(known):
                claims[_identifier(each)] = each
        for identifier in sorted(pods.keys() | claims.keys()):
            pod = pods.get(identifier)
            yield Found(identifier, None if pod else claims[identifier], pod)

    def _events(self, pod: Document) -> list[Document]:
        return self._cluster.list(Kind.EVENT, fields=f"involvedObject.uid={pod['metadata']['uid']}")

    def _claim(self, identifier: str, spec: Spec) -> Document:
        manifest = manifests.claim(self._role, spec, identifier)
        made = self._cluster.create(Kind.CONFIG_MAP, manifest)
        found = made or self._cluster.get(Kind.CONFIG_MAP, manifest["metadata"]["name"])
        if found is None:
            raise _over(identifier, spec.attempt, "it was ended while it started")
        return self._mine(found)

    def _make(self, identifier: str, spec: Spec, claim: Document) -> None:
        made: Document | None = None
        for kind, manifest in self._belongings(spec, claim):
            made = self._made(kind, manifest, identifier, spec.attempt)
        newest = self._cluster.get(Kind.CONFIG_MAP, claim["metadata"]["name"])
        if newest is not None and made is not None:
            newest["metadata"].setdefault("annotations", {})[STARTED] = made["metadata"]["uid"]
            self._cluster.replace(Kind.CONFIG_MAP, newest)  # not done, the next start only looks again
        try:
            self._refuse_if_over(identifier, spec.attempt)
        except PlatformError:
            self._cluster.delete(Kind.CONFIG_MAP, claim)
            self._remove_pod(identifier, spec.attempt, 1.0)
            raise

    def _made(self, kind: Kind, manifest: Document, identifier: str, attempt: int) -> Document:
        """The object, made now or, of this attempt, before; one of an earlier attempt is waited for to be gone."""
        for pause in _PAUSES:
            found = self._cluster.create(kind, manifest) or self._cluster.get(kind, manifest["metadata"]["name"])
            if found is not None and attempt_of(self._mine(found)) == attempt:
                return found
            if found is not None and attempt_of(found) > attempt:
                raise _over(identifier, attempt, f"attempt {attempt_of(found)} is there")
            if found is not None:
                self._cluster.delete(kind, found, 1.0)
            self._clock.sleep(pause)
        raise AssertionError("pauses never end")

    def _remove_pod(self, identifier: str, up_to_attempt: int, grace_seconds: float) -> None:
        def gone() -> bool:
            pod = self._pod(identifier)
            return pod is None or attempt_of(pod) > up_to_attempt

        pod = self._pod(identifier, mine=True)
        if pod is None or attempt_of(pod) > up_to_attempt:
            return
        self._cluster.delete(Kind.POD, pod, grace_seconds)
        seconds = grace_seconds + GONE_SECONDS
        if not wait_until(gone, within_seconds=seconds, pauses=_PAUSES, clock=self._clock):
            node = pod["spec"].get("nodeName", "no node")
            raise PlatformError(
                ErrorCode.BACKEND_UNREACHABLE,
                f"pod {pod['metadata']['name']} on {node} does not end",
                f"see `kubectl describe pod {pod['metadata']['name']}`: has its node gone?",
            )

    def _refuse_if_over(self, identifier: str, attempt: int) -> None:
        if attempt <= self._ended(identifier):
            raise _over(identifier, attempt, "it was ended")
        later = max((attempt_of(each) for each in self._claims(identifier)), default=0)
        if later > attempt:
            raise _over(identifier, attempt, f"attempt {later} is there")

    def _ended(self, identifier: str) -> int:
        found = self._cluster.get(Kind.CONFIG_MAP, f"{self._role}-{identifier}")
        return int(self._mine(found)["data"]["ended"]) if found else 0

    def _mark(self, identifier: str, attempt: int) -> None:
        """Remember that this attempt is over, and every earlier one with it."""
        for pause in _PAUSES:
            known = self._cluster.get(Kind.CONFIG_MAP, f"{self._role}-{identifier}")
            ended = int(self._mine(known)["data"]["ended"]) if known else 0
            if known and ended >= attempt:
                return
            wanted = manifests.mark(self._role, self._installation, identifier, attempt, _day(0))
            if known is None:
                if self._cluster.create(Kind.CONFIG_MAP, wanted):
                    return
            else:
                wanted["metadata"]["resourceVersion"] = known["metadata"]["resourceVersion"]
                if self._cluster.replace(Kind.CONFIG_MAP, wanted):
                    return
            self._clock.sleep(pause)

    def _forget_old(self) -> None:
        """Remove marks that no start can need any more."""
        recent = ",".join(_day(ago) for ago in range(KEPT_DAYS + 1))
        for old in self._cluster.list(Kind.CONFIG_MAP, f"{self._selector},mark,mark notin ({recent})"):
            self._cluster.delete(Kind.CONFIG_MAP, old)

    def _claims(self, identifier: str) -> list[Document]:
        return self._cluster.list(Kind.CONFIG_MAP, f"{self._selector},{INSTANCE}={identifier},claim=true")

    def _pod(self, identifier: str, *, mine: bool = False) -> Document | None:
        """The pod; one of another installation is None, or refused if it has to be mine."""
        found = self._cluster.get(Kind.POD, f"{self._role}-{identifier}")
        if found is None or (not mine and _installation(found) != self._installation):
            return None
        return self._mine(found)

    def _mine(self, document: Document) -> Document:
        if _installation(document) != self._installation:
            raise PlatformError(
                ErrorCode.PERMISSION_DENIED,
                f"{document['metadata']['name']} in namespace {self._cluster.namespace} belongs to installation "
                f"{_installation(document)}, not {self._installation}",
                "use another namespace per installation",
            )
        return document


def attempt_of(document: Document) -> int:
    """The attempt that an object belongs to, 0 where it says none."""
    text = (document.get("metadata", {}).get("labels") or {}).get(ATTEMPT, "")
    return int(text) if text.isdigit() else 0


def _identifier(document: Document) -> str:
    return str(document["metadata"]["labels"].get(INSTANCE, ""))


def _installation(document: Document) -> str:
    return str((document["metadata"].get("labels") or {}).get(INSTALLATION, "nobody's"))


def _over(identifier: str, attempt: int, why: str) -> PlatformError:
    return PlatformError(ErrorCode.INVALID_STATE, f"attempt {attempt} of {identifier} is over: {why}")


def _day(ago: int) -> str:
    return time.strftime("%Y-%m-%d", time.gmtime(time.time() - ago * 86_400))
