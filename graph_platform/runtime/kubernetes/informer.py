"""What wakes those who wait for a pod: a watch of the namespace. Nobody trusts it: who is woken looks, and who is not
woken looks all the same after a while.

A watch is a list and what happened after it. It is listed again when the API server no longer knows that (410), when
the watch broke, and at an interval; there is one only while somebody waits.
"""

from __future__ import annotations

import threading
from weakref import WeakValueDictionary

from graph_platform.errors import PlatformError
from graph_platform.polling import SYSTEM, Clock, Pauses
from graph_platform.runtime.kubernetes.cluster import Cluster, Document, Expired, Kind

RELIST_SECONDS = 60.0

_PAUSES = Pauses(0.5, 30.0, 2.0)


class Informer:
    """Follows the pods of one namespace that have these labels."""

    def __init__(
        self, cluster: Cluster, labels: str, *, relist_seconds: float = RELIST_SECONDS, clock: Clock = SYSTEM
    ) -> None:
        self._cluster = cluster
        self._labels = labels
        self._relist_seconds = relist_seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._waiting: WeakValueDictionary[str, threading.Event] = WeakValueDictionary()
        self._known: dict[str, tuple[str, str]] = {}
        self._following = False

    @property
    def is_following(self) -> bool:
        """Whether there is a watch: somebody waits, or did until a moment ago."""
        with self._lock:
            return self._following

    def changed(self, name: str) -> threading.Event:
        """An event that is set when the pod of that name has changed since this call, or may have. It is of use as long
        as the caller keeps it.
        """
        with self._lock:
            event = self._waiting.get(name)
            if event is None:
                event = self._waiting[name] = threading.Event()
            if not self._following:
                self._following = True
                threading.Thread(target=self._follow, name="follows-pods", daemon=True).start()
        return event

    def _follow(self) -> None:
        pauses = iter(_PAUSES)
        while self._is_wanted():
            try:
                found, version = self._cluster.listed(Kind.POD, self._labels)
                self._note_all(found)
                for event in self._cluster.watch(Kind.POD, version, self._relist_seconds, self._labels):
                    self._note(event)
                pauses = iter(_PAUSES)
            except Expired:
                pass
            except PlatformError:  # whoever looks is told
                self._clock.sleep(next(pauses))

    def _is_wanted(self) -> bool:
        with self._lock:
            self._following = bool(self._waiting)
            if not self._following:
                self._known.clear()
            return self._following

    def _note_all(self, pods: list[Document]) -> None:
        found = {pod["metadata"]["name"]: _state(pod) for pod in pods}
        with self._lock:
            for name in self._known.keys() | found.keys():
                if self._known.get(name) != found.get(name):
                    self._wake(name)
            self._known = found

    def _note(self, event: Document) -> None:
        if event["type"] == "BOOKMARK":
            return
        name = event["object"]["metadata"]["name"]
        with self._lock:
            if event["type"] == "DELETED":
                self._known.pop(name, None)
            else:
                self._known[name] = _state(event["object"])
            self._wake(name)

    def _wake(self, name: str) -> None:
        event = self._waiting.pop(name, None)
        if event:
            event.set()


def _state(pod: Document) -> tuple[str, str]:
    return pod["metadata"]["uid"], pod["metadata"]["resourceVersion"]
