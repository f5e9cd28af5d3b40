"""What DuckDB has beside Trino's functions and the tables of its file does not exist for a mapping.

The names are those of the DuckDB that is installed, so that a newer one is asked again.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from graph_platform.mapping.checks.problems import ProblemCode
from graph_platform.mapping.sql.functions import TRINO_FUNCTIONS
from graph_platform.mapping.sql.gate import check_query
from graph_platform.relational import Column, Refusal
from graph_platform.warehouse.duckdb.translation import to_duckdb
from graph_platform.warehouse.duckdb.warehouse import DuckDBWarehouse
from graph_platform_tests.services.trino import TrinoServer

# Functions of DuckDB's whose names Trino's grammar has, too: each is one of Trino's there, in other words refused.
OF_BOTH_GRAMMARS = {
    "format",
    "if",
    "json_array",
    "json_exists",
    "json_object",
    "json_value",
    "nullif",
    "position",
    "row",
}


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("lacks") / "w.duckdb"
    with duckdb.connect(str(file)) as connection:
        connection.execute(
            """
            CREATE TABLE t AS SELECT i AS id, 'n' || i AS name FROM range(10) r(i);
            CREATE SCHEMA other;
            CREATE TABLE other.thing (a INTEGER, "user" VARCHAR);
            CREATE VIEW seen AS SELECT database_name FROM duckdb_databases();
            CREATE TABLE pg_class (own INTEGER);
            CREATE TABLE "sqlite_schema" (own INTEGER);
            CREATE MACRO rows_of_mine() AS TABLE SELECT 1 AS a;
            CREATE MACRO mine(x) AS x + 1;
            CREATE SEQUENCE numbers;
            CREATE TEMP TABLE passing (a INTEGER);
            """
        )
    return file


@pytest.fixture(scope="module")
def warehouse(path: Path) -> Iterator[DuckDBWarehouse]:
    opened = DuckDBWarehouse(path)
    yield opened
    opened.close()


def functions(*kinds: str) -> list[str]:
    """The names of DuckDB's functions of some kinds, all of them if none is named."""
    rows = duckdb.connect().execute("SELECT DISTINCT lower(function_name), function_type FROM duckdb_functions()")
    return sorted({name for name, kind in rows.fetchall() if not kinds or kind in kinds})


def codes(sql: str) -> list[str]:
    """What is wrong with a query before anything is asked about it."""
    checked = check_query(sql)
    if checked.tree is None:
        return [found.code for found in checked.problems]
    return [found.code for found in to_duckdb(checked).errors]


def test_no_function_of_duckdbs_that_trino_lacks_can_be_called() -> None:
    names = [name for name in functions() if name not in TRINO_FUNCTIONS | OF_BOTH_GRAMMARS]
    assert len(names) > 300
    passed = [
        sql
        for name in names
        for sql in (
            *(
                [f"SELECT {name}(id) AS v FROM t", f"SELECT {name.upper()} /* */ () AS v"]
                if name.isidentifier()
                else []
            ),
            f'SELECT "{name}"(id) AS v FROM t',
            f'SELECT main."{name}"(id) AS v FROM t',
        )
        if not codes(sql)
    ]
    assert passed == []


def test_no_table_function_of_duckdbs_can_be_called() -> None:
    names = [name for name in functions("table", "table_macro", "pragma") if name.isidentifier() and name != "unnest"]
    assert len(names) > 50
    forms = ("SELECT * FROM {}('t')", "SELECT * FROM t, LATERAL {}(id)", "SELECT * FROM TABLE({}(1))")
    assert [name for name in names for form in forms if not codes(form.format(name))] == []


def test_words_of_both_grammars_are_no_functions_in_quotes() -> None:
    for name in sorted(OF_BOTH_GRAMMARS):
        assert codes(f'SELECT "{name}"(id) AS v FROM t') != [], name


