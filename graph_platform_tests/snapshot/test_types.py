"""Every type of the type table with its extremes, from each warehouse into each engine, and back with Cypher.

The values are data: what Trino and DuckDB write for one, and the JSON that has to come out at the end of the way.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.instance.requests import LaunchInstance, QueryInstance, TerminateInstance
from graph_platform.mapping.definition.model import MappingDefinition
from graph_platform.platform import Platform
from graph_platform.proving.requests import CreateMapping
from graph_platform.settings import Settings
from graph_platform.snapshot.requests import CreateSnapshot
from graph_platform_tests.mapping.engines import ENGINES
from graph_platform_tests.services.trino import TrinoServer
from graph_platform_tests.snapshot.test_trino import trino_settings
from graph_platform_tests.worlds import BY, Recorder, make_settings, make_warehouse

LONG = 1024 * 1024
EMOJI = "😀👩\u200d👩\u200d👧 日本 é e\u0301"
AWKWARD = 'it\'s, [q] {=} \\ "a" `b`\n\tNULL'
IDENTIFIER = "12151fd2-7586-11e9-8f9e-2a86e4085a59"
LAST = "ffffffff-ffff-ffff-ffff-ffffffffffff"
NIL = "00000000-0000-0000-0000-000000000000"
NINES = "9" * 38
TINY = "0." + "0" * 37 + "1"


@dataclass(frozen=True)
class Value:
    """A value in Trino's SQL, the JSON that it becomes, and DuckDB's SQL where that is another."""

    trino: str
    json: Any
    duckdb: str | None = None


@dataclass(frozen=True)
class Column:
    """A column of the table: its type in both warehouses, the type that the mapping declares, and its values.

    `engines` are those that can hold the values.
    """

    name: str
    trino: str
    duckdb: str
    engine: str
    values: Sequence[Value]
    engines: tuple[str, ...] = ENGINES


V = Value
COLUMNS = (
    Column("c_varchar", "VARCHAR", "VARCHAR", "STRING", [
        V("''", ""), V("'NULL'", "NULL"), V(f"'{EMOJI}'", EMOJI),
        V("'" + AWKWARD.replace("'", "''") + "'", AWKWARD),
        V(f"rpad('', {LONG}, 'x')", "x" * LONG, f"repeat('x', {LONG})"),
    ]),
    Column("c_char", "CHAR(5)", "VARCHAR", "STRING", [V("'abcde'", "abcde")]),
    Column("c_bigint", "BIGINT", "BIGINT", "INT64", [
        V("-9223372036854775807 - 1", -(2**63)), V("9223372036854775807", 2**63 - 1), V("0", 0),
    ]),
    Column("c_integer", "INTEGER", "INTEGER", "INT32", [V("-2147483648", -(2**31)), V("2147483647", 2**31 - 1)]),
    Column("c_smallint", "SMALLINT", "SMALLINT", "INT16", [V("-32768", -32768), V("32767", 32767)]),
    Column("c_tinyint", "TINYINT", "TINYINT", "INT8", [V("-128", -128), V("127", 127)]),
    Column("c_widened", "INTEGER", "INTEGER", "INT64", [V("-2147483648", -(2**31))]),
    Column("c_double", "DOUBLE", "DOUBLE", "DOUBLE", [
        V("'Infinity'", "Infinity"), V("'-Infinity'", "-Infinity"),
        V("1.7976931348623157E308", 1.7976931348623157e308), V("4.9E-324", 5e-324), V("0.1", 0.1),
    ]),
    Column("c_real", "REAL", "REAL", "FLOAT", [
        V("'Infinity'", "Infinity"), V("'-Infinity'", "-Infinity"),
        V("3.4028235E38", 3.4028234663852886e38), V("0.1", 0.10000000149011612),
    ]),
    # Ryugraph makes one value of a column in which NaN stands beside numbers, so NaN is refused for it.
    Column("c_nan", "DOUBLE", "DOUBLE", "DOUBLE", [V("'NaN'", "NaN")], ("ladybug",)),
    Column("c_nan_real", "REAL", "REAL", "FLOAT", [V("'NaN'", "NaN")], ("ladybug",)),
    Column("c_nan_beside", "DOUBLE", "DOUBLE", "DOUBLE",
           [V("'NaN'", "NaN"), V("1.5", 1.5), V("'NaN'", "NaN"), V("'-Infinity'", "-Infinity")], ("ladybug",)),
    Column("c_decimal", "DECIMAL(38,0)", "DECIMAL(38,0)", "DECIMAL(38,0)", [
        V(f"'{NINES}'", NINES), V(f"'-{NINES}'", f"-{NINES}"), V("0", "0"),
    ]),
    Column("c_fraction", "DECIMAL(38,38)", "DECIMAL(38,38)", "DECIMAL(38,38)", [
        V(f"'0.{NINES}'", f"0.{NINES}"), V(f"'-0.{NINES}'", f"-0.{NINES}"), V(f"'{TINY}'", TINY),
        V(f"'-{TINY}'", f"-{TINY}"), V("0", "0." + "0" * 38),
    ]),
    Column("c_money", "DECIMAL(12,4)", "DECIMAL(12,4)", "DECIMAL(12,4)", [
        V("-0.0001", "-0.0001"), V("-0.0500", "-0.0500"), V("-0.5", "-0.5000"), V("-12.3456", "-12.3456"),
        V("99999999.9999", "99999999.9999"),
    ]),
    Column("c_inexact", "DECIMAL(12,4)", "DECIMAL(12,4)", "DOUBLE", [V("-0.0001", -0.0001), V("1.5", 1.5)]),
    Column("c_boolean", "BOOLEAN", "BOOLEAN", "BOOL", [V("true", True), V("false", False)]),
    Column("c_date", "DATE", "DATE", "DATE", [
        V("'0001-01-01'", "0001-01-01"), V("'9999-12-31'", "9999-12-31"), V("'1582-10-10'", "1582-10-10"),
        V("'1969-12-31'", "1969-12-31"), V("'10000-01-01'", "+10000-01-01"), V("'2024-02-29'", "2024-02-29"),
    ]),
    Column("c_timestamp_3", "TIMESTAMP(3)", "TIMESTAMP_MS", "TIMESTAMP", [
        V("'1969-12-31 23:59:59.999'", "1969-12-31T23:59:59.999000"),
    ]),
    Column("c_timestamp_6", "TIMESTAMP(6)", "TIMESTAMP", "TIMESTAMP", [
        V("'0001-01-01 00:00:00'", "0001-01-01T00:00:00"),
        V("'9999-12-31 23:59:59.999999'", "9999-12-31T23:59:59.999999"),
        V("'1582-10-10 01:02:03.4'", "1582-10-10T01:02:03.400000"),
        V("TIMESTAMP '10000-01-01 00:00:00.5'", "+10000-01-01T00:00:00.500000", "'10000-01-01 00:00:00.5'"),
        V("'2024-03-31 02:30:00.000001'", "2024-03-31T02:30:00.000001"),
    ]),
    Column("c_timestamp_9", "TIMESTAMP(9)", "TIMESTAMP_NS", "TIMESTAMP", [
        V("'2020-12-31 23:59:59.999999999'", "2020-12-31T23:59:59.999999"),
        V("'1950-01-01 00:00:00.000000600'", "1950-01-01T00:00:00"),
    ]),
    Column("c_zoned", "TIMESTAMP(6) WITH TIME ZONE", "TIMESTAMPTZ", "TIMESTAMP_TZ", [
        V("'2024-03-31 02:30:00.000001 +02:00'", "2024-03-31T00:30:00.000001+00:00",
          "'2024-03-31 02:30:00.000001+02:00'"),
        V("'0001-01-01 00:00:00 +00:00'", "0001-01-01T00:00:00+00:00",
          "'0001-01-01 00:00:00+00:00'"),
        V("'9999-12-31 23:59:59.999999 +00:00'", "9999-12-31T23:59:59.999999+00:00",
          "'9999-12-31 23:59:59.999999+00:00'"),
    ]),
    Column("c_zoned_9", "TIMESTAMP(9) WITH TIME ZONE", "TIMESTAMPTZ", "TIMESTAMP_TZ", [
        V("'2020-12-31 23:59:59.999999999 +00:00'", "2020-12-31T23:59:59.999999+00:00",
          "'2020-12-31 23:59:59.999999999+00:00'"),
    ]),
    Column("c_uuid", "UUID", "UUID", "UUID", [
        V(f"'{IDENTIFIER}'", IDENTIFIER), V(f"'{LAST}'", LAST),
    ]),
    Column("c_uuid_nil", "UUID", "UUID", "UUID", [V(f"'{NIL}'", NIL)]),
    Column("c_varbinary", "VARBINARY", "BLOB", "BLOB", [
        V("X''", "", "''"), V("X'00ff27'", base64.b64encode(b"\0\xff'").decode(), "'\\x00\\xff\\x27'"),
    ]),
    Column("c_json", "JSON", "JSON", "STRING", [
        V("JSON '{\"a\":[1,null,\"é\"]}'", '{"a":[1,null,"é"]}', "'{\"a\":[1,null,\"é\"]}'"),
        V("JSON 'null'", "null", "'null'"),
    ]),
    Column("c_list", "ARRAY(VARCHAR)", "VARCHAR[]", "STRING[]", [
        V("ARRAY[]", [], "[]"), V("ARRAY[NULL]", [None], "[NULL]"),
        V(f"ARRAY['', '{EMOJI}', NULL, 'a,b']", ["", EMOJI, None, "a,b"], f"['', '{EMOJI}', NULL, 'a,b']"),
    ]),
    Column("c_list_double", "ARRAY(DOUBLE)", "DOUBLE[]", "DOUBLE[]", [
        V("ARRAY[infinity(), NULL, -0.5]", ["Infinity", None, -0.5], "['Infinity'::DOUBLE, NULL, -0.5]"),
    ]),
    Column("c_list_decimal", "ARRAY(DECIMAL(38,2))", "DECIMAL(38,2)[]", "DECIMAL(38,2)[]", [
        V("ARRAY[]", [], "[]"),
        V("ARRAY[DECIMAL '-0.01', NULL, DECIMAL '1.50']", ["-0.01", None, "1.50"], "[-0.01, NULL, 1.50]"),
    ]),
    Column("c_list_uuid", "ARRAY(UUID)", "UUID[]", "UUID[]", [
        V(f"ARRAY[UUID '{IDENTIFIER}', NULL]", [IDENTIFIER, None], f"['{IDENTIFIER}', NULL]"),
    ]),
    Column("c_list_fine", "ARRAY(TIMESTAMP(9))", "TIMESTAMP_NS[]", "TIMESTAMP[]", [
        V("ARRAY[TIMESTAMP '2020-12-31 23:59:59.999999999', NULL]", ["2020-12-31T23:59:59.999999", None],
          "['2020-12-31 23:59:59.999999999', NULL]"),
    ]),
    Column("c_list_of_lists", "ARRAY(ARRAY(DECIMAL(5,1)))", "DECIMAL(5,1)[][]", "DECIMAL(5,1)[][]", [
        V("ARRAY[ARRAY[], NULL, ARRAY[DECIMAL '0.5', NULL]]", [[], None, ["0.5", None]], "[[], NULL, [0.5, NULL]]"),
    ]),
    Column("c_map", "MAP(VARCHAR, BIGINT)", "MAP(VARCHAR, BIGINT)", "MAP(STRING, INT64)", [
        V("MAP(ARRAY[], ARRAY[])", {}, "MAP {}"),
        V("MAP(ARRAY['a, =', 'b'], ARRAY[1, NULL])", {"a, =": 1, "b": None}, "MAP {'a, =': 1, 'b': NULL}"),
    ]),
    Column("c_map_decimal", "MAP(DECIMAL(10,2), DECIMAL(10,2))", "MAP(DECIMAL(10,2), DECIMAL(10,2))",
           "MAP(DECIMAL(10,2), DECIMAL(10,2))", [
        V("MAP(ARRAY[DECIMAL '-0.01'], ARRAY[DECIMAL '-0.05'])", {"-0.01": "-0.05"}, "MAP {-0.01: -0.05}"),
    ]),
    Column("c_map_text_decimal", "MAP(VARCHAR, DECIMAL(10,2))", "MAP(VARCHAR, DECIMAL(10,2))",
           "MAP(STRING, DECIMAL(10,2))", [
        V("MAP(ARRAY['a, =', 'b'], ARRAY[DECIMAL '-0.05', NULL])", {"a, =": "-0.05", "b": None},
          "MAP {'a, =': -0.05, 'b': NULL}"),
    ]),
    Column("c_row", 'ROW(a INTEGER, "order" VARCHAR)', 'STRUCT(a INTEGER, "order" VARCHAR)',
           "STRUCT(a INT32, order STRING)", [
        V(f"ROW(1, '{EMOJI}')", {"a": 1, "order": EMOJI}, f"{{'a': 1, 'order': '{EMOJI}'}}"),
        V("ROW(NULL, NULL)", {"a": None, "order": None}, "{'a': NULL, 'order': NULL}"),
    ]),
    Column("c_row_mixed", "ROW(d DECIMAL(38,2), s VARCHAR, l ARRAY(DECIMAL(5,1)), u UUID)",
           "STRUCT(d DECIMAL(38,2), s VARCHAR, l DECIMAL(5,1)[], u UUID)",
           "STRUCT(d DECIMAL(38,2), s STRING, l DECIMAL(5,1)[], u UUID)", [
        V(f"ROW(DECIMAL '-0.01', 'a, b}}', ARRAY[DECIMAL '0.5'], UUID '{IDENTIFIER}')",
          {"d": "-0.01", "s": "a, b}", "l": ["0.5"], "u": IDENTIFIER},
          f"{{'d': -0.01, 's': 'a, b}}', 'l': [0.5], 'u': '{IDENTIFIER}'}}"),
    ]),
    Column("c_rows", "ARRAY(ROW(a BIGINT, b DATE))", "STRUCT(a BIGINT, b DATE)[]", "STRUCT(a INT64, b DATE)[]", [
        V("ARRAY[ROW(1, DATE '0001-01-01'), NULL]", [{"a": 1, "b": "0001-01-01"}, None],
          "[{'a': 1, 'b': DATE '0001-01-01'}, NULL]"),
    ]),
)  # fmt: skip

ROWS = 1 + max(len(column.values) for column in COLUMNS)


def held(engine: str) -> list[Column]:
    """The columns that the engine can hold."""
    return [column for column in COLUMNS if engine in column.engines]


def select(dialect: str, columns: Sequence[Column]) -> str:
    """The table as a query: row 0 is NULL everywhere, the others have each column's values, then NULL again."""
    rows = []
    for number in range(ROWS):
        cells = [str(number)]
        for column in columns:
            kind = column.trino if dialect == "trino" else column.duckdb
            value = column.values[number - 1] if 0 < number <= len(column.values) else None
            sql = "NULL" if value is None else value.trino
            if value is not None and dialect == "duckdb" and value.duckdb is not None:
                sql = value.duckdb
            cells.append(f"CAST({sql} AS {kind}) AS {column.name}")
        rows.append(f"SELECT CAST({cells[0]} AS BIGINT) AS id, {', '.join(cells[1:])}")
    return "\nUNION ALL ".join(rows)


