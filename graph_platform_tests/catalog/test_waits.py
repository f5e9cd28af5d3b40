"""Waiting in the catalog has an end and a word, whatever is waited for; a process that slept is told what it missed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from sqlalchemy import event, text

from graph_platform.catalog import instances, mappings, waits
from graph_platform.catalog.catalog import Catalog
from graph_platform.catalog.instances import lock_births
from graph_platform.catalog.limits import LIMITS, Limits, Work, limits_of
from graph_platform.catalog.transition import Session
from graph_platform.catalog.waits import application_name
from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.settings import Settings
from graph_platform_tests.catalog.rows import a_mapping, a_ready_snapshot, a_starting_instance, an_instance_request
from graph_platform_tests.waiting import until


@contextmanager
def a_catalog(
    url: str, lock: float = 30, statement: float = 60, idle: float = 60
) -> Iterator[tuple[Catalog, list[str]]]:
    """A catalog with limits of its own, and the words that it says."""
    words: list[str] = []
    limits = {work: Limits(lock, statement, idle) for work in Work}
    catalog = Catalog(url, limits=limits, name=application_name("waiter", None), tell=words.append)
    yield catalog, words
    catalog.close()


@contextmanager
def a_sleeper(url: str, idle: float) -> Iterator[subprocess.Popen[str]]:
    """A process that is stopped while it holds the lock on births in an open transaction."""
    command = [sys.executable, "-m", "graph_platform_tests.catalog.sleeper", url, str(idle)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        process.send_signal(signal.SIGSTOP)
        try:
            yield process
        finally:
            process.send_signal(signal.SIGCONT)
            if process.poll() is None:
                process.communicate("\n", timeout=60)


def connect(url: str, **how: Any) -> psycopg.Connection:
    """The driver's own connection. Its URLs know no + for the space in a home's path."""
    return psycopg.connect(url.replace("+psycopg", "").replace("+", "%20"), **how)


@contextmanager
def psql(url: str, statement: str) -> Iterator[psycopg.Connection]:
    """A session that somebody left open, under a name of its own."""
    with connect(url, application_name="somebody's psql") as connection:
        connection.execute(statement)
        yield connection
        connection.rollback()


def test_a_launch_behind_a_process_that_sleeps_says_who_it_is_and_gets_through_once_its_time_is_over(
    catalog: Catalog, catalog_url: str
) -> None:
    with catalog.transaction() as session:
        snapshot = a_ready_snapshot(session, a_mapping(session))
    with a_catalog(catalog_url) as (waiting, words), a_sleeper(catalog_url, idle=6) as sleeper:
        with waiting.transaction() as session:
            instance = a_starting_instance(session, snapshot, an_instance_request("ours"))
        assert instance.status == "starting"
        (word,) = words
        assert f"graph_platform sleeper@{os.uname().nodename.partition('.')[0][:14]} pid {sleeper.pid}" in word
        assert "run run-of-a" in word
        assert "idle in transaction for" in word
        assert "pg_advisory_xact_lock" in word
        sleeper.send_signal(signal.SIGCONT)
        said, _ = sleeper.communicate("\n", timeout=60)
    assert said.startswith("CATALOG_BUSY this process stood still inside a transaction for more than 6 s")
    with catalog.transaction() as session:
        assert [row.name for row in instances.list_instances(session)] == ["ours"]


def test_who_waits_longer_than_its_limit_is_told_who_holds_it_and_what_to_do(
    catalog: Catalog, catalog_url: str
) -> None:
    with (
        a_catalog(catalog_url, lock=3) as (waiting, _),
        a_sleeper(catalog_url, idle=600) as sleeper,
        pytest.raises(PlatformError) as busy,
        waiting.transaction() as session,
    ):
        lock_births(session)
    error = busy.value
    assert (error.code, error.exit_status, error.retryable) == (ErrorCode.CATALOG_BUSY, 1, True)
    assert "gave up after 3 s" in error.message
    assert f"pid {sleeper.pid}" in error.message
    (holder,) = error.details["held_by"]
    assert holder["state"] == "idle in transaction"
    assert f"pg_terminate_backend({holder['pid']})" in str(error.hint)


def _a_mapping_row(session: Session) -> None:
    mappings.use_mapping(session, mappings.get_mapping(session, "flights").id)


LOCKS: dict[str, tuple[str, Callable[[Session], object]]] = {
    "a row": ("UPDATE graph_platform.mappings SET updated_at = updated_at", _a_mapping_row),
    "a table": ("LOCK TABLE graph_platform.instances IN ACCESS EXCLUSIVE MODE", instances.list_instances),
    "births": (f"SELECT pg_advisory_xact_lock({instances._LIMIT_LOCK})", lock_births),
    "the version": ("LOCK TABLE graph_platform.alembic_version IN ACCESS EXCLUSIVE MODE", lambda _: None),
}


@pytest.mark.parametrize(
    ("lock", "work"),
    [
        ("a row", Work.CHANGING),
        ("a table", Work.READING),
        ("births", Work.CHANGING),
        ("the version", Work.READING),
        ("the version", Work.CHANGING),
        ("a table", Work.MIGRATING),
    ],
)
def test_every_kind_of_work_gives_up_on_every_kind_of_lock_and_names_its_holder(
    lock: str, work: Work, catalog: Catalog, catalog_url: str
) -> None:
    statement, act = LOCKS[lock]
    with catalog.transaction() as session:
        a_mapping(session)
    with (
        psql(catalog_url, statement),
        a_catalog(catalog_url, lock=1.5) as (waiting, words),
        pytest.raises(PlatformError) as busy,
        waiting._transaction(work) as (session, _),
    ):
        act(session)
    assert busy.value.code == ErrorCode.CATALOG_BUSY
    assert "somebody's psql" in busy.value.message
    assert len(words) == 1


def test_those_at_the_end_of_a_queue_are_told_who_is_at_its_head(catalog: Catalog, catalog_url: str) -> None:
    with catalog.transaction() as session:
        a_mapping(session)
    found: list[PlatformError] = []

    def wait(waiting: Catalog) -> None:
        with pytest.raises(PlatformError) as busy, waiting.transaction() as session:
            _a_mapping_row(session)
        found.append(busy.value)

    with a_catalog(catalog_url, lock=3) as (waiting, _), psql(catalog_url, LOCKS["a row"][0]):
        queue = [threading.Thread(target=wait, args=(waiting,)) for _ in range(4)]
        for thread in queue:
            thread.start()
        for thread in queue:
            thread.join()
    assert len(found) == 4
    assert all({holder["application"] for holder in error.details["held_by"]} == {"somebody's psql"} for error in found)


def test_a_statement_that_takes_too_long_is_ended(catalog_url: str) -> None:
    with a_catalog(catalog_url, statement=0.5) as (hurried, _):
        with pytest.raises(PlatformError, match=r"longer than its 0\.5 s") as busy, hurried.transaction() as session:
            session.execute(text("SELECT pg_sleep(60)"))
        assert busy.value.code == ErrorCode.CATALOG_BUSY
        assert hurried.now()


def test_of_two_that_wait_for_each_other_one_is_told_so(catalog: Catalog) -> None:
    together = threading.Barrier(2)
    found: list[PlatformError] = []

    def cross(first: int, second: int) -> None:
        try:
            with catalog.transaction() as session:
                session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": first})
                together.wait()
                session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": second})
        except PlatformError as error:
            found.append(error)

    both = [threading.Thread(target=cross, args=keys) for keys in ((1, 2), (2, 1))]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()
    (error,) = found
    assert (error.code, "got into each other's way" in error.message) == (ErrorCode.CATALOG_BUSY, True)


def _end(catalog_url: str, state: str) -> None:
    """End the sessions that are in that state, as an administrator does."""
    with connect(catalog_url, autocommit=True) as admin:
        ended = until(
            lambda: admin.execute(
                "SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid() AND state = %s",
                (state,),
            ).fetchone(),
            "no session to end",
        )
    assert ended
    assert ended[0] >= 1


def test_a_connection_that_the_server_ended_between_two_transactions_is_not_noticed(catalog_url: str) -> None:
    with a_catalog(catalog_url) as (patient, _):
        patient._patience_seconds = 0
        first = patient.installation
        _end(catalog_url, "idle")
        with patient.transaction() as session:
            assert session.scalar(text("SELECT id FROM graph_platform.installation")) == first


def test_one_that_it_ended_inside_a_transaction_is_a_backend_that_went_away(catalog_url: str) -> None:
    with a_catalog(catalog_url) as (unlucky, _):
        with pytest.raises(PlatformError) as away, unlucky.transaction() as session:
            lock_births(session)
            _end(catalog_url, "idle in transaction")
            lock_births(session)
        assert (away.value.code, away.value.exit_status) == (ErrorCode.BACKEND_UNREACHABLE, 3)
        assert unlucky.now()


def test_a_server_that_only_lets_read_is_told_as_a_standby(catalog: Catalog, catalog_url: str) -> None:
    with connect(catalog_url, autocommit=True) as admin:
        admin.execute(f"ALTER DATABASE {admin.info.dbname} SET default_transaction_read_only = on")
    with a_catalog(catalog_url) as (standby, _):
        with standby.transaction(Work.READING) as session:
            assert instances.list_instances(session) == []
        with pytest.raises(PlatformError) as refused, standby.transaction() as session:
            a_mapping(session)
    assert refused.value.code == ErrorCode.BACKEND_UNREACHABLE
    assert "standby" in str(refused.value.hint)


def test_a_transaction_costs_no_more_round_trips_than_its_own_words(catalog: Catalog) -> None:
    """It was seven for the first and four for each further one, when the pool asked for itself and BEGIN went alone."""
    counted = Trips(catalog)
    with catalog.transaction(Work.READING) as session:
        instances.list_instances(session)
    assert counted.new() == 3  # BEGIN with limits and version; the question; COMMIT
    with catalog.transaction() as session:
        lock_births(session)
    assert counted.new() == 3


class Trips:
    """Counts the round trips of a catalog's connections, by libpq's own trace."""

    def __init__(self, catalog: Catalog) -> None:
        self._read, write = os.pipe()
        os.set_blocking(self._read, False)
        with catalog.transaction(Work.READING):
            pass  # what SQLAlchemy asks of a server once, at its first connection, is not a transaction's
        self._traced: list[Any] = []
        event.listen(catalog._engine, "checkout", lambda driver, *_: self._trace(driver, write))

    def new(self) -> int:
        """How many there were since the last time."""
        for driver in self._traced:
            driver.pgconn.untrace()  # which writes out what it has not yet
        self._traced.clear()
        return os.read(self._read, 1 << 16).count(b"ReadyForQuery")

    def _trace(self, driver: Any, write: int) -> None:
        driver.pgconn.trace(write)
        self._traced.append(driver)


def test_a_change_waits_for_longer_than_another_may_stand_still() -> None:
    assert LIMITS[Work.READING].lock < LIMITS[Work.CHANGING].lock < LIMITS[Work.MIGRATING].lock
    assert LIMITS[Work.CHANGING].idle < LIMITS[Work.CHANGING].lock
    assert all(limits.lock < limits.statement for limits in LIMITS.values())


def test_an_operator_may_set_the_limits_of_changes() -> None:
    settings = Settings.load({"GRAPH_PLATFORM_CATALOG_LOCK_SECONDS": "5", "GRAPH_PLATFORM_CATALOG_IDLE_SECONDS": "4"})
    assert limits_of(settings) == {**LIMITS, Work.CHANGING: Limits(5, 60, 4)}


@pytest.mark.parametrize(("user", "run"), [("ana", None), ("x" * 300, "1" * 36), ("ünï-cødé", "ab'c"), ("", "")])
def test_a_name_in_postgres_is_short_ascii_and_says_who_and_where(user: str, run: str | None, catalog_url: str) -> None:
    name = application_name(user, run)
    assert name.isascii()
    assert len(name) <= 63
    assert f"pid {os.getpid()}" in name
    named = Catalog(catalog_url, name=name)
    with named.transaction() as session:
        assert session.scalar(text("SHOW application_name")) == name
    named.close()


def test_a_server_that_neither_answers_nor_keeps_its_own_limit_is_given_up(
    catalog_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As one is whose process was stopped, or whose machine sleeps: nothing ever comes, and nothing ends."""
    monkeypatch.setattr(waits, "_GRACE_SECONDS", 1.0)
    monkeypatch.setattr(waits, "_SILENCE_SECONDS", 0.5)
    with a_catalog(catalog_url, lock=1, statement=2) as (waiting, words):
        with pytest.raises(PlatformError) as gone, waiting.transaction() as session:
            pid = session.execute(text("SELECT pg_backend_pid()")).scalar_one()
            os.kill(pid, signal.SIGSTOP)
            try:
                session.execute(text("SELECT 1"))
            finally:
                os.kill(pid, signal.SIGCONT)
        assert gone.value.code is ErrorCode.BACKEND_UNREACHABLE
        assert f"kill -CONT {pid}" in str(gone.value.hint)
        (word,) = words
        assert "has not answered" in word
        with waiting.transaction() as session:  # and the next one has a connection that works
            assert session.execute(text("SELECT 1")).scalar_one() == 1


def test_a_transaction_of_many_statements_may_take_longer_than_one_of_them(
    catalog_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waits, "_GRACE_SECONDS", 0.0)
    with a_catalog(catalog_url, lock=1, statement=4) as (waiting, _), waiting.transaction() as session:
        for _each in range(4):
            session.execute(text("SELECT pg_sleep(1.2)"))  # together longer than the limit, each far below it
        assert session.execute(text("SELECT now() + interval '4 s' < clock_timestamp()")).scalar_one()
