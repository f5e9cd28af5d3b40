"""The gate: what gets through, what does not, and where the message points."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graph_platform.mapping.sql.gate import MAX_SQL_CHARACTERS, check_query, locate, without_terminator


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1",
        "select a from t;",
        "select a from t ; ; -- done",
        "-- first\nselect a -- x; y\nfrom t /* ; */\n;\n-- end",
        "with a as (select 1 as x) select * from a",
        "with recursive a(n) as (select 1 union all select n + 1 from a where n < 3) select n from a",
        "(select 1) union all (select 2)",
        "select 1 except select 2",
        "values (1, 2)",
        "table t",
        "select * from a.b.c",
        'select * from "order"',
        "select * from t cross join unnest(a) with ordinality as u(x, i)",
        "select * from t, lateral (select 1)",
        "select * from (values 1, 2) v(x)",
        "select * from t tablesample bernoulli (10)",
        "select ';drop table t' as x, 'a/b.csv' as y",
        'select "a.csv" from t',
    ],
)
def test_one_query_gets_through(sql: str) -> None:
    checked = check_query(sql)
    assert checked.problems == ()
    assert checked.tree is not None


@pytest.mark.parametrize(
    ("sql", "code"),
    [
        ("", "SQL_EMPTY"),
        ("  -- nothing\n", "SQL_EMPTY"),
        (";", "SQL_EMPTY"),
        ("select 1; select 2", "SQL_MULTIPLE_STATEMENTS"),
        ("select 1; drop table t", "SQL_MULTIPLE_STATEMENTS"),
        ("drop table t", "SQL_NOT_A_QUERY"),
        ("create table x as select 1", "SQL_NOT_A_QUERY"),
        ("insert into t select 1", "SQL_NOT_A_QUERY"),
        ("delete from t", "SQL_NOT_A_QUERY"),
        ("update t set a = 1", "SQL_NOT_A_QUERY"),
        ("merge into t using s on a = b when matched then delete", "SQL_NOT_A_QUERY"),
        ("with x as (delete from t returning *) select * from x", "SQL_NOT_A_QUERY"),
        ("select * into x from t", "SQL_NOT_A_QUERY"),
        ("explain select 1", "SQL_NOT_A_QUERY"),
        ("show tables", "SQL_NOT_A_QUERY"),
        ("call system.runtime.kill_query('x')", "SQL_NOT_A_QUERY"),
        ("set session x = 1", "SQL_NOT_A_QUERY"),
        ("use a.b", "SQL_NOT_A_QUERY"),
        ("grant select on a to b", "SQL_NOT_A_QUERY"),
        ("copy t to 'x'", "SQL_NOT_A_QUERY"),
        ("copy (select 1) to '/tmp/x'", "SQL_NOT_A_QUERY"),
        ("pragma x", "SQL_NOT_A_QUERY"),
        ("install httpfs", "SQL_NOT_A_QUERY"),
        ("load httpfs", "SQL_NOT_A_QUERY"),
        ("prepare x from select 1", "SQL_NOT_A_QUERY"),
        ("execute x", "SQL_NOT_A_QUERY"),
        ("select * from read_csv('/etc/passwd')", "SQL_FUNCTION_NOT_ALLOWED"),
        ("select * from read_parquet('x')", "SQL_FUNCTION_NOT_ALLOWED"),
        ("select (select count(*) from read_blob('/*'))", "SQL_FUNCTION_NOT_ALLOWED"),
        ("select * from table(system.query(query => 'drop table t'))", "SQL_FUNCTION_NOT_ALLOWED"),
        ("select * from duckdb_secrets()", "SQL_FUNCTION_NOT_ALLOWED"),
        ("select * from main.read_text('/etc/passwd')", "SQL_FUNCTION_NOT_ALLOWED"),
        ("with a as (select * from query('select 1')) select * from a", "SQL_FUNCTION_NOT_ALLOWED"),
        ("select current_setting('s3_secret_access_key')", "SQL_FUNCTION_NOT_ALLOWED"),
        ("select getenv('HOME')", "SQL_FUNCTION_NOT_ALLOWED"),
        ('select * from "/etc/passwd"', "SQL_TABLE_NOT_ALLOWED"),
        ("select * from '/etc/passwd'", "SQL_TABLE_NOT_ALLOWED"),
        ('select * from "data.csv"', "SQL_TABLE_NOT_ALLOWED"),
        ('select * from a."x.parquet"', "SQL_TABLE_NOT_ALLOWED"),
        ('select * from "s3://b/k"', "SQL_TABLE_NOT_ALLOWED"),
        ('select * from "*"', "SQL_TABLE_NOT_ALLOWED"),
        ('select * from t join "x.JSON" on true', "SQL_TABLE_NOT_ALLOWED"),
        ("select ?", "SQL_PARAMETER"),
        ("select :a", "SQL_PARAMETER"),
        ("select $1", "SQL_PARAMETER"),
        ("select @a", "SQL_PARAMETER"),
        ("selec 1", "SQL_SYNTAX"),
        ("select a, from (t", "SQL_SYNTAX"),
        ("select 'open", "SQL_SYNTAX"),
        ("select /* open", "SQL_SYNTAX"),
        ("select " + "(" * 5000 + "1" + ")" * 5000, "SQL_TOO_COMPLEX"),
        ("select 1 -- " + "x" * MAX_SQL_CHARACTERS, "SQL_TOO_COMPLEX"),
    ],
)
def test_anything_else_is_refused(sql: str, code: str) -> None:
    checked = check_query(sql, "Customer")
    assert checked.tree is None
    assert {p.code for p in checked.problems} == {code}
    assert all(p.entity == "Customer" and p.field == "sql" for p in checked.problems)


@pytest.mark.parametrize(
    ("sql", "line", "column"),
    [
        ("select a,\n  b c d\nfrom t", 2, 7),
        ("select 1;\n  drop table t", 2, 3),
        ("-- x\n drop table t", 2, 2),
        ("select *\nfrom read_csv('x')", 2, 6),
        ('select *\nfrom t join\n  "x.csv" on true', 3, 3),
    ],
)
def test_a_problem_points_into_the_users_own_text(sql: str, line: int, column: int) -> None:
    (found,) = check_query(sql).problems
    assert found.position is not None
    assert (found.position.line, found.position.column) == (line, column)


def test_several_problems_of_one_query_are_all_reported() -> None:
    found = [p.code for p in check_query("select ?, getenv('x') from read_csv('y')").problems]
    assert sorted(found) == ["SQL_FUNCTION_NOT_ALLOWED", "SQL_FUNCTION_NOT_ALLOWED", "SQL_PARAMETER"]


def test_closing_semicolons_go_and_those_in_text_stay() -> None:
    assert without_terminator("select ';' -- x;\n ; -- y\n ;").split() == ["select", "';'", "--", "x;", "--", "y"]


def test_a_word_is_found_with_or_without_quotes() -> None:
    assert locate('select a,\n "B" from t', "b") == (2, 2)
    assert locate("select a from t", "z") is None


@given(st.text(max_size=60))
def test_any_text_is_a_query_or_has_problems(sql: str) -> None:
    checked = check_query(sql)
    assert (checked.tree is None) == bool(checked.problems)


def test_a_nul_character_is_found_where_it_stands() -> None:
    (found,) = check_query("SELECT 1,\n 'a\0b'").problems
    assert found.code == "SQL_SYNTAX"
    assert found.position
    assert (found.position.line, found.position.column) == (2, 4)
