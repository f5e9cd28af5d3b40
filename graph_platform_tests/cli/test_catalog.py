"""A Postgres of one's own is migrated by the one command that says so; every other way in leaves it as it is."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import pytest
from sqlalchemy import create_engine, make_url

from graph_platform.catalog.version import HEAD
from graph_platform_tests.cli.conftest import CommandLine

WAYS_IN = {
    "a list": ("mapping", "list"),
    "a job": ("mapping", "delete", "people"),
    "up": ("up",),
    "dev": ("dev", "--port", "3999"),
    "demo": ("demo",),
}


@pytest.fixture(scope="module")
def own(cli: CommandLine, postgres_url: str) -> Iterator[CommandLine]:
    """The command line on an empty database of a Postgres of one's own."""
    url = make_url(postgres_url)
    name = f"own_{secrets.token_hex(6)}"
    admin = create_engine(url.set(database="postgres"), isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    given = (
        url.set(database=name)
        .render_as_string(hide_password=False)
        .replace("+", "%20")
        .replace("%20psycopg", "+psycopg")
    )
    yield CommandLine(cli.home, {"GRAPH_PLATFORM_CATALOG": given})
    with admin.connect() as connection:
        for database in (name, f"{name}_dagster"):
            connection.exec_driver_sql(f"DROP DATABASE IF EXISTS {database} WITH (FORCE)")
    admin.dispose()


def _refused(own: CommandLine, *command: str) -> dict[str, str]:
    refused = own.run(*command, "-o", "json")
    assert refused.status == 1, refused.out + refused.err
    document: dict[str, str] = refused.json()
    assert document["code"] == "INVALID_STATE"
    assert "graph-platform catalog migrate" in document["hint"]
    return document


def test_a_catalog_of_ones_own_is_installed_by_its_command_and_by_no_other(own: CommandLine) -> None:
    for command in WAYS_IN.values():
        _refused(own, *command)
    assert own.json("catalog", "show")["status"] == "empty"
    doctor = {check["name"]: check for check in own.run("doctor", "-o", "json").json()["checks"]}
    assert doctor["catalog"]["status"] == "fail"
    assert "graph-platform catalog migrate" in doctor["catalog"]["hint"]

    first = own.json("catalog", "migrate")
    assert (first["status"], first["from_version"], first["version"]) == ("migrated", None, HEAD)
    assert first["dagster_database"] == "made"
    shown = own.json("catalog", "show")
    assert (shown["usable"], shown["version"], shown["oldest_code"], shown["code"]) == (True, HEAD, HEAD, HEAD)
    assert own.json("up")["installation"] == shown["installation"]
    missing = own.run("mapping", "delete", "nobody", "-o", "json")
    assert (missing.status, missing.json()["code"]) == (1, "RESOURCE_NOT_FOUND")

    engine = create_engine(own.environment["GRAPH_PLATFORM_CATALOG"].replace("%20", "+"))
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE graph_platform.alembic_version SET version_num = '0417'")
    for command in (WAYS_IN["a list"], WAYS_IN["a job"]):
        newer = _refused(own, *command)
        assert "0417" in newer["message"]
        assert HEAD in newer["message"]
    with engine.begin() as connection:
        assert connection.exec_driver_sql("SELECT version_num FROM graph_platform.alembic_version").scalar() == "0417"
        connection.exec_driver_sql(f"UPDATE graph_platform.alembic_version SET version_num = '{HEAD}'")
    engine.dispose()


def test_the_embedded_catalog_is_brought_up_to_date_by_whatever_opens_it(cli: CommandLine) -> None:
    assert cli.json("mapping", "list") == []
    shown = cli.json("catalog", "show")
    assert (shown["status"], shown["version"]) == ("current", HEAD)
    assert cli.json("catalog", "migrate")["status"] == "current"


def test_a_catalog_that_was_changed_by_hand_is_told_from_a_defect(own: CommandLine) -> None:
    own.json("catalog", "migrate")
    catalog = create_engine(own.environment["GRAPH_PLATFORM_CATALOG"], isolation_level="AUTOCOMMIT")
    with catalog.connect() as connection:
        connection.exec_driver_sql("ALTER TABLE graph_platform.instances RENAME TO elsewhere")
        lost = own.run("instance", "list", "-o", "json")
        connection.exec_driver_sql("ALTER TABLE graph_platform.elsewhere RENAME TO instances")
        connection.exec_driver_sql("CREATE TABLE graph_platform.kept AS TABLE graph_platform.alembic_version")
        connection.exec_driver_sql("DELETE FROM graph_platform.alembic_version")
        unnamed = own.run("catalog", "migrate", "-o", "json")
        connection.exec_driver_sql("INSERT INTO graph_platform.alembic_version TABLE graph_platform.kept")
        connection.exec_driver_sql("DROP TABLE graph_platform.kept")
    catalog.dispose()
    for answer in (lost, unnamed):
        assert answer.status == 1
        assert answer.json()["code"] == "INVALID_STATE"
        assert "backup" in answer.json()["hint"]
    assert own.json("catalog", "migrate")["status"] == "current"
