"""Tables kept for a while: when they are asked for again, and what is never decided by them."""

from __future__ import annotations

import threading
from pathlib import Path

import duckdb
import pytest

from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.mapping.definition.model import MappingDefinition
from graph_platform.mapping.sql.gate import CheckedQuery, check_query
from graph_platform.platform import Platform
from graph_platform.proving import validation
from graph_platform.proving.requests import RefreshSchemaCache, SuggestMapping
from graph_platform.proving.schema_cache import SchemaCache
from graph_platform.proving.validation import validate_on
from graph_platform.relational import Relation
from graph_platform.settings import Settings
from graph_platform.warehouse.duckdb.warehouse import DuckDBWarehouse
from graph_platform_tests.worlds import Recorder, make_settings

TABLES = """
CREATE SCHEMA other;
CREATE TABLE a (id BIGINT PRIMARY KEY, "b c" DECIMAL(8, 2));
CREATE TABLE d (a BIGINT REFERENCES a (id));
CREATE TABLE other.elsewhere (x INTEGER);
"""


class Clock:
    """A clock that stands still until it is moved; in seconds."""

    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def path(tmp_path: Path) -> Path:
    with duckdb.connect(str(tmp_path / "w.duckdb")) as connection:
        connection.execute(TABLES)
    return tmp_path / "w.duckdb"


def asked(path: Path, cache: SchemaCache, schema: str | None = None) -> list[str]:
    warehouse = DuckDBWarehouse(path)
    try:
        return [relation.name for relation in cache.relations(warehouse, schema)]
    finally:
        warehouse.close()


def test_what_is_kept_comes_back_equal_also_in_another_process(path: Path, tmp_path: Path) -> None:
    cache = SchemaCache(tmp_path / "cache", "w", 60)
    warehouse = DuckDBWarehouse(path)
    try:
        found = cache.relations(warehouse)
        assert found == warehouse.relations()
    finally:
        warehouse.close()
    assert SchemaCache(tmp_path / "cache", "w", 60).known() == found
    assert found[1].foreign_keys[0].relation == "a"


def test_tables_are_asked_for_again_only_after_their_time(path: Path, tmp_path: Path) -> None:
    clock = Clock()
    cache = SchemaCache(tmp_path / "cache", "w", 60, clock)
    assert asked(path, cache) == ["a", "d"]
    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE TABLE later (x INTEGER)")
    clock.now += 59
    assert asked(path, cache) == ["a", "d"]
    clock.now += 1
    assert asked(path, cache) == ["a", "d", "later"]
    clock.now -= 3600  # the machine's clock was set back
    assert cache.known() is None


def test_schemas_and_warehouses_are_kept_apart(path: Path, tmp_path: Path) -> None:
    cache = SchemaCache(tmp_path / "cache", "w", 60)
    assert asked(path, cache, "other") == ["elsewhere"]
    assert cache.known() is None
    assert SchemaCache(tmp_path / "cache", "another", 60).known("other") is None


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"at": 1}', b'{"at": "x", "relations": []}', b"\xff"])
def test_a_file_that_cannot_be_read_is_as_good_as_none(path: Path, tmp_path: Path, content: bytes) -> None:
    cache = SchemaCache(tmp_path / "cache", "w", 60)
    asked(path, cache)
    (file,) = (tmp_path / "cache").iterdir()
    file.write_bytes(content)
    assert cache.known() is None
    assert asked(path, cache) == ["a", "d"]


def test_a_refusal_leaves_what_is_kept(path: Path, tmp_path: Path) -> None:
    cache = SchemaCache(tmp_path / "cache", "w", 60)
    asked(path, cache)
    warehouse = DuckDBWarehouse(path)
    warehouse.close()
    with pytest.raises(PlatformError) as failure:
        cache.refresh(warehouse)
    assert failure.value.code is ErrorCode.BACKEND_UNREACHABLE
    assert [relation.name for relation in cache.known() or ()] == ["a", "d"]


