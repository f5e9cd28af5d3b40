"""Small results and the names of tables, asked of every adapter in the worlds of the conformance suite."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.relational import Column, ForeignKey, Refusal, Relation
from graph_platform.warehouse.duckdb.warehouse import DuckDBWarehouse
from graph_platform_tests.warehouse import test_conformance as suite

ENDLESS = suite.ENDLESS
World = suite.World
world = suite.adapter_world


def test_rows_come_as_plain_values_in_the_order_of_the_query(world: World) -> None:
    sql = """SELECT id, CAST(price AS varchar) AS price, CAST(price AS double) AS d, id > 3 AS more,
        CAST(NULL AS varchar) AS absent, ARRAY[id, id + 1] AS pair FROM fruit WHERE id IN (3, 4) ORDER BY id DESC;"""
    assert world.warehouse.fetch(sql, 10, 60) == (
        (4, "1.00", 1.0, True, None, (4, 5)),
        (3, "0.75", 0.75, False, None, (3, 4)),
    )


def test_no_more_rows_come_than_were_asked_for(world: World) -> None:
    assert world.warehouse.fetch("SELECT id FROM fruit ORDER BY id", 3, 60) == ((0,), (1,), (2,))
    assert world.warehouse.fetch("SELECT id FROM nothing", 3, 60) == ()


def test_a_wrong_query_is_refused_with_its_place(world: World) -> None:
    with pytest.raises(Refusal) as refused:
        world.warehouse.fetch("SELECT id,\n  pric FROM fruit", 1, 60)
    refusal = refused.value
    assert (refusal.kind, refusal.subject, refusal.line, refusal.column) == ("COLUMN_NOT_FOUND", "pric", 2, 3)


@pytest.mark.parametrize("sql", ["DROP TABLE fruit", "SELECT 1; SELECT 2", "SELECT * FROM read_csv('/etc/passwd')"])
def test_what_is_not_one_query_over_tables_is_not_run(world: World, sql: str) -> None:
    with pytest.raises(Refusal):
        world.warehouse.fetch(sql, 1, 60)


def test_a_value_that_cannot_be_computed_is_a_refusal(world: World) -> None:
    with pytest.raises(Refusal):
        world.warehouse.fetch("SELECT CAST(name AS bigint) AS n FROM fruit", 1, 60)


def test_a_statement_ends_at_its_time_limit(world: World) -> None:
    with pytest.raises(PlatformError) as failure:
        world.warehouse.fetch(ENDLESS, 1, 1)
    assert failure.value.code is ErrorCode.QUERY_TIMEOUT
    assert world.warehouse.fetch("SELECT count(*) AS n FROM fruit", 1, 60) == ((1000,),)


def test_relations_have_their_columns_with_types_in_order(world: World) -> None:
    found = {relation.name: relation for relation in world.warehouse.relations()}
    columns = [(column.name.lower(), column.type) for column in found["fruit"].columns]
    assert columns == [("id", "bigint"), ("name", "varchar"), ("price", "decimal(10,2)")]
    assert found["nothing"].reference == "nothing"
    assert world.warehouse.describe(f"SELECT * FROM {found['fruit'].reference}")


def test_a_schema_that_is_not_there_is_named_with_what_there_is(world: World) -> None:
    with pytest.raises(PlatformError) as failure:
        world.warehouse.relations("nowhere")
    assert failure.value.code is ErrorCode.RESOURCE_NOT_FOUND
    assert "there are: " in (failure.value.hint or "")


def test_declared_keys_names_that_need_quotes_and_broken_views_of_a_duckdb_file(tmp_path: Path) -> None:
    path, csv = tmp_path / "w.duckdb", tmp_path / "outside.csv"
    csv.write_text("a,b\n1,2\n", encoding="utf-8")
    with duckdb.connect(str(path)) as connection:
        connection.execute(f"CREATE VIEW outside AS SELECT * FROM read_csv('{csv}')")
        connection.execute(
            """
            CREATE SCHEMA "Sales of 2024";
            CREATE TABLE "Sales of 2024"."order" (id BIGINT PRIMARY KEY, "group" VARCHAR);
            CREATE TABLE "Sales of 2024".line (
                o BIGINT REFERENCES "Sales of 2024"."order" (id), n INTEGER, PRIMARY KEY (o, n)
            );
            CREATE TABLE gone (x INTEGER);
            CREATE VIEW broken AS SELECT x FROM gone;
            CREATE VIEW whole AS SELECT 1 AS y;
            DROP TABLE gone;
            """
        )
    warehouse = DuckDBWarehouse(path)
    try:
        reference = '"Sales of 2024"."order"'
        assert warehouse.relations("sales of 2024") == (
            Relation(
                "line",
                '"Sales of 2024".line',
                (Column("o", "bigint"), Column("n", "integer")),
                ("o", "n"),
                (ForeignKey(("o",), reference, ("id",)),),
            ),
            Relation("order", reference, (Column("id", "bigint"), Column("group", "varchar")), ("id",)),
        )
        assert [relation.name for relation in warehouse.relations()] == ["whole"]
        assert warehouse.describe(f'SELECT "group" FROM {reference}') == (Column("group", "varchar"),)
    finally:
        warehouse.close()
