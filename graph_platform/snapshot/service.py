"""Makes and deletes snapshots: the order of the steps, and what each of them leaves if the process dies there.

A snapshot counts only once its row is `ready`, which is the last write but one; everything before it can be begun
again by whoever takes the row over. What nobody refers to any more is removed before that, never after.
"""

from __future__ import annotations

import builtins
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from graph_platform.catalog import audit, export_jobs, instances, mappings, snapshots
from graph_platform.catalog.catalog import Catalog, clock
from graph_platform.catalog.export_jobs import ExportDefinition
from graph_platform.catalog.ids import new_id
from graph_platform.catalog.keeper import Keeper
from graph_platform.catalog.lease import Claim, claim_of, fenced_off
from graph_platform.catalog.limits import Work
from graph_platform.catalog.records import ExportJobRecord, MappingRecord, SnapshotRecord
from graph_platform.catalog.selection import Selection
from graph_platform.catalog.snapshots import SnapshotRequest
from graph_platform.catalog.states import Entity, SnapshotStatus
from graph_platform.catalog.transition import Session
from graph_platform.engine.build import BuildResult
from graph_platform.engine.files import UNCOUNTED
from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.failpoints import Failpoint, reached
from graph_platform.lives import Lived, granted
from graph_platform.mapping.definition.ddl import ddl
from graph_platform.mapping.definition.resolved import ResolvedDefinition, export_statement
from graph_platform.names import require_name
from graph_platform.polling import SYSTEM, Clock, Pauses, wait_until
from graph_platform.processes.owner import purpose, this_process
from graph_platform.progress import Attribution, Reporter
from graph_platform.proving.proof import prove_again
from graph_platform.proving.validation import data_checks_mode
from graph_platform.runtime.awaited import awaited
from graph_platform.runtime.protocol import Tasks, TaskStep
from graph_platform.runtime.spec import StoredObject, TaskSpec, from_document, spec_document
from graph_platform.settings import Settings
from graph_platform.snapshot.export import ExportRun, run_exports
from graph_platform.snapshot.leftovers import remove_attempts, remove_superseded
from graph_platform.snapshot.requests import CreateSnapshot, DeleteSnapshot
from graph_platform.snapshot.results import SnapshotDetails
from graph_platform.storage.connect import open_storage
from graph_platform.storage.protocol import Storage
from graph_platform.stored.layout import database_folder, database_key, export_folder, manifest_key, mapping_folder
from graph_platform.stored.manifest import (
    Manifest,
    ManifestColumn,
    ManifestFile,
    ManifestTable,
)
from graph_platform.stored.mark import claim_storage
from graph_platform.tasks.build import PROGRAM, BuildOrder
from graph_platform.warehouse.protocol import Warehouse

_AT_ANOTHERS_SNAPSHOT = Pauses(0.5, 0.5)


@dataclass(frozen=True)
class _Found:
    """A snapshot with our claim on it, None where it is not ours to work on; the jobs of a dead owner that are not
    gone on with though their query may still run; and the storage where it was begun, where that is another one.
    """

    snapshot: SnapshotRecord
    claim: Claim | None = None
    left: Sequence[ExportJobRecord] = ()
    elsewhere: str | None = None


