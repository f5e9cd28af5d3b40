"""A catalog is migrated on purpose: whoever comes with code that cannot work with it is told both versions, and changes
nothing.
"""

from __future__ import annotations

import threading

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, select, text

from graph_platform.catalog import instances, migrations
from graph_platform.catalog.catalog import Catalog
from graph_platform.catalog.lease import claim_of
from graph_platform.catalog.limits import LIMITS, Limits, Work
from graph_platform.catalog.states import Entity
from graph_platform.catalog.tables import installation
from graph_platform.catalog.version import HEAD, CatalogVersion, Fitness
from graph_platform.errors import ErrorCode, PlatformError
from graph_platform_tests.catalog.earlier import insert_instance, make_catalog
from graph_platform_tests.catalog.rows import BY, LEASE, a_mapping
from graph_platform_tests.catalog.test_waits import psql


def _set(url: str, version: str, oldest_code: str | None = None) -> None:
    """Make it a catalog of that version, which says so or not."""
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(
            text("UPDATE graph_platform.alembic_version SET version_num = :version"), {"version": version}
        )
        if oldest_code:
            connection.execute(
                text("INSERT INTO graph_platform.catalog_versions VALUES (:version, :oldest)"),
                {"version": version, "oldest": oldest_code},
            )
    engine.dispose()


def _everything(url: str) -> list[tuple[object, ...]]:
    """Every table with its columns, and the number that the catalog has."""
    engine = create_engine(url)
    with engine.connect() as connection:
        found = [tuple(row) for row in connection.execute(text(_COLUMNS))]
        if found:
            found += [tuple(row) for row in connection.execute(text("SELECT * FROM graph_platform.alembic_version"))]
    engine.dispose()
    return found


_COLUMNS = """
    SELECT table_name, column_name, data_type FROM information_schema.columns
    WHERE table_schema NOT IN ('pg_catalog', 'information_schema') ORDER BY 1, 2
"""

NEXT = f"{int(HEAD) + 1:04}"
UNFIT = {
    "older": ("0000", None),
    "newer": (NEXT, NEXT),
    "newer than newer": ("0417", NEXT),
    "newer without a word of who may use it": (NEXT, None),
}


@pytest.mark.parametrize(("version", "oldest"), UNFIT.values(), ids=UNFIT.keys())
@pytest.mark.parametrize("work", [Work.READING, Work.CHANGING])
def test_a_catalog_of_another_version_is_refused_with_both_versions_and_what_to_do(
    catalog: Catalog, catalog_url: str, version: str, oldest: str | None, work: Work
) -> None:
    _set(catalog_url, version, oldest)
    before = _everything(catalog_url)
    with pytest.raises(PlatformError) as refused, catalog.transaction(work):
        pytest.fail("somebody was let in")
    error = refused.value
    assert error.code == ErrorCode.INVALID_STATE
    assert version in error.message
    assert HEAD in error.message
    assert ("graph-platform catalog migrate" if version < HEAD else "update the platform") in str(error.hint)
    assert error.details == {"catalog": version, "oldest_code": oldest, "code": HEAD}
    assert _everything(catalog_url) == before


def test_an_empty_database_is_refused_too_and_stays_empty(empty_url: str) -> None:
    catalog = Catalog(empty_url)
    with pytest.raises(PlatformError, match="has no catalog yet") as refused:
        catalog.now()
    assert refused.value.code == ErrorCode.INVALID_STATE
    assert "graph-platform catalog migrate" in str(refused.value.hint)
    assert _everything(empty_url) == []
    assert catalog.version().fitness is Fitness.EMPTY
    catalog.close()


def test_an_empty_database_that_is_nobody_elses_is_made_a_catalog_when_it_is_first_used(empty_url: str) -> None:
    own = Catalog(empty_url, own=True)
    assert own.installation.startswith("gp-")
    assert own.version() == CatalogVersion(HEAD, HEAD)
    own.close()


def test_a_newer_catalog_that_is_nobody_elses_is_refused_as_well(catalog_url: str) -> None:
    _set(catalog_url, NEXT, NEXT)
    own = Catalog(catalog_url, own=True)
    with pytest.raises(PlatformError, match=NEXT):
        own.now()
    own.close()


def test_a_newer_catalog_that_still_lets_this_code_work_is_worked_with(catalog: Catalog, catalog_url: str) -> None:
    _set(catalog_url, "0500", HEAD)
    with catalog.transaction() as session:
        a_mapping(session)
    assert catalog.version().fitness is Fitness.NEWER_USABLE
    assert catalog.migrate() == (CatalogVersion("0500", HEAD), CatalogVersion("0500", HEAD))


def test_a_newer_catalog_is_not_migrated_back(catalog: Catalog, catalog_url: str) -> None:
    _set(catalog_url, "9999")
    with pytest.raises(PlatformError) as refused:
        catalog.migrate()
    assert refused.value.code == ErrorCode.INVALID_STATE
    assert _everything(catalog_url)[-1] == ("9999",)


