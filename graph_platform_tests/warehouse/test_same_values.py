"""Columns whose type only the tables know: what their casts give on DuckDB is what they give on Trino."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from graph_platform.relational import Refusal
from graph_platform.warehouse.duckdb.warehouse import DuckDBWarehouse
from graph_platform.warehouse.protocol import Warehouse
from graph_platform.warehouse.trino.address import TrinoAddress
from graph_platform.warehouse.trino.warehouse import TrinoWarehouse
from graph_platform_tests.services.trino import TrinoServer

_DOUBLES = (
    *(
        "0.0",
        "-0.0",
        "1.0",
        "1.5",
        "-12.0",
        "100.0",
        "0.1",
        "0.00012",
        "1e-7",
        "-1e-7",
        "1e15",
        "1e16",
        "1e17",
        "-2.5e21",
    ),
    *("123456.789", "9007199254740993.0", "1.7976931348623157e308", "2.2250738585072014e-308", "1e21", "1234567.0"),
)
_HALVES = ("0.5", "1.5", "2.5", "-0.5", "-2.5", "3.49", "-3.51", "1000")

_TEXTS = (
    *("'12'", "' 12 '", "'+7'", "'-007'", "'1e3'", "'1.5'", "''", "'1_000'", "'0x1f'", "'12a'", "NULL"),
    *("chr(9) || 'tab' || chr(10)", "chr(160) || 'a' || chr(160)", "chr(8195) || 'wide' || chr(12288)"),
    *("chr(28) || 'a' || chr(133)", "'straße'", "'日本'", "'cafe' || chr(769) || 's'", "chr(10) || 'x'"),
)

_TIMES = ("2020-01-02 03:04:05", "2020-07-02 23:59:59.1", "2019-12-31 23:59:59.999", "2024-03-31 01:30:00.250")


def _statements(prefix: str, real: str) -> Iterator[str]:
    for table, values, real_value in (("doubles", _DOUBLES, f"CAST(n AS {real}) / 7"), ("halves", _HALVES, "v")):
        rows = ", ".join(f"({number}, '{value}')" for number, value in enumerate(values))
        columns = f"n AS i, v AS s, CAST(v AS DOUBLE) AS d, CAST({real_value} AS {real}) AS r"
        if table == "halves":
            columns += ", CAST(v AS DECIMAL(12, 3)) AS m"
        yield f"CREATE TABLE {prefix}{table} AS SELECT n AS id, {columns} FROM (VALUES {rows}) AS t (n, v)"
    texts = ", ".join(f"({number}, {value})" for number, value in enumerate(_TEXTS))
    times = ", ".join(f"({number}, '{value}')" for number, value in enumerate(_TIMES))
    kept = "n AS id, CAST(v AS TIMESTAMP(3)) AS t"
    yield f"CREATE TABLE {prefix}times AS SELECT {kept} FROM (VALUES {times}) AS t (n, v)"
    yield f"CREATE TABLE {prefix}texts AS SELECT n AS id, v AS s FROM (VALUES {texts}) AS t (n, v)"


@pytest.fixture(scope="module")
def warehouses(trino_server: TrinoServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Warehouse, ...]]:
    """The same tables on both."""
    path: Path = tmp_path_factory.mktemp("same") / "w.duckdb"
    with duckdb.connect(str(path)) as connection:
        for statement in _statements("", "FLOAT"):
            connection.execute(statement)
    schema = f"same_values_{secrets.token_hex(4)}"  # a process that is given more of this module later does it again
    trino_server.run(f"CREATE SCHEMA hive.{schema}")
    for statement in _statements(f"hive.{schema}.", "REAL"):
        trino_server.run(statement)
    address = TrinoAddress("127.0.0.1", trino_server.port, "http", "tester", "hive", schema)
    opened = (DuckDBWarehouse(path), TrinoWarehouse(address))
    yield opened
    for each in opened:
        each.close()


@pytest.mark.parametrize(
    ("expression", "table"),
    [
        ("CAST(d AS varchar)", "doubles"),
        ("TRY_CAST(d AS varchar)", "doubles"),
        ("CAST(i AS varchar)", "doubles"),
        ("CAST(s AS varchar)", "doubles"),
        ("CAST(d * 2 AS varchar) || '!'", "doubles"),
        ("CAST(nullif(d, 1.5e0) AS varchar)", "doubles"),
        ("CAST(d AS bigint)", "halves"),
        ("CAST(r AS integer)", "halves"),
        ("TRY_CAST(d AS smallint)", "halves"),
        ("CAST(m AS bigint)", "halves"),
        ("CAST(m AS varchar)", "halves"),
        ("CAST(i AS integer)", "halves"),
        ("TRY_CAST(s AS bigint)", "texts"),
        ("TRY_CAST(s AS smallint)", "texts"),
        ("'[' || trim(s) || ']'", "texts"),
        ("'[' || ltrim(s) || ']'", "texts"),
        ("'[' || rtrim(s) || ']'", "texts"),
        ("upper(s)", "texts"),
        ("reverse(s)", "texts"),
        ("CAST(t AS varchar)", "times"),
        ("CAST(CAST(t AS timestamp(6)) AS varchar)", "times"),
        ("CAST(CAST(t AS timestamp(6) with time zone) AS varchar)", "times"),
        ("CAST(CAST(t AT TIME ZONE 'Europe/Berlin' AS timestamp(6)) AS varchar)", "times"),
        (
            "CAST(CAST(CAST(t AS timestamp(6) with time zone) AT TIME ZONE 'Asia/Tokyo' AS timestamp(6)) AS varchar)",
            "times",
        ),
        ("CAST(CAST(t AT TIME ZONE 'Asia/Tokyo' AS date) AS varchar)", "times"),
        ("hour(t AT TIME ZONE 'Asia/Tokyo')", "times"),
    ],
)
def test_a_cast_gives_the_same_on_both(warehouses: tuple[Warehouse, ...], expression: str, table: str) -> None:
    sql = f"SELECT {expression} AS given FROM {table} ORDER BY id"
    ours, theirs = (each.fetch(sql, 100, 60) for each in warehouses)
    assert ours == theirs


def test_the_text_of_a_real_is_refused_rather_than_another(warehouses: tuple[Warehouse, ...]) -> None:
    with pytest.raises(Refusal, match="cast it to a DECIMAL"):
        warehouses[0].fetch("SELECT CAST(r AS varchar) AS given FROM doubles", 100, 60)
