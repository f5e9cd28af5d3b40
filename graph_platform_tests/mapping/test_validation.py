"""The whole of validation over a real DuckDB file: what is found, what is not hidden, what a good mapping gives."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.mapping.checks.report import Problem
from graph_platform.mapping.checks.stages import Validation, validate
from graph_platform.mapping.definition.model import MappingDefinition
from graph_platform.mapping.definition.resolved import export_statement
from graph_platform.relational import Column
from graph_platform.warehouse.duckdb.warehouse import DuckDBWarehouse
from graph_platform_tests.mapping.engines import ENGINES, run_on

TABLES = """
CREATE TABLE customer AS SELECT i::INTEGER AS id, 'name ' || i AS "Name", (i / 3)::DECIMAL(10, 2) AS balance,
    TIME '10:00:00' AS opened, TIMESTAMP_NS '2020-01-01 00:00:00.123456789' AS seen FROM range(10) t(i);
CREATE TABLE product AS SELECT 'p' || i AS code FROM range(5) t(i);
CREATE TABLE bought AS SELECT (i % 10)::INTEGER AS who, 'p' || (i % 5) AS what, i::DOUBLE AS price FROM range(20) t(i);
"""


@pytest.fixture
def warehouse(tmp_path: Path) -> Iterator[DuckDBWarehouse]:
    path = tmp_path / "shop.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute(TABLES)
    opened = DuckDBWarehouse(path, storage=tmp_path)
    yield opened
    opened.close()


def customer(sql: str = "SELECT id, Name FROM customer", **changes: Any) -> dict[str, Any]:
    return {
        "label": "Customer",
        "sql": sql,
        "primary_key": {"name": "id", "type": "INT64"},
        "properties": [{"name": "name", "type": "STRING"}],
        **changes,
    }


PRODUCT = {"label": "Product", "sql": "SELECT code FROM product", "primary_key": {"name": "code", "type": "STRING"}}


def bought(sql: str = "SELECT who, what, price FROM bought", **changes: Any) -> dict[str, Any]:
    return {
        "type": "BOUGHT",
        "from_node": "customer",
        "to_node": "Product",
        "sql": sql,
        "from_key": "who",
        "to_key": "what",
        "properties": [{"name": "price", "type": "DOUBLE"}],
        **changes,
    }


def mapping(nodes: list[Any] | None = None, edges: list[Any] | None = None) -> MappingDefinition:
    nodes = [customer(), PRODUCT] if nodes is None else nodes
    return MappingDefinition.model_validate(
        {"name": "shop", "node_definitions": nodes, "edge_definitions": edges or []}
    )


def run(warehouse: DuckDBWarehouse, nodes: list[Any] | None = None, edges: list[Any] | None = None) -> Validation:
    return validate(mapping(nodes, edges), warehouse.describe, review=warehouse.review, concurrency=2)


def only(problems: tuple[Problem, ...]) -> Problem:
    (found,) = problems
    return found


def test_a_good_mapping_is_valid_with_its_columns_and_ddl(warehouse: DuckDBWarehouse) -> None:
    result = run(warehouse, edges=[bought()])
    report = result.report
    assert (report.valid, report.errors, report.warnings) == (True, (), ())
    assert [(r.name, r.valid) for r in (*report.node_results, *report.edge_results)] == [
        ("Customer", True), ("Product", True), ("BOUGHT", True),
    ]  # fmt: skip
    assert [(c.name, c.warehouse_type, c.engine_type) for c in report.node_results[0].columns] == [
        ("id", "integer", "INT64"), ("name", "varchar", "STRING"),
    ]  # fmt: skip
    assert [(c.name, c.engine_type) for c in report.edge_results[0].columns] == [
        ("who", "INT64"), ("what", "STRING"), ("price", "DOUBLE"),
    ]  # fmt: skip
    assert report.ddl == (
        "CREATE NODE TABLE `Customer` (`id` INT64, `name` STRING, PRIMARY KEY (`id`))",
        "CREATE NODE TABLE `Product` (`code` STRING, PRIMARY KEY (`code`))",
        "CREATE REL TABLE `BOUGHT` (FROM `Customer` TO `Product`, `price` DOUBLE)",
    )
    edge = result.resolved[-1]
    assert (edge.kind, edge.name, edge.from_node, edge.to_node) == ("edge", "BOUGHT", "Customer", "Product")
    assert edge.columns[0].file_type == "bigint"


@pytest.mark.parametrize(
    ("sql", "code", "field", "hint"),
    [
        ("SELECT id, name FROM custmer", "TABLE_NOT_FOUND", "sql", "did you mean customer?"),
        ("SELECT id, nam AS name FROM customer", "COLUMN_NOT_FOUND", "sql", "did you mean Name?"),
        ("SELECT id, name, balance FROM customer", "COLUMN_EXTRA", "balance", "leave it out"),
        ("SELECT id FROM customer", "COLUMN_MISSING", "name", "the mapping wants id, name"),
        ("SELECT name, id FROM customer", "COLUMN_ORDER", "sql", "SELECT id, name"),
        ("SELECT id, name, name FROM customer", "COLUMN_DUPLICATE", "name", "alias"),
        ("SELECT id, name FROM customer; SELECT 1", "SQL_MULTIPLE_STATEMENTS", "sql", "WITH"),
        ("CREATE TABLE x AS SELECT 1", "SQL_NOT_A_QUERY", "sql", "SELECT"),
        ("SELECT * FROM read_csv('/etc/passwd')", "SQL_FUNCTION_NOT_ALLOWED", "sql", "FROM"),
        ('SELECT id, name FROM "x.csv"', "SQL_TABLE_NOT_ALLOWED", "sql", "table"),
        ("SELECT id, frob(name) AS name FROM customer", "FUNCTION_NOT_FOUND", "sql", None),
        ("SELECT id, sum(id) AS name FROM customer", "SQL_SEMANTICS", "sql", None),
        ("SELECT id, balance AS name FROM customer", "TYPE_MISMATCH", "name", "CAST(balance AS VARCHAR) AS name"),
        (
            "SELECT id, opened AS name FROM customer",
            "TYPE_UNSUPPORTED",
            "name",
            "write CAST(opened AS VARCHAR) AS name",
        ),
        ("SELECT id * 2.5 AS id, name FROM customer", "TYPE_MISMATCH", "id", "write CAST(id * 2.5 AS BIGINT) AS id"),
        ("SELECT id * 2.5 id, name FROM customer", "TYPE_MISMATCH", "id", "write CAST(id * 2.5 AS BIGINT) AS id"),
        ("SELECT id, c.balance AS name FROM customer c", "TYPE_MISMATCH", "name", "CAST(c.balance AS VARCHAR) AS name"),
        (
            "SELECT * FROM (SELECT id, 5 AS name FROM customer) AS t",
            "TYPE_MISMATCH",
            "name",
            "write CAST(name AS VARCHAR) AS name",
        ),
        ("SELECT 1 AS id, 2 AS name UNION SELECT 1, 2", "TYPE_MISMATCH", "name", "CAST(name AS VARCHAR) AS name"),
    ],
)
def test_each_mistake_is_found_with_its_place_and_its_fix(
    warehouse: DuckDBWarehouse, sql: str, code: str, field: str, hint: str | None
) -> None:
    result = run(warehouse, [customer(sql), PRODUCT])
    found = only(result.report.errors)
    assert (found.code, found.entity, found.field) == (code, "Customer", field)
    assert hint is None or hint in (found.hint or "")
    assert result.resolved == ()
    assert [r.valid for r in result.report.node_results] == [False, True]


def test_a_column_without_a_name_is_found(warehouse: DuckDBWarehouse) -> None:
    found = run(warehouse, [customer("SELECT id, upper(name) FROM customer")]).report.errors
    assert [p.code for p in found] == ["COLUMN_UNNAMED", "COLUMN_MISSING"]
    assert "AS name" in (found[0].hint or "")


def test_a_mistake_in_the_sql_points_to_its_line(warehouse: DuckDBWarehouse) -> None:
    found = only(run(warehouse, [customer("SELECT id,\n  nam AS name\nFROM customer")]).report.errors)
    assert found.position is not None
    assert (found.position.line, found.position.column) == (2, 3)


def test_swapped_columns_of_one_type_are_found_since_the_load_is_by_position(warehouse: DuckDBWarehouse) -> None:
    found = only(run(warehouse, edges=[bought("SELECT what, who, price FROM bought")]).report.errors)
    assert found.code == "COLUMN_ORDER"


def test_an_integer_key_declared_int64_is_widened_and_int32_is_refused(warehouse: DuckDBWarehouse) -> None:
    assert run(warehouse).report.valid
    key = {"name": "id", "type": "INT32"}
    found = only(run(warehouse, [customer(primary_key=key)]).report.errors)
    assert found.code == "KEY_TYPE_NOT_ALLOWED"
    assert "INT64" in (found.hint or "")


def test_an_end_of_another_type_than_the_key_is_found_with_the_cast(warehouse: DuckDBWarehouse) -> None:
    sql = "SELECT CAST(who AS VARCHAR) AS who, what, price FROM bought"
    found = only(run(warehouse, edges=[bought(sql)]).report.errors)
    assert (found.code, found.field) == ("KEY_TYPE_MISMATCH", "who")
    assert found.hint == "write CAST(CAST(who AS VARCHAR) AS BIGINT) AS who"


def test_a_broken_node_hides_neither_the_next_nor_its_edges(warehouse: DuckDBWarehouse) -> None:
    nodes = [customer("SELECT id, name FROM nowhere"), {**PRODUCT, "sql": "SELECT cod AS code FROM product"}]
    report = run(warehouse, nodes, [bought("SELECT who, what FROM bought")]).report
    assert [(p.code, p.entity) for p in report.errors] == [
        ("TABLE_NOT_FOUND", "Customer"), ("COLUMN_NOT_FOUND", "Product"), ("COLUMN_MISSING", "BOUGHT"),
    ]  # fmt: skip
    assert [(p.code, p.entity, p.field) for p in report.warnings] == [
        ("DEPENDENCY_BROKEN", "BOUGHT", "who"), ("DEPENDENCY_BROKEN", "BOUGHT", "what"),
    ]  # fmt: skip


def test_structure_and_sql_are_reported_together(warehouse: DuckDBWarehouse) -> None:
    report = run(warehouse, [customer("SELECT id FROM nowhere", label="a b")]).report
    assert {p.code for p in report.errors} == {"LABEL_INVALID", "TABLE_NOT_FOUND"}


def test_an_unknown_declared_type_is_found_even_where_the_sql_is_broken(warehouse: DuckDBWarehouse) -> None:
    broken = customer("SELECT FROM", properties=[{"name": "name", "type": "STRNG"}])
    assert {p.code for p in run(warehouse, [broken]).report.errors} == {"SQL_SYNTAX", "TYPE_UNKNOWN"}


def test_a_decimal_declared_double_and_a_fine_timestamp_are_warnings(warehouse: DuckDBWarehouse) -> None:
    properties = [{"name": "balance", "type": "DOUBLE"}, {"name": "seen", "type": "TIMESTAMP"}]
    report = run(warehouse, [customer("SELECT id, balance, seen FROM customer", properties=properties)]).report
    assert report.valid
    assert [(p.code, p.field) for p in report.warnings] == [("TYPE_PRECISION", "balance"), ("TYPE_PRECISION", "seen")]


def test_an_untested_function_is_a_warning_on_duckdb_only(warehouse: DuckDBWarehouse) -> None:
    nodes = [customer("SELECT id, name || word_stem(name) AS name FROM customer")]
    assert [p.code for p in run(warehouse, nodes).report.warnings] == ["SQL_TRANSLATION_UNTESTED"]
    columns = (Column("id", "bigint"), Column("name", "varchar"))
    on_trino = validate(mapping(nodes), lambda _: columns, concurrency=1)
    assert on_trino.report.warnings == ()


def test_a_type_several_times_becomes_one_table_with_several_pairs(warehouse: DuckDBWarehouse) -> None:
    again = bought("SELECT what, who, price FROM bought", from_node="Product", to_node="Customer", from_key="what",
                   to_key="who")  # fmt: skip
    result = run(warehouse, edges=[bought(), again])
    assert result.report.valid, result.report.errors
    assert [r.name for r in result.resolved[2:]] == ["BOUGHT-Customer-Product", "BOUGHT-Product-Customer"]
    assert result.report.ddl[-1] == (
        "CREATE REL TABLE `BOUGHT` (FROM `Customer` TO `Product`, FROM `Product` TO `Customer`, `price` DOUBLE)"
    )


@pytest.mark.parametrize("engine", ENGINES)
def test_the_ddl_of_reserved_words_runs_on_the_engine(warehouse: DuckDBWarehouse, engine: str) -> None:
    nodes = [customer("SELECT id AS \"order\", name AS \"Group By\" FROM customer", label="Order",
                      primary_key={"name": "order", "type": "INT64"},
                      properties=[{"name": "Group By", "type": "STRING"}])]  # fmt: skip
    edges = [bought("SELECT who AS \"from\", who AS \"to\", price AS \"where\" FROM bought", type="MATCH",
                    from_node="order", to_node="ORDER", from_key="from", to_key="to",
                    properties=[{"name": "where", "type": "DOUBLE"}])]  # fmt: skip
    report = run(warehouse, nodes, edges).report
    assert report.valid, report.errors
    run_on(engine, report.ddl)


@pytest.mark.parametrize(
    "tail",
    ["", ";", " -- a comment", "\n-- a comment;\n;", " ORDER BY name DESC LIMIT 3;", "\n/* ; */ ;", " WHERE id = 1"],
)
def test_an_export_statement_holds_whatever_ends_the_sql(warehouse: DuckDBWarehouse, tail: str) -> None:
    result = run(warehouse, [customer("SELECT id, name FROM customer" + tail)])
    statement = export_statement(result.resolved[0])
    assert [(c.name, c.type) for c in warehouse.describe(statement)] == [("id", "bigint"), ("name", "varchar")]


def test_the_same_sql_is_asked_once_and_progress_is_told() -> None:
    asked: list[str] = []
    told: list[tuple[int, int, str]] = []

    def describe(sql: str) -> tuple[Column, ...]:
        asked.append(sql)
        return (Column("code", "varchar"),)

    nodes = [PRODUCT, {**PRODUCT, "label": "Ware"}, {**PRODUCT, "label": "Thing", "sql": "SELECT 'x' AS code"}]
    result = validate(mapping(nodes), describe, concurrency=4, progress=lambda *step: told.append(step))
    assert result.report.valid
    assert sorted(asked) == ["SELECT 'x' AS code", "SELECT code FROM product"]
    assert [step[:2] for step in told] == [(1, 2), (2, 2)]


def test_an_interrupted_validation_waits_for_no_statement() -> None:
    ended = threading.Event()

    def describe(sql: str) -> tuple[Column, ...]:
        if sql != "SELECT code FROM product":
            assert ended.wait(60)
        return (Column("code", "varchar"),)

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    nodes = [PRODUCT, *({**PRODUCT, "label": f"L{i}", "sql": f"SELECT code FROM t{i}"} for i in range(9))]
    begun = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        validate(mapping(nodes), describe, concurrency=4, progress=interrupt)
    assert time.monotonic() - begun < 30
    ended.set()


def test_what_the_warehouse_fails_at_is_told_of_its_definition_and_hides_no_other() -> None:
    def describe(sql: str) -> tuple[Column, ...]:
        if sql == "SELECT code FROM lake":
            raise PlatformError(ErrorCode.STARBURST_ERROR, "the warehouse failed with UNSUPPORTED_TABLE_TYPE: Iceberg")
        return (Column("cod", "varchar"),)

    nodes = [{**PRODUCT, "label": "Lake", "sql": "SELECT code FROM lake"}, PRODUCT]
    found = validate(mapping(nodes), describe, concurrency=4).report.errors
    assert [(each.code, each.entity) for each in found] == [
        ("SQL_NOT_PROVED", "Lake"),
        ("COLUMN_MISSING", "Product"),
        ("COLUMN_EXTRA", "Product"),
    ]
    assert "UNSUPPORTED_TABLE_TYPE" in found[0].message


def test_statements_run_side_by_side_within_the_bound() -> None:
    lock, running, most = threading.Lock(), 0, 0

    def describe(sql: str) -> tuple[Column, ...]:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.02)
        with lock:
            running -= 1
        return (Column("code", "varchar"),)

    nodes = [{**PRODUCT, "label": f"L{i}", "sql": f"SELECT code FROM t{i}"} for i in range(12)]
    assert validate(mapping(nodes), describe, concurrency=3).report.valid
    assert most == 3


def test_a_warehouse_that_is_down_is_itself_and_not_an_invalid_mapping() -> None:
    asked: list[str] = []

    def describe(sql: str) -> tuple[Column, ...]:
        asked.append(sql)
        raise PlatformError(ErrorCode.BACKEND_UNREACHABLE, "no answer")

    nodes = [{**PRODUCT, "label": f"L{i}", "sql": f"SELECT code FROM t{i}"} for i in range(50)]
    with pytest.raises(PlatformError) as failure:
        validate(mapping(nodes), describe, concurrency=1)
    assert failure.value.code is ErrorCode.BACKEND_UNREACHABLE
    assert len(asked) < 10


def test_columns_are_taken_in_the_spelling_of_the_mapping() -> None:
    nodes = [{**PRODUCT, "primary_key": {"name": "Code", "type": "STRING"}}]
    result = validate(mapping(nodes), lambda _: (Column("CODE", "varchar"),), concurrency=1)
    assert [c.name for c in result.resolved[0].columns] == ["Code"]
    assert '"definition"."Code" AS "Code"' in export_statement(result.resolved[0])
