"""The lease, over every entity that has one, against a real Postgres: taken, renewed, taken over, released."""

from __future__ import annotations

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta

import pytest
from sqlalchemy import Row, select

from graph_platform.catalog import audit, lease, snapshots
from graph_platform.catalog.catalog import Catalog
from graph_platform.catalog.keeper import Keeper
from graph_platform.catalog.lease import Claim
from graph_platform.catalog.states import Entity
from graph_platform.catalog.tables import ENTITY_TABLES, export_jobs
from graph_platform.catalog.transition import Session, transition
from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.processes.owner import this_process
from graph_platform_tests.catalog.rows import (
    BY,
    LEASE,
    a_mapping,
    a_pending_snapshot,
    a_ready_snapshot,
    a_starting_instance,
    pass_time,
    values_for,
)


@dataclass(frozen=True)
class Way:
    """How an entity comes into an owner's hands, and leaves them."""

    free: str
    worked_on: str
    done: str


WAYS = {
    Entity.SNAPSHOT: Way("pending", "creating", "ready"),
    Entity.EXPORT_JOB: Way("pending", "claimed", "failed"),
    Entity.INSTANCE: Way("suspended", "resuming", "running"),
}
LEASED = [entity for entity, table in ENTITY_TABLES.items() if "lease_owner" in table.c]


def test_every_entity_that_can_be_leased_is_tried_here() -> None:
    assert set(LEASED) == WAYS.keys()


def a_free_row(session: Session, entity: Entity) -> str:
    """The id of one that nobody works on."""
    mapping = a_mapping(session)
    if entity is Entity.SNAPSHOT:
        return a_pending_snapshot(session, mapping)
    if entity is Entity.EXPORT_JOB:
        snapshot = a_pending_snapshot(session, mapping, jobs=1)
        return str(session.scalars(select(export_jobs.c.id).where(export_jobs.c.snapshot_id == snapshot)).one())
    instance = a_starting_instance(session, a_ready_snapshot(session, mapping))
    claim = lease.claim_of(entity, instance)
    for before, after in (("starting", "running"), ("running", "suspending"), ("suspending", "suspended")):
        guard = ENTITY_TABLES[entity].c.id == claim.id
        transition(session, entity, guard, from_=[before], to=after, by=BY, values=values_for(entity, after))
    return instance.id


def taken(session: Session, entity: Entity, identifier: str, owner: str, length: timedelta = LEASE) -> Claim | None:
    way = WAYS[entity]
    this = ENTITY_TABLES[entity].c.id == identifier
    row = lease.take(session, entity, this, owner, length, from_=[way.free], to=way.worked_on, by=BY)
    return lease.claim_of(entity, row) if row else None


def now(session: Session, claim: Claim) -> Row[tuple[object, ...]]:
    table = ENTITY_TABLES[claim.entity]
    return session.execute(select(table).where(table.c.id == claim.id)).one()


@pytest.fixture(params=WAYS, ids=str)
def claim(request: pytest.FixtureRequest, catalog: Catalog) -> Claim:
    """A row of each entity, in the hands of an owner on another machine."""
    with catalog.transaction() as session:
        found = taken(session, request.param, a_free_row(session, request.param), "elsewhere/1/1/run-1")
    assert found is not None
    return found


def test_of_many_that_take_one_row_one_gets_it(catalog: Catalog, claim: Claim) -> None:
    with catalog.transaction() as session:
        assert taken(session, claim.entity, claim.id, "another") is None
        assert now(session, claim).lease_owner == claim.owner


def test_an_owner_renews_and_nobody_else_does(catalog: Catalog, claim: Claim) -> None:
    others = (
        Claim(claim.entity, claim.id, claim.attempt, "another"),
        Claim(claim.entity, claim.id, claim.attempt + 1, claim.owner),
    )
    pass_time(catalog, 50)
    with catalog.transaction() as session:
        before = now(session, claim).lease_expires_at
        assert not any(lease.renew(session, other, LEASE) for other in others)
        assert now(session, claim).lease_expires_at == before
        assert lease.renew(session, claim, LEASE)
        assert now(session, claim).lease_expires_at > before + timedelta(seconds=49)