def mapping(sql: str, columns: Sequence[Column]) -> MappingDefinition:
    """One node with all columns."""
    return MappingDefinition.model_validate(
        {
            "name": "types",
            "node_definitions": [
                {
                    "label": "Everything",
                    "sql": sql,
                    "primary_key": {"name": "id", "type": "INT64"},
                    "properties": [{"name": column.name, "type": column.engine} for column in columns],
                }
            ],
        }
    )


def source(warehouse: str, home: Path, catalog_url: str, request: pytest.FixtureRequest, engine: str) -> Settings:
    """Settings of a world with that warehouse and engine."""
    if warehouse == "duckdb":
        make_warehouse(
            home / "warehouse.duckdb", f"SET TimeZone = 'UTC'; CREATE TABLE types AS {select('duckdb', held(engine))}"
        )
        return make_settings(home, catalog_url, engine=engine)
    server: TrinoServer = request.getfixturevalue("trino_server")
    environment = trino_settings(home, catalog_url, server).environment()
    return Settings.load({**environment, "GRAPH_PLATFORM_ENGINE": engine})


@pytest.fixture(params=[(w, e) for w in ("duckdb", "trino") for e in ENGINES], ids="-".join)
def world(
    request: pytest.FixtureRequest, home: Path, catalog_url: str
) -> Iterator[tuple[tuple[str, str], Platform, MappingDefinition]]:
    """A platform with one warehouse and one engine, and the mapping over that warehouse's table."""
    warehouse, engine = request.param
    columns = ", ".join(["id", *(column.name for column in held(engine))])
    sql = select("trino", held(engine)) if warehouse == "trino" else f"SELECT {columns} FROM types"
    with Platform.open(source(warehouse, home, catalog_url, request, engine)) as platform:
        yield request.param, platform, mapping(sql, held(engine))


