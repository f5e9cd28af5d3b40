"""When an instance was used last and when its time is over, by the catalog's one clock."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update

from graph_platform.catalog import instances
from graph_platform.catalog.catalog import Catalog
from graph_platform.catalog.lease import Claim, claim_of
from graph_platform.catalog.records import InstanceRecord
from graph_platform.catalog.states import Entity, InstanceStatus
from graph_platform.catalog.tables import instances as table
from graph_platform.catalog.use import stamp_use
from graph_platform.durations import parse_duration
from graph_platform.lives import Lives
from graph_platform_tests.catalog import rows
from graph_platform_tests.catalog.rows import BY, LEASE, a_mapping, a_ready_snapshot, a_starting_instance

HOUR = timedelta(hours=1)
AN_HOUR, A_WEEK = parse_duration("PT1H"), parse_duration("P1W")


@pytest.fixture
def running(catalog: Catalog) -> Iterator[InstanceRecord]:
    """A running instance that lives for 24 hours, 4 of them unused."""
    with catalog.transaction() as session:
        snapshot = a_ready_snapshot(session, a_mapping(session))
        lives = Lives(parse_duration("PT24H"), parse_duration("PT4H"))
        request = instances.InstanceRequest(None, "local:", lives, 10, 10)
        made = a_starting_instance(session, snapshot, request)
        assert instances.mark_running(session, claim_of(Entity.INSTANCE, made), "http://127.0.0.1:1", by=BY)
    yield now(catalog, made)


def now(catalog: Catalog, instance: InstanceRecord) -> InstanceRecord:
    with catalog.transaction() as session:
        return instances.get_instance(session, instance.id)


def pass_time(catalog: Catalog, time: timedelta) -> None:
    rows.pass_time(catalog, time.total_seconds())


def stamp(catalog: Catalog, instance: InstanceRecord, seen: str | None = None) -> datetime:
    with catalog.transaction() as session:
        stamp_use(session, Entity.INSTANCE, instance.id, seen)
    return now(catalog, instance).last_activity_at


def test_a_server_tells_of_its_use_in_its_own_time_and_never_back_or_ahead(
    catalog: Catalog, running: InstanceRecord
) -> None:
    pass_time(catalog, 2 * HOUR)  # the platform's clock, while the server's stays
    an_hour_ago = (datetime.now(UTC) - HOUR).isoformat(timespec="milliseconds")
    stamped = stamp(catalog, running, an_hour_ago)
    assert abs(stamped - (catalog.now() - HOUR)) < timedelta(minutes=5)
    assert stamp(catalog, running, (datetime.now(UTC) - 2 * HOUR).isoformat()) == stamped
    ahead = stamp(catalog, running, (datetime.now(UTC) + 9 * HOUR).isoformat())
    assert stamped < ahead <= catalog.now()


def test_a_life_of_seconds_is_stamped_as_often_as_it_needs(catalog: Catalog, running: InstanceRecord) -> None:
    with catalog.transaction() as session:
        session.execute(update(table).values(inactivity_timeout=parse_duration("PT30S")))
    pass_time(catalog, timedelta(seconds=4))
    assert stamp(catalog, running) > running.last_activity_at


def test_only_what_runs_is_used(catalog: Catalog, running: InstanceRecord) -> None:
    with catalog.transaction() as session:
        suspending = instances.begin_suspension(session, running, by=BY)
        assert instances.end_suspension(session, suspending, by=BY)
    pass_time(catalog, HOUR)
    assert stamp(catalog, running) == running.last_activity_at


def test_an_instance_expires_with_its_life_or_for_want_of_use_whichever_is_first(
    catalog: Catalog, running: InstanceRecord
) -> None:
    assert (running.expired, running.expired_at) == (False, None)
    assert running.expires_at is not None
    pass_time(catalog, 4 * HOUR + timedelta(seconds=1))
    idle = now(catalog, running)
    assert (idle.expired, idle.expired_at) == (True, running.last_activity_at + 4 * HOUR)
    assert idle.document()["expired"] is True
    stamp(catalog, running)
    assert not now(catalog, running).expired
    for _ in range(7):
        pass_time(catalog, 3 * HOUR)
        stamp(catalog, running)
    over = now(catalog, running)
    assert (over.expired, over.expired_at) == (True, running.expires_at)
    with catalog.transaction() as session:
        assert [each.expired for each in instances.list_instances(session)] == [True]
        instances.extend_instance(session, running, AN_HOUR, ceiling=A_WEEK, reason="needed", by=BY)
    assert not now(catalog, running).expired


def test_an_extension_counts_as_use(catalog: Catalog, running: InstanceRecord) -> None:
    pass_time(catalog, 5 * HOUR)
    assert now(catalog, running).expired
    with catalog.transaction() as session:
        extended = instances.extend_instance(session, running, AN_HOUR, ceiling=A_WEEK, reason="needed", by=BY)
    assert not extended.expired


def test_what_the_servers_tell_counts_in_a_list_and_is_not_written(catalog: Catalog, running: InstanceRecord) -> None:
    pass_time(catalog, 5 * HOUR)
    with catalog.transaction() as session:
        (told,) = instances.list_instances(session, {running.id: datetime.now(UTC).isoformat(), "inst-9": "2000-01-01"})
        (untold,) = instances.list_instances(session, {"inst-9": datetime.now(UTC).isoformat()})
    assert (told.expired, untold.expired) == (False, True)
    assert now(catalog, running).last_activity_at == running.last_activity_at


def test_a_suspended_instance_is_not_idle_but_its_life_ends(catalog: Catalog, running: InstanceRecord) -> None:
    with catalog.transaction() as session:
        instances.end_suspension(session, instances.begin_suspension(session, running, by=BY), by=BY)
    pass_time(catalog, 10 * HOUR)
    assert not now(catalog, running).expired
    pass_time(catalog, 20 * HOUR)
    assert now(catalog, running).expired_at == running.expires_at


def test_what_has_ended_does_not_expire(catalog: Catalog, running: InstanceRecord) -> None:
    with catalog.transaction() as session:
        instances.mark_failed(session, running, {"message": "it died"}, from_=[InstanceStatus.RUNNING], by=BY)
    pass_time(catalog, 100 * HOUR)
    assert not now(catalog, running).expired


def test_what_was_read_before_another_attempt_changes_nothing_of_it(catalog: Catalog, running: InstanceRecord) -> None:
    with catalog.transaction() as session:
        suspended = instances.begin_suspension(session, running, by=BY)
        assert instances.end_suspension(session, suspended, by=BY)
        resuming = instances.begin_resumption(session, running, "another", LEASE, by=BY)
        claim = claim_of(Entity.INSTANCE, resuming)
        assert (resuming.attempt, resuming.status) == (2, "resuming")
    with catalog.transaction() as session:
        earlier = Claim(Entity.INSTANCE, running.id, running.attempt, "owner")
        assert not instances.mark_running(session, earlier, "http://127.0.0.1:9", by=BY)
        failed = instances.mark_failed(session, running, {}, from_=list(_LIVING), by=BY)
        assert not failed
        assert instances.mark_running(session, claim, "http://127.0.0.1:2", by=BY)
        assert instances.begin_suspension(session, running, by=BY).attempt == 2
        assert not instances.end_suspension(session, suspended, by=BY)
    assert now(catalog, running).status == "suspending"


_LIVING = (InstanceStatus.STARTING, InstanceStatus.RESUMING, InstanceStatus.RUNNING)
