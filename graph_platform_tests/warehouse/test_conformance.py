"""What every warehouse adapter must do, into each kind of storage. A new adapter is a new line in `WORLDS`.

The tables of a world: `fruit` (`id` bigint, `Name` varchar, `price` decimal(10,2)) with 1,000 rows of ids 0 to 999 and
names `fruit 0` …, and `nothing` with the same columns and no rows.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest

from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.relational import Column, Refusal
from graph_platform.storage.connect import open_storage
from graph_platform.storage.file import FileStorage
from graph_platform.storage.protocol import Storage
from graph_platform.warehouse.duckdb.warehouse import DuckDBWarehouse
from graph_platform.warehouse.protocol import ExportProgress, ExportState, Warehouse
from graph_platform.warehouse.trino.address import TrinoAddress
from graph_platform.warehouse.trino.warehouse import TrinoWarehouse
from graph_platform_tests.services.trino import TrinoServer


@dataclass
class World:
    """An open warehouse, and a storage that it may write to."""

    warehouse: Warehouse
    storage: Storage

    def export(self, sql: str, folder: str = "out") -> ExportProgress:
        self.submit(folder, sql)
        return self.warehouse.poll_export(folder, 60)

    def submit(self, query_id: str, sql: str, folder: str | None = None) -> None:
        self.warehouse.submit_export(query_id, sql, self.uri(folder or query_id), lambda _: None)

    def uri(self, folder: str) -> str:
        return self.storage.uri(folder) + "/"

    def rows(self, folder: str = "out") -> list[dict[str, object]]:
        files = [io.BytesIO(self.storage.read(found.key)) for found in self.storage.list(folder)]
        return [row for file in files for row in pq.ParquetFile(file).read().to_pylist()]


def duckdb_world(request: pytest.FixtureRequest, folder: Path, bucket: str = "") -> World:
    path = folder / "a warehouse.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute(
            "CREATE TABLE fruit AS SELECT i AS id, 'fruit ' || i AS \"Name\", (i / 4)::DECIMAL(10, 2) AS price "
            "FROM range(1000) t(i)"
        )
        connection.execute("CREATE TABLE nothing AS FROM fruit LIMIT 0")
    if bucket:
        storage = open_storage(request.getfixturevalue(bucket))
        return World(DuckDBWarehouse(path, storage=folder / "scratch", bucket=storage, threads=2), storage)
    own = folder / "storage with % and spaces"
    return World(DuckDBWarehouse(path, storage=own, threads=2), FileStorage(own.as_uri()))


def trino_world(
    request: pytest.FixtureRequest, folder: Path, export_schema: str = "hive.exports", bucket: str = ""
) -> World:
    server: TrinoServer = request.getfixturevalue("trino_server")
    for statement in (
        *([f"CREATE SCHEMA IF NOT EXISTS {export_schema}"] if export_schema else []),
        "CREATE SCHEMA IF NOT EXISTS hive.conformance",
        "CREATE TABLE IF NOT EXISTS hive.conformance.fruit AS SELECT id, 'fruit ' || CAST(id AS varchar) AS \"Name\", "
        "CAST(CAST(id AS decimal(10, 2)) / 4 AS decimal(10, 2)) AS price FROM UNNEST(sequence(0, 999)) AS t(id)",
        "CREATE TABLE IF NOT EXISTS hive.conformance.nothing AS SELECT * FROM hive.conformance.fruit WHERE id < 0",
    ):
        server.run(statement)
    own = server.data / folder.name / "storage with % and spaces"
    storage = open_storage(request.getfixturevalue(bucket) if bucket else own.as_uri())
    warehouse = TrinoWarehouse(
        TrinoAddress("127.0.0.1", server.port, "http", "tester", "hive", "conformance"),
        export_schema=export_schema,
        storage=storage,
        location_root="" if bucket else f"local:///{folder.name}/{own.name}",
        scratch=folder / "streamed",
    )
    return World(warehouse, storage)


WORLDS: dict[str, Callable[[pytest.FixtureRequest, Path], World]] = {
    "duckdb": duckdb_world,
    "duckdb-gs": partial(duckdb_world, bucket="gs_url"),
    "duckdb-s3": partial(duckdb_world, bucket="s3_url"),
    "trino": trino_world,
    "trino-s3": partial(trino_world, export_schema="hive_s3.exports", bucket="s3_url"),
    "trino-streaming": partial(trino_world, export_schema=""),
}


def _opened(request: pytest.FixtureRequest, folder: Path) -> Iterator[World]:
    made = WORLDS[request.param](request, folder)
    yield made
    made.warehouse.close()


@pytest.fixture(params=sorted(WORLDS))
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    yield from _opened(request, tmp_path)


@pytest.fixture(params=["duckdb", "trino"])
def adapter_world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    """For what has nothing to do with where exports go."""
    yield from _opened(request, tmp_path)


# A query that no machine finishes within a test.
ENDLESS = "SELECT count(*) AS n FROM fruit a, fruit b, fruit c, fruit d, fruit e WHERE a.id + b.id + c.id + d.id < e.id"


def test_a_query_is_described_in_trinos_notation(world: World) -> None:
    assert world.warehouse.describe("SELECT id, upper(name) AS upper, price FROM fruit") == (
        Column("id", "bigint"),
        Column("upper", "varchar"),
        Column("price", "decimal(10,2)"),
    )


def test_describing_does_not_run_over_the_data(world: World) -> None:
    assert world.warehouse.describe(ENDLESS) == (Column("n", "bigint"),)


def test_unnamed_and_repeated_columns_are_told_as_they_are(world: World) -> None:
    described = world.warehouse.describe("SELECT id, id, id + 1, (price), f.name FROM fruit f")
    assert [column.name.lower() for column in described] == ["id", "id", "", "price", "name"]


def test_a_star_keeps_its_columns_and_what_stands_beside_it(world: World) -> None:
    described = world.warehouse.describe("SELECT 1 + 1, f.*, price * 2 AS double_price, 3 FROM fruit f")
    assert [column.name.lower() for column in described] == ["", "id", "name", "price", "double_price", ""]


def test_nested_types_are_told_in_full(world: World) -> None:
    sql = """SELECT ARRAY[CAST(ROW(1, 'x') AS ROW(a bigint, b varchar))] AS r,
        MAP(ARRAY['k'], ARRAY[ARRAY[DATE '2020-01-01']]) AS m FROM fruit"""
    # Trino knows the length of a literal, DuckDB does not; a graph has no use for it.
    found = [column.type.replace("varchar(1)", "varchar") for column in world.warehouse.describe(sql)]
    assert found == ["array(row(a bigint, b varchar))", "map(varchar, array(date))"]


def test_a_sum_and_a_count_are_bigint_as_in_trino(world: World) -> None:
    described = world.warehouse.describe("SELECT sum(id) AS s, count(*) AS c FROM fruit")
    assert [column.type for column in described] == ["bigint", "bigint"]


@pytest.mark.parametrize(
    "sql", ["SELECT id FROM fruit;", "SELECT id FROM fruit -- all", "-- x\nSELECT id FROM fruit\n;\n-- y"]
)
def test_a_closing_semicolon_and_comments_do_no_harm(world: World, sql: str) -> None:
    assert world.warehouse.describe(sql) == (Column("id", "bigint"),)
    assert world.export(sql).rows == 1000


def test_a_missing_table_is_refused_with_its_place_and_what_was_meant(world: World) -> None:
    with pytest.raises(Refusal) as refused:
        world.warehouse.describe("SELECT id\nFROM  friut")
    refusal = refused.value
    assert (refusal.kind, refusal.subject, refusal.line, refusal.column) == ("TABLE_NOT_FOUND", "friut", 2, 7)
    assert "fruit" in refusal.candidates


def test_a_missing_column_is_refused_with_its_place_and_what_was_meant(world: World) -> None:
    with pytest.raises(Refusal) as refused:
        world.warehouse.describe("SELECT id,\n  pric FROM fruit")
    refusal = refused.value
    assert (refusal.kind, refusal.subject, refusal.line, refusal.column) == ("COLUMN_NOT_FOUND", "pric", 2, 3)
    assert "price" in refusal.candidates


def test_a_missing_function_is_refused_by_name(world: World) -> None:
    with pytest.raises(Refusal) as refused:
        world.warehouse.describe("SELECT frobnicate(id) AS x FROM fruit")
    assert (refused.value.kind, refused.value.subject) == ("FUNCTION_NOT_FOUND", "frobnicate")


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT FROM",
        "SELECT 1; SELECT 2",
        "DROP TABLE fruit",
        "CREATE TABLE x AS SELECT 1",
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM '/etc/passwd'",
        'SELECT * FROM "storage/x.parquet"',
        "SELECT current_setting('x')",
        "SELECT ?",
        "SELECT id FROM fruit GROUP BY name",
        "SELECT name + 1 AS x FROM fruit",
        "",
    ],
)
def test_what_is_not_one_query_over_tables_is_refused(world: World, sql: str) -> None:
    with pytest.raises(Refusal) as refused:
        world.warehouse.describe(sql)
    assert refused.value.message
    # An export of it is refused at once, or fails once the warehouse has looked at it.
    with suppress(Refusal):
        world.submit("x", sql)
        assert world.warehouse.poll_export("x", 30).state is ExportState.FAILED


def test_tables_are_named(world: World) -> None:
    assert {"fruit", "nothing"} <= set(world.warehouse.tables())


def test_an_export_writes_parquet_with_columns_in_order_and_tells_the_rows(world: World) -> None:
    progress = world.export("SELECT price AS P, id, name FROM fruit")
    assert progress == ExportProgress(ExportState.FINISHED, rows=1000)
    rows = sorted(world.rows(), key=lambda row: row["id"])  # type: ignore[arg-type,return-value]
    assert [name.lower() for name in rows[7]] == ["p", "id", "name"]
    assert list(rows[7].values())[1:] == [7, "fruit 7"]
    assert len(rows) == 1000


def test_an_export_without_rows_leaves_a_file_that_says_so(world: World) -> None:
    assert world.export("SELECT id, name FROM nothing") == ExportProgress(ExportState.FINISHED, rows=0)
    assert world.rows() == []
    assert list(world.storage.list("out"))


def test_a_sum_is_exported_as_an_integer(world: World) -> None:
    world.export("SELECT sum(id) AS s FROM fruit")
    assert world.rows() == [{"s": 499500}]


def test_several_exports_run_at_once(world: World) -> None:
    for i in range(4):
        world.submit(f"q{i}", f"SELECT id FROM fruit WHERE id % 4 = {i}")
    assert [world.warehouse.poll_export(f"q{i}", 60).rows for i in range(4)] == [250] * 4


def test_an_export_that_fails_on_a_value_tells_why(world: World) -> None:
    progress = world.export("SELECT CAST(name AS bigint) AS n FROM fruit")
    assert progress.state is ExportState.FAILED
    assert "fruit" in (progress.error or "")


def test_a_submitted_export_returns_at_once_and_a_poll_waits_no_longer_than_told(world: World) -> None:
    world.submit("long", ENDLESS)
    assert world.warehouse.poll_export("long", 0.1).state is ExportState.RUNNING
    world.warehouse.cancel_export("long")
    assert world.warehouse.poll_export("long", 10).state is ExportState.FAILED


def test_an_export_that_nobody_submitted_is_unknown_and_may_be_cancelled(world: World) -> None:
    assert world.warehouse.poll_export("never", 0) == ExportProgress(ExportState.UNKNOWN)
    world.warehouse.cancel_export("never")


def test_a_finished_export_may_be_cancelled_and_stays_finished(world: World) -> None:
    world.export("SELECT id FROM fruit")
    world.warehouse.cancel_export("out")
    assert world.warehouse.poll_export("out", 0).state is ExportState.FINISHED


def test_an_export_id_is_used_once(world: World) -> None:
    world.export("SELECT id FROM fruit")
    with pytest.raises(PlatformError) as failure:
        world.submit("out", "SELECT id FROM fruit", "other")
    assert failure.value.code is ErrorCode.ALREADY_EXISTS


def test_closing_cancels_what_runs_and_may_be_done_twice(world: World) -> None:
    world.submit("long", ENDLESS)
    world.warehouse.close()
    world.warehouse.close()
    with pytest.raises(PlatformError) as failure:
        world.warehouse.describe("SELECT id FROM fruit")
    assert failure.value.code is ErrorCode.BACKEND_UNREACHABLE