def test_a_function_of_trinos_is_none_under_another_name_or_in_a_schema() -> None:
    for sql in ("SELECT main.abs(id) AS v FROM t", "SELECT system.main.abs(id) AS v FROM t", "SELECT id.abs() FROM t"):
        assert codes(sql) == ["FUNCTION_NOT_FOUND"], sql


@pytest.mark.parametrize("name", ["pg_sleep", "sleep_ms", "json_serialize_sql", "mine", "frobnicate", "list_sort"])
def test_a_function_that_is_not_there_is_told_where_it_stands(warehouse: DuckDBWarehouse, name: str) -> None:
    with pytest.raises(Refusal) as refused:
        warehouse.describe(f"SELECT id,\n  {name}(id) AS v FROM t")
    refusal = refused.value
    assert (refusal.kind, refusal.subject, refusal.line, refusal.column) == ("FUNCTION_NOT_FOUND", name, 2, 3)
    assert refusal.message == f"the function {name} does not exist"


def test_a_name_that_is_nearly_one_of_trinos_is_told() -> None:
    translation = to_duckdb(check_query("SELECT array_sorted(id) AS v, regexp_matches(name, 'a') FROM t"))
    assert [found.code for found in translation.errors] == ["FUNCTION_NOT_FOUND"] * 2
    assert "array_sort" in (translation.errors[0].hint or "")


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT id FROM t AS abs_of (id, name)",
        "WITH pg_sleep(v, w) AS (SELECT id, name FROM t) SELECT v FROM pg_sleep",
        "SELECT u.x FROM t CROSS JOIN UNNEST(sequence(1, id)) range(x), UNNEST(sequence(1, 2)) AS u(x)",
        "SELECT count(*) FILTER (WHERE id > 1) AS n FROM t GROUP BY GROUPING SETS ((id), ())",
        "SELECT max(id) OVER (PARTITION BY (id) ORDER BY (id)) AS n FROM t",
        "SELECT CAST(ROW(1, 'a') AS ROW(x bigint, y varchar(3))) AS r, CAST(id AS decimal(10, 2)) AS d FROM t",
        "SELECT id FROM t WHERE (id) IN (1, 2) AND NOT (id = 3) OR EXISTS (SELECT 1 FROM t) AND id BETWEEN (1) AND (2)",
        "SELECT CASE WHEN (id > 1) THEN (id) ELSE (0) END AS v FROM t JOIN (SELECT 1 AS i) AS o ON (o.i = t.id)",
        "SELECT ABS (id) AS a, \"abs\"(id) AS b, Date_Trunc('day', current_timestamp) AS c FROM t",
        "SELECT id FROM t TABLESAMPLE BERNOULLI (10) UNION (SELECT 1) EXCEPT (SELECT 2)",
        "SELECT transform(ARRAY[1], x -> (x + 1)) AS v, TRY(1 / id) AS w, IF(id > 1, 2) AS x FROM t",
    ],
)
def test_what_stands_before_a_parenthesis_and_is_no_function_passes(sql: str) -> None:
    assert codes(sql) == []


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT [1, 2] AS v",
        "SELECT id FROM t WHERE id IN ([1])",
        "SELECT id FROM t LIMIT 10%",
        "SELECT id FROM t TABLESAMPLE 10%",
        "SELECT id FROM t TABLESAMPLE BERNOULLI (10%)",
        *(
            f"SELECT name {sign} 'a' AS v FROM t"
            for sign in ("~~", "!~~", "~~*", "~*", "->", "&&", "^@", "#", "<@", "@>")
        ),
        "SELECT ROW(a := 1) AS v",
        "SELECT id <> ALL (ARRAY[1]) AS v FROM t",
        "SELECT id FROM t WHERE id IN name",
        "SELECT id FROM (FROM t) AS x",
        "SELECT id FROM t UNION ALL FROM t",
        "WITH a AS (SELECT 1 AS x) FROM a",
        "SELECT * FROM 't'",
        "SELECT x FROM t AS u('x')",
        "SELECT id FROM t JOIN t AS u USING ('id')",
        "SELECT array_agg(id) FILTER (id > 1) AS v FROM t",
        "SELECT CAST(id AS integer[]) AS v FROM t",
        "SELECT CAST(name AS ROW(a bit)) AS v FROM t",
        *(
            f"SELECT CAST(name AS {kind}) AS v FROM t"
            for kind in ("bit", '"BIT"', "uhugeint", "time_ns", "variant", "list")
        ),
    ],
)
def test_syntax_and_types_of_others_are_refused(sql: str) -> None:
    assert {"SQL_SYNTAX", "SQL_PARAMETER"} & set(codes(sql)), sql


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT ARRAY[] AS v, ARRAY[ARRAY[1]] AS w, a[1] AS x, (a)[1] AS y, m['a']['b'] AS z FROM t",
        "SELECT date[1] AS r, \"arr\"[1] AS s, t.arr[1] AS u, o.values[1] AS v, split(a, 'b')[1] AS q FROM t",
        "SELECT CASE WHEN b THEN a END[1] AS w FROM t",
        "SELECT transform(a, x -> 'a') AS a, transform(a, (x) -> x[1]) AS b, filter(a, x -> x IN (1, 2)) AS c FROM t",
        "SELECT count(*) FILTER (WHERE id > 1) AS n, filter(a, x -> x > 1) AS f FROM t",
        "SELECT filter FROM (SELECT 1 AS x) filter (filter)",
        "SELECT trim(FROM name) AS v, trim('x' FROM 'abc') AS w, position('a' IN name) AS y FROM t",
        "SELECT id FROM t WHERE id = ALL (VALUES 1) AND id <> ALL (SELECT 2) AND count(ALL id) > 1",
        "SELECT id FROM (TABLE t) AS x UNION ALL TABLE t",
        "WITH RECURSIVE r(n) AS (VALUES 1 UNION ALL SELECT n + 1 FROM r WHERE n < 3) SELECT n FROM r",
        "SELECT CAST(x AS ARRAY(ROW(a bigint, b varchar(3)))) AS a, CAST(y AS int ARRAY) AS b FROM t",
        "SELECT CAST(x AS timestamp(3) with time zone) AS a, CAST(x[1] AS double precision) AS b FROM t",
        'SELECT "a @ b" AS a, "x~y" AS b, \'a@b.c\' AS c, id % 2 AS d, a != b AS e /* @ ~ */ FROM t -- #',
        "SELECT größe AS a, json_format(CAST(m AS json)) AS b FROM t",
    ],
)
def test_what_trino_writes_with_the_same_signs_and_words_passes(sql: str) -> None:
    assert codes(sql) == []