class SnapshotService:
    """Snapshots of one catalog, warehouse, storage and runtime."""

    def __init__(
        self,
        settings: Settings,
        catalog: Callable[[], Catalog],
        warehouse: Callable[[], Warehouse],
        storage: Callable[[], Storage],
        tasks: Callable[[], Tasks],
        clock: Clock = SYSTEM,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._open_catalog = catalog
        self._open_warehouse = warehouse
        self._open_storage = storage
        self._open_tasks = tasks
        self._lease = timedelta(seconds=settings.lease_seconds)

    @property
    def _catalog(self) -> Catalog:
        return self._open_catalog()

    @property
    def _warehouse(self) -> Warehouse:
        return self._open_warehouse()

    @property
    def _storage(self) -> Storage:
        return self._open_storage()

    @property
    def _tasks(self) -> Tasks:
        return self._open_tasks()

    def create(self, request: CreateSnapshot, by: Attribution, report: Reporter) -> SnapshotRecord:
        """Freeze a mapping version, or go on with a snapshot of it that nobody works on any more.

        With a name it is repeatable: the ready snapshot of that name is returned as it is, one that another run is
        making is waited for, one that failed is tried again.

        Raises:
            PlatformError: ALREADY_EXISTS if the name is that of another version's snapshot, STARBURST_ERROR if the
                mapping no longer holds, VALIDATION_FAILED for its data, the code of whatever failed otherwise.
        """
        require_name("snapshot", request.name)
        data_checks = data_checks_mode(request.data_checks)
        with self._catalog.transaction() as session:
            mapping, version = mappings.get_version(session, request.mapping)
            named = snapshots.find_named(session, request.name) if request.name else None
        report.touched("mapping", mapping.name)
        if named:
            snapshots.refuse_taken(named, mapping.id, version.version)
        lives = granted(self._settings, Lived.SNAPSHOT).lives(request.ttl, request.inactivity_timeout)
        claim_storage(self._storage, self._catalog.installation)
        warehouse = self._warehouse.tagged(mapping=mapping.name)
        resolved = prove_again(warehouse, self._settings, mapping, version, data_checks, report)
        reached(Failpoint.SNAPSHOT_VALIDATED)
        owner = this_process(by.run_id or new_id("run"))
        definitions = [ExportDefinition(each.kind, each.name, export_statement(each)) for each in resolved]
        wanted = SnapshotRequest(
            mapping.id,
            version.version,
            request.name,
            self._storage.url,
            mapping_folder(by.user, mapping.id, version.version),
            self._settings.engine,
            lives,
            data_checks,
        )
        while True:
            found = self._claim(wanted, definitions, owner, by)
            snapshot = found.snapshot
            report.touched("snapshot", snapshot.id)
            if found.claim is not None:
                break
            if snapshot.status == SnapshotStatus.READY:
                _require_manifest(snapshot)
                report.progress(f"snapshot {snapshot.id} is ready already")
                return snapshot
            run = purpose(snapshot.lease_owner) if snapshot.lease_owner else "another process"
            report.progress(f"snapshot {snapshot.id} is being made by run {run}: waiting for it")
            snapshot = self._wait(snapshot)
            if snapshot.status == SnapshotStatus.READY:
                return snapshot
        reached(Failpoint.SNAPSHOT_CLAIMED)
        self._clear(found)
        return self._make(snapshot, found.claim, mapping, resolved, by, report)

    def delete(self, request: DeleteSnapshot, by: Attribution) -> SnapshotRecord:
        """Delete a snapshot that no instance uses, with its files; again does nothing twice.

        Raises:
            PlatformError: RESOURCE_NOT_FOUND, RESOURCE_HAS_DEPENDENCIES, INVALID_STATE, BACKEND_UNREACHABLE.
        """
        _ = self._warehouse  # one that is away is told before the row says that its snapshot goes
        with self._catalog.transaction() as session:
            snapshot = snapshots.get_snapshot(session, request.snapshot)
            left = snapshots.begin_deletion(session, snapshot, by=by)
        # Where the snapshot is, which need not be where new ones go.
        storage = open_storage(snapshot.storage_url)
        claim_storage(storage, self._catalog.installation)
        self._end_queries(left)
        self._forget_exports(snapshot)
        self._tasks.stop(_build_task(snapshot), snapshot.attempt)  # one that nobody could end would write into it again
        storage.delete(snapshot.folder)
        with self._catalog.transaction() as session:
            snapshots.end_deletion(session, snapshot.id, by=by)
            return snapshots.get_snapshot(session, snapshot.id)

    def delete_all(self, mapping: str, by: Attribution, report: Reporter) -> None:
        """Delete every snapshot of a mapping, and tell of each; none if an instance serves one.

        Raises:
            PlatformError: RESOURCE_NOT_FOUND, RESOURCE_HAS_DEPENDENCIES with the instances, or what `delete` raises.
        """
        with self._catalog.transaction(Work.READING) as session:
            found = mappings.get_mapping(session, mapping)
            of_it = Selection(mapping=found.id)
            living = snapshots.list_snapshots(session, of_it)
            served = instances.list_instances(session, selection=of_it)
        if served:
            names = ", ".join(each.name or each.id for each in served[:10])
            raise PlatformError(
                ErrorCode.RESOURCE_HAS_DEPENDENCIES,
                f"snapshots of mapping {found.name!r} are served by {len(served)} instance(s): {names}",
                "end these first with `graph-platform instance terminate`",
                {"instances": [each.id for each in served]},
            )
        for snapshot in living:
            called = f"{snapshot.name} ({snapshot.id})" if snapshot.name else snapshot.id
            report.progress(f"deleting snapshot {called} of version {snapshot.version}: {snapshot.rows:,} rows")
            self.delete(DeleteSnapshot(snapshot=snapshot.id), by)

    def list(self, mapping: str | None = None) -> builtins.list[SnapshotRecord]:
        """The snapshots that are not deleted, newest first, of one mapping or of all.

        Raises:
            PlatformError: RESOURCE_NOT_FOUND.
        """
        with self._catalog.transaction(Work.READING) as session:
            identifier = mappings.get_mapping(session, mapping).id if mapping else None
            return snapshots.list_snapshots(session, Selection(mapping=identifier))

    def show(self, reference: str) -> SnapshotDetails:
        """A snapshot with its exports and events.

        Args:
            reference: its id or name, or `MAPPING[@VERSION]` for the newest of that.

        Raises:
            PlatformError: RESOURCE_NOT_FOUND.
        """
        with self._catalog.transaction(Work.READING) as session:
            snapshot = snapshots.get_snapshot(session, reference)
            jobs = export_jobs.list_jobs(session, snapshot.id)
            events = audit.list_events(session, snapshot.id)
        return SnapshotDetails(**vars(snapshot), exports=tuple(jobs), events=tuple(events))

    def _claim(
        self, request: SnapshotRequest, definitions: builtins.list[ExportDefinition], owner: str, by: Attribution
    ) -> _Found:
        with self._catalog.transaction() as session:
            mappings.use_mapping(session, request.mapping_id)
            found = snapshots.find_unfinished(session, request.mapping_id, request.version, request.name)
            left: builtins.list[ExportJobRecord] = []
            if found is None:
                identifier = snapshots.insert_snapshot(session, request, definitions, by=by)
            else:
                identifier = found.id
                if found.status not in (SnapshotStatus.FAILED, SnapshotStatus.PENDING, SnapshotStatus.CREATING):
                    return _Found(found)
                if found.status != SnapshotStatus.FAILED and not snapshots.is_abandoned(session, found):
                    return _Found(found)
                left = self._renew_round(session, found, definitions, by)
            claim = snapshots.claim_snapshot(
                session, identifier, owner, self._lease, by=by, data_checks=request.data_checks
            )
            snapshot = snapshots.get_snapshot(session, identifier)
            moved = found is not None and found.storage_url != snapshot.storage_url
            return _Found(snapshot, claim, left, found.storage_url if found and moved else None)

    def _renew_round(
        self, session: Session, found: SnapshotRecord, definitions: builtins.list[ExportDefinition], by: Attribution
    ) -> builtins.list[ExportJobRecord]:
        """Lay the export jobs out anew where the old ones can't be gone on with: their files are gone since they
        failed, or the warehouse's schema gives other statements by now, or the storage is another one.

        Returns:
            The old jobs whose query may still run.
        """
        left: builtins.list[ExportJobRecord] = []
        if found.status == SnapshotStatus.PENDING:
            return left
        if found.status == SnapshotStatus.CREATING:
            laid_out = [(job.kind, job.name, job.sql) for job in export_jobs.list_jobs(session, found.id)]
            same = laid_out == [(each.kind, each.name, each.sql) for each in definitions]
            if same and found.storage_url == self._storage.url:
                return left
            snapshots.finish_snapshot(
                session,
                claim_of(Entity.SNAPSHOT, found),
                to=SnapshotStatus.FAILED,
                by=by,
                reason="its owner is gone, and the warehouse's schema or the storage is another by now",
            )
            left = export_jobs.cancel_jobs(session, found.id, by=by)
        snapshots.retry_snapshot(session, found, self._storage.url, definitions, by=by)
        return left

    def _clear(self, found: _Found) -> None:
        """Away with what a dead owner left that is not gone on with."""
        if found.claim and found.claim.attempt > 1:  # its build may still run, and would write what nobody removes
            self._tasks.stop(_build_task(found.snapshot), found.claim.attempt - 1)
        self._end_queries(found.left)
        if found.elsewhere is not None:
            with suppress(PlatformError):  # the old storage is away; a failed attempt has removed its files itself
                open_storage(found.elsewhere).delete(found.snapshot.folder)

    def _wait(self, snapshot: SnapshotRecord) -> SnapshotRecord:
        """Until it is not being made any more, or nobody makes it."""
        current = snapshot

        def is_over() -> bool:
            nonlocal current
            with self._catalog.transaction() as session:
                current = snapshots.get_snapshot(session, snapshot.id)
                return current.status != SnapshotStatus.CREATING or snapshots.is_abandoned(session, current)

        wait_until(is_over, within_seconds=None, pauses=_AT_ANOTHERS_SNAPSHOT, clock=self._clock)
        return current

    def _make(
        self,
        snapshot: SnapshotRecord,
        claim: Claim,
        mapping: MappingRecord,
        resolved: tuple[ResolvedDefinition, ...],
        by: Attribution,
        report: Reporter,
    ) -> SnapshotRecord:
        if self._warehouse.export_warning:
            report.progress(f"warning: {self._warehouse.export_warning}")
        try:
            with Keeper(claim, lambda: self._renew(claim), self._lease) as keeper:
                run = ExportRun(
                    self._catalog,
                    self._warehouse.tagged(mapping=mapping.name, snapshot=snapshot.id),
                    self._storage,
                    claim,
                    self._lease,
                    self._settings.export_seconds,
                    snapshot.folder,
                    mapping.name,
                    by,
                    report,
                    self._clock,
                )
                jobs = run_exports(run, keeper, self._settings.export_concurrency)
                reached(Failpoint.EXPORTS_COMPLETED)
                draft = self._draft(snapshot, claim.attempt, mapping, resolved, jobs)
                manifest = self._build(snapshot, draft, report)
                keeper.confirm()
                key = manifest_key(snapshot.folder, claim.attempt)
                self._storage.write(key, manifest.to_json())
                reached(Failpoint.MANIFEST_WRITTEN)
                keeper.confirm()
                remove_superseded(self._storage, snapshot.folder, manifest, jobs, key)
                if manifest.attempt > 1 or any(job.attempt > 1 for job in jobs):
                    self._forget_exports(snapshot)
                reached(Failpoint.LEFTOVERS_REMOVED)
                with self._catalog.transaction() as session:
                    values = {
                        "manifest_key": key,
                        "database_bytes": manifest.databases[0].bytes,
                        "ready_at": clock(),
                        "last_used_at": clock(),
                    }
                    if not snapshots.finish_snapshot(session, claim, to=SnapshotStatus.READY, by=by, values=values):
                        raise fenced_off(claim)
                reached(Failpoint.SNAPSHOT_READY)
        except Exception as error:
            self._give_up(snapshot, claim, SnapshotStatus.FAILED, error, by)
            raise
        except BaseException as error:  # the run is being ended from outside: Ctrl-C, or Dagster's termination
            self._give_up(snapshot, claim, SnapshotStatus.CANCELLED, error, by)
            raise
        with self._catalog.transaction() as session:
            return snapshots.get_snapshot(session, snapshot.id)

    def _renew(self, claim: Claim) -> bool:
        with self._catalog.transaction() as session:
            return snapshots.renew_snapshot(session, claim, self._lease)

    def _draft(
        self,
        snapshot: SnapshotRecord,
        attempt: int,
        mapping: MappingRecord,
        resolved: tuple[ResolvedDefinition, ...],
        jobs: Sequence[ExportJobRecord],
    ) -> Manifest:
        """The manifest as far as the exports tell: without checksums and without a database."""
        by_name = {(job.kind, job.name): job for job in jobs}
        tables = []
        for definition in resolved:
            job = by_name[definition.kind, definition.name]
            folder = export_folder(job.attempt, job.kind, job.name)
            found = list(self._storage.list(f"{snapshot.folder}/{folder}"))
            files = tuple(
                ManifestFile(each.key.removeprefix(f"{snapshot.folder}/"), UNCOUNTED, each.bytes, "") for each in found
            )
            columns = tuple(
                ManifestColumn(column.name, column.warehouse_type, column.file_type, column.engine_type)
                for column in definition.columns
            )
            tables.append(
                ManifestTable(
                    definition.kind,
                    definition.name,
                    definition.table,
                    columns,
                    job.rows or 0,
                    sum(file.bytes for file in files),
                    files,
                    definition.primary_key,
                    definition.from_node,
                    definition.to_node,
                )
            )
        created_at = self._catalog.now().isoformat()
        return Manifest(
            snapshot.id,
            mapping.id,
            mapping.name,
            snapshot.version,
            attempt,
            created_at,
            tuple(ddl(resolved)),
            tuple(tables),
        )

    def _build(self, snapshot: SnapshotRecord, draft: Manifest, report: Reporter) -> Manifest:
        """Have a task build the database and store it, and return the whole manifest."""
        folder = f"{snapshot.folder}/{database_folder(draft.attempt)}"
        order = BuildOrder(
            snapshot.engine,
            self._storage.url,
            snapshot.folder,
            f"{folder}/draft.json",
            self._settings.engine_memory_bytes,
            self._settings.engine_threads,
        )
        self._storage.write(order.draft, draft.to_json())
        spec = TaskSpec(
            installation=self._catalog.installation,
            task=_build_task(snapshot),
            attempt=draft.attempt,
            program=PROGRAM,
            doing="building the database",
            order=spec_document(order),
            result=StoredObject(self._storage.url, f"{folder}/result.json"),
            seconds=self._settings.build_seconds,
            seconds_hint="raise GRAPH_PLATFORM_BUILD_SECONDS",
            memory_bytes=self._settings.build_memory_bytes,
        )
        result = from_document(
            BuildResult, awaited(self._tasks, spec, lambda step: _tell(report, step), clock=self._clock)
        )
        memory = f", built with {result.peak_bytes / 1e6:,.0f} MB of memory" if result.peak_bytes else ""
        report.progress(f"database: {result.bytes / 1e6:,.1f} MB{memory}")
        reached(Failpoint.DATABASE_STORED)
        return result.completed(draft, database_key(draft.attempt, snapshot.engine, result.storage_version))

    def _end_queries(self, left: Sequence[ExportJobRecord]) -> None:
        """End what a dead owner's queries still write: nobody will ask for it, and nothing would remove it."""
        for job in left:
            if job.query_id and job.query_state:
                with suppress(PlatformError):  # the warehouse is away, or ended it itself
                    self._warehouse.adopt_export(job.query_id, job.query_state, lambda _: None)
                    self._warehouse.cancel_export(job.query_id)

    def _forget_exports(self, snapshot: SnapshotRecord) -> None:
        """What runs that died for good left in the warehouse: every export of the snapshot is over by now."""
        with self._catalog.transaction() as session:
            jobs = export_jobs.ids_of_all_rounds(session, snapshot.id)
        self._warehouse.tagged(snapshot=snapshot.id).forget_exports([f"{job}-" for job in jobs])

    def _give_up(
        self, snapshot: SnapshotRecord, claim: Claim, to: SnapshotStatus, error: BaseException, by: Attribution
    ) -> None:
        """End the attempt with its error, then remove its files. A fenced-off attempt removes nothing: its successor
        may go on with them, and removes what is left over.
        """
        document: dict[str, Any] | None = None
        reason = "its run was ended from outside"
        if isinstance(error, PlatformError):
            document, reason = error.document(), error.message
        elif isinstance(error, Exception):
            reason = f"{type(error).__name__}: {error}"
            document = {"code": str(ErrorCode.INTERNAL_ERROR), "message": reason, "hint": None}
        with self._catalog.transaction() as session:
            ended = snapshots.finish_snapshot(
                session,
                claim,
                to=to,
                by=by,
                values={"error": document},
                reason=reason,
            )
            if ended:
                export_jobs.cancel_jobs(session, snapshot.id, by=by)
            last_round = export_jobs.last_attempt(session, snapshot.id) if ended else 0
        if ended:
            reached(Failpoint.SNAPSHOT_GIVEN_UP)
            remove_attempts(self._storage, snapshot.folder, claim.attempt, last_round)


def _require_manifest(snapshot: SnapshotRecord) -> None:
    try:
        open_storage(snapshot.storage_url).read(snapshot.manifest_key or "")
    except PlatformError as error:
        if error.code is not ErrorCode.RESOURCE_NOT_FOUND:
            raise
        raise PlatformError(
            ErrorCode.INVALID_STATE,
            f"snapshot {snapshot.id} is ready, but its files are gone from {snapshot.storage_url}",
            f"end its instances, delete it with `graph-platform snapshot delete {snapshot.id}`, and make it again",
        ) from error


def _build_task(snapshot: SnapshotRecord) -> str:
    return f"build-{snapshot.id}"


def _tell(report: Reporter, step: TaskStep) -> None:
    line = _told(step)
    if line:
        report.progress(line)
    reached(Failpoint.BUILD_RUNNING)


def _told(step: TaskStep) -> str | None:
    """A line for a person, where a definition begins or ends a phase; a count per file would drown it."""
    if step.subject:
        return f"database: {step.phase} {step.subject} ({step.done + 1} of {step.of})"
    return f"database: {step.phase}" if step.done == 0 and step.phase != "loading" else None
