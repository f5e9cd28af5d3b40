"""Launches, suspends, resumes and ends instances: the catalog's row, and what the runtime makes of it.

The row comes first and goes last: a server without a row would be an orphan, a row without a server is looked at and
mended by the next launch. Starting and stopping are both repeatable, so a run killed in between is gone on with.
"""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import httpx

from graph_platform.catalog import instances, snapshots
from graph_platform.catalog.catalog import Catalog
from graph_platform.catalog.instances import InstanceRequest
from graph_platform.catalog.records import InstanceRecord
from graph_platform.catalog.states import InstanceStatus
from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.failpoints import Failpoint, reached
from graph_platform.instance.protocol import InstanceSpec, Observation, Presence, Runtime
from graph_platform.mapping.duration import parse_duration
from graph_platform.progress import Attribution, Reporter
from graph_platform.settings import Settings

_FIRST_LOOK_SECONDS = 0.05
_LONGEST_LOOK_SECONDS = 2.0
_STARTING = (InstanceStatus.STARTING, InstanceStatus.RESUMING)


class InstanceService:
    """Instances of one catalog and runtime."""

    def __init__(self, settings: Settings, catalog: Catalog, runtime: Callable[[], Runtime]) -> None:
        self._settings = settings
        self._catalog = catalog
        self._open_runtime = runtime

    @property
    def _runtime(self) -> Runtime:
        return self._open_runtime()

    def launch(
        self,
        reference: str,
        *,
        name: str | None,
        ttl: str | None,
        inactivity_timeout: str | None,
        by: Attribution,
        report: Reporter,
    ) -> InstanceRecord:
        """Serve a snapshot, and return when it answers.

        With a name it is repeatable: the living instance of that name is returned, gone on with or resumed.

        Args:
            reference: a snapshot's id or name, or `MAPPING[@VERSION]` for its newest.
            name: unique among the living instances, or None.
            ttl: life of the instance, an ISO 8601 duration; None for the default.
            inactivity_timeout: life without a query; None for the default.

        Raises:
            PlatformError: RESOURCE_NOT_FOUND, INVALID_STATE, ALREADY_EXISTS, CONCURRENCY_LIMIT_EXCEEDED, or the code
                with which the start failed.
        """
        _ = self._runtime  # one that there is not is refused before its URL is written anywhere
        request = InstanceRequest(
            name,
            self._settings.runtime,
            self._life("ttl", ttl, self._settings.instance_ttl),
            self._life("inactivity_timeout", inactivity_timeout, self._settings.instance_inactivity),
            self._settings.max_instances,
            self._settings.max_instances_per_user,
        )
        while True:
            instance = self._find_or_insert(reference, request, by)
            report.touched("mapping", instance.mapping)
            report.touched("snapshot", instance.snapshot_id)
            report.touched("instance", instance.id)
            reached(Failpoint.INSTANCE_INSERTED)
            if instance.status == InstanceStatus.RUNNING:
                if self._is_there(instance, by):
                    report.progress(f"instance {instance.id} runs already")
                    return instance
                report.progress(f"instance {instance.id} was lost: launching a new one")
                continue
            if instance.status in (InstanceStatus.SUSPENDED, InstanceStatus.SUSPENDING):
                return self.resume(instance.id, by=by, report=report)
            return self._start(instance, by, report)

    def suspend(self, reference: str, *, by: Attribution, report: Reporter) -> InstanceRecord:
        """End the server and keep the instance: it can be resumed. Again does nothing twice.

        Raises:
            PlatformError: RESOURCE_NOT_FOUND, INVALID_STATE.
        """
        instance = self._get(reference, report)
        with self._catalog.transaction() as session:
            instances.begin_suspension(session, instance, by=by)
        self._runtime.stop(instance.id, self._settings.instance_stop_seconds)
        with self._catalog.transaction() as session:
            instances.end_suspension(session, instance, by=by)
            return instances.get_instance(session, instance.id)

    def resume(self, reference: str, *, by: Attribution, report: Reporter) -> InstanceRecord:
        """Serve a suspended instance again; a running one is returned as it is.

        Raises:
            PlatformError: RESOURCE_NOT_FOUND, INVALID_STATE, or the code with which the start failed.
        """
        instance = self._get(reference, report)
        if instance.status == InstanceStatus.SUSPENDING:
            instance = self.suspend(instance.id, by=by, report=report)
        with self._catalog.transaction() as session:
            instance = instances.begin_resumption(session, instance, by=by)
        if instance.status == InstanceStatus.RUNNING:
            return instance
        return self._start(instance, by, report)

    def terminate(self, reference: str, *, by: Attribution, report: Reporter) -> InstanceRecord:
        """End an instance for good, whatever it does. Again does nothing twice.

        Raises:
            PlatformError: RESOURCE_NOT_FOUND.
        """
        instance = self._get(reference, report)
        if instance.status == InstanceStatus.TERMINATED:
            return instance
        with self._catalog.transaction() as session:
            instances.begin_termination(session, instance, by=by, reason=f"terminated by {by.user}")
        reached(Failpoint.INSTANCE_STOPPING)
        self._runtime.stop(instance.id, self._settings.instance_stop_seconds)
        reached(Failpoint.INSTANCE_STOPPED)
        with self._catalog.transaction() as session:
            instances.end_termination(session, instance, by=by)
            return instances.get_instance(session, instance.id)

    def extend(self, reference: str, duration: str, reason: str, *, by: Attribution) -> InstanceRecord:
        """Move an instance's deadline by a duration, bounded by the ceiling.

        Raises:
            PlatformError: RESOURCE_NOT_FOUND, INVALID_STATE, VALIDATION_FAILED.
        """
        longer = self._life("duration", duration, duration)
        ceiling = parse_duration(self._settings.instance_ttl_ceiling)
        with self._catalog.transaction() as session:
            instance = instances.get_instance(session, reference)
            return instances.extend_instance(session, instance, longer, ceiling=ceiling, reason=reason, by=by)

    def query(
        self,
        reference: str,
        cypher: str,
        *,
        parameters: Mapping[str, Any] | None = None,
        timeout_seconds: float | None = None,
        row_limit: int | None = None,
    ) -> dict[str, Any]:
        """Ask a running instance, over HTTP; returns the server's answer.

        Raises:
            PlatformError: RESOURCE_NOT_FOUND, INVALID_STATE, whatever the server answered, or what it ended with.
        """
        with self._catalog.transaction() as session:
            instance = instances.get_instance(session, reference)
        if instance.status != InstanceStatus.RUNNING:
            hint = (
                "graph-platform instance resume" if instance.status == "suspended" else "graph-platform instance list"
            )
            raise PlatformError(
                ErrorCode.INVALID_STATE, f"instance {reference} is {instance.status}, not running", f"`{hint}`"
            )
        try:
            connection = self._runtime.connect(instance.id)
        except PlatformError:
            self._refuse_ended(instance)
            raise
        body = {
            "cypher": cypher,
            "parameters": dict(parameters or {}),
            "timeout_seconds": timeout_seconds,
            "row_limit": row_limit,
        }
        limit = (timeout_seconds or self._settings.query_seconds) + 10
        try:
            answer = httpx.post(
                f"{connection.url}/query",
                json={key: value for key, value in body.items() if value is not None},
                headers={"Authorization": f"Bearer {connection.token}"},
                timeout=httpx.Timeout(limit, connect=5),
                trust_env=False,  # a proxy of the environment has no business between us and loopback
            )
            document: dict[str, Any] = answer.json()
        except (httpx.HTTPError, ValueError) as error:
            self._refuse_ended(instance)  # the query may have been what ended it
            raise PlatformError(
                ErrorCode.BACKEND_UNREACHABLE,
                f"instance {instance.id} at {connection.url} did not answer: {error}",
                f"`graph-platform instance show {instance.id}` tells whether it still runs",
            ) from error
        if answer.is_error:
            raise PlatformError.from_document(document)
        return document

    def observe(self, instance: InstanceRecord) -> Observation:
        """What the runtime sees of an instance right now."""
        return self._runtime.observe(instance.id)

    def _refuse_ended(self, instance: InstanceRecord) -> None:
        seen = self._runtime.observe(instance.id)
        if seen.presence != Presence.ENDED:
            return
        failure = PlatformError.from_document(seen.failure) if seen.failure else _vanished(instance)
        name = f" --name {shlex.quote(instance.name)}" if instance.name else ""
        raise PlatformError(
            failure.code,
            f"the server of instance {instance.name or instance.id} has ended: {failure.code}: {failure.message}",
            f"`graph-platform instance launch {instance.snapshot_id}{name}` starts it again",
            failure.details,
        )

    def _get(self, reference: str, report: Reporter) -> InstanceRecord:
        with self._catalog.transaction() as session:
            instance = instances.get_instance(session, reference)
        report.touched("mapping", instance.mapping)
        report.touched("instance", instance.id)
        return instance

    def _life(self, field: str, text: str | None, default: str) -> timedelta:
        try:
            life = parse_duration(text or default)
        except ValueError as error:
            raise PlatformError(ErrorCode.VALIDATION_FAILED, f"{field}: {error}", "e.g. PT4H or P1DT12H") from error
        if life > parse_duration(self._settings.instance_ttl_ceiling):
            raise PlatformError(
                ErrorCode.VALIDATION_FAILED,
                f"{field} {text} is longer than an instance may live",
                f"at most {self._settings.instance_ttl_ceiling}",
            )
        return life

    def _find_or_insert(self, reference: str, request: InstanceRequest, by: Attribution) -> InstanceRecord:
        with self._catalog.transaction() as session:
            instances.lock_births(session)
            snapshot = snapshots.use_snapshot(session, snapshots.get_snapshot(session, reference).id)
            living = instances.find_named(session, request.name) if request.name else None
            if living is None:
                return instances.insert_instance(session, snapshot, request, by=by)
        if living.snapshot_id != snapshot.id:
            raise PlatformError(
                ErrorCode.ALREADY_EXISTS,
                f"instance {request.name!r} serves snapshot {living.snapshot_id}, not {snapshot.id}",
                f"end it with `graph-platform instance terminate {request.name}`, or choose another name",
            )
        return living

    def _is_there(self, instance: InstanceRecord, by: Attribution) -> bool:
        """Whether a running instance really runs; one that does not is marked as failed."""
        seen = self._runtime.observe(instance.id)
        if seen.presence in (Presence.READY, Presence.STARTING):
            return True
        self._fail(instance, seen.failure or _vanished(instance).document(), by)
        return False

    def _start(self, instance: InstanceRecord, by: Attribution, report: Reporter) -> InstanceRecord:
        with self._catalog.transaction() as session:
            snapshot = snapshots.use_snapshot(session, instance.snapshot_id)
        spec = InstanceSpec(
            installation=self._catalog.installation,
            instance=instance.id,
            attempt=instance.attempt,
            snapshot=snapshot.id,
            storage_url=snapshot.storage_url,
            folder=snapshot.folder,
            manifest_key=snapshot.manifest_key or "",
            engine=instance.engine,
            memory_bytes=self._settings.engine_memory_bytes,
            threads=self._settings.engine_threads,
            query_seconds=self._settings.query_seconds,
            query_rows=self._settings.query_rows,
        )
        try:
            self._runtime.start(spec)
            reached(Failpoint.INSTANCE_STARTED)
            self._wait(instance, report)
            url = self._runtime.connect(instance.id).url
        except PlatformError as error:
            self._fail(instance, error.document(), by)
            raise
        reached(Failpoint.INSTANCE_ANSWERED)
        with self._catalog.transaction() as session:
            instances.mark_running(session, instance, url, by=by)
            current = instances.get_instance(session, instance.id)
        if current.status != InstanceStatus.RUNNING:
            raise PlatformError(
                ErrorCode.INVALID_STATE, f"instance {instance.id} became {current.status} while it started"
            )
        return current

    def _wait(self, instance: InstanceRecord, report: Reporter) -> None:
        deadline = time.monotonic() + self._settings.instance_startup_seconds
        pause, told = _FIRST_LOOK_SECONDS, ""
        while True:
            seen = self._runtime.observe(instance.id)
            if seen.presence == Presence.READY and seen.attempt == instance.attempt:
                return
            if seen.presence == Presence.ENDED and seen.failure:
                raise PlatformError.from_document(seen.failure)
            if seen.presence in (Presence.ENDED, Presence.ABSENT):
                raise _vanished(instance)
            if seen.phase and seen.phase != told:
                told = seen.phase
                report.progress(f"instance {instance.id}: {seen.phase}")
            if time.monotonic() > deadline:
                raise PlatformError(
                    ErrorCode.STARTUP_TIMEOUT,
                    f"instance {instance.id} was not ready after {self._settings.instance_startup_seconds:g} s "
                    f"(phase: {seen.phase or 'none yet'})",
                    "raise GRAPH_PLATFORM_INSTANCE_STARTUP_SECONDS, or look at the instance's log",
                )
            time.sleep(pause)
            pause = min(pause * 1.3, _LONGEST_LOOK_SECONDS)

    def _fail(self, instance: InstanceRecord, error: dict[str, Any], by: Attribution) -> None:
        with self._catalog.transaction() as session:
            failed = instances.mark_failed(session, instance, dict(error), by=by)
        if failed:  # otherwise another attempt has it, whose server is not ours to end
            self._runtime.stop(instance.id, self._settings.instance_stop_seconds)


def _vanished(instance: InstanceRecord) -> PlatformError:
    return PlatformError(
        ErrorCode.UNEXPECTED_TERMINATION,
        f"the server of instance {instance.id} is gone",
        "the machine may have been restarted; launch it again",
    )