def internal() -> list[tuple[str, str, str]]:
    """Catalog, schema and name of each relation that every DuckDB has."""
    return (
        duckdb.connect()
        .execute(
            "SELECT DISTINCT database_name, schema_name, view_name FROM duckdb_views() WHERE internal "
            "UNION SELECT DISTINCT database_name, schema_name, table_name FROM duckdb_tables() WHERE internal "
            "UNION SELECT table_catalog, table_schema, table_name FROM information_schema.tables "
            "UNION VALUES ('system', 'main', 'sqlite_master'), ('system', 'main', 'sqlite_temp_schema') ORDER BY ALL"
        )
        .fetchall()
    )


def test_no_relation_of_duckdbs_own_can_be_read(warehouse: DuckDBWarehouse) -> None:
    found = internal()
    assert {("pg_catalog", "pg_settings"), ("main", "duckdb_databases"), ("main", "duckdb_logs")} <= {
        (schema, name) for _, schema, name in found
    }
    own = {"pg_class", "sqlite_schema"}
    passed = []
    for catalog, schema, name in found:
        for reference in (
            *([name, f'"{name}"', name.upper(), f"main.{name}", f"w.main.{name}"] if name not in own else []),
            *(f"{schema}.{name}", f"{catalog}.{schema}.{name}", f"w.{schema}.{name}", f"temp.{schema}.{name}"),
        ):
            if reference.removeprefix("w.").removeprefix("main.") in own:
                continue
            try:
                warehouse.describe(f"SELECT * FROM {reference}")
            except Refusal as refusal:
                if refusal.kind in ("TABLE_NOT_FOUND", "SQL_TABLE_NOT_ALLOWED"):
                    continue
            passed.append(reference)
    assert passed == []


