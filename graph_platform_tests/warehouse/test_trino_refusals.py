"""What Trino refuses, on a real server: told as a mapping's problem, at its place in the user's own text."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from graph_platform.mapping.checks.problems import ProblemCode
from graph_platform.mapping.definition.model import MappingDefinition
from graph_platform.mapping.sql.gate import check_query
from graph_platform.proving.validation import validate_on
from graph_platform.relational import Column, Refusal
from graph_platform.settings import Settings
from graph_platform.warehouse.trino.address import TrinoAddress
from graph_platform.warehouse.trino.warehouse import TrinoWarehouse
from graph_platform_tests.services.proxy import Proxy
from graph_platform_tests.services.trino import STRANGER, TrinoServer


@pytest.fixture
def warehouse(trino_server: TrinoServer) -> Iterator[TrinoWarehouse]:
    with closing(_at(trino_server.port)) as opened:
        yield opened


def _at(port: int) -> TrinoWarehouse:
    return TrinoWarehouse(TrinoAddress("127.0.0.1", port, "http", "tester", "tpch", "tiny"))


def _refused(warehouse: TrinoWarehouse, sql: str) -> Refusal:
    with pytest.raises(Refusal) as refused:
        warehouse.describe(sql)
    return refused.value


_C = ProblemCode


@pytest.mark.parametrize(
    ("sql", "kind", "place", "subject", "candidate"),
    [
        ("SELECT custkey\nFROM custmer", _C.TABLE_NOT_FOUND, (2, 6), "custmer", "customer"),
        ("SELECT custkey FROM tiny.custmer", _C.TABLE_NOT_FOUND, (1, 21), "tiny.custmer", "tiny.customer"),
        ("SELECT custkey FROM tinny.customer", _C.TABLE_NOT_FOUND, (1, 21), "tinny.customer", "tiny.customer"),
        ("SELECT 1 x FROM tpcj.tiny.region", _C.TABLE_NOT_FOUND, (1, 17), "tpcj.tiny.region", "tpch.tiny.region"),
        ("SELECT name,\n\tcustkye FROM customer", _C.COLUMN_NOT_FOUND, (2, 2), "custkye", "custkey"),
        ("SELECT c.custkye FROM customer c", _C.COLUMN_NOT_FOUND, (1, 8), "c.custkye", "custkey"),
        ("WITH a AS (SELECT name AS title FROM region) SELECT tilte FROM a", _C.COLUMN_NOT_FOUND, (1, 53), "tilte",
         "title"),
        ("SELECT '😀' x, 'é😀' y,\r\n '😀', nam FROM region", _C.COLUMN_NOT_FOUND, (2, 7), "nam", "name"),
        ("SELECT lowr(name) x FROM region", _C.FUNCTION_NOT_FOUND, (1, 8), "lowr", "lower"),
        ("SELECT 1 x,\n lower(1) y", _C.SQL_SEMANTICS, (2, 2), None, None),
        ("SELECT custkey FROM customer WHERE name = 1", _C.SQL_SEMANTICS, (1, 41), None, None),
        ("SELECT name, count(*) FROM region", _C.SQL_SEMANTICS, (1, 8), None, None),
        ("SELECT r.name FROM region r, nation n WHERE nationkey = regionkey", _C.SQL_SEMANTICS, (1, 57), None, None),
        # The table that is meant is the one at the place, not the first that is called so.
        ("SELECT 1 x FROM tiny.nation n JOIN sf1.nation m ON true\nJOIN sf1.natoin o ON true", _C.TABLE_NOT_FOUND,
         (2, 6), "sf1.natoin", "sf1.nation"),
        ("SELECT 1 x FROM tiny.region r JOIN information_schema.region s ON true", _C.TABLE_NOT_FOUND, (1, 36),
         "information_schema.region", None),
        ("WITH regin AS (SELECT name FROM sf1.regin) SELECT name FROM regin", _C.TABLE_NOT_FOUND, (1, 33), "sf1.regin",
         "sf1.region"),
        ("SELECT 1 x FROM region JOIN tinny.nation ON true", _C.TABLE_NOT_FOUND, (1, 29), "tinny.nation",
         "tiny.nation"),
        ("SELECT 1 x FROM region JOIN tpcj.tiny.nation ON true", _C.TABLE_NOT_FOUND, (1, 29), "tpcj.tiny.nation",
         "tpch.tiny.nation"),
        ('SELECT 1 x FROM "cust.omer"', _C.TABLE_NOT_FOUND, (1, 17), "cust.omer", "customer"),
        ("SELECT 1 x FROM tiny.\"customer's\"", _C.TABLE_NOT_FOUND, (1, 17), "tiny.customer's", "tiny.customer"),
        ("WITH a AS (\nTABLE regin) SELECT name FROM a", _C.TABLE_NOT_FOUND, (2, 1), "regin", "region"),
        ("SELECT \"low'er\"(name) x FROM region", _C.FUNCTION_NOT_FOUND, (1, 8), "low'er", "lower"),
    ],
)  # fmt: skip
def test_what_trino_refuses_is_told_at_the_users_own_place_with_what_was_meant(
    warehouse: TrinoWarehouse,
    sql: str,
    kind: ProblemCode,
    place: tuple[int, int],
    subject: str | None,
    candidate: str | None,
) -> None:
    refusal = _refused(warehouse, sql)
    assert (refusal.kind, (refusal.line, refusal.column), refusal.subject) == (kind, place, subject)
    assert candidate is None or candidate in refusal.candidates
    assert "line " not in refusal.message


@pytest.mark.parametrize(
    ("sql", "place", "message"),
    [
        # At the parenthesis that we wrote behind it.
        ("SELECT name FROM region\nFETCH FIRST 1 ROWS", (None, None), "it ends too early. Expecting: 'ONLY', 'WITH'"),
        # Where our parenthesis is what Trino would like to see.
        ("SELECT name FROM region\nLIMIT 5 ORDER BY name", (2, 9), "mismatched input 'ORDER'"),
        ("SELECT name FROM region OFFSET 1 + 1", (1, 34),
         "mismatched input '+'. Expecting: 'FETCH', 'LIMIT', 'ROW', 'ROWS'"),
        # Two dozen tokens could follow.
        ("SELECT name FROM region LIMIT regionkey", (1, 31), "mismatched input 'regionkey'"),
        # Trino gives this one no place, though it is in the text.
        ("SELECT name FROM a.b.c.d", (None, None), "Too many dots in table name: a.b.c.d"),
    ],
)  # fmt: skip
def test_syntax_that_only_trino_refuses_is_told_without_our_wrapper(
    warehouse: TrinoWarehouse, sql: str, place: tuple[int | None, int | None], message: str
) -> None:
    assert check_query(sql).problems == (), "it never reaches Trino"
    refusal = _refused(warehouse, sql)
    assert (refusal.kind, (refusal.line, refusal.column)) == (_C.SQL_SYNTAX, place)
    assert refusal.message == f"the SQL cannot be parsed: {message}"


def test_definitions_that_lack_the_same_name_ask_for_near_ones_once(trino_server: TrinoServer) -> None:
    node = {"primary_key": {"name": "x", "type": "STRING"}}
    nodes = [{**node, "label": f"N{i}", "sql": f"SELECT lowr('{i}') AS x"} for i in range(12)]
    nodes += [{**node, "label": f"M{i}", "sql": f"SELECT name AS x FROM regin -- {i}"} for i in range(12)]
    definition = MappingDefinition.model_validate({"name": "lacking", "node_definitions": nodes})
    with Proxy(trino_server.port) as proxy, closing(_at(proxy.port)) as warehouse:
        errors = validate_on(warehouse, definition, Settings.load({}), print).report.errors
    assert {error.hint for error in errors[:12]} == {"did you mean lower or power or floor?"}
    assert {error.hint for error in errors[12:]} == {"did you mean region?"}
    posted = [request for request in proxy.requests if request.startswith("POST")]
    assert len(posted) == len(nodes) + 2


# --- what the user may not read ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sql", "subject", "place", "right"),
    [
        ("SELECT id\nFROM secret", "hive.guarded.secret", (2, 6), "SELECT on hive.guarded.secret"),
        (
            "SELECT s.id FROM roles r,\n  guarded.secret s",
            "hive.guarded.secret",
            (2, 3),
            "SELECT on hive.guarded.secret",
        ),
        # A table whose name is a word of the server's own denials.
        ("SELECT secret FROM roles", "hive.guarded.roles", (1, 20), "SELECT on hive.guarded.roles"),
        ("SELECT name FROM tpch.tiny.region", "tpch", (None, None), "access to the catalog tpch"),
    ],
)
def test_what_the_user_may_not_read_is_told_with_the_right_that_is_missing(
    trino_server: TrinoServer, sql: str, subject: str, place: tuple[int | None, int | None], right: str
) -> None:
    trino_server.run("CREATE SCHEMA IF NOT EXISTS hive.guarded")
    trino_server.run("CREATE TABLE IF NOT EXISTS hive.guarded.secret AS SELECT 1 AS id")
    trino_server.run("CREATE TABLE IF NOT EXISTS hive.guarded.roles AS SELECT 1 AS id, 'x' AS secret")
    address = TrinoAddress("127.0.0.1", trino_server.port, "http", STRANGER, "hive", "guarded")
    with closing(TrinoWarehouse(address)) as warehouse:
        assert warehouse.describe("SELECT id FROM roles") == (Column("id", "integer"),)
        refusal = _refused(warehouse, sql)
        assert (refusal.kind, refusal.subject, (refusal.line, refusal.column)) == (_C.PERMISSION_DENIED, subject, place)
        assert f"the user {STRANGER}" in refusal.message
        assert right in (refusal.hint or "")
        assert f"for the user {STRANGER}" in (refusal.hint or "")
        with pytest.raises(Refusal) as refused:
            warehouse.fetch(sql, 1, 30)
        assert refused.value.kind == _C.PERMISSION_DENIED


def test_a_table_that_may_not_be_read_is_a_problem_of_its_definition_and_hides_no_other(
    trino_server: TrinoServer,
) -> None:
    trino_server.run("CREATE SCHEMA IF NOT EXISTS hive.guarded")
    trino_server.run("CREATE TABLE IF NOT EXISTS hive.guarded.secret AS SELECT 1 AS id")
    key = {"name": "id", "type": "INT64"}
    nodes = [
        {"label": "Hidden", "sql": "SELECT id\nFROM secret", "primary_key": key},
        {"label": "Wrong", "sql": "SELECT idd AS id FROM (VALUES 1) AS t(id)", "primary_key": key},
    ]
    definition = MappingDefinition.model_validate({"name": "guarded", "node_definitions": nodes})
    address = TrinoAddress("127.0.0.1", trino_server.port, "http", STRANGER, "hive", "guarded")
    with closing(TrinoWarehouse(address)) as warehouse:
        hidden, wrong = validate_on(warehouse, definition, Settings.load({}), print).report.errors
    assert (hidden.code, hidden.entity, hidden.field) == ("PERMISSION_DENIED", "Hidden", "sql")
    assert hidden.position is not None
    assert (hidden.position.line, hidden.position.column) == (2, 6)
    assert hidden.hint == f"ask who runs the warehouse for SELECT on hive.guarded.secret, for the user {STRANGER}"
    assert (wrong.code, wrong.entity) == ("COLUMN_NOT_FOUND", "Wrong")
