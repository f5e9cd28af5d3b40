"""Tasks as pods of a namespace."""

from __future__ import annotations

import builtins
import contextlib
import datetime
import json
import threading
from collections.abc import Iterator, Sequence
from typing import Any

from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.polling import SYSTEM, Clock
from graph_platform.runtime.kubernetes import manifests
from graph_platform.runtime.kubernetes.attempts import Attempts, Found
from graph_platform.runtime.kubernetes.cluster import Cluster, Document, Kind
from graph_platform.runtime.kubernetes.manifests import Image
from graph_platform.runtime.kubernetes.pods import Stage, gone, look
from graph_platform.runtime.outcome import in_words_of, task_result
from graph_platform.runtime.protocol import TaskObservation, TaskPresence, TaskStep
from graph_platform.runtime.spec import TaskSpec, from_document


class KubernetesTasks:
    """`Tasks` of a namespace.

    Args:
        pending_seconds: how long a pod may find no place before that counts as a failure.
        memory_bytes: of a pod whose spec says no limit.
    """

    def __init__(
        self,
        cluster: Cluster,
        installation: str,
        image: Image,
        pending_seconds: float,
        memory_bytes: int,
        clock: Clock = SYSTEM,
    ) -> None:
        self._cluster = cluster
        self._image = image
        self._pending_seconds = pending_seconds
        self._memory_bytes = memory_bytes
        self._attempts: Attempts[TaskSpec] = Attempts(cluster, "task", "a task", installation, self._belongings, clock)

    def start(self, spec: TaskSpec) -> None:
        """Make the pod unless this attempt had one before. See `Attempts.start`."""
        self._attempts.start(spec.task, spec)

    def stop(self, task: str, up_to_attempt: int) -> None:
        """Delete the pod and what belongs to it. See `Attempts.end`."""
        self._attempts.end(task, up_to_attempt, 0.0)

    def observe(self, task: str) -> TaskObservation:
        """Look at the pod and its log, and read the result where storage has it."""
        found = self._attempts.find(task)
        if found is None:
            return TaskObservation(task, 0, TaskPresence.ABSENT)
        seen = self._observation(found, ask=True)
        if found.pod is None:
            return seen
        told = self._told(found.pod)
        steps = tuple(_steps(told))
        if seen.presence is TaskPresence.RUNNING:
            return TaskObservation(task, seen.attempt, seen.presence, steps)
        if seen.presence is TaskPresence.DONE:
            return self._done(found, found.pod, steps)
        failure = next((each["failure"] for each in told if "failure" in each), seen.failure)
        return TaskObservation(task, seen.attempt, seen.presence, steps, failure=failure)

    def changed(self, task: str) -> threading.Event:
        """Set by a watch of the pods. See `Attempts.changed`."""
        return self._attempts.changed(task)

    def list(self) -> builtins.list[TaskObservation]:
        """Every task of this installation, from one listing of the pods."""
        return [self._observation(found, ask=False) for found in self._attempts.all()]

    def _belongings(self, spec: TaskSpec, claim: Document) -> Sequence[tuple[Kind, Document]]:
        memory = spec.memory_bytes + manifests.SERVER_BYTES if spec.memory_bytes else self._memory_bytes
        return ((Kind.POD, manifests.task_pod(spec, self._image, claim, memory)),)

    def _observation(self, found: Found, *, ask: bool) -> TaskObservation:
        task, attempt = found.identifier, found.attempt
        if found.pod is None:
            if found.was_started:
                failure = gone(f"task-{task}").document()
                return TaskObservation(task, attempt, TaskPresence.FAILED, failure=failure)
            return TaskObservation(task, attempt, TaskPresence.RUNNING)
        now = datetime.datetime.now(datetime.UTC)
        doing = found.pod["metadata"].get("annotations", {}).get(manifests.DOING, "at the task")
        sight = look(found.pod, doing, patience_seconds=self._pending_seconds, now=now)
        if sight.stage is Stage.FAILED:
            failure = sight.failure or {}
            if failure["code"] == ErrorCode.TASK_TIMEOUT:
                failure = self._in_its_words(found.pod, failure)
            return TaskObservation(task, attempt, TaskPresence.FAILED, failure=failure)
        if ask and sight.stage is Stage.PENDING:
            unmounted = self._attempts.volume_failure(found.pod, self._pending_seconds)
            if unmounted is not None:
                return TaskObservation(task, attempt, TaskPresence.FAILED, failure=unmounted)
        presence = TaskPresence.DONE if sight.stage is Stage.DONE else TaskPresence.RUNNING
        return TaskObservation(task, attempt, presence)

    def _done(self, found: Found, pod: Document, steps: tuple[TaskStep, ...]) -> TaskObservation:
        task, attempt = found.identifier, found.attempt
        try:
            return TaskObservation(task, attempt, TaskPresence.DONE, steps, task_result(self._spec(pod)))
        except PlatformError as error:
            if error.code is not ErrorCode.UNEXPECTED_TERMINATION:
                raise
            return TaskObservation(task, attempt, TaskPresence.FAILED, steps, failure=error.document())

    def _in_its_words(self, pod: Document, failure: dict[str, Any]) -> dict[str, Any]:
        try:
            return in_words_of(self._spec(pod), failure)
        except PlatformError as error:
            if error.code is not ErrorCode.INVALID_STATE:
                raise
            return failure  # somebody ends it now, which is no reason to tell nothing of the others

    def _spec(self, pod: Document) -> TaskSpec:
        owner = pod["metadata"]["ownerReferences"][0]["name"]
        claim = self._cluster.get(Kind.CONFIG_MAP, owner)
        if claim is None:
            raise PlatformError(ErrorCode.INVALID_STATE, f"{pod['metadata']['name']} ends now", "look again")
        return from_document(TaskSpec, json.loads(claim["data"]["spec.json"]))

    def _told(self, pod: Document) -> builtins.list[dict[str, Any]]:
        """What the task told, line by line; a last line that is not whole yet is left for the next look."""
        known = pod["metadata"]["ownerReferences"][0]["uid"] + " "
        lines = self._cluster.log(pod["metadata"]["name"]).splitlines()
        return list(_documents(line.removeprefix(known) for line in lines if line.startswith(known)))


def _documents(lines: Iterator[str]) -> Iterator[dict[str, Any]]:
    for line in lines:
        with contextlib.suppress(ValueError):
            document = json.loads(line)
            if isinstance(document, dict):
                yield document


def _steps(told: Sequence[dict[str, Any]]) -> Iterator[TaskStep]:
    for each in told:
        with contextlib.suppress(KeyError, TypeError):
            step = each["step"]
            yield TaskStep(str(step["phase"]), step["subject"], int(step["done"]), int(step["of"]))
