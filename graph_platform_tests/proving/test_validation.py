"""Each error of a mapping, provoked in a whole mapping on DuckDB and on a real Trino, and told alike by both.

A case is a line of `CASES`. Where the two must differ, the case says so in `on`, and why.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import duckdb
import pytest

from graph_platform.mapping.checks.problems import ProblemCode
from graph_platform.mapping.checks.report import Problem, ValidationReport
from graph_platform.mapping.definition.model import MappingDefinition
from graph_platform.proving.validation import validate_on
from graph_platform.settings import Settings
from graph_platform.warehouse.duckdb.warehouse import DuckDBWarehouse
from graph_platform.warehouse.protocol import Warehouse
from graph_platform.warehouse.trino.address import TrinoAddress
from graph_platform.warehouse.trino.warehouse import TrinoWarehouse
from graph_platform_tests.services.trino import TrinoServer

_C = ProblemCode

# In Trino's SQL, which DuckDB takes as well.
TABLES = {
    "customer": "SELECT CAST(id AS integer) AS id, 'name ' || CAST(id AS varchar) AS name, "
    "CAST(id AS decimal(10, 2)) AS balance FROM (VALUES 0, 1, 2) AS t(id)",
    "product": "SELECT 'p' || CAST(id AS varchar) AS code FROM (VALUES 0, 1, 2) AS t(id)",
    "bought": "SELECT CAST(id AS integer) AS who, 'p' || CAST(id AS varchar) AS what, CAST(id AS double) AS price "
    "FROM (VALUES 0, 1, 2) AS t(id)",
}


@pytest.fixture(scope="module", params=["duckdb", "trino"])
def warehouse(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warehouse]:
    """The tables of `TABLES`, in one warehouse after the other."""
    with closing(_OPENED[request.param](request, tmp_path_factory.mktemp("validation"))) as opened:
        yield opened


def _duckdb(_: pytest.FixtureRequest, folder: Path) -> Warehouse:
    path = folder / "shop.duckdb"
    with duckdb.connect(str(path)) as connection:
        for name, query in TABLES.items():
            connection.execute(f"CREATE TABLE {name} AS {query.replace('VALUES 0, 1, 2', 'VALUES (0), (1), (2)')}")
    return DuckDBWarehouse(path)


def _trino(request: pytest.FixtureRequest, _: Path) -> Warehouse:
    server: TrinoServer = request.getfixturevalue("trino_server")
    server.run("CREATE SCHEMA IF NOT EXISTS hive.validation")
    for name, query in TABLES.items():
        server.run(f"CREATE TABLE IF NOT EXISTS hive.validation.{name} AS {query}")
    return TrinoWarehouse(TrinoAddress("127.0.0.1", server.port, "http", "tester", "hive", "validation"))


_OPENED = {"duckdb": _duckdb, "trino": _trino}


@dataclass(frozen=True)
class Told:
    """A problem as it must be told. `message` and `hint` are parts of it; a hint of None means that there is none."""

    code: ProblemCode
    entity: str
    field: str
    position: tuple[int, int] | None
    message: str
    hint: str | None

    def is_told_by(self, found: Problem) -> bool:
        at = (found.position.line, found.position.column) if found.position else None
        return (
            (found.code, found.entity, found.field, at) == (self.code, self.entity, self.field, self.position)
            and self.message in found.message
            and (found.hint is None if self.hint is None else self.hint in (found.hint or ""))
        )


@dataclass(frozen=True)
class Case:
    """A mapping of which `customer` or `bought` is changed, and what is told of it.

    `on` holds what one of the warehouses tells otherwise; None there means that it tells nothing.
    """

    name: str
    told: tuple[Told, ...]
    customer: Mapping[str, Any] = field(default_factory=dict)
    bought: Mapping[str, Any] = field(default_factory=dict)
    on: Mapping[str, Mapping[str, Any] | None] = field(default_factory=dict)


def customer(name: str, sql: str, *told: Told, on: Mapping[str, Any] | None = None, **changes: Any) -> Case:
    return Case(name, told, customer={"sql": sql, **changes}, on=on or {})


def bought(name: str, sql: str, *told: Told, on: Mapping[str, Any] | None = None, **changes: Any) -> Case:
    return Case(name, told, bought={"sql": sql, **changes}, on=on or {})


def node(code: ProblemCode, field: str, at: tuple[int, int] | None, message: str, hint: str | None) -> Told:
    return Told(code, "Customer", field, at, message, hint)


def edge(code: ProblemCode, field: str, at: tuple[int, int] | None, message: str, hint: str | None) -> Told:
    return Told(code, "BOUGHT", field, at, message, hint)


GOOD = "SELECT id, name FROM customer"
GOOD_EDGE = "SELECT who, what, price FROM bought"
_QUOTES = "check commas, parentheses and quotes"
_IN_ORDER = "the engine loads by position: SELECT who, what, price"

CASES = (
    # Syntax, with the place in the user's own text.
    customer("a word too many", "SELECT id,\n  name two three\nFROM customer",
             node(_C.SQL_SYNTAX, "sql", (2, 12), "near three", _QUOTES)),
    customer("a misspelt FROM", "SELECT id, name\nFORM customer",
             node(_C.SQL_SYNTAX, "sql", (2, 6), "near customer", _QUOTES)),
    customer("an open parenthesis", "SELECT id, (name\nFROM customer",
             node(_C.SQL_SYNTAX, "sql", (2, 1), "near FROM: Expecting )", _QUOTES)),
    customer("an end too early", "SELECT id, name FROM customer\nWHERE",
             node(_C.SQL_SYNTAX, "sql", (2, 1), "near WHERE", _QUOTES)),
    customer("a parenthesis that would close ours", "SELECT id, name FROM customer) AS x, (SELECT 1",
             node(_C.SQL_SYNTAX, "sql", (1, 30), "near )", _QUOTES)),
    customer("a text without its end has no place", "SELECT id, 'name\nFROM customer",
             node(_C.SQL_SYNTAX, "sql", None, "ends inside a string", "close it: ' ends a text")),
    customer("no SQL", " ", node(_C.SQL_EMPTY, "sql", None, "there is no SQL", "Write one SELECT")),
    customer("two statements", "SELECT id, name FROM customer;\nSELECT 1",
             node(_C.SQL_MULTIPLE_STATEMENTS, "sql", (2, 1), "2 statements", "a WITH clause holds the steps")),
    customer("no query", "DELETE FROM customer",
             node(_C.SQL_NOT_A_QUERY, "sql", (1, 1), "DELETE is not a query", "Write one SELECT")),
    # What sqlglot takes and Trino refuses; DuckDB would take it.
    customer("a cast with colons", "SELECT id,\n  name::varchar AS name\nFROM customer",
             node(_C.SQL_SYNTAX, "sql", (2, 7), "::", "write CAST(name AS varchar)")),
    customer("OFFSET after LIMIT", "SELECT id, name FROM customer\nLIMIT 5 OFFSET 2",
             node(_C.SQL_SYNTAX, "sql", (2, 9), "OFFSET before LIMIT", "write OFFSET 2 LIMIT 5")),
    customer("LIMIT with two numbers", "SELECT id, name FROM customer\nLIMIT 2, 5",
             node(_C.SQL_SYNTAX, "sql", (2, 8), "one number", "write OFFSET 2 LIMIT 5")),
    customer("a comma before FROM", "SELECT id, name,\nFROM customer",
             node(_C.SQL_SYNTAX, "sql", (1, 16), "nothing follows the comma", "leave the comma out")),
    customer("ILIKE", "SELECT id, name FROM customer\nWHERE name ILIKE 'n%'",
             node(_C.SQL_SYNTAX, "sql", (2, 12), "ILIKE", "lower(…) LIKE lower(…)")),
    customer("EXCEPT after a star", "SELECT *\nEXCEPT (balance) FROM customer",
             node(_C.SQL_SYNTAX, "sql", (2, 1), "* is always all columns", "name the columns")),
    customer("DISTINCT ON", "SELECT DISTINCT ON (id) id, name FROM customer",
             node(_C.SQL_SYNTAX, "sql", (1, 8), "DISTINCT ON", "row_number()")),
    customer("a type of another dialect", "SELECT id, CAST(balance AS text) AS name FROM customer",
             node(_C.SQL_SYNTAX, "sql", (1, 28), "no type text", "write VARCHAR")),
    customer("a LIMIT that is reckoned", "SELECT id, name FROM customer\nLIMIT (1 + 1)",
             node(_C.SQL_SYNTAX, "sql", (2, 1), "LIMIT takes a number alone", "write the number")),
    # The other way round: what Trino takes and sqlglot refuses.
    customer("a name that begins with a digit", "SELECT id, name 1st FROM customer",
             node(_C.SQL_SYNTAX, "sql", (1, 17), "a name begins with a digit: 1st", "in double quotes")),
    customer("a table function", "SELECT id, name FROM TABLE(exclude_columns(TABLE(customer), DESCRIPTOR(balance)))",
             node(_C.SQL_FUNCTION_NOT_ALLOWED, "sql", (1, 22), "TABLE(…)", "in FROM, only tables")),
    # Names.
    customer("a table that does not exist", "SELECT id, name\nFROM custmer",
             node(_C.TABLE_NOT_FOUND, "sql", (2, 6), "custmer does not exist", "did you mean customer?")),
    customer("a schema that does not exist", "SELECT id, name\nFROM validatoin.customer",
             node(_C.TABLE_NOT_FOUND, "sql", (2, 6), "validatoin.customer does not exist", "validation.customer"),
             # A DuckDB file has its tables in `main`, which nobody writes.
             on={"duckdb": {"hint": "did you mean customer?"}}),
    customer("a column that does not exist", "SELECT id,\n  nme AS name\nFROM customer",
             node(_C.COLUMN_NOT_FOUND, "sql", (2, 3), "column nme does not exist", "did you mean name?")),
    customer("a qualified column", "SELECT c.id,\n  c.nme AS name\nFROM customer c",
             node(_C.COLUMN_NOT_FOUND, "sql", (2, 3), "column c.nme does not exist", "did you mean name?")),
    customer("a text in double quotes", "SELECT id, name FROM customer\nWHERE name = \"L\"",
             node(_C.COLUMN_NOT_FOUND, "sql", (2, 14), "does not exist", "write 'L' in single quotes")),
    customer("an alias that does not exist", "SELECT c.id,\n  d.name\nFROM customer c",
             node(_C.COLUMN_NOT_FOUND, "sql", (2, 3), "column d.name does not exist", None)),
    customer("a column of the same letters as a text", "SELECT id,\n  'nme' || nme AS name\nFROM customer",
             node(_C.COLUMN_NOT_FOUND, "sql", (2, 12), "column nme does not exist", "did you mean name?")),
    bought("a column of an edge", "SELECT who, what,\n prize AS price FROM bought",
           edge(_C.COLUMN_NOT_FOUND, "sql", (2, 2), "column prize does not exist", "did you mean price?")),
    customer("a function that does not exist", "SELECT id,\n  lowr(name) AS name FROM customer",
             node(_C.FUNCTION_NOT_FOUND, "sql", (2, 3), "function lowr does not exist", "did you mean lower")),
    bought("a node that does not exist", GOOD_EDGE,
           edge(_C.UNKNOWN_NODE, "to_node", None, "to_node is Prodct", "did you mean Product?"), to_node="Prodct"),
    # What the warehouse alone understands, in its own words.
    customer("a column outside GROUP BY", "SELECT id,\n  name FROM customer GROUP BY id",
             node(_C.SQL_SEMANTICS, "sql", (2, 3), "GROUP BY", None)),
    customer("a column of two tables", "SELECT a.id,\n  name FROM customer a, customer b",
             node(_C.SQL_SEMANTICS, "sql", (2, 3), "mbiguous", None)),
    customer("an argument of the wrong type", "SELECT id,\n  lower(id) AS name FROM customer",
             node(_C.SQL_SEMANTICS, "sql", (2, 3), "lower", None), on={"duckdb": {"hint": "cast the argument"}}),
    customer("a text compared with a number", "SELECT id, name FROM customer\nWHERE name = 1",
             node(_C.SQL_SEMANTICS, "sql", (2, 12), "varchar = integer", None),
             on={"duckdb": {"message": "= to varchar and integer", "hint": "cast one"}}),
    # Columns.
    customer("a missing column", "SELECT id FROM customer",
             node(_C.COLUMN_MISSING, "name", None, "does not return name", "the mapping wants id, name")),
    customer("a column too many", "SELECT id, name,\n  balance FROM customer",
             node(_C.COLUMN_EXTRA, "balance", (2, 3), "returns balance", "add it to properties")),
    customer("a column too many of a star has no place", "SELECT * FROM customer",
             node(_C.COLUMN_EXTRA, "balance", None, "returns balance", "add it to properties")),
    customer("a column of another name", "SELECT id,\n  name AS nam FROM customer",
             node(_C.COLUMN_MISSING, "name", None, "does not return name", "did you mean nam? Write nam AS name"),
             node(_C.COLUMN_EXTRA, "nam", (2, 3), "returns nam", "rename it to name")),
    customer("a column without a name", "SELECT id,\n  upper(name) FROM customer",
             node(_C.COLUMN_UNNAMED, "sql", (2, 3), "column 2 of the SQL has no name", "give it one: … AS name"),
             node(_C.COLUMN_MISSING, "name", None, "does not return name", "the mapping wants id, name")),
    customer("a column twice", "SELECT c.id, c.name,\n  d.id FROM customer c JOIN customer d ON c.id = d.id",
             node(_C.COLUMN_DUPLICATE, "id", (2, 3), "2 columns named id", "give the others an alias")),
    customer("a primary key that is not first", "SELECT name, id FROM customer",
             node(_C.COLUMN_ORDER, "sql", (1, 8), "column 1 is name, where the mapping wants the primary key id",
                  "SELECT id, name")),
    bought("from_key and to_key swapped", "SELECT what, who, price FROM bought",
           edge(_C.COLUMN_ORDER, "sql", (1, 8), "column 1 is what, where the mapping wants the from_key who",
                _IN_ORDER)),
    bought("to_key out of order", "SELECT who,\n  price, what FROM bought",
           edge(_C.COLUMN_ORDER, "sql", (2, 3), "column 2 is price, where the mapping wants the to_key what",
                _IN_ORDER)),
    bought("properties out of order", "SELECT who, what,\n  price * 2 AS twice, price FROM bought",
           edge(_C.COLUMN_ORDER, "sql", (2, 3), "column 3 is twice, where the mapping wants the property price",
                "SELECT who, what, price, twice"),
           properties=[{"name": "price", "type": "DOUBLE"}, {"name": "twice", "type": "DOUBLE"}]),
    # Types.
    customer("a primary key of another type than declared", "SELECT\n  CAST(id AS varchar) AS id, name FROM customer",
             node(_C.TYPE_MISMATCH, "id", (2, 3), "id is varchar in the warehouse, which does not become INT64",
                  "write CAST(CAST(id AS varchar) AS BIGINT) AS id in the SQL, or declare STRING")),
    customer("a property of another type than declared", "SELECT id,\n  balance AS name FROM customer",
             node(_C.TYPE_MISMATCH, "name", (2, 3), "name is decimal(10,2)",
                  "write CAST(balance AS VARCHAR) AS name in the SQL, or declare DECIMAL(10, 2)")),
    customer("a type without a counterpart", "SELECT id,\n  TIME '10:00:00' AS name FROM customer",
             node(_C.TYPE_UNSUPPORTED, "name", (2, 3), "has no counterpart in the graph",
                  "write CAST(TIME '10:00:00' AS VARCHAR) AS name")),
    customer("an interval", "SELECT id,\n  INTERVAL '1' DAY AS name FROM customer",
             node(_C.TYPE_UNSUPPORTED, "name", (2, 3), "interval day to second",
                  "or to_milliseconds(INTERVAL '1' DAY) AS name")),
    customer("an array of a type without a counterpart", "SELECT id,\n  ARRAY[TIME '10:00:00'] AS name FROM customer",
             node(_C.TYPE_UNSUPPORTED, "name", (2, 3), "has no counterpart in the graph",
                  "leave it out, or turn it into text element by element: "
                  "transform(ARRAY[TIME '10:00:00'], e -> CAST(e AS VARCHAR)) AS name")),
    customer("a NULL without a type", "SELECT id,\n  NULL AS name FROM customer",
             node(_C.TYPE_UNSUPPORTED, "name", (2, 3), "the type unknown", "write CAST(NULL AS VARCHAR) AS name")),
    customer("a type that no graph has", GOOD,
             node(_C.TYPE_UNKNOWN, "name", None, "STRNG is not a type", "use one of"),
             properties=[{"name": "name", "type": "STRNG"}]),
    customer("a primary key of a type that is not allowed", "SELECT CAST(id AS double) AS id, name FROM customer",
             node(_C.KEY_TYPE_NOT_ALLOWED, "id", None, "the primary key id is DOUBLE",
                  "write CAST(CAST(id AS double) AS VARCHAR) AS id in the SQL and declare STRING"),
             primary_key={"name": "id", "type": "DOUBLE"}),
    customer("a primary key that is narrow", GOOD,
             node(_C.KEY_TYPE_NOT_ALLOWED, "id", None, "the primary key id is INT32", "declare INT64"),
             primary_key={"name": "id", "type": "INT32"}),
    bought("a key of another type than the node's", "SELECT\n  CAST(who AS varchar) AS who, what, price FROM bought",
           edge(_C.KEY_TYPE_MISMATCH, "who", (2, 3), "who is varchar (STRING), but the node's key is INT64",
                "write CAST(CAST(who AS varchar) AS BIGINT) AS who")),
    bought("the other key", "SELECT who,\n  1 AS what, price FROM bought",
           edge(_C.KEY_TYPE_MISMATCH, "what", (2, 3), "what is integer (INT32), but the node's key is STRING",
                "write CAST(1 AS VARCHAR) AS what")),
)  # fmt: skip


def validated(warehouse: Warehouse, case: Case) -> ValidationReport:
    document = {
        "name": "shop",
        "node_definitions": [
            {
                "label": "Customer",
                "sql": GOOD,
                "primary_key": {"name": "id", "type": "INT64"},
                "properties": [{"name": "name", "type": "STRING"}],
                **case.customer,
            },
            {"label": "Product", "sql": "SELECT code FROM product", "primary_key": {"name": "code", "type": "STRING"}},
        ],
        "edge_definitions": [
            {
                "type": "BOUGHT",
                "from_node": "Customer",
                "to_node": "Product",
                "sql": GOOD_EDGE,
                "from_key": "who",
                "to_key": "what",
                "properties": [{"name": "price", "type": "DOUBLE"}],
                **case.bought,
            }
        ],
    }
    return validate_on(warehouse, MappingDefinition.model_validate(document), Settings.load({}), print).report


def expected(case: Case, warehouse: Warehouse) -> tuple[Told, ...]:
    changes = case.on.get("duckdb" if isinstance(warehouse, DuckDBWarehouse) else "trino", {})
    return () if changes is None else tuple(replace(told, **changes) for told in case.told)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_each_error_is_told_with_its_code_its_place_and_its_fix(warehouse: Warehouse, case: Case) -> None:
    report = validated(warehouse, case)
    told = expected(case, warehouse)
    assert len(report.errors) == len(told), report.errors
    for one, found in zip(told, report.errors, strict=True):
        assert one.is_told_by(found), f"expected {one}, found {found!r}"
    assert report.valid is not bool(told)
    broken = {one.entity for one in told}
    results = (*report.node_results, *report.edge_results)
    assert {result.name for result in results if not result.valid} == broken, "nothing else is drawn in"


def test_a_mapping_without_an_error_holds_on_both(warehouse: Warehouse) -> None:
    report = validated(warehouse, Case("good", ()))
    assert (report.valid, report.errors, report.warnings) == (True, (), ())


def test_a_broken_node_hides_no_other_and_what_depends_on_it_is_skipped_and_says_so(warehouse: Warehouse) -> None:
    broken = Case(
        "broken",
        (),
        customer={"sql": "SELECT id, nme AS name FROM customer"},
        bought={"sql": "SELECT CAST(who AS varchar) AS who, 1 AS what FROM bought", "from_node": "customer"},
    )
    report = validated(warehouse, broken)
    assert [(found.code, found.entity, found.field) for found in report.errors] == [
        (_C.COLUMN_NOT_FOUND, "Customer", "sql"),
        (_C.COLUMN_MISSING, "BOUGHT", "price"),
        # The key of Product is known, that of Customer is not: nothing is said of the type of `who`.
        (_C.KEY_TYPE_MISMATCH, "BOUGHT", "what"),
    ]
    (skipped,) = report.warnings
    assert (skipped.code, skipped.entity, skipped.field) == (_C.DEPENDENCY_BROKEN, "BOUGHT", "who")
    assert skipped.message == "the type of who was not compared, because the node customer has errors"


def test_an_edge_of_a_node_that_does_not_exist_is_checked_as_far_as_it_goes(warehouse: Warehouse) -> None:
    report = validated(warehouse, Case("lost", (), bought={"to_node": "Prodct", "sql": "SELECT who, what FROM bought"}))
    assert [found.code for found in report.errors] == [_C.UNKNOWN_NODE, _C.COLUMN_MISSING]
    assert [found.message for found in report.warnings] == [
        "the type of what was not checked, because there is no node Prodct"
    ]


def test_every_definition_is_asked_though_the_first_is_no_sql_at_all(warehouse: Warehouse) -> None:
    case = Case("all", (), customer={"sql": "SELECT FROM WHERE"}, bought={"sql": "SELECT who FROM bougth"})
    errors = validated(warehouse, case).errors
    assert [(found.code, found.entity) for found in errors][-1] == (_C.TABLE_NOT_FOUND, "BOUGHT")
    assert {found.code for found in errors if found.entity == "Customer"} == {_C.SQL_SYNTAX}
    assert errors[-1].hint == "did you mean bought?"


def test_every_definition_is_asked_though_a_function_of_the_first_lacks_an_argument(warehouse: Warehouse) -> None:
    lacking = "SELECT id, split_part(name, '-') AS name, balance FROM customer"
    errors = validated(
        warehouse, Case("lacks", (), customer={"sql": lacking}, bought={"sql": "SELECT who FROM bougth"})
    ).errors
    assert [found.entity for found in errors] == ["Customer", "BOUGHT"]
    assert "split_part" in errors[0].message and errors[0].position
    assert errors[1].hint == "did you mean bought?"


def test_timestamps_finer_than_the_graphs_are_told_before_they_are_cut(warehouse: Warehouse) -> None:
    fine = "TIMESTAMP '2020-01-01 00:00:00.123456789'"
    case = Case(
        "fine",
        (),
        customer={
            "sql": f"SELECT id, {fine} AS seen,\n  ARRAY[{fine}] AS often,\n  CAST({fine} AS timestamp(6)) AS cut\n"
            "FROM customer",
            "properties": [
                {"name": "seen", "type": "TIMESTAMP"},
                {"name": "often", "type": "TIMESTAMP[]"},
                {"name": "cut", "type": "TIMESTAMP"},
            ],
        },
    )
    report = validated(warehouse, case)
    assert report.valid, report.errors
    # That the cast is not proved on DuckDB is told, too, and is not what this is about.
    precise = [found for found in report.warnings if found.code == _C.TYPE_PRECISION]
    told = [(found.code, found.entity, found.field, found.message, found.hint) for found in precise]
    hint = "cast it to TIMESTAMP(6) to choose how"
    assert told == [
        (_C.TYPE_PRECISION, "Customer", "seen", "seen is timestamp(9): only microseconds are kept", hint),
        (_C.TYPE_PRECISION, "Customer", "often", "often is array(timestamp(9)): only microseconds are kept", hint),
    ]
    assert [(found.position.line, found.position.column) for found in precise if found.position] == [
        (1, 12),
        (2, 3),
    ]
