"""Launches, suspends, resumes and ends instances: the catalog's row, and what the runtime makes of it.

The row comes first and goes last: a server without a row would be an orphan, a row without a server is looked at and
mended by whoever acts on it next. Starting and stopping are both repeatable, so a run killed in between is gone on
with.

A start is leased, since it may take long: whoever wants an instance that another run starts waits for that, and goes
on with it under the next attempt once that run is dead or its lease is over. An end is not: whoever finds one half
done does the rest.

A run may also sleep between any two steps, and wake when others have gone on with the instance. So each start, each
stop and each change of the row that follows carries the attempt it is for, as the row had it when it changed; and who
started a server and finds that the row moved on ends it again.
"""

from __future__ import annotations

import builtins
import shlex
from collections.abc import Callable, Collection
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import httpx

from graph_platform.catalog import audit, instances, lease, snapshots
from graph_platform.catalog.catalog import Catalog
from graph_platform.catalog.ids import new_id
from graph_platform.catalog.instances import InstanceRequest
from graph_platform.catalog.keeper import Keeper
from graph_platform.catalog.lease import Claim
from graph_platform.catalog.limits import Work
from graph_platform.catalog.records import InstanceRecord, SnapshotRecord
from graph_platform.catalog.states import Entity, InstanceStatus
from graph_platform.catalog.use import stamp_use
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
from graph_platform.instance.results import Answer, InstanceDetails, Way
from graph_platform.instance.sight import all_are_here, as_seen, death, expiry_warning, vanished
from graph_platform.lives import Lived, granted
from graph_platform.names import require_name
from graph_platform.polling import SYSTEM, Clock, Pauses, wait_until
from graph_platform.private import own_folder, write_private
from graph_platform.processes.owner import purpose, this_process
from graph_platform.progress import Attribution, Reporter
from graph_platform.runtime.protocol import Observation, Presence, Servers
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

_AT_A_START = Pauses(0.05, 2.0, 1.3)
_AT_ANOTHERS_START = Pauses(0.1, 2.0)
_STARTING = (InstanceStatus.STARTING, InstanceStatus.RESUMING)


