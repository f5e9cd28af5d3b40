"""Launches, suspends, resumes and ends instances: the catalog's row, and what the runtime makes of it.

The row comes first and goes last: a server without a row would be an orphan, a row without a server is looked at and
mended by whoever acts on it next. Starting and stopping are both repeatable, so a run killed in between is gone on
with.

A run may also sleep between any two steps, and wake when others have gone on with the instance. So each start, each
stop and each change of the row that follows carries the attempt it is for, as the row had it when it changed; and who
started a server and finds that the row moved on ends it again.
"""

from __future__ import annotations

import builtins
import shlex
import time
from collections.abc import Callable, Collection
from datetime import timedelta
from typing import Any, cast

import httpx

from graph_platform.catalog import audit, instances, snapshots
from graph_platform.catalog.catalog import Catalog
from graph_platform.catalog.instances import InstanceRequest
from graph_platform.catalog.limits import Work
from graph_platform.catalog.records import InstanceRecord, SnapshotRecord
from graph_platform.catalog.states import InstanceStatus
from graph_platform.durations import parse_duration
from graph_platform.engine.parameters import check_question
from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.failpoints import Failpoint, reached
from graph_platform.instance.listing import list_as_seen
from graph_platform.instance.requests import (
    ExtendInstance,
    LaunchInstance,
    QueryInstance,
    ResumeInstance,
    SuspendInstance,
    TerminateInstance,
)
from graph_platform.instance.results import Answer, InstanceDetails
from graph_platform.instance.sight import all_are_here, as_seen, death, expiry_warning, vanished
from graph_platform.progress import Attribution, Reporter
from graph_platform.runtime.protocol import Observation, Presence, Runtime, Servers
from graph_platform.runtime.spec import (
    Access,
    DatabaseSpec,
    Served,
    ServedKind,
    ServerLimits,
    ServerSpec,
    StoredSnapshot,
)
from graph_platform.settings import Settings

_FIRST_LOOK_SECONDS = 0.05
_LONGEST_LOOK_SECONDS = 2.0
_STARTING = (InstanceStatus.STARTING, InstanceStatus.RESUMING)