def test_every_value_of_every_type_arrives_in_the_graph_as_it_was(
    world: tuple[tuple[str, str], Platform, MappingDefinition],
) -> None:
    (_, engine), platform, definition = world
    platform.mappings.create(CreateMapping(mapping=definition), BY, Recorder())
    snapshot = platform.snapshots.create(CreateSnapshot(mapping="types"), BY, Recorder())
    instance = platform.instances.launch(LaunchInstance(snapshot=snapshot.id), BY, Recorder())
    wrong = {}
    for column in held(engine):
        answer = platform.instances.query(
            QueryInstance(instance=instance.id, cypher=f"MATCH (e:Everything) RETURN e.{column.name} ORDER BY e.id")
        )
        got = [row[0] for row in answer["rows"]]
        values = [None, *(value.json for value in column.values)]
        expected = values + [None] * (ROWS - len(values))
        for number, (found, right) in enumerate(zip(got, expected, strict=True)):
            if found != right or type(found) is not type(right):
                wrong[column.name, number] = (str(found)[:80], str(right)[:80])
    platform.instances.terminate(TerminateInstance(instance=instance.id), BY, Recorder())
    assert wrong == {}


# A value that an engine cannot load: the engine, the values of one column, what it is told and what it is advised.
REFUSED = [
    ("ryugraph", "UUID", (NIL, LAST), f"node Thing: this engine cannot load the UUID {NIL}", "NULLIF"),
    ("ryugraph", "DOUBLE", ("1.5", "NaN"), "node Thing: 1 rows have NaN in v", "is_nan"),
    ("ryugraph", "REAL[]", ("[1.5, NaN]", "[]"), "node Thing: 1 rows have NaN in v", "is_nan"),
]