def test_readers_see_the_old_or_the_new_and_never_half(path: Path, tmp_path: Path) -> None:
    cache = SchemaCache(tmp_path / "cache", "w", 3600)
    warehouse = DuckDBWarehouse(path)
    cache.refresh(warehouse)
    seen: list[tuple[Relation, ...] | None] = []
    ended = threading.Event()

    def read() -> None:
        while not ended.is_set():
            seen.append(cache.known())

    reader = threading.Thread(target=read)
    reader.start()
    for _ in range(100):
        cache.refresh(warehouse)
    ended.set()
    reader.join()
    warehouse.close()
    assert seen
    assert None not in seen
    assert [file.suffix for file in (tmp_path / "cache").iterdir()] == [".json"]


def test_validation_does_not_rest_on_it(path: Path, tmp_path: Path) -> None:
    cache = SchemaCache(tmp_path / "cache", "w", 3600)
    asked(path, cache)
    with duckdb.connect(str(path)) as connection:
        connection.execute("DROP TABLE d; CREATE TABLE fresh (id BIGINT)")
    warehouse = DuckDBWarehouse(path)
    try:
        for table, valid in (("fresh", True), ("d", False)):
            node = {"label": "N", "sql": f"SELECT {table[0]}.* FROM {table} AS {table[0]}"}
            key = {"name": "id" if table == "fresh" else "a", "type": "INT64"}
            definition = MappingDefinition.model_validate(
                {"name": "m", "node_definitions": [{**node, "primary_key": key}]}
            )
            known = cache.known() or ()
            found = validate_on(warehouse, definition, Settings.load({}), lambda _: None, known=known)
            assert found.report.valid is valid
    finally:
        warehouse.close()


def test_the_nearest_of_the_kept_names_is_told_where_the_warehouse_has_no_idea(path: Path) -> None:
    warehouse = DuckDBWarehouse(path)
    definition = MappingDefinition.model_validate(
        {"name": "m", "node_definitions": [
            {"label": "N", "sql": "SELECT x FROM custmers", "primary_key": {"name": "x", "type": "INT64"}}]}
    )  # fmt: skip
    try:
        known = (Relation("customers", "sales.customers", ()),)
        (found,) = validate_on(warehouse, definition, Settings.load({}), lambda _: None, known=known).report.errors
    finally:
        warehouse.close()
    assert found.hint == "did you mean sales.customers?"


def test_only_the_failing_definitions_own_sql_is_read_for_its_nearest_name(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nodes = [
        {"label": f"N{i}", "sql": f"SELECT x FROM custmers{i}", "primary_key": {"name": "x", "type": "INT64"}}
        for i in range(20)
    ]
    definition = MappingDefinition.model_validate({"name": "m", "node_definitions": nodes})
    known = tuple(Relation(f"customers{i}", f"sales.customers{i}", ()) for i in range(20))
    read: list[str] = []

    def recorded(sql: str) -> CheckedQuery:
        read.append(sql)
        return check_query(sql)

    monkeypatch.setattr(validation, "check_query", recorded)
    warehouse = DuckDBWarehouse(path)
    try:
        errors = validate_on(warehouse, definition, Settings.load({}), lambda _: None, known=known).report.errors
    finally:
        warehouse.close()
    assert [error.hint for error in errors] == [f"did you mean sales.customers{i}?" for i in range(20)]
    assert read == [node["sql"] for node in nodes]


def test_a_suggestion_uses_what_is_kept_and_a_refresh_asks_anew(home: Path, catalog_url: str) -> None:
    settings = make_settings(home, catalog_url)

    told = Recorder()

    def labels(*, refresh: bool = False) -> list[str]:
        told.lines.clear()
        with Platform.open(settings) as platform:
            found = platform.mappings.suggest(SuggestMapping(edge=False, refresh=refresh), told)
        return [node["label"] for node in found["mapping"]["node_definitions"]]

    before = labels()
    with duckdb.connect(settings.warehouse.removeprefix("duckdb://")) as connection:
        connection.execute("CREATE TABLE planets AS SELECT i AS id FROM range(8) t(i)")
    assert "--refresh" not in " ".join(told.lines)
    assert labels() == before
    assert "with --refresh they are asked for anew" in told.lines[0]
    with Platform.open(settings) as platform:
        assert platform.mappings.refresh_schema_cache(RefreshSchemaCache())["relations"] == 5
    assert "Planet" in labels()
    with duckdb.connect(settings.warehouse.removeprefix("duckdb://")) as connection:
        connection.execute("DROP TABLE planets")
    assert labels(refresh=True) == before