@pytest.mark.parametrize(
    "sql",
    [
        # A name of WITH is one only where the clause gives it.
        "WITH a AS (SELECT * FROM duckdb_databases), duckdb_databases AS (SELECT 1 AS x) SELECT * FROM a",
        "WITH duckdb_databases AS (SELECT * FROM duckdb_databases) SELECT * FROM duckdb_databases",
        "WITH RECURSIVE duckdb_databases AS (SELECT * FROM duckdb_databases) SELECT * FROM duckdb_databases",
        "WITH RECURSIVE pg_type(a) AS (SELECT oid FROM pg_type UNION ALL SELECT a FROM pg_type) SELECT * FROM pg_type",
        "SELECT * FROM (WITH duckdb_tables AS (SELECT 1 AS x) SELECT * FROM duckdb_tables) AS i, duckdb_tables",
        "SELECT (WITH pg_type AS (SELECT 1 AS x) SELECT max(x) FROM pg_type) AS a, (SELECT max(oid) FROM pg_type) AS b",
        "WITH pg_type AS (SELECT 1 AS x) SELECT * FROM pg_catalog.pg_type",
        "WITH pg_type AS (SELECT 1 AS x) SELECT * FROM main.pg_type",
        # Wherever a relation may stand.
        "SELECT id FROM t WHERE id IN (SELECT oid FROM pg_type)",
        "SELECT id FROM t WHERE EXISTS (SELECT 1 FROM sqlite_master)",
        "SELECT id FROM t UNION ALL SELECT oid FROM pg_type",
        "SELECT id FROM t LEFT JOIN pg_type ON oid = id",
        "SELECT id FROM (t CROSS JOIN pg_type)",
        "SELECT id FROM t, LATERAL (SELECT oid FROM pg_type WHERE oid = id) AS l",
        "SELECT (SELECT count(*) FROM duckdb_settings) AS n FROM t",
        "TABLE duckdb_databases",
        "SELECT id FROM t ORDER BY (SELECT max(oid) FROM pg_type)",
        # Those of the file that are no tables, and what is somebody else's.
        "SELECT * FROM passing",
        "SELECT * FROM temp.passing",
        "SELECT * FROM numbers",
        "SELECT * FROM memory.main.t",
        "SELECT * FROM system.t",
        "SELECT * FROM temp.t",
        "SELECT * FROM w.t",
        "SELECT * FROM main.main.t",
        "SELECT * FROM information_schema.tables",
        "SELECT * FROM w.information_schema.tables",
        "SELECT * FROM a.b.c.d",
    ],
)
def test_a_relation_is_a_table_of_the_file_wherever_it_stands(warehouse: DuckDBWarehouse, sql: str) -> None:
    with pytest.raises(Refusal) as refused:
        warehouse.describe(sql)
    assert refused.value.kind == ProblemCode.TABLE_NOT_FOUND
    assert refused.value.subject
    assert refused.value.line