def test_a_version_that_no_migration_knows_is_explained(catalog: Catalog, catalog_url: str) -> None:
    _set(catalog_url, "0000")
    with pytest.raises(PlatformError, match="none that this platform has a migration for") as refused:
        catalog.migrate()
    assert refused.value.code == ErrorCode.INVALID_STATE


def test_one_from_before_the_first_release_is_told_as_such(catalog: Catalog) -> None:
    with catalog.transaction() as session:
        session.execute(text("DROP TABLE graph_platform.catalog_versions"))
    with pytest.raises(PlatformError, match="before its first release") as refused:
        catalog.now()
    assert refused.value.code == ErrorCode.INVALID_STATE


def test_of_many_that_migrate_at_once_each_succeeds_and_there_is_one_installation(empty_url: str) -> None:
    together = threading.Barrier(4)
    ended: list[tuple[CatalogVersion, CatalogVersion]] = []

    def migrate() -> None:
        catalog = Catalog(empty_url)
        together.wait()
        ended.append(catalog.migrate())
        catalog.close()

    threads = [threading.Thread(target=migrate) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [after for _, after in ended] == [CatalogVersion(HEAD, HEAD)] * 4
    catalog = Catalog(empty_url)
    with catalog.transaction() as session:
        assert len(session.execute(select(installation)).all()) == 1
    catalog.close()


def test_a_migration_waits_for_whoever_works_and_says_for_whom(catalog: Catalog, catalog_url: str) -> None:
    _set(catalog_url, "0000")
    limits = {**LIMITS, Work.MIGRATING: Limits(1.5, 60, 60)}
    words: list[str] = []
    migrating = Catalog(catalog_url, limits=limits, tell=words.append)
    with psql(catalog_url, "SELECT * FROM graph_platform.alembic_version"), pytest.raises(PlatformError) as busy:
        migrating.migrate()
    migrating.close()
    assert busy.value.code == ErrorCode.CATALOG_BUSY
    assert "somebody's psql" in busy.value.message
    assert len(words) == 1


def test_whoever_comes_while_somebody_migrates_waits_and_then_finds_the_new_version(
    catalog: Catalog, catalog_url: str
) -> None:
    came = threading.Event()
    said: list[str] = []

    def come() -> None:
        came.set()
        with pytest.raises(PlatformError) as refused, catalog.transaction():
            pytest.fail("it was let in")
        said.append(refused.value.message)

    assert catalog.now()
    visitor = threading.Thread(target=come)
    migrating = create_engine(catalog_url)
    with migrating.begin() as connection:
        connection.execute(text("LOCK TABLE graph_platform.alembic_version IN ACCESS EXCLUSIVE MODE"))
        visitor.start()
        came.wait()
        connection.execute(text("UPDATE graph_platform.alembic_version SET version_num = :next"), {"next": NEXT})
    visitor.join()
    migrating.dispose()
    assert NEXT in said[0]


def test_instances_of_a_catalog_without_leases_are_kept_and_a_start_among_them_is_anybodys(empty_url: str) -> None:
    make_catalog(empty_url, "0001")
    states = ("starting", "running", "suspending", "suspended", "resuming", "failed", "stopping")
    for status in states:
        insert_instance(empty_url, f"inst-{status}", status)
    catalog = Catalog(empty_url)
    with pytest.raises(PlatformError, match="0001"):
        catalog.now()
    assert catalog.migrate() == (CatalogVersion("0001", "0001"), CatalogVersion(HEAD, HEAD))
    with catalog.transaction() as session:
        found = {each.id: each for each in instances.list_instances(session)}
    assert {each.status for each in found.values()} == set(states)
    assert {each.status for each in found.values() if each.abandoned} == {"starting", "resuming"}
    with catalog.transaction() as session:
        taken = instances.begin_resumption(session, found["inst-starting"], "me", LEASE, by=BY)
        assert (taken.status, taken.attempt, taken.lease_owner) == ("starting", 2, "me")
        assert instances.mark_running(session, claim_of(Entity.INSTANCE, taken), "http://127.0.0.1:2", by=BY)
        ended = instances.begin_termination(session, found["inst-resuming"], by=BY, reason="a test")
        assert instances.end_termination(session, ended, by=BY)
    catalog.close()


def test_every_migration_says_which_oldest_code_may_still_use_what_it_made(catalog: Catalog) -> None:
    config = Config()
    config.set_main_option("script_location", str(migrations.__path__[0]))
    config.set_main_option("path_separator", "os")
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    with catalog.transaction() as session:
        rows = session.execute(text("SELECT version, oldest_code FROM graph_platform.catalog_versions")).all()
    assert {row.version for row in rows} == known
    assert {row.oldest_code for row in rows} <= known