def test_a_row_is_taken_over_once_its_lease_is_over_and_not_before(catalog: Catalog, claim: Claim) -> None:
    def take_over(owner: str) -> bool:
        with catalog.transaction() as session:
            guard = lease.abandoned(claim.entity, seen)
            return lease.take_over(session, claim.entity, guard, owner, LEASE, by=BY) is not None

    with catalog.transaction() as session:
        seen = now(session, claim)
        assert not lease.is_abandoned(session, claim.entity, seen)
    assert not take_over("two")
    pass_time(catalog, 61)
    with catalog.transaction() as session:
        assert lease.is_abandoned(session, claim.entity, seen)
    assert take_over("two")
    assert not take_over("three"), "what was seen is not so any more"
    with catalog.transaction() as session:
        row = now(session, claim)
        assert (row.lease_owner, row.attempt) == ("two", claim.attempt + 1)
        assert not lease.renew(session, claim, LEASE)
        event = audit.list_events(session, claim.id)[-1]
    assert (event.action, event.attempt, event.details) == ("taken over", claim.attempt + 1, {"owner": "two"})


def test_an_owner_that_slept_and_that_nobody_replaced_goes_on(catalog: Catalog, claim: Claim) -> None:
    pass_time(catalog, 600)
    with catalog.transaction() as session:
        seen = now(session, claim)
        assert lease.renew(session, claim, LEASE)
        assert not lease.is_abandoned(session, claim.entity, seen)


@pytest.mark.parametrize("entity", WAYS, ids=str)
def test_a_dead_owner_of_this_machine_is_replaced_at_once_and_a_living_one_is_not(
    catalog: Catalog, entity: Entity
) -> None:
    code = "from graph_platform.processes.owner import this_process; print(this_process('run-8'))"
    gone = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    with catalog.transaction() as session:
        claim = taken(session, entity, a_free_row(session, entity), gone)
        assert claim is not None
        seen = now(session, claim)
        assert lease.is_abandoned(session, entity, seen)
        mine = this_process("run-9")
        row = lease.take_over(session, entity, lease.abandoned(entity, seen), mine, LEASE, by=BY)
        assert row is not None
        assert not lease.is_abandoned(session, entity, row)


def test_who_is_done_releases_the_row_and_who_lost_it_changes_nothing(catalog: Catalog, claim: Claim) -> None:
    way = WAYS[claim.entity]
    values = {
        name: value for name, value in values_for(claim.entity, way.done).items() if not name.startswith("lease_")
    }
    lost = Claim(claim.entity, claim.id, claim.attempt, "another")
    with catalog.transaction() as session:
        assert not lease.finish(session, lost, from_=[way.worked_on], to=way.done, by=BY, values=values)
        assert now(session, claim).status == way.worked_on
        assert lease.finish(session, claim, from_=[way.worked_on], to=way.done, by=BY, values=values)
        row = now(session, claim)
        assert (row.status, row.lease_owner, row.lease_expires_at) == (way.done, None, None)
        with pytest.raises(ValueError, match="nobody holds"):
            lease.claim_of(claim.entity, row)


def test_what_an_owner_leaves_is_the_next_ones_at_once(catalog: Catalog) -> None:
    with catalog.transaction() as session:
        claim = taken(session, Entity.INSTANCE, a_free_row(session, Entity.INSTANCE), "elsewhere/1/1/run-1")
        assert claim is not None
        assert lease.release(session, claim, by=BY)
        assert not lease.release(session, claim, by=BY)
        left = now(session, claim)
        assert left.status == "resuming"
        assert lease.is_abandoned(session, Entity.INSTANCE, left)
        assert [event.action for event in audit.list_events(session, claim.id)][-1] == "released"