@pytest.mark.parametrize(
    ("sql", "column"),
    [
        ("SELECT * FROM W.MAIN.T", "id"),
        ("SELECT own FROM pg_class", "own"),
        ("SELECT own FROM main.pg_class", "own"),
        ('SELECT own FROM "sqlite_schema"', "own"),
        ("SELECT database_name FROM seen", "database_name"),
        ("SELECT a FROM other.thing", "a"),
        ("SELECT id FROM (t CROSS JOIN other.thing)", "id"),
        ("WITH pg_type AS (SELECT 1 AS x) SELECT x FROM pg_type", "x"),
        ("WITH pg_type AS (SELECT 1 AS x), b AS (SELECT x FROM PG_TYPE) SELECT x FROM b", "x"),
        ("WITH a AS (SELECT 1 AS x) SELECT x FROM (SELECT x FROM (SELECT x FROM a) AS b) AS c", "x"),
        ("WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 3) SELECT n FROM r", "n"),
        ("WITH a AS (SELECT 1 AS x) SELECT x FROM a UNION ALL SELECT x FROM a", "x"),
        ("SELECT id FROM t WHERE id IN (WITH a AS (SELECT 1 AS x) SELECT x FROM a)", "id"),
        ("WITH a AS (WITH b AS (SELECT 1 AS x) SELECT x FROM b) SELECT x FROM a", "x"),
    ],
)
def test_tables_of_the_file_and_results_of_with_are_found(warehouse: DuckDBWarehouse, sql: str, column: str) -> None:
    assert warehouse.describe(sql)[0].name == column


@pytest.mark.parametrize(
    "query",
    [
        *("DESCRIBE t", "DESC t", "SHOW TABLES", "SHOW ALL TABLES", "SUMMARIZE t", "PRAGMA show_tables", "EXPLAIN t"),
        *(
            "CALL pragma_version()",
            "PIVOT t ON id USING sum(id)",
            "UNPIVOT t ON id",
            "USE w",
            "ATTACH 'x'",
            "CHECKPOINT",
        ),
        *("LOAD icu", "INSTALL httpfs", "SET threads = 1", "RESET threads", "COPY t TO 'x'", "EXPORT DATABASE 'x'"),
        *("INSERT INTO t VALUES (1)", "DELETE FROM t", "BEGIN", "VACUUM", "ANALYZE", "EXECUTE x", "FROM range(3)"),
        *("SELECT * FROM query('FROM t')", "SELECT * FROM query_table('t')", "SELECT * FROM glob('*')"),
        *("SELECT * FROM 'x.csv'", "SELECT * FROM rows_of_mine()", "SELECT * FROM read_text('x')"),
    ],
)
@pytest.mark.parametrize(
    "around", ["{}", "SELECT * FROM ({}) AS x", "WITH a AS ({}) SELECT * FROM a", "SELECT ({}) AS v"]
)
def test_what_is_no_query_of_trinos_is_refused_inside_one_too(
    warehouse: DuckDBWarehouse, query: str, around: str
) -> None:
    with pytest.raises(Refusal):
        warehouse.describe(around.format(query))


@pytest.mark.parametrize(
    "name", ["user", "session_user", '"current_role"', '"current_catalog"', "rowid", '"localtime"']
)
def test_a_name_that_only_duckdb_gives_a_value_is_no_column(path: Path, tmp_path: Path, name: str) -> None:
    file = tmp_path / "plain.duckdb"
    with duckdb.connect(str(file)) as connection:
        connection.execute("CREATE TABLE t (id INTEGER)")
    warehouse = DuckDBWarehouse(file)
    try:
        for sql in (
            f"SELECT {name} AS v FROM t",
            f"SELECT t.{name} AS v FROM t",
            f"SELECT id FROM t WHERE {name} = '1'",
        ):
            with pytest.raises(Refusal) as refused:
                warehouse.describe(sql)
            assert refused.value.kind == ProblemCode.COLUMN_NOT_FOUND
    finally:
        warehouse.close()


def test_a_column_of_such_a_name_is_one(warehouse: DuckDBWarehouse) -> None:
    assert warehouse.describe('SELECT "user" FROM other.thing') == (Column("user", "varchar"),)
    assert warehouse.describe("SELECT rowid FROM (SELECT id AS rowid FROM t) AS x") == (Column("rowid", "bigint"),)


def test_the_list_is_trinos(trino_server: TrinoServer) -> None:
    listed = {row[0].lower() for row in trino_server.run("SHOW FUNCTIONS") if row[3] != "table"}
    assert listed == TRINO_FUNCTIONS