@pytest.mark.parametrize(("engine", "kind", "values", "message", "hint"), REFUSED)
def test_a_value_that_an_engine_cannot_hold_makes_no_snapshot_and_is_named(
    home: Path, catalog_url: str, engine: str, kind: str, values: tuple[str, ...], message: str, hint: str
) -> None:
    rows = ", ".join(f"({number}, '{value}')" for number, value in enumerate(values))
    make_warehouse(
        home / "warehouse.duckdb", f"CREATE TABLE t AS SELECT id, v::{kind} AS v FROM (VALUES {rows}) t(id, v)"
    )
    definition = {
        "name": "things",
        "node_definitions": [
            {
                "label": "Thing",
                "sql": "SELECT id, v FROM t",
                "primary_key": {"name": "id", "type": "INT64"},
                "properties": [{"name": "v", "type": kind.replace("REAL", "FLOAT")}],
            }
        ],
    }
    with Platform.open(make_settings(home, catalog_url, engine=engine)) as platform:
        platform.mappings.create(CreateMapping(mapping=MappingDefinition.model_validate(definition)), BY, Recorder())
        with pytest.raises(PlatformError, match=message) as refused:
            platform.snapshots.create(CreateSnapshot(mapping="things"), BY, Recorder())
        assert refused.value.code == ErrorCode.DATA_LOAD_ERROR
        assert hint in str(refused.value.hint)
        (snapshot,) = platform.snapshots.list()
        assert snapshot.status == "failed"
        assert list(platform.storage.list(snapshot.folder)) == []
