"""A warehouse that changes under a kept mapping, DuckDB and Trino: what is told, and that no snapshot is begun."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest

from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.platform import Platform
from graph_platform.proving.requests import CreateMapping, DiffMapping, ShowMapping, UpdateMapping
from graph_platform.proving.results import Drift
from graph_platform.settings import Settings
from graph_platform.snapshot.requests import CreateSnapshot
from graph_platform_tests.services.trino import TrinoServer
from graph_platform_tests.snapshot.test_trino import trino_settings
from graph_platform_tests.worlds import BY, Recorder, make_settings, people

TABLES = {
    "person": "SELECT id, 'person ' || CAST(id AS varchar) AS name, DATE '2000-01-01' AS born, "
    "CAST(id AS decimal(12, 4)) AS score FROM UNNEST(sequence(BIGINT '0', 199)) AS t(id)",
    "city": "SELECT 'c' || CAST(id AS varchar) AS code, TIMESTAMP '2020-01-01 00:00:00.000' AS founded "
    "FROM UNNEST(sequence(0, 19)) AS t(id)",
    "lives": "SELECT id AS person, 'c' || CAST(id % 20 AS varchar) AS city "
    "FROM UNNEST(sequence(BIGINT '0', 199)) AS t(id)",
    "knows": "SELECT id AS one, (id * 7 + 1) % 200 AS other, id % 5 AS years "
    "FROM UNNEST(sequence(BIGINT '0', 199)) AS t(id)",
}

# What happens to the tables; `{s}` is their schema. Hive changes no column's type: there the table is made anew.
CHANGES: dict[str, Mapping[str, tuple[str, ...]] | tuple[str, ...]] = {
    "born goes": ("ALTER TABLE {s}.person DROP COLUMN born",),
    "name is called full_name": ("ALTER TABLE {s}.person RENAME COLUMN name TO full_name",),
    "knows is called acquaintance": ("ALTER TABLE {s}.knows RENAME TO acquaintance",),
    "lives goes": ("DROP TABLE {s}.lives",),
    "code becomes binary": {
        "duckdb": ("ALTER TABLE {s}.city ALTER code TYPE BLOB",),
        "trino": (
            "CREATE TABLE {s}.binary AS SELECT CAST(code AS varbinary) AS code, founded FROM {s}.city",
            "DROP TABLE {s}.city",
            "ALTER TABLE {s}.binary RENAME TO city",
        ),
    },
    "years become narrow": {
        "duckdb": ("ALTER TABLE {s}.knows ALTER years TYPE INTEGER",),
        "trino": (
            "CREATE TABLE {s}.narrow AS SELECT one, other, CAST(years AS integer) AS years FROM {s}.knows",
            "DROP TABLE {s}.knows",
            "ALTER TABLE {s}.narrow RENAME TO knows",
        ),
    },
}


@dataclass(frozen=True)
class World:
    """A home whose catalog keeps `people`, made when the tables were as they were, and the means to change these."""

    dialect: str
    settings: Settings
    schema: str
    run: Callable[[str], object]

    def alter(self, *changes: str) -> None:
        for name in changes:
            change = CHANGES[name]
            for statement in change[self.dialect] if isinstance(change, Mapping) else change:
                self.run(statement.format(s=self.schema))


def _duckdb(_: pytest.FixtureRequest, home: Path, catalog_url: str) -> World:
    settings = make_settings(home, catalog_url)

    def run(statement: str) -> None:
        with duckdb.connect(settings.warehouse.removeprefix("duckdb://")) as connection:
            connection.execute(statement)

    return World("duckdb", settings, "main", run)


def _trino(request: pytest.FixtureRequest, home: Path, catalog_url: str) -> World:
    server: TrinoServer = request.getfixturevalue("trino_server")
    name = f"drift_{secrets.token_hex(4)}"
    server.run(f"CREATE SCHEMA hive.{name}")
    for table, query in TABLES.items():
        server.run(f"CREATE TABLE hive.{name}.{table} AS {query}")
    environment = trino_settings(home, catalog_url, server).environment()
    environment["GRAPH_PLATFORM_WAREHOUSE"] = f"trino://tester@127.0.0.1:{server.port}/hive/{name}"
    return World("trino", Settings.load(environment), f"hive.{name}", server.run)


@pytest.fixture(params=[_duckdb, _trino], ids=["duckdb", "trino"])
def world(request: pytest.FixtureRequest, home: Path, catalog_url: str) -> Iterator[World]:
    made: World = request.param(request, home, catalog_url)
    with Platform.open(made.settings) as platform:
        platform.mappings.create(CreateMapping(mapping=people()), BY, Recorder())
    yield made


def drifted(world: World) -> Drift:
    with Platform.open(world.settings) as platform:
        return platform.mappings.diff(DiffMapping(mapping="people"), Recorder())


def told(found: Drift) -> list[tuple[str, str, str | None, str | None, str | None, bool]]:
    names = ("kind", "entity", "field", "before", "after", "breaks")
    return [tuple(change[name] for name in names) for change in found["changes"]]


def test_a_version_keeps_the_columns_that_the_warehouse_gave(world: World) -> None:
    with Platform.open(world.settings) as platform:
        shown = platform.mappings.show(ShowMapping(mapping="people")).document()
    assert shown["columns"][0]["name"] == "Person"
    assert shown["columns"][0]["columns"][3] == {
        "name": "score", "warehouse_type": "decimal(12,4)", "engine_type": "DECIMAL(12, 4)",
    }  # fmt: skip
    assert [each["kind"] for each in shown["columns"]] == ["node", "node", "edge", "edge"]
    assert all("columns" not in version for version in shown["versions"])


def test_nothing_changed(world: World) -> None:
    found = drifted(world)
    assert (found["from"], found["holds"], found["changed"], found["text"]) == ("people@1", True, False, [])


def test_a_column_that_went_a_type_that_changed_and_a_table_that_was_renamed(world: World) -> None:
    world.alter("born goes", "code becomes binary", "knows is called acquaintance")
    found = drifted(world)
    assert not found["holds"]
    assert [(c["kind"], c["entity"], c["field"], c["before"]) for c in found["changes"]] == [
        ("COLUMN_GONE", "Person", "born", "born"),
        ("TYPE_CHANGED", "City", "code", "varchar"),
        ("TABLE_RENAMED", "KNOWS", "sql", "knows"),
    ]
    assert [change["after"] for change in found["changes"]] == [None, "varbinary", "acquaintance"]
    assert found["text"][2] == "! KNOWS: the table knows is gone; acquaintance has the same columns"


def test_a_table_that_is_gone_for_good(world: World) -> None:
    world.alter("lives goes")
    assert told(drifted(world)) == [("TABLE_GONE", "LIVES_IN", "sql", "lives", None, True)]


def test_a_type_that_still_fits_is_told_and_breaks_nothing(world: World) -> None:
    world.alter("years become narrow")
    found = drifted(world)
    assert found["holds"]
    assert told(found) == [("TYPE_CHANGED", "KNOWS", "years", "bigint", "integer", False)]
    with Platform.open(world.settings) as platform:
        assert platform.snapshots.create(CreateSnapshot(mapping="people"), BY, Recorder()).status == "ready"


def test_a_snapshot_of_a_mapping_that_no_longer_holds_is_refused_with_what_changed(world: World) -> None:
    world.alter("name is called full_name", "lives goes")
    with Platform.open(world.settings) as platform:
        with pytest.raises(PlatformError) as failure:
            platform.snapshots.create(CreateSnapshot(mapping="people"), BY, Recorder())
        assert platform.snapshots.list() == []
    error = failure.value
    assert error.code is ErrorCode.STARBURST_ERROR
    assert error.message.startswith("Schema has changed since mapping was created: people@1 no longer holds: ")
    assert "mapping update" in (error.hint or "")
    changes = error.details["changes"]
    assert [(c["kind"], c["entity"], c["before"]) for c in changes] == [
        ("COLUMN_GONE", "Person", "name"),
        ("TABLE_GONE", "LIVES_IN", "lives"),
    ]


def test_an_update_begins_from_the_columns_of_its_own_day(world: World) -> None:
    world.alter("years become narrow")
    changed = people().model_copy(update={"description": "another"})
    with Platform.open(world.settings) as platform:
        platform.mappings.update(UpdateMapping(mapping=changed, change_description="because"), BY, Recorder())
        assert not platform.mappings.diff(DiffMapping(mapping="people"), Recorder())["changed"]
        assert platform.mappings.diff(DiffMapping(mapping="people@1"), Recorder())["changed"]