class InstanceService:
    """Instances of one catalog and runtime."""

    def __init__(self, settings: Settings, catalog: Callable[[], Catalog], runtime: Callable[[], Runtime]) -> None:
        self._settings = settings
        self._open_catalog = catalog
        self._open_runtime = runtime

    @property
    def _catalog(self) -> Catalog:
        return self._open_catalog()

    @property
    def _runtime(self) -> Servers:
        return self._open_runtime().servers

    def launch(self, request: LaunchInstance, by: Attribution, report: Reporter) -> InstanceRecord:
        """Serve a snapshot, and return when it answers.

        With a name it is repeatable: the living instance of that name is returned, gone on with or resumed.

        Raises:
            PlatformError: RESOURCE_NOT_FOUND, INVALID_STATE, ALREADY_EXISTS, CONCURRENCY_LIMIT_EXCEEDED, or the code
                with which the start failed.
        """
        _ = self._runtime  # one that there is not is refused before its URL is written anywhere
        wanted = InstanceRequest(
            request.name,
            self._settings.runtime,
            self._life("ttl", request.ttl, self._settings.instance_ttl),
            self._life("inactivity_timeout", request.inactivity_timeout, self._settings.instance_inactivity),
            self._settings.max_instances,
            self._settings.max_instances_per_user,
        )
        while True:
            instance = self._find_or_insert(request.snapshot, wanted, by)
            report.touched("mapping", instance.mapping)
            report.touched("snapshot", instance.snapshot_id)
            report.touched("instance", instance.id)
            reached(Failpoint.INSTANCE_INSERTED)
            if instance.status == InstanceStatus.RUNNING:
                try:
                    instance = self._living(instance, by, absence_tells=True)
                except PlatformError as lost:
                    report.progress(f"{lost.message}: launching a new one")
                    continue
                if instance.status != InstanceStatus.RUNNING:
                    continue  # somebody else was at work on it
                report.progress(f"instance {instance.id} runs already")
                if instance.expired:
                    report.progress(f"warning: {expiry_warning(instance)}")
                return instance
            if instance.status in (InstanceStatus.SUSPENDED, InstanceStatus.SUSPENDING):
                return self.resume(ResumeInstance(instance=instance.id), by, report)
            return self._start(instance, by, report)

    def suspend(self, request: SuspendInstance, by: Attribution, report: Reporter) -> InstanceRecord:
        """End the server and keep the instance: it can be resumed. Again does nothing twice.

        Raises:
            PlatformError: RESOURCE_NOT_FOUND, INVALID_STATE, or what its server had ended with already.
        """
        instance = self._living(self._get(request.instance, report), by)
        reached(Failpoint.INSTANCE_FOUND)
        with self._catalog.transaction() as session:
            suspending = instances.begin_suspension(session, instance, by=by)
        return self._end_suspension(suspending, by)

    def resume(self, request: ResumeInstance, by: Attribution, report: Reporter) -> InstanceRecord:
        """Serve a suspended instance again; a running one is returned as it is.

        Raises:
            PlatformError: RESOURCE_NOT_FOUND, INVALID_STATE, or the code with which the start failed or its server
                ended.
        """
        instance = self._living(self._get(request.instance, report), by)
        if instance.status == InstanceStatus.SUSPENDING:
            instance = self._end_suspension(instance, by)
        reached(Failpoint.INSTANCE_FOUND)
        with self._catalog.transaction() as session:
            instance = instances.begin_resumption(session, instance, by=by)
        if instance.status == InstanceStatus.RUNNING:
            return instance
        reached(Failpoint.INSTANCE_RESUMING)
        return self._start(instance, by, report)

    def terminate(self, request: TerminateInstance, by: Attribution, report: Reporter) -> InstanceRecord:
        """End an instance for good, whatever it does. Again does nothing twice, and asks the runtime all the same.

        Raises:
            PlatformError: RESOURCE_NOT_FOUND.
        """
        instance = self._get(request.instance, report)
        reached(Failpoint.INSTANCE_FOUND)
        with self._catalog.transaction() as session:
            ending = instances.begin_termination(session, instance, by=by, reason=f"terminated by {by.user}")
        reached(Failpoint.INSTANCE_STOPPING)
        self._stop(ending)
        reached(Failpoint.INSTANCE_STOPPED)
        with self._catalog.transaction() as session:
            instances.end_termination(session, ending, by=by)
            return instances.get_instance(session, instance.id)

    def extend(self, request: ExtendInstance, by: Attribution) -> InstanceRecord:
        """Move an instance's deadline by a duration, bounded by the ceiling. It counts as use.

        Raises:
            PlatformError: RESOURCE_NOT_FOUND, INVALID_STATE, VALIDATION_FAILED, or what its server has ended with.
        """
        longer = self._life("duration", request.duration, request.duration)
        ceiling = parse_duration(self._settings.instance_ttl_ceiling)
        with self._catalog.transaction() as session:
            instance = instances.get_instance(session, request.instance)
        instance = self._living(instance, by)
        with self._catalog.transaction() as session:
            return instances.extend_instance(session, instance, longer, ceiling=ceiling, reason=request.reason, by=by)

    def query(self, request: QueryInstance) -> Answer:
        """Ask a running instance, over HTTP; returns the server's answer, and `warnings`, a list of sentences.

        It is noted as used. An expired instance answers as long as nothing has ended it, with a warning.

        Raises:
            PlatformError: RESOURCE_NOT_FOUND, INVALID_STATE, VALIDATION_FAILED for what no JSON can carry, whatever the
                server answered, or what it ended with.
        """
        check_question(request.cypher, request.parameters)
        with self._catalog.transaction() as session:
            instance = instances.get_instance(session, request.instance)
        _refuse_unless_running(instance)
        by = Attribution(self._settings.user)
        if instance.expired:  # or is it only that nobody told the catalog of its use?
            instance = self._living(instance, by)
        with self._catalog.transaction() as session:
            instances.stamp_activity(session, instance.id)
        try:
            connection = self._runtime.connect(instance.id)
        except PlatformError:
            _refuse_unless_running(self._living(instance, by))
            raise
        body = request.model_dump(exclude={"instance"}, exclude_none=True)
        limit = (request.timeout_seconds or self._settings.query_seconds) + 10
        try:
            answer = httpx.post(
                f"{connection.url}/query",
                json=body,
                headers={"Authorization": f"Bearer {connection.token}"},
                timeout=httpx.Timeout(limit, connect=5),
                trust_env=False,  # a proxy of the environment has no business between us and loopback
            )
            document: dict[str, Any] = answer.json()
        except (httpx.HTTPError, ValueError) as error:
            _refuse_unless_running(self._living(instance, by))  # the query may have been what ended it
            raise PlatformError(
                ErrorCode.BACKEND_UNREACHABLE,
                f"instance {instance.id} at {connection.url} did not answer: {error}",
                f"`graph-platform instance show {instance.id}` tells whether it still runs",
            ) from error
        if answer.is_error:
            raise PlatformError.from_document(document)
        warnings = [expiry_warning(instance)] if instance.expired else []
        return cast(Answer, {**document, "warnings": warnings})

    def list(self) -> builtins.list[InstanceRecord]:
        """The instances that are not terminated, as the runtime sees them; as their rows say, where it cannot."""
        return [*list_as_seen(self._settings, self._catalog).instances]

    def show(self, reference: str) -> InstanceDetails:
        """An instance as it is, with what the runtime sees of it, and its events. See `look`."""
        instance, observed = self.look(reference)
        with self._catalog.transaction(Work.READING) as session:
            events = audit.list_events(session, instance.id)
        return InstanceDetails(**vars(instance), observed=observed, events=tuple(events))

    def look(self, reference: str) -> tuple[InstanceRecord, Observation | None]:
        """An instance as it is, and what the runtime sees of it, None if it is not one to be seen there.

        When the server was last used is noted in the catalog; nothing else is written.

        Raises:
            PlatformError: RESOURCE_NOT_FOUND.
        """
        with self._catalog.transaction() as session:
            instance = instances.get_instance(session, reference)
        if instance.status == InstanceStatus.TERMINATED or instance.runtime != self._settings.runtime:
            return instance, None
        seen = self._runtime.observe(instance.id)
        current = self._stamped(instance, seen)
        if (current.status, current.attempt) == (instance.status, instance.attempt):
            current = as_seen(current, seen, absence_tells=all_are_here(self._settings))
        return current, seen

    def _stamped(self, instance: InstanceRecord, seen: Observation) -> InstanceRecord:
        """The row as it is now, with the use that its server tells of."""
        with self._catalog.transaction() as session:
            if seen.last_activity:
                instances.stamp_activity(session, instance.id, seen.last_activity)
            return instances.get_instance(session, instance.id)

    def _living(
        self, instance: InstanceRecord, by: Attribution, *, absence_tells: bool | None = None
    ) -> InstanceRecord:
        """The row as it is now; an error, which is written in it first, if it says running and the server has ended.

        Args:
            absence_tells: whether one that the runtime does not have has ended; None: if no other machine may have it.
        """
        if instance.status != InstanceStatus.RUNNING or instance.runtime != self._settings.runtime:
            return instance
        seen = self._runtime.observe(instance.id)
        tells = all_are_here(self._settings) if absence_tells is None else absence_tells
        lost = death(instance, seen, absence_tells=tells)
        if lost and self._fail(instance, lost, [InstanceStatus.RUNNING], by):
            raise lost
        return self._stamped(instance, seen)

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

    def _start(self, instance: InstanceRecord, by: Attribution, report: Reporter) -> InstanceRecord:
        with self._catalog.transaction() as session:
            snapshot = snapshots.use_snapshot(session, instance.snapshot_id)
        spec = self._spec(instance, snapshot)
        try:
            self._runtime.start(spec)
            reached(Failpoint.INSTANCE_STARTED)
            self._wait(instance, report)
            url = self._runtime.connect(instance.id).url
        except PlatformError as error:
            if self._fail(instance, error, _STARTING, by):
                raise
            return self._after_all(instance, by, error)
        reached(Failpoint.INSTANCE_ANSWERED)
        with self._catalog.transaction() as session:
            if instances.mark_running(session, instance, url, by=by):
                return instances.get_instance(session, instance.id)
        return self._after_all(instance, by, None)

    def _spec(self, instance: InstanceRecord, snapshot: SnapshotRecord) -> ServerSpec:
        stored = StoredSnapshot(snapshot.storage_url, snapshot.folder, snapshot.manifest_key or "")
        return ServerSpec(
            installation=self._catalog.installation,
            instance=instance.id,
            attempt=instance.attempt,
            serves=Served(ServedKind.SNAPSHOT, snapshot.id),
            engine=instance.engine,
            databases=(DatabaseSpec(snapshot.id, Access.READ, stored),),
            limits=ServerLimits(
                pool_bytes=self._settings.engine_memory_bytes,
                threads=self._settings.engine_threads,
                query_seconds=self._settings.query_seconds,
                query_rows=self._settings.query_rows,
                max_databases=1,
                workers=self._settings.engine_workers,
                worker_allowance_bytes=self._settings.engine_allowance_bytes,
            ),
        )

    def _after_all(self, instance: InstanceRecord, by: Attribution, error: PlatformError | None) -> InstanceRecord:
        """What became of an instance whose row moved on while it was started here.

        Another run may have brought it up, which is as good. Otherwise what was started here is ended.

        Args:
            error: why this start failed, None if it did not.
        """
        with self._catalog.transaction() as session:
            current = instances.get_instance(session, instance.id)
        if current.attempt != instance.attempt or current.status != InstanceStatus.RUNNING:
            self._stop(instance)
        if current.status == InstanceStatus.RUNNING:
            return self._living(current, by)
        raise PlatformError(
            ErrorCode.INVALID_STATE,
            f"instance {instance.id} became {current.status} while it was started; what was started is ended again",
            f"`graph-platform instance show {instance.id}` tells who did it",
        ) from error

    def _wait(self, instance: InstanceRecord, report: Reporter) -> None:
        deadline = time.monotonic() + self._settings.instance_startup_seconds
        pause, told = _FIRST_LOOK_SECONDS, ""
        while True:
            seen = self._runtime.observe(instance.id)
            if seen.presence == Presence.READY and seen.attempt == instance.attempt:
                return
            if seen.presence == Presence.ENDED and seen.failure:
                raise PlatformError.from_document(seen.failure)
            if seen.presence in (Presence.ENDED, Presence.ABSENT) or seen.attempt > instance.attempt:
                raise vanished(instance)
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

    def _end_suspension(self, suspending: InstanceRecord, by: Attribution) -> InstanceRecord:
        """End the server of the attempt that is being suspended; if the row has moved on, it is left as it is."""
        reached(Failpoint.INSTANCE_STOPPING)
        self._stop(suspending)
        reached(Failpoint.INSTANCE_STOPPED)
        with self._catalog.transaction() as session:
            instances.end_suspension(session, suspending, by=by)
            return instances.get_instance(session, suspending.id)

    def _fail(
        self, instance: InstanceRecord, error: PlatformError, from_: Collection[InstanceStatus], by: Attribution
    ) -> bool:
        """Write why this attempt is over and remove what is left of it. False if the row has moved on."""
        with self._catalog.transaction() as session:
            failed = instances.mark_failed(session, instance, error.document(), from_=from_, by=by)
        if failed:
            reached(Failpoint.INSTANCE_FAILED)
            self._stop(instance)
        return failed

    def _stop(self, instance: InstanceRecord) -> None:
        self._runtime.stop(instance.id, instance.attempt, self._settings.instance_stop_seconds)


def _refuse_unless_running(instance: InstanceRecord) -> None:
    if instance.status == InstanceStatus.RUNNING:
        return
    error = instance.error or {}
    said = f": {error['message']}" if error.get("message") else ""
    verb = "resume" if instance.status == InstanceStatus.SUSPENDED else "show"
    called = instance.name or instance.id
    raise PlatformError(
        ErrorCode.INVALID_STATE,
        f"instance {called} is {instance.status}, not running{said}",
        error.get("hint") or f"`graph-platform instance {verb} {shlex.quote(called)}`",
    )
