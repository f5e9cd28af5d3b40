"""Works through a snapshot's export jobs: a bounded number at once, each claimed, submitted, polled and completed.

A job that an earlier owner left behind is gone on with when the warehouse still knows its query, and begun anew when
it does not. The data never passes through here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta

from graph_platform.catalog import export_jobs
from graph_platform.catalog.catalog import Catalog
from graph_platform.catalog.keeper import Keeper
from graph_platform.catalog.lease import Claim, fenced_off
from graph_platform.catalog.records import ExportJobRecord
from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.failpoints import Failpoint, reached
from graph_platform.polling import SYSTEM, Clock, Pauses, wait_until
from graph_platform.progress import Attribution, DefinitionExported, Reporter
from graph_platform.relational import Refusal
from graph_platform.storage.protocol import Storage
from graph_platform.stored.layout import export_folder, kind_folder
from graph_platform.warehouse.protocol import ExportState, Warehouse

_POLL_SECONDS = 0.5  # how soon a lost lease or a failed neighbour is noticed; a poll returns at once when it can
_PAUSES_SECONDS = (1.0, 10.0, 30.0, 60.0, 60.0)
"""Before a definition is tried again. A cluster that is restarted takes a minute or two until it knows its catalogs."""


@dataclass(frozen=True)
class ExportRun:
    """Everything that the workers of one attempt share. `folder` is the snapshot's."""

    catalog: Catalog
    warehouse: Warehouse
    storage: Storage
    holder: Claim
    lease: timedelta
    limit_seconds: float
    folder: str
    mapping: str
    by: Attribution
    report: Reporter
    clock: Clock = SYSTEM
    tries: Counter[str] = field(default_factory=Counter)


def run_exports(run: ExportRun, keeper: Keeper, concurrency: int) -> Sequence[ExportJobRecord]:
    """Complete every job of the snapshot, and return them in the mapping's order.

    Raises:
        PlatformError: of the first job that failed; the others are stopped.
    """
    adopted = _adopt(run)
    workers = max(1, min(concurrency, 64))
    with ThreadPoolExecutor(max_workers=workers, thread_name_prefix="export") as pool:
        lanes = [_Lane(run, keeper, adopted[index::workers]) for index in range(workers)]
        futures = [pool.submit(lane.work) for lane in lanes]
        try:
            wait(futures, return_when=FIRST_EXCEPTION)
        finally:  # all done, or one failed, or this run is being ended from outside
            for lane in lanes:
                lane.stopped = True
        failures = [error for error in (future.exception() for future in futures) if error is not None]
    if failures:
        raise next((error for error in failures if isinstance(error, PlatformError)), failures[0])
    with run.catalog.transaction() as session:
        return export_jobs.list_jobs(session, run.holder.id)


def _adopt(run: ExportRun) -> list[ExportJobRecord]:
    """Sort out what an earlier owner left behind; returns the jobs whose query still runs, now in our hands."""
    with run.catalog.transaction() as session:
        left = export_jobs.left_behind(session, run.holder)
    alive = []
    for job in left:
        taken = None
        if job.query_id and job.query_state:
            with run.catalog.transaction() as session:
                taken = export_jobs.take_over(session, run.holder, job, run.lease, by=run.by)
        if taken and taken.query_id and taken.query_state:
            run.warehouse.adopt_export(taken.query_id, taken.query_state, _remember(run, taken))
            if run.warehouse.poll_export(taken.query_id, 0).state != ExportState.UNKNOWN:
                alive.append(taken)
                continue
        with run.catalog.transaction() as session:
            export_jobs.reclaim_job(session, run.holder, job, by=run.by)
    return alive


def _remember(run: ExportRun, job: ExportJobRecord) -> Callable[[str], None]:
    """Keeps the query's state in the catalog before the warehouse is asked for the next one."""

    def remember(state: str) -> None:
        with run.catalog.transaction() as session:
            if not export_jobs.remember_query(session, run.holder, job, state):
                raise fenced_off(run.holder)

    return remember


