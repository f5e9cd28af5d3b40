"""Names, versions, leases, limits and the clock, against a real Postgres."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest

from graph_platform.catalog import audit, export_jobs, instances, mappings, snapshots
from graph_platform.catalog.catalog import Catalog
from graph_platform.catalog.ids import new_id
from graph_platform.catalog.states import SnapshotStatus
from graph_platform.durations import Duration
from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.lives import Lives
from graph_platform.processes import owner
from graph_platform_tests.catalog.rows import (
    BY,
    DEFINITION,
    LEASE,
    a_mapping,
    a_pending_snapshot,
    a_ready_snapshot,
    a_starting_instance,
    an_instance_request,
    pass_time,
)


def test_a_name_is_unique_among_those_that_live_and_free_again_afterwards(catalog: Catalog) -> None:
    with catalog.transaction() as session:
        first = a_mapping(session)
    with pytest.raises(PlatformError) as taken, catalog.transaction() as session:
        a_mapping(session)
    assert taken.value.code == ErrorCode.ALREADY_EXISTS
    with catalog.transaction() as session:
        mappings.delete_mapping(session, first, by=BY)
        assert a_mapping(session).id != first.id


def test_a_change_made_from_an_old_version_is_refused(catalog: Catalog) -> None:
    def change(text_: str) -> None:
        with catalog.transaction() as session:
            mappings.insert_version(
                session,
                read,
                {"name": "flights", **DEFINITION, "description": text_},
                change_description=text_,
                lives=Lives(None, None),
                by=BY,
            )

    with catalog.transaction() as session:
        read = a_mapping(session)
    change("first")
    with pytest.raises(PlatformError) as late:
        change("second")
    assert late.value.code == ErrorCode.INVALID_STATE
    with catalog.transaction() as session:
        assert [each.definition["description"] for each in mappings.list_versions(session, read.id)] == ["", "first"]
        assert mappings.get_version(session, "flights@1")[1].version == 1
        with pytest.raises(PlatformError, match="no version 3"):
            mappings.get_version(session, "flights@3")


def test_a_mapping_with_snapshots_is_not_deleted_and_the_error_lists_them(catalog: Catalog) -> None:
    with catalog.transaction() as session:
        mapping = a_mapping(session)
        snapshot = a_ready_snapshot(session, mapping)
    with pytest.raises(PlatformError) as refused, catalog.transaction() as session:
        mappings.delete_mapping(session, mapping, by=BY)
    assert refused.value.code == ErrorCode.RESOURCE_HAS_DEPENDENCIES
    assert refused.value.details["snapshots"] == [snapshot.id]


def test_two_workers_share_the_jobs_and_none_is_done_twice(catalog: Catalog) -> None:
    with catalog.transaction() as session:
        identifier = a_pending_snapshot(session, a_mapping(session), jobs=20)
        holder = snapshots.claim_snapshot(session, identifier, "owner", LEASE, by=BY)
    together = Barrier(2)

    def work(_: int) -> list[str]:
        done: list[str] = []
        together.wait()
        while True:
            with catalog.transaction() as session:
                job = export_jobs.claim_next(session, holder, LEASE, by=BY)
            if job is None:
                return done
            with catalog.transaction() as session:
                assert export_jobs.submit_job(session, holder, job, "q", by=BY)
            with catalog.transaction() as session:
                assert export_jobs.complete_job(session, holder, job, rows=3, size=5, seconds=0.1, by=BY)
            done.append(job.id)

    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(work, range(2))
    assert len(first) + len(second) == len({*first, *second}) == 20
    with catalog.transaction() as session:
        record = snapshots.get_snapshot(session, identifier)
    assert (record.definitions, record.exported, record.rows, record.bytes) == (20, 20, 60, 100)


def test_a_fenced_off_attempt_changes_nothing(catalog: Catalog) -> None:
    with catalog.transaction() as session:
        identifier = a_pending_snapshot(session, a_mapping(session))
        first = snapshots.claim_snapshot(session, identifier, "one", LEASE, by=BY)
        job = export_jobs.claim_next(session, first, LEASE, by=BY)
        assert job is not None
        assert export_jobs.submit_job(session, first, job, "q", by=BY)
    pass_time(catalog, 120)
    with catalog.transaction() as session:
        found = snapshots.find_snapshot(session, identifier)
        assert found is not None
        assert snapshots.is_abandoned(session, found)
        second = snapshots.claim_snapshot(session, identifier, "two", LEASE, by=BY)
        assert second.attempt == first.attempt + 1
        (left,) = export_jobs.left_behind(session, second)
        export_jobs.reclaim_job(session, second, left, by=BY)
    with catalog.transaction() as session:
        assert not snapshots.renew_snapshot(session, first, LEASE)
        assert not export_jobs.complete_job(session, first, job, rows=1, size=1, seconds=0.1, by=BY)
        assert export_jobs.claim_next(session, first, LEASE, by=BY) is None
        assert not snapshots.finish_snapshot(session, first, to=SnapshotStatus.FAILED, by=BY)
        again = export_jobs.claim_next(session, second, LEASE, by=BY)
        assert again is not None
        assert (again.id, again.attempt) == (job.id, job.attempt + 1)
        assert [event.action for event in audit.list_events(session, identifier)].count("taken over") == 1


def test_a_submitted_job_is_taken_over_in_place_with_its_query(catalog: Catalog) -> None:
    with catalog.transaction() as session:
        identifier = a_pending_snapshot(session, a_mapping(session))
        first = snapshots.claim_snapshot(session, identifier, "one", LEASE, by=BY)
        job = export_jobs.claim_next(session, first, LEASE, by=BY)
        assert job is not None
        assert export_jobs.submit_job(session, first, job, "query-7", by=BY)
    pass_time(catalog, 120)
    with catalog.transaction() as session:
        second = snapshots.claim_snapshot(session, identifier, "two", LEASE, by=BY)
        (left,) = export_jobs.left_behind(session, second)
        taken = export_jobs.take_over(session, second, left, LEASE, by=BY)
        assert taken is not None
        assert (taken.attempt, taken.query_id, taken.status) == (job.attempt, "query-7", "submitted")
        assert not export_jobs.complete_job(session, first, job, rows=1, size=1, seconds=0.1, by=BY)
        assert export_jobs.complete_job(session, second, taken, rows=1, size=1, seconds=0.1, by=BY)


def test_a_living_lease_is_not_abandoned_and_a_dead_owner_on_this_machine_is(catalog: Catalog) -> None:
    mine = owner.this_process("run-9")
    code = "from graph_platform.processes.owner import this_process; print(this_process('run-8'))"
    gone = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    assert owner.purpose(gone) == "run-8"
    assert owner.known_dead(gone)
    assert not owner.known_dead(mine)
    assert not owner.known_dead(f"elsewhere/{os.getpid()}/1.0/run-1")
    machine, pid, _, purpose = mine.split("/")
    assert owner.known_dead(f"{machine}/{pid}/1.0/{purpose}"), "the pid lives, but it is another process now"
    with catalog.transaction() as session:
        mapping = a_mapping(session)
        for name, holder, abandoned in (("a", mine, False), ("b", gone, True)):
            identifier = a_pending_snapshot(session, mapping, name=name)
            snapshots.claim_snapshot(session, identifier, holder, LEASE, by=BY)
            record = snapshots.find_snapshot(session, identifier)
            assert record is not None
            assert snapshots.is_abandoned(session, record) is abandoned


def test_a_failed_snapshot_is_retried_in_a_round_of_its_own(catalog: Catalog) -> None:
    definitions = [export_jobs.ExportDefinition("node", "N", "SELECT 2")]
    with catalog.transaction() as session:
        identifier = a_pending_snapshot(session, a_mapping(session), jobs=1)
        claim = snapshots.claim_snapshot(session, identifier, "one", LEASE, by=BY)
        snapshots.finish_snapshot(session, claim, to=SnapshotStatus.FAILED, by=BY, values={"error": {}})
        export_jobs.cancel_jobs(session, identifier, by=BY)
        failed = snapshots.find_snapshot(session, identifier)
        assert failed is not None
        snapshots.retry_snapshot(session, failed, failed.storage_url, definitions, by=BY)
        (job,) = export_jobs.list_jobs(session, identifier)
    assert (job.sql, job.status, job.attempt) == ("SELECT 2", "pending", 2)


def test_limits_hold_when_many_launch_at_once(catalog: Catalog) -> None:
    with catalog.transaction() as session:
        snapshot = a_ready_snapshot(session, a_mapping(session))
    together = Barrier(8)

    def launch(_: int) -> ErrorCode | None:
        together.wait()
        try:
            with catalog.transaction() as session:
                a_starting_instance(session, snapshot, an_instance_request(one_user=3))
        except PlatformError as error:
            return error.code
        return None

    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(launch, range(8)))
    assert outcomes.count(None) == 3
    assert outcomes.count(ErrorCode.CONCURRENCY_LIMIT_EXCEEDED) == 5


def test_an_extension_is_bounded_by_the_ceiling_and_audited(catalog: Catalog) -> None:
    with catalog.transaction() as session:
        snapshot = a_ready_snapshot(session, a_mapping(session))
        instance = a_starting_instance(session, snapshot)
    now = catalog.now()
    with catalog.transaction() as session:
        extended = instances.extend_instance(
            session, instance, Duration(days=30), ceiling=Duration(days=7), reason="a demo", by=BY
        )
        events = audit.list_events(session, instance.id)
    assert extended.expires_at is not None
    assert timedelta(days=7) <= extended.expires_at - now < timedelta(days=7, minutes=1)
    assert events[-1].action == "extended"
    assert events[-1].details is not None
    assert events[-1].details["reason"] == "a demo"


def test_the_clock_can_be_moved_and_everything_follows_it(catalog: Catalog) -> None:
    before = catalog.now()
    pass_time(catalog, 86_400)
    assert timedelta(days=1) <= catalog.now() - before < timedelta(days=1, minutes=1)
    with catalog.transaction() as session:
        assert a_mapping(session).created_at > before + timedelta(hours=23)


def test_an_installation_keeps_its_id(catalog: Catalog, catalog_url: str) -> None:
    again = Catalog(catalog_url)
    again.migrate()
    assert again.installation == catalog.installation
    again.close()


def test_a_catalog_that_is_not_there_is_unreachable_and_its_password_stays_hidden() -> None:
    absent = Catalog("postgresql+psycopg://user:secret-word@127.0.0.1:1/none")
    with pytest.raises(PlatformError) as error:
        absent.migrate()
    assert error.value.code == ErrorCode.BACKEND_UNREACHABLE
    assert error.value.exit_status == 3
    assert "secret-word" not in str(error.value)
    with pytest.raises(PlatformError, match="GRAPH_PLATFORM_CATALOG"):
        Catalog("sqlite:///x.db")


def test_ids_are_dns_labels() -> None:
    ids = {new_id("snap") for _ in range(1000)}
    assert len(ids) == 1000
    assert all(len(each) < 63 and each == each.lower() and each.replace("-", "").isalnum() for each in ids)
