"""Dagster's home and database: made where they are absent, explained where they cannot be."""

import secrets
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import psycopg
import pytest
import sqlalchemy
import yaml

from graph_platform.catalog.limits import DAGSTER_LIMITS, parameters
from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.orchestration.home import POSTGRES_VARIABLE, create_database, prepare
from graph_platform.settings import Settings


def _settings(home: Path, **values: Any) -> Settings:
    return replace(Settings.load({"GRAPH_PLATFORM_HOME": str(home)}), **values)


def _reach(url: str) -> str:
    engine = sqlalchemy.create_engine(url)
    with engine.connect() as connection:
        name: str = connection.execute(sqlalchemy.text("SELECT current_database()")).scalar_one()
    engine.dispose()
    return name


@pytest.mark.parametrize("where", ["embedded", "beside a catalog that is given by URL"])
def test_dagsters_sessions_wait_no_longer_than_its_database_says(where: str, postgres_url: str, home: Path) -> None:
    url = postgres_url.replace("/graph_platform?", "/graph_platform_dagster?")
    if where != "embedded":
        name = f"prod_{secrets.token_hex(4)}"
        settings = _settings(home, catalog=postgres_url.replace("/graph_platform?", f"/{name}?"))
        with psycopg.connect(postgres_url.replace("+psycopg", ""), autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"')
        create_database(settings)
        url = prepare(settings)[POSTGRES_VARIABLE]
    engine = sqlalchemy.create_engine(url)
    with engine.connect() as connection:
        shown = {key: connection.exec_driver_sql(f"SHOW {key}").scalar_one() for key in parameters(DAGSTER_LIMITS)}
    engine.dispose()
    assert shown == {
        "lock_timeout": "30s",
        "statement_timeout": "10min",
        "idle_in_transaction_session_timeout": "1min",
    }


def test_dagsters_database_is_made_beside_a_catalog_that_is_given_by_url(postgres_url: str, home: Path) -> None:
    name = f"prod-{secrets.token_hex(4)}"
    server = postgres_url.replace("+psycopg", "")
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    url = urlsplit(postgres_url)._replace(path=f"/{quote(name)}").geturl()
    with pytest.raises(PlatformError, match=f"{name}_dagster") as absent:
        prepare(_settings(home, catalog=url))
    assert absent.value.code == ErrorCode.INVALID_STATE
    assert "graph-platform catalog migrate" in str(absent.value.hint)
    assert create_database(_settings(home, catalog=url))
    assert not create_database(_settings(home, catalog=url))
    first = prepare(_settings(home, catalog=url))
    assert prepare(_settings(home, catalog=url)) == first
    assert _reach(first[POSTGRES_VARIABLE]) == f"{name}_dagster"
    assert first[POSTGRES_VARIABLE].startswith("postgresql+psycopg2://")
    assert yaml.safe_load((home / "dagster" / "dagster.yaml").read_text())["telemetry"] == {"enabled": False}


def test_a_database_of_its_own_choice_is_used_as_it_is(home: Path) -> None:
    url = "postgresql://someone@somewhere/runs"
    prepared = prepare(_settings(home, catalog="postgresql://a@b/c", dagster_storage=url))
    assert prepared[POSTGRES_VARIABLE] == "postgresql+psycopg2://someone@somewhere/runs"


@pytest.mark.parametrize("url", ["sqlite:///runs.db", "mysql://a@b/c", "nonsense"])
def test_storage_that_is_no_postgres_is_refused(url: str, home: Path) -> None:
    with pytest.raises(PlatformError, match="not the URL of a Postgres") as caught:
        prepare(_settings(home, dagster_storage=url))
    assert caught.value.code == ErrorCode.VALIDATION_FAILED


def test_a_server_that_does_not_answer_is_unreachable(home: Path) -> None:
    with pytest.raises(PlatformError, match="did not answer") as caught:
        prepare(_settings(home, catalog="postgresql+psycopg://nobody@127.0.0.1:9/catalog"))
    assert caught.value.exit_status == 3
    assert "nobody" not in str(caught.value.hint)


def test_a_user_who_may_not_create_databases_is_told_which_one_is_missing(postgres_url: str, home: Path) -> None:
    user = f"weak_{secrets.token_hex(4)}"
    with psycopg.connect(postgres_url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {user} LOGIN")
    url = postgres_url.replace("graph_platform@", f"{user}@").replace("/graph_platform?", "/postgres?")
    with pytest.raises(PlatformError, match="postgres_dagster") as caught:
        create_database(_settings(home, catalog=url))
    assert caught.value.code == ErrorCode.PERMISSION_DENIED
    assert "GRAPH_PLATFORM_DAGSTER_STORAGE" in str(caught.value.hint)
