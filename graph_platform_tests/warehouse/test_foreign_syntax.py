"""Other dialects' syntax, held against a real Trino: what is refused here it refuses, and what is its own passes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from graph_platform.mapping.sql.gate import check_query
from graph_platform.warehouse.trino.address import TrinoAddress
from graph_platform.warehouse.trino.warehouse import TrinoWarehouse
from graph_platform_tests.services.trino import TrinoServer

# The SQL, where the problem stands in its one line, and a part of the fix.
FOREIGN = (
    ("SELECT name::varchar AS x FROM region", 12, "CAST(name AS varchar)"),
    ("SELECT lower(name)::varchar AS x FROM region", 19, "CAST(… AS varchar)"),
    ("SELECT name FROM region LIMIT 5 OFFSET 2", 33, "OFFSET 2 LIMIT 5"),
    ("SELECT name FROM region LIMIT 2, 5", 32, "OFFSET 2 LIMIT 5"),
    ("SELECT name FROM region FETCH FIRST 5 ROWS ONLY OFFSET 2 ROWS", 49, "OFFSET"),
    ("SELECT name FROM region LIMIT 10 PERCENT", 34, "a number"),
    ("SELECT name, FROM region", 12, "leave the comma out"),
    ("SELECT name FROM region WHERE regionkey IN (1,)", 46, "leave the comma out"),
    ("SELECT name FROM region GROUP BY name,", 38, "leave the comma out"),
    ("SELECT name FROM region WHERE regionkey == 1", 41, "write ="),
    ("SELECT name FROM region WHERE regionkey <=> 1", 41, "IS NOT DISTINCT FROM"),
    ("SELECT regionkey & 1 AS x FROM region", 18, "bitwise_and(regionkey, 1)"),
    ("SELECT regionkey | 1 AS x FROM region", 18, "bitwise_or(regionkey, 1)"),
    ("SELECT regionkey ^ 2 AS x FROM region", 18, "power(regionkey, 2)"),
    ("SELECT regionkey << 2 AS x FROM region", 18, "bitwise_left_shift(regionkey, 2)"),
    ("SELECT ~regionkey AS x FROM region", 8, "bitwise_not(regionkey)"),
    ("SELECT regionkey DIV 2 AS x FROM region", 18, "/ between whole numbers"),
    ("SELECT name FROM region WHERE !true", 31, "NOT"),
    ("SELECT name ->> 'a' AS x FROM region", 13, "json_extract_scalar(name"),
    ("SELECT {'a': 1} AS x", 8, "MAP(ARRAY"),
    ("SELECT name[1:2] AS x FROM region", 14, "substr"),
    ("SELECT name AS 'x' FROM region", 16, "without the quotes"),
    ("SELECT 'a' 'b' AS x", 12, "||"),
    ("SELECT DATE '2020-01-01' + INTERVAL 1 DAY AS x", 37, "INTERVAL '1' DAY"),
    ("SELECT current_date() AS x", 20, "current_date"),
    ("SELECT name FROM region WHERE (name = 'a') IS TRUE", 47, "COALESCE(…, false)"),
    ("SELECT name FROM region WHERE (name = 'a') IS NOT FALSE", 51, "COALESCE(…, true)"),
    ("SELECT name FROM region WHERE name NOTNULL", 36, "IS NOT NULL"),
    ("SELECT name FROM region WHERE name ISNULL", 36, "IS NULL"),
    ("SELECT name FROM region WHERE name ILIKE 'a'", 36, "lower"),
    ("SELECT name FROM region WHERE name RLIKE 'a'", 36, "regexp_like"),
    ("SELECT name FROM region WHERE name SIMILAR TO 'a'", 36, "regexp_like"),
    ("SELECT name FROM region WHERE name GLOB 'a'", 36, "LIKE"),
    ("SELECT `name` FROM region", 8, 'write "name"'),
    ("SELECT r.`name` FROM region r", 10, 'write "name"'),
    ("SELECT name FROM `hive`.`region`", 18, 'write "hive"'),
    ("SELECT name FROM [region]", 18, 'write "region"'),
    ("SELECT TOP 5 name FROM region", 8, "LIMIT 5"),
    ("SELECT name FROM region WHERE name ~ '^A'", 36, "regexp_like(name"),
    ("SELECT name FROM region SAMPLE 10", 25, "TABLESAMPLE BERNOULLI"),
    ("SELECT name FROM region QUALIFY row_number() OVER (ORDER BY name) = 1", 25, "row_number() OVER (…) AS n"),
    # The first of these words are names.
    (
        "SELECT name AS regexp FROM region regexp WHERE regexp_like(name, 'a') AND NOT name NOT REGEXP 'b'",
        88,
        "regexp_like",
    ),
    ("SELECT replace(name, 'a', 'b') AS pivot, r.* REPLACE ('x' AS name) FROM region r", 46, "name the columns"),
    ("SELECT name AS pivot FROM region PIVOT (count(*) FOR name IN ('a'))", 34, "FILTER"),
    ("SELECT semi.name FROM region AS semi LEFT ANTI JOIN nation anti_n ON true", 43, "WHERE NOT EXISTS"),
    ("SELECT name AS percent FROM region LIMIT 10 PERCENT", 45, "a number"),
    ("SELECT name FROM (SELECT name FROM region GROUP BY name) GROUP BY ALL", 58, "name the columns"),
    ("SELECT name FROM region WHERE name = ANY (ARRAY['a'])", 38, "contains"),
    ("WITH x AS MATERIALIZED (SELECT 1 AS y) SELECT y FROM x", 11, "leave the word out"),
    ("SELECT name FROM region FOR UPDATE", 25, "leave FOR UPDATE out"),
    ("SELECT DISTINCT ON (name) name FROM region", 8, "row_number()"),
    ("SELECT * EXCEPT (name) FROM region", 10, "name the columns"),
    ("SELECT * REPLACE ('x' AS name) FROM region", 10, "name the columns"),
    ("SELECT name, count(*) AS n FROM region GROUP BY ALL", 40, "name the columns"),
    ("SELECT r.name FROM region r SEMI JOIN nation n ON r.regionkey = n.regionkey", 29, "WHERE EXISTS"),
    ("SELECT r.name FROM region r LEFT ANTI JOIN nation n ON r.regionkey = n.regionkey", 34, "WHERE NOT EXISTS"),
    ("SELECT r.name FROM region r ASOF JOIN nation n ON r.regionkey >= n.regionkey", 29, "window function"),
    ("SELECT name FROM region LATERAL VIEW explode(ARRAY[1]) t AS x", 25, "UNNEST"),
    ("SELECT name FROM region USING SAMPLE 10", 31, "TABLESAMPLE"),
    ("SELECT name COLLATE NOCASE AS x FROM region", 13, "leave it out"),
    ("SELECT [x FOR x IN ARRAY[1]] AS x", 11, "transform"),
    ("SELECT UNNEST(ARRAY[1]) AS x", 8, "CROSS JOIN UNNEST"),
    ("SELECT sum(UNNEST(ARRAY[1])) AS x", 12, "CROSS JOIN UNNEST"),
    ("WITH RECURSIVE r(n) USING KEY (n) AS (SELECT 1 UNION SELECT n FROM r) SELECT n FROM r", 27, "leave it out"),
    ("SELECT name FROM region PIVOT (count(*) FOR name IN ('a'))", 25, "FILTER"),
    ("SELECT name FROM region TABLESAMPLE (10 PERCENT)", 25, "BERNOULLI"),
    ("SELECT name FROM region UNION BY NAME SELECT name FROM nation", 31, "one order"),
    ("SELECT name FROM region SORT BY name", 25, "ORDER BY"),
    ("FROM region", 1, "SELECT"),
    ("SELECT CAST(regionkey AS text) AS x FROM region", 26, "VARCHAR"),
    ("SELECT TRY_CAST(name AS numeric(10, 2)) AS x FROM region", 25, "DECIMAL(p, s)"),
    ("SELECT CAST(regionkey AS float) AS x FROM region", 26, "REAL"),
    ("SELECT name FROM region WHERE regionkey BETWEEN SYMMETRIC 2 AND 1", 49, "least(a, b)"),
    ("SELECT r.name FROM region r JOIN nation n WHERE r.regionkey = n.regionkey", 29, "CROSS JOIN"),
    ("SELECT r.name FROM region r LEFT JOIN nation n", 34, "ON"),
    ("SELECT r.name FROM region r, nation n INNER JOIN nation m", 45, "ON"),
    ("SELECT x FROM (SELECT r.name AS x FROM region r JOIN nation n) JOIN nation m ON true", 49, "ON"),
    ("SELECT name FROM region NATURAL LEFT JOIN nation", 25, "USING"),
    ("SELECT DATE '2020-01-01' + INTERVAL '1' WEEK AS x", 41, "INTERVAL '7' DAY"),
    ("SELECT DATE '2020-01-01' - INTERVAL '2' DAYS AS x", 41, "INTERVAL '2' DAY"),
    ("SELECT DATE '2020-01-01' + INTERVAL '1 day' AS x", 37, "INTERVAL '1' DAY"),
)

TRINOS = (
    # Names that are operators elsewhere, beside the functions that the parser takes for the same.
    "SELECT regexp_like(name, 'x') AS regexp FROM region",
    "SELECT regexp_like(name, 'x') regexp FROM region",
    "SELECT \"regexp_like\"(name, 'x') AS rlike FROM region",
    "SELECT regexp.name AS x FROM region regexp WHERE regexp_like(regexp.name, 'x')",
    "SELECT regexp_like(regexp, 'x') AS x FROM (VALUES 'a') AS regexp (regexp)",
    "SELECT DISTINCT rlike, regexp_like(rlike, 'x') AS x FROM (SELECT name AS rlike FROM region) ORDER BY rlike DESC",
    "SELECT regexp_like(name, 'x') OR regexp IS NULL AS x, regexp || 'a' AS y, regexp NOT LIKE 'a' AS z "
    "FROM (SELECT name, name AS regexp FROM region) WHERE NOT regexp_like(regexp, 'y') AND NOT regexp = 'a'",
    "SELECT CASE regexp WHEN 'a' THEN regexp ELSE regexp END AS x FROM (SELECT name AS regexp FROM region)",
    "SELECT count(*) OVER regexp AS x FROM region regexp TABLESAMPLE BERNOULLI (10) "
    "WINDOW regexp AS (PARTITION BY name)",
    "SELECT CAST(ROW(1) AS ROW(regexp bigint)).regexp AS x, regexp_like('a', 'b') AS y",
    "SELECT glob, ilike FROM (SELECT name AS glob, 1 AS ilike FROM region) WHERE glob LIKE 'a' AND ilike > 0",
    "SELECT isnull, notnull FROM (SELECT 1 AS isnull, 2 AS notnull) WHERE isnull IS NULL OR notnull = 1",
    "SELECT any, some FROM (SELECT 1 AS any, 2 AS some) WHERE any = ANY (VALUES 1) AND some > SOME (SELECT 1)",
    "SELECT name FROM region WHERE regionkey = ANY (WITH a AS (SELECT 1 AS x) SELECT x FROM a)",
    "SELECT semi.name FROM region semi JOIN nation n ON semi.regionkey = n.regionkey",
    "SELECT asof.name FROM region AS asof LEFT JOIN nation anti ON asof.regionkey = anti.regionkey",
    "SELECT semi, anti, asof, positional FROM (SELECT 1 AS semi, 2 AS anti, 3 AS asof, 4 AS positional)",
    "SELECT positional.name FROM region positional JOIN nation n ON positional.regionkey = n.regionkey",
    "SELECT pivot, unpivot FROM (SELECT 1 AS pivot, 2 AS unpivot) AS pivot",
    "SELECT symmetric FROM (SELECT 1 AS symmetric) WHERE symmetric BETWEEN 1 AND symmetric",
    "SELECT *, replace(name, 'a', 'b') AS replace, 2 * rename AS exclude FROM (SELECT name, 1 AS rename FROM region)",
    "SELECT name FROM region GROUP BY ALL ROLLUP (name)",
    "SELECT name FROM region UNION CORRESPONDING SELECT name FROM nation",
    "SELECT percent, sort, cluster, distribute FROM (SELECT 1 AS percent, 2 AS sort, 3 AS cluster, 4 AS distribute) "
    "LIMIT 10",
    "SELECT x FROM (VALUES 1) AS materialized (x)",
    "SELECT name FROM region OFFSET 2 LIMIT 5",
    "SELECT name FROM region ORDER BY name OFFSET 2 ROWS FETCH NEXT 5 ROWS ONLY",
    "SELECT name FROM region LIMIT ALL",
    "SELECT name FROM region ORDER BY name FETCH FIRST ROW WITH TIES",
    "SELECT * FROM region EXCEPT SELECT * FROM region",
    "SELECT name FROM region WHERE name IS NOT DISTINCT FROM 'a' AND name IS NOT NULL",
    "SELECT name FROM region WHERE regionkey = ANY (SELECT regionkey FROM nation) OR regionkey > ALL (VALUES 1, 2)",
    "SELECT bitwise_and(regionkey, 1) AS x, bitwise_xor(regionkey, 1) AS y FROM region",
    "SELECT name || 'a' || ' | & ^ ~ :: ' AS x FROM region -- :: LIMIT 5 OFFSET 2",
    "SELECT regexp_like(name, '^a|b~') AS x, name LIKE 'a!_' ESCAPE '!' AS y FROM region",
    'SELECT name AS "::", 1 AS offset, 2 AS limit, 3 AS only FROM region',
    """SELECT "$x" AS x FROM (SELECT name AS "$x" FROM region) WHERE "$x" <> '$y'""",
    "SELECT offset, limit FROM (SELECT 1 AS offset, 2 AS limit)",
    "SELECT text, string, float FROM (SELECT 1 AS text, 2 AS string, 3 AS float)",
    "SELECT (SELECT 1 AS text) AS x, CAST((SELECT name AS string FROM region LIMIT 1) AS varchar) AS y",
    "SELECT CAST(regionkey AS double) AS a, CAST(regionkey AS decimal(10, 2)) AS b, CAST(name AS char(3)) AS c "
    "FROM region",
    "SELECT CAST(ARRAY[ARRAY[1]] AS array<array<bigint>>) AS x, CAST(NULL AS map(varchar, row(a bigint))) AS y",
    "SELECT DATE '2020-01-01' + INTERVAL '1' DAY - INTERVAL '1-2' YEAR TO MONTH AS x",
    "SELECT current_date AS a, current_timestamp(3) AS b, current_user AS c",
    "SELECT extract(year FROM DATE '2020-01-01') AS x, substring(name FROM 1 FOR 2) AS y FROM region",
    "SELECT trim(LEADING 'a' FROM name) AS x, position('a' IN name) AS y FROM region",
    "SELECT ARRAY[1, 2][1] AS x, ARRAY[] AS y, MAP(ARRAY['a'], ARRAY[1])['a'] AS z",
    "SELECT transform(ARRAY[1], x -> x + 1) AS x, reduce(ARRAY[1], 0, (s, x) -> s + x, s -> s) AS y",
    "SELECT json_object('a' : 1) AS x, json_value('{\"a\":1}', 'lax $.a' RETURNING bigint) AS y",
    "SELECT count(DISTINCT name) AS x, count(*) FILTER (WHERE regionkey > 1) AS y FROM region",
    "SELECT count(*) AS n, array_agg(DISTINCT name ORDER BY name) AS x FROM region GROUP BY GROUPING SETS ((name), ())",
    "SELECT DISTINCT name, lag(name) OVER (PARTITION BY regionkey ORDER BY name) AS x FROM region",
    "SELECT sum(regionkey) OVER (ORDER BY name ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) AS x FROM region",
    "SELECT listagg(name, ',') WITHIN GROUP (ORDER BY name) AS x FROM region",
    "SELECT name FROM region TABLESAMPLE BERNOULLI (10)",
    "SELECT x FROM region CROSS JOIN UNNEST(ARRAY[1, 2]) WITH ORDINALITY AS t(x, n)",
    "SELECT r.name FROM region r LEFT JOIN nation n USING (regionkey) CROSS JOIN LATERAL (SELECT r.name AS b) AS l",
    "SELECT r.name AS x FROM region r JOIN nation n JOIN nation m ON n.nationkey = m.nationkey "
    "ON r.regionkey = n.regionkey",
    "SELECT r.name AS x FROM region r JOIN nation n CROSS JOIN nation m ON r.regionkey = n.regionkey",
    "SELECT listagg(r.name, ',' ON OVERFLOW ERROR) WITHIN GROUP (ORDER BY r.name) AS x FROM region r "
    "JOIN nation n ON true CROSS JOIN nation m",
    "SELECT TIMESTAMP '2020-01-01 00:00:00' + INTERVAL '1 2:03' DAY TO MINUTE - INTERVAL - '0.001' SECOND AS x",
    "SELECT interval FROM (VALUES 'a') AS t(interval)",
    "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t WHERE n < 5) SELECT n AS x FROM t",
    "SELECT k FROM nation MATCH_RECOGNIZE (ORDER BY nationkey MEASURES B.nationkey AS k ONE ROW PER MATCH "
    "PATTERN (A (B | C)+ D{2,3}) DEFINE B AS nationkey > 1)",
    "TABLE region",
    "SELECT u FROM (VALUES (TIMESTAMP '2020-01-01 00:00:00 UTC' AT TIME ZONE 'Europe/Berlin')) AS t(u)",
)


@pytest.fixture(scope="module")
def warehouse(trino_server: TrinoServer) -> Iterator[TrinoWarehouse]:
    with closing(TrinoWarehouse(TrinoAddress("127.0.0.1", trino_server.port, "http", "tester", "tpch", "tiny"))) as it:
        yield it


@pytest.mark.parametrize(("sql", "column", "fix"), FOREIGN, ids=[sql for sql, _, _ in FOREIGN])
def test_foreign_syntax_is_refused_here_as_trino_refuses_it(
    trino_server: TrinoServer, sql: str, column: int, fix: str
) -> None:
    (found,) = check_query(sql).problems
    assert found.position is not None
    assert (found.code, found.position.line, found.position.column) == ("SQL_SYNTAX", 1, column)
    assert fix in (found.hint or "")
    qualified = sql.replace(" region", " tpch.tiny.region").replace(" nation", " tpch.tiny.nation")
    with pytest.raises(RuntimeError):
        trino_server.run(qualified)


@pytest.mark.parametrize("sql", TRINOS)
def test_what_is_trinos_own_passes(warehouse: TrinoWarehouse, sql: str) -> None:
    assert check_query(sql).problems == ()
    assert warehouse.describe(sql)