def test_many_that_take_what_comes_next_wait_for_nobody_and_share_nothing(catalog: Catalog) -> None:
    with catalog.transaction() as session:
        snapshot = a_pending_snapshot(session, a_mapping(session), jobs=3)
    jobs = export_jobs.c
    with catalog.transaction() as session, ThreadPoolExecutor(2) as pool:

        def take(owner: str) -> str | None:
            with catalog.transaction() as other:
                return first(other, owner)

        def first(within: Session, owner: str) -> str | None:
            row = lease.take_next(
                within,
                Entity.EXPORT_JOB,
                jobs.snapshot_id == snapshot,
                owner,
                LEASE,
                order=jobs.ordinal,
                from_=["pending"],
                to="claimed",
                by=BY,
            )
            return row.name if row else None

        assert first(session, "one") == "N0"
        assert sorted(str(name) for name in pool.map(take, ("two", "three"))) == ["N1", "N2"]
        assert pool.submit(take, "four").result(60) is None, "the first is not yet committed, and nobody else's"


@pytest.mark.parametrize("entity", LEASED, ids=str)
def test_the_database_refuses_an_owner_of_what_is_not_worked_on(catalog: Catalog, entity: Entity) -> None:
    table = ENTITY_TABLES[entity]
    with pytest.raises(Exception, match="check constraint") as refused, catalog.transaction() as session:
        identifier = a_free_row(session, entity)
        session.execute(table.update().where(table.c.id == identifier).values(lease.terms("owner", LEASE)))
    assert getattr(getattr(refused.value, "orig", None), "sqlstate", None) == "23514"


class Rounds:
    """The waiting of a keeper, which a test lets end one at a time."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self._come, self._go = threading.Semaphore(0), threading.Semaphore(0)

    def wait(self, ended: threading.Event, seconds: float) -> bool:
        self.seconds.append(seconds)
        self._come.release()
        assert self._go.acquire(timeout=60)
        return ended.is_set()

    def pass_one(self) -> None:
        """Let the keeper ask once more, and come back or be done."""
        self.let_go()
        assert self._come.acquire(timeout=60)

    def begun(self) -> None:
        assert self._come.acquire(timeout=60)

    def let_go(self) -> None:
        self._go.release()


def test_a_keeper_renews_three_times_in_a_lease_and_an_unreachable_catalog_loses_nothing() -> None:
    rounds = Rounds()
    asked = 0

    def renew() -> bool:
        nonlocal asked
        asked += 1
        if asked == 2:
            raise PlatformError(ErrorCode.BACKEND_UNREACHABLE, "away")
        return True

    with Keeper(Claim(Entity.SNAPSHOT, "snap-1", 1, "me"), renew, timedelta(seconds=60), rounds.wait) as keeper:
        rounds.begun()
        for number in (1, 2, 3):
            rounds.pass_one()
            assert asked == number
            keeper.check()
        rounds.let_go()
    assert rounds.seconds == [20, 20, 20, 20]


def test_a_keeper_tells_the_work_when_it_is_in_other_hands(catalog: Catalog) -> None:
    with catalog.transaction() as session:
        identifier = a_pending_snapshot(session, a_mapping(session))
        claim = snapshots.claim_snapshot(session, identifier, "elsewhere/1/1/run-1", LEASE, by=BY)

    def renew() -> bool:
        with catalog.transaction() as session:
            return snapshots.renew_snapshot(session, claim, LEASE)

    rounds = Rounds()
    with Keeper(claim, renew, LEASE, rounds.wait) as keeper:
        rounds.begun()
        keeper.confirm()
        pass_time(catalog, 61)
        with catalog.transaction() as session:
            snapshots.claim_snapshot(session, identifier, "two", LEASE, by=BY)
        keeper.check()  # it has slept too, and does not know it yet
        with pytest.raises(PlatformError, match="attempt 1 no longer owns snapshot") as lost:
            keeper.confirm()
        assert lost.value.code == ErrorCode.INVALID_STATE
        assert keeper.lost
        rounds.let_go()