class _Lane:
    """One worker: ends the jobs it was given, then claims pending ones until there are none."""

    def __init__(self, run: ExportRun, keeper: Keeper, adopted: Sequence[ExportJobRecord]) -> None:
        self._run = run
        self._keeper = keeper
        self._adopted = list(adopted)
        self.stopped = False

    def work(self) -> None:
        for job in self._adopted:
            self._follow(job, self._run.clock.monotonic())
        while (claimed := self._claim()) is not None:
            reached(Failpoint.JOB_CLAIMED)
            self._submit_and_follow(claimed)

    def _claim(self) -> ExportJobRecord | None:
        if self.stopped:
            return None
        self._keeper.check()
        with self._run.catalog.transaction() as session:
            return export_jobs.claim_next(session, self._run.holder, self._run.lease, by=self._run.by)

    def _submit_and_follow(self, job: ExportJobRecord) -> None:
        run = self._run
        started = run.clock.monotonic()
        query_id = f"{job.id}-{job.attempt}"
        with run.catalog.transaction() as session:
            if not export_jobs.submit_job(session, run.holder, job, query_id, by=run.by):
                raise fenced_off(run.holder)
        folder = f"{run.folder}/{export_folder(job.attempt, job.kind, job.name)}"
        try:
            run.warehouse.submit_export(query_id, job.sql, run.storage.uri(folder) + "/", _remember(run, job))
        except Refusal as refusal:
            self._fail(job, _export_failed(job, refusal.message, run.storage.url, lost=False))
        except PlatformError as error:
            self._end_query(query_id, error)
            self._retry_or_fail(job, error)
            return
        reached(Failpoint.JOB_SUBMITTED)
        self._follow(job, started, query_id)

    def _follow(self, job: ExportJobRecord, started: float, query_id: str | None = None) -> None:
        run = self._run
        query_id = query_id or job.query_id or ""
        while True:
            try:
                progress = run.warehouse.poll_export(query_id, _POLL_SECONDS)
            except PlatformError as error:
                self._end_query(query_id, error)
                self._retry_or_fail(job, error)
                return
            if progress.state == ExportState.FINISHED:
                self._complete(job, progress.rows or 0, run.clock.monotonic() - started)
                return
            if progress.state != ExportState.RUNNING:
                cause = progress.error or "the warehouse no longer knows the query"
                self._retry_or_fail(
                    job, _export_failed(job, cause, run.storage.url, lost=progress.state == ExportState.UNKNOWN)
                )
                return
            if self.stopped or self._keeper.lost:
                run.warehouse.cancel_export(query_id)
                self._keeper.check()
                return
            if run.clock.monotonic() - started > run.limit_seconds:
                run.warehouse.cancel_export(query_id)
                limit = f"it took longer than {run.limit_seconds:g} s (GRAPH_PLATFORM_EXPORT_SECONDS)"
                self._fail(job, _export_failed(job, limit, run.storage.url, lost=False))

    def _complete(self, job: ExportJobRecord, rows: int, seconds: float) -> None:
        run = self._run
        reached(Failpoint.JOB_WRITTEN)
        folder = f"{run.folder}/{export_folder(job.attempt, job.kind, job.name)}"
        size = sum(found.bytes for found in run.storage.list(folder))
        with run.catalog.transaction() as session:
            if not export_jobs.complete_job(session, run.holder, job, rows=rows, size=size, seconds=seconds, by=run.by):
                raise fenced_off(run.holder)
        reached(Failpoint.JOB_COMPLETED)
        run.report.exported(
            DefinitionExported(run.mapping, kind_folder(job.kind), job.name, run.holder.id, rows, size, seconds)
        )

    def _end_query(self, query_id: str, error: PlatformError) -> None:
        """So that it does not go on beside the next attempt, or write into a folder that is removed."""
        if error.code != ErrorCode.INVALID_STATE:  # else it is in other hands
            with suppress(PlatformError):
                self._run.warehouse.cancel_export(query_id)

    def _retry_or_fail(self, job: ExportJobRecord, error: PlatformError) -> None:
        run = self._run
        tries = run.tries[job.id]
        run.tries[job.id] += 1
        if error.code != ErrorCode.BACKEND_UNREACHABLE or tries >= len(_PAUSES_SECONDS):
            self._fail(job, error)
        run.report.progress(f"{job.name}: {error.message}; trying again in {_PAUSES_SECONDS[tries]:g} s")
        wait_until(
            lambda: self.stopped or self._keeper.lost,
            within_seconds=_PAUSES_SECONDS[tries],
            pauses=Pauses(_POLL_SECONDS, _POLL_SECONDS),
            clock=run.clock,
        )
        with run.catalog.transaction() as session:
            if not export_jobs.release_job(session, run.holder, job, error.message, by=run.by):
                raise fenced_off(run.holder)
        run.storage.delete(f"{run.folder}/{export_folder(job.attempt, job.kind, job.name)}")

    def _fail(self, job: ExportJobRecord, error: PlatformError) -> None:
        run = self._run
        with run.catalog.transaction() as session:
            export_jobs.fail_job(session, run.holder, job, error.document(), by=run.by)
        raise error


def _export_failed(job: ExportJobRecord, cause: str, storage: str, *, lost: bool) -> PlatformError:
    if "no space left" in cause.lower():
        return PlatformError(
            ErrorCode.STORAGE_ERROR,
            f"the export of {job.name} found no space left on {storage}",
            "make room, or point GRAPH_PLATFORM_STORAGE elsewhere, and try again",
            {"definition": job.name, "cause": cause},
        )
    code = ErrorCode.BACKEND_UNREACHABLE if lost else ErrorCode.STARBURST_ERROR
    return PlatformError(code, f"the export of {job.name} failed: {cause}", None, {"definition": job.name})