class InstanceService:
    """Instances of one catalog and runtime's servers."""

    def __init__(
        self,
        settings: Settings,
        catalog: Callable[[], Catalog],
        servers: Callable[[], Servers],
        clock: Clock = SYSTEM,
    ) -> None:
        self._settings = settings
        self._open_catalog = catalog
        self._open_servers = servers
        self._clock = clock
        self._lease = timedelta(seconds=settings.lease_seconds)

    @property
    def _catalog(self) -> Catalog:
        return self._open_catalog()

    @property
    def _servers(self) -> Servers:
        return self._open_servers()

    def launch(self, request: LaunchInstance, by: Attribution, report: Reporter) -> InstanceRecord:
        """Serve a snapshot, and return when it answers.

        With a name it is repeatable: the living instance of that name is returned, gone on with or resumed; one that
        another run starts is waited for.

        Raises:
            PlatformError: VALIDATION_FAILED for a name that breaks the rule, RESOURCE_NOT_FOUND, INVALID_STATE,
                ALREADY_EXISTS, CONCURRENCY_LIMIT_EXCEEDED, or the code with which the start failed.
        """
        require_name("instance", request.name)
        _ = self._servers  # one that there is not is refused before its URL is written anywhere
        wanted = InstanceRequest(
            request.name,
            self._settings.runtime,
            granted(self._settings, Lived.INSTANCE).lives(request.ttl, request.inactivity_timeout),
            self._settings.max_instances,
            self._settings.max_instances_per_user,
        )
        owner = _owner(by)
        while True:
            instance = self._find_or_insert(request.snapshot, wanted, owner, by)
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
            if instance.lease_owner == owner:
                return self._start_kept(instance, by, report)
            self._wait_for_another(instance, report)

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
        """Serve a suspended instance again; a running one is returned as it is, one that another run starts is waited
        for, and one whose start was abandoned is gone on with.

        Raises:
            PlatformError: RESOURCE_NOT_FOUND, INVALID_STATE, or the code with which the start failed or its server
                ended.
        """
        owner = _owner(by)
        instance = self._get(request.instance, report)
        while True:
            instance = self._living(instance, by)
            if instance.status == InstanceStatus.SUSPENDING:
                instance = self._end_suspension(instance, by)
            reached(Failpoint.INSTANCE_FOUND)
            with self._catalog.transaction() as session:
                instance = instances.begin_resumption(session, instance, owner, self._lease, by=by)
            if instance.status == InstanceStatus.RUNNING:
                return instance
            if instance.lease_owner == owner:
                reached(Failpoint.INSTANCE_RESUMING)
                return self._start_kept(instance, by, report)
            instance = self._wait_for_another(instance, report)

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
        self._header(instance).unlink(missing_ok=True)
        reached(Failpoint.INSTANCE_STOPPED)
        with self._catalog.transaction() as session:
            instances.end_termination(session, ending, by=by)
            return instances.get_instance(session, instance.id)

    def extend(self, request: ExtendInstance, by: Attribution) -> InstanceRecord:
        """Move an instance's deadline by a duration, bounded by the ceiling. It counts as use.

        Raises:
            PlatformError: RESOURCE_NOT_FOUND, INVALID_STATE, VALIDATION_FAILED, or what its server has ended with.
        """
        grant = granted(self._settings, Lived.INSTANCE)
        longer = grant.life("duration", request.duration)
        with self._catalog.transaction() as session:
            instance = instances.get_instance(session, request.instance)
        instance = self._living(instance, by)
        with self._catalog.transaction() as session:
            return instances.extend_instance(
                session, instance, longer, ceiling=grant.ceiling, reason=request.reason, by=by
            )

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
            stamp_use(session, Entity.INSTANCE, instance.id)
        try:
            connection = self._servers.connect(instance.id)
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

    def connect(self, reference: str) -> Way:
        """The way to a running instance for other programs; the token is put into a file of this home.

        Raises:
            PlatformError: RESOURCE_NOT_FOUND, INVALID_STATE, or what its server has ended with.
        """
        with self._catalog.transaction() as session:
            instance = instances.get_instance(session, reference)
        _refuse_unless_running(self._living(instance, Attribution(self._settings.user)))
        connection = self._servers.connect(instance.id)
        header = self._header(instance)
        own_folder(header.parent)
        write_private(header, f"Authorization: Bearer {connection.token}\n")
        return Way(connection.url, str(header), connection.inside is not None)

    def _header(self, instance: InstanceRecord) -> Path:
        return self._settings.home / "connections" / f"{instance.id}.header"

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
        seen = self._servers.observe(instance.id)
        current = self._stamped(instance, seen)
        if (current.status, current.attempt) == (instance.status, instance.attempt):
            current = as_seen(current, seen, absence_tells=all_are_here(self._settings))
        return current, seen

    def _stamped(self, instance: InstanceRecord, seen: Observation) -> InstanceRecord:
        """The row as it is now, with the use that its server tells of."""
        with self._catalog.transaction() as session:
            if seen.last_activity:
                stamp_use(session, Entity.INSTANCE, instance.id, seen.last_activity)
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
        seen = self._servers.observe(instance.id)
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

    def _find_or_insert(self, reference: str, request: InstanceRequest, owner: str, by: Attribution) -> InstanceRecord:
        """The instance that a launch is about: in the hands of `owner` if it is to be started, else as it is."""
        with self._catalog.transaction() as session:
            instances.lock_births(session)
            snapshot = snapshots.use_snapshot(session, snapshots.get_snapshot(session, reference).id)
            living = instances.find_named(session, request.name) if request.name else None
            if living is None:
                return instances.insert_instance(session, snapshot, request, owner, self._lease, by=by)
            if living.snapshot_id == snapshot.id and living.abandoned:
                return instances.take_over_start(session, living, owner, self._lease, by=by)
        if living.snapshot_id != snapshot.id:
            raise PlatformError(
                ErrorCode.ALREADY_EXISTS,
                f"instance {request.name!r} serves snapshot {living.snapshot_id}, not {snapshot.id}",
                f"end it with `graph-platform instance terminate {request.name}`, or choose another name",
            )
        return living

    def _start_kept(self, instance: InstanceRecord, by: Attribution, report: Reporter) -> InstanceRecord:
        """Start an instance that is in our hands, and hold it meanwhile. If that ends in any other way than with what
        became of it (Ctrl-C, a catalog that went away), the next goes on with it at once.
        """
        claim = lease.claim_of(Entity.INSTANCE, instance)
        try:
            with Keeper(claim, lambda: self._renew(claim), self._lease) as keeper:
                return self._start(instance, claim, keeper, by, report)
        except BaseException:
            with suppress(PlatformError), self._catalog.transaction() as session:
                lease.release(session, claim, by=by)
            raise

    def _renew(self, claim: Claim) -> bool:
        with self._catalog.transaction() as session:
            return lease.renew(session, claim, self._lease)

    def _start(
        self, instance: InstanceRecord, claim: Claim, keeper: Keeper, by: Attribution, report: Reporter
    ) -> InstanceRecord:
        with self._catalog.transaction() as session:
            snapshot = snapshots.use_snapshot(session, instance.snapshot_id)
        spec = self._spec(instance, snapshot)
        try:
            self._servers.start(spec)
            reached(Failpoint.INSTANCE_STARTED)
            self._wait(instance, keeper, report)
            url = self._servers.connect(instance.id).address
        except PlatformError as error:
            if self._fail(instance, error, _STARTING, by):
                raise
            return self._after_all(instance, by, report, error)
        reached(Failpoint.INSTANCE_ANSWERED)
        with self._catalog.transaction() as session:
            if instances.mark_running(session, claim, url, by=by):
                return instances.get_instance(session, instance.id)
        return self._after_all(instance, by, report, None)

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

    def _after_all(
        self, instance: InstanceRecord, by: Attribution, report: Reporter, error: PlatformError | None
    ) -> InstanceRecord:
        """What became of an instance whose row moved on while it was started here.

        Another run may have brought it up, or be about to, which is as good. Otherwise what was started here is ended.

        Args:
            error: why this start failed, None if it did not.
        """
        with self._catalog.transaction() as session:
            current = instances.get_instance(session, instance.id)
        if current.attempt != instance.attempt or current.status != InstanceStatus.RUNNING:
            self._stop(instance)
        if current.status in _STARTING and not current.abandoned:
            current = self._wait_for_another(current, report)
        if current.status == InstanceStatus.RUNNING:
            return self._living(current, by)
        raise PlatformError(
            ErrorCode.INVALID_STATE,
            f"instance {instance.id} became {current.status} while it was started; what was started is ended again",
            f"`graph-platform instance show {instance.id}` tells who did it",
        ) from error

    def _wait_for_another(self, instance: InstanceRecord, report: Reporter) -> InstanceRecord:
        """Until the run that starts it has done so, or is seen not to; the row as it is then."""
        run = purpose(instance.lease_owner) if instance.lease_owner else "of another process"
        report.progress(f"instance {instance.id} is being started by run {run}: waiting for it")
        current = instance

        def is_over() -> bool:
            nonlocal current
            with self._catalog.transaction() as session:
                current = instances.get_instance(session, instance.id)
            return current.status not in _STARTING or current.abandoned

        wait_until(is_over, within_seconds=None, pauses=_AT_ANOTHERS_START, clock=self._clock)
        return current

    def _wait(self, instance: InstanceRecord, keeper: Keeper, report: Reporter) -> None:
        deadline = self._clock.monotonic() + self._settings.instance_startup_seconds
        told = ""
        for pause in _AT_A_START:
            keeper.check()
            changed = self._servers.changed(instance.id)
            seen = self._servers.observe(instance.id)
            if seen.presence == Presence.READY and seen.attempt == instance.attempt:
                return
            if seen.presence == Presence.ENDED and seen.failure:
                raise PlatformError.from_document(seen.failure)
            if seen.presence in (Presence.ENDED, Presence.ABSENT) or seen.attempt > instance.attempt:
                raise vanished(instance)
            if seen.phase and seen.phase != told:
                told = seen.phase
                report.progress(f"instance {instance.id}: {seen.phase}")
            if self._clock.monotonic() > deadline:
                raise PlatformError(
                    ErrorCode.STARTUP_TIMEOUT,
                    f"instance {instance.id} was not ready after {self._settings.instance_startup_seconds:g} s "
                    f"(phase: {seen.phase or 'none yet'})",
                    "raise GRAPH_PLATFORM_INSTANCE_STARTUP_SECONDS, or look at the instance's log",
                )
            self._clock.wait(changed, pause)

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
        self._servers.stop(instance.id, instance.attempt, self._settings.instance_stop_seconds)


def _owner(by: Attribution) -> str:
    """A name for one operation of this process, which no other has."""
    return this_process(by.run_id or new_id("run"))


def _refuse_unless_running(instance: InstanceRecord) -> None:
    if instance.status == InstanceStatus.RUNNING:
        return
    error = instance.error or {}
    said = f": {error['message']}" if error.get("message") else ""
    verb = "resume" if instance.status == InstanceStatus.SUSPENDED or instance.abandoned else "show"
    called = instance.name or instance.id
    raise PlatformError(
        ErrorCode.INVALID_STATE,
        f"instance {called} is {instance.status}, not running{said}",
        error.get("hint") or f"`graph-platform instance {verb} {shlex.quote(called)}`",
    )
