"""Bad data found before a load would: on small tables in every warehouse, and on real flights as they come."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import duckdb
import pytest

from graph_platform.demo.data import load_flights
from graph_platform.demo.mapping import DEMO_MAPPING
from graph_platform.engine.build import BuildRequest
from graph_platform.engine.process import build_database
from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.mapping.checks.data import DataChecks, data_checks
from graph_platform.mapping.checks.report import Problem, ValidationReport
from graph_platform.mapping.definition.document import read_mapping
from graph_platform.mapping.definition.model import MappingDefinition
from graph_platform.platform import Platform
from graph_platform.proving.requests import CreateMapping, ValidateMapping
from graph_platform.proving.validation import validate_on
from graph_platform.settings import Settings
from graph_platform.snapshot.requests import CreateSnapshot
from graph_platform.storage.connect import open_storage
from graph_platform.stored.manifest import Manifest
from graph_platform.warehouse.duckdb.warehouse import DuckDBWarehouse
from graph_platform.warehouse.protocol import Warehouse
from graph_platform_tests.warehouse import test_conformance as suite
from graph_platform_tests.worlds import BY, Recorder, make_settings, people

World = suite.World
world = suite.adapter_world
ENFORCED, SAMPLED = DataChecks.ENFORCED, DataChecks.SAMPLED


def node(label: str, sql: str, key: str = "id INT64", *properties: str) -> dict[str, Any]:
    name, kind = key.split()
    columns = [dict(zip(("name", "type"), p.split(), strict=True)) for p in properties]
    return {"label": label, "sql": sql, "primary_key": {"name": name, "type": kind}, "properties": columns}


def edge(kind: str, ends: str, sql: str, keys: str, *properties: str) -> dict[str, Any]:
    (start, end), (source, target) = ends.split(), keys.split()
    columns = [dict(zip(("name", "type"), p.split(), strict=True)) for p in properties]
    return {"type": kind, "from_node": start, "to_node": end, "sql": sql, "from_key": source, "to_key": target,
            "properties": columns}  # fmt: skip


def mapping(nodes: list[dict[str, Any]], edges: list[dict[str, Any]] | None = None) -> MappingDefinition:
    return MappingDefinition.model_validate(
        {"name": "checked", "node_definitions": nodes, "edge_definitions": edges or []}
    )


def check(warehouse: Warehouse, definition: MappingDefinition, mode: DataChecks = ENFORCED) -> ValidationReport:
    return validate_on(warehouse, definition, Settings.load({}), lambda _: None, mode).report


def only(problems: tuple[Problem, ...]) -> Problem:
    assert len(problems) == 1, problems
    return problems[0]


THINGS = (
    "SELECT * FROM (VALUES (1, 'a'), (2, 'b'), (2, 'c'), (2, 'b'), (7, 'd'), (7, 'e'), (NULL, 'f')) AS t (id, name)"
)
LINKS = "SELECT * FROM (VALUES (1, 2), (1, 9), (NULL, 9), (8, 9), (2, 7)) AS t (a, b) -- a comment;"


def test_null_and_doubled_keys_are_counted_with_their_share_and_samples(world: World) -> None:
    report = check(world.warehouse, mapping([node("Thing", THINGS, "id INT64", "name STRING")]))
    assert not report.valid
    assert not report.node_results[0].valid
    assert [(p.code, p.entity, p.field, p.message) for p in report.errors] == [
        ("DATA_KEY_NULL", "Thing", "id", "1 of 7 rows (14 %) have no id"),
        ("DATA_KEY_DUPLICATE", "Thing", "id", "5 of 7 rows (71 %) share 2 keys with another row: 2, 7"),
    ]


def test_ends_that_do_not_exist_are_counted_by_end(world: World) -> None:
    good = "SELECT DISTINCT id FROM (VALUES 1, 2, 7) AS t (id)"
    report = check(world.warehouse, mapping([node("Thing", good)], [edge("LINKS", "Thing Thing", LINKS, "a b")]))
    assert [(p.code, p.entity, p.field, p.message) for p in report.errors] == [
        ("DATA_KEY_NULL", "LINKS", "a", "1 of 5 rows (20 %) have no a"),
        ("DATA_END_MISSING", "LINKS", "a", "1 of 5 rows (20 %) name 1 key that no Thing has: 8"),
        ("DATA_END_MISSING", "LINKS", "b", "3 of 5 rows (60 %) name 1 key that no Thing has: 9"),
    ]
    assert report.estimate is not None
    assert report.estimate.rows == 3 + 5


def test_the_sql_of_the_hints_mends_it(world: World) -> None:
    nodes = [node("Thing", THINGS, "id INT64", "name STRING")]
    edges = [edge("LINKS", "Thing Thing", LINKS, "a b")]
    for _ in range(6):
        report = check(world.warehouse, mapping(nodes, edges))
        if report.valid:
            break
        first = report.errors[0]
        broken = next(each for each in (*nodes, *edges) if first.entity in (each.get("label"), each.get("type")))
        broken["sql"] = (first.hint or "").partition("\n")[2]
    assert report.valid, report.errors
    assert report.estimate is not None
    assert report.estimate.rows == 3 + 2


@pytest.mark.parametrize("columns", ["fact STRING;name STRING", "fact STRING", "facts STRING[];price DECIMAL(3,1)"])
def test_the_copy_that_a_hint_keeps_is_chosen_by_what_can_be_ordered(world: World, columns: str) -> None:
    names = ", ".join(column.split()[0] for column in columns.split(";"))
    sql = (
        "SELECT id, json_parse(fact) AS fact, ARRAY[json_parse(fact)] AS facts, fact AS name, "
        "CAST(price AS decimal(3, 1)) AS price "
        "FROM (VALUES (1, '2', 1.5), (1, '3', 2.5), (2, '2', 3.5)) AS t (id, fact, price)"
    )
    sql = f"SELECT id, {names} FROM ({sql}) AS every"
    definition = node("Thing", sql, "id INT64", *columns.split(";"))
    hint = only(check(world.warehouse, mapping([definition])).errors).hint or ""
    definition["sql"] = hint.partition("\n")[2]
    report = check(world.warehouse, mapping([definition]))
    assert report.valid, report.errors
    ordered = {"fact, name": " ORDER BY name", "fact": "", "facts, price": " ORDER BY price"}[names]
    assert f"OVER (PARTITION BY id{ordered})" in hint


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("STRING", "('x'), ('x''y'), ('ü')"),
        ("DATE", "(DATE '2020-02-29'), (DATE '0001-01-01'), (DATE '9999-12-31')"),
        ("UUID", "(UUID '12151fd2-7586-11e9-8f9e-2a86e4085a59'), (UUID '00000000-0000-0000-0000-000000000000')"),
        ("INT64", "(-9223372036854775808), (0), (9223372036854775807)"),
    ],
)
def test_keys_of_every_type_are_compared(world: World, kind: str, values: str) -> None:
    sql = f"SELECT * FROM (VALUES {values}) AS t (id)"
    nodes = [node("Thing", sql, f"id {kind}")]
    edges = [edge("SAME", "Thing Thing", f"SELECT x.id AS a, y.id AS b FROM ({sql}) x, ({sql}) y", "a b")]
    assert check(world.warehouse, mapping(nodes, edges)).valid
    edges[0]["sql"] = edges[0]["sql"].replace(f"({sql}) x", f"({sql} UNION ALL {sql.replace(values, other(kind))}) x")
    found = only(check(world.warehouse, mapping(nodes, edges)).errors)
    assert (found.code, found.field) == ("DATA_END_MISSING", "a")


def other(kind: str) -> str:
    return {
        "STRING": "('X')",
        "DATE": "(DATE '2020-02-28')",
        "UUID": "(UUID '12151fd2-7586-11e9-8f9e-2a86e4085a50')",
        "INT64": "(1)",
    }[kind]


def test_a_sample_counts_every_row_without_a_key_and_shares_it_among_all(world: World) -> None:
    keys = ", ".join(["(NULL, 'x')"] * 3 + [f"({number}, 'y')" for number in range(1, 10)])
    sql = f"SELECT CAST(id AS bigint) AS id, name FROM (VALUES {keys}) AS t (id, name)"
    report = check(world.warehouse, mapping([node("Fruit", sql, "id INT64", "name STRING")]), SAMPLED)
    (found,) = report.warnings
    assert (found.code, found.message) == ("DATA_KEY_NULL", "3 of 12 rows (25 %) have no id")


def test_a_sample_finds_all_rows_of_a_key_or_none_and_only_warns(world: World) -> None:
    twice = "SELECT id, name FROM fruit UNION ALL SELECT id, name FROM fruit"
    report = check(world.warehouse, mapping([node("Fruit", twice, "id INT64", "name STRING")]), SAMPLED)
    assert report.valid
    found = only(report.warnings)
    assert found.code == "DATA_KEY_DUPLICATE"
    looked_at = int(found.message.split(" of ")[1].split()[0])
    assert found.message.startswith(f"{looked_at} of {looked_at} rows (100 %)")
    assert "in a sample of one key in 17" in found.message
    assert 2000 / 17 / 2 < looked_at < 2000 / 17 * 2
    assert report.estimate is not None
    assert report.estimate.rows == 2000


@pytest.mark.parametrize(
    ("missing", "rows", "share"),
    [(300, 300, "100 %"), (299, 300, "99.6 %"), (9_999, 10_000, "99.9 %"), (2, 3, "67 %"), (1, 10_000, "0.01 %")],
)
def test_a_share_is_written_without_an_exponent_and_100_percent_is_all(
    world: World, missing: int, rows: int, share: str
) -> None:
    sql = f"SELECT if(n <= {missing}, NULL, n) AS id FROM UNNEST(sequence(1, {rows})) AS t (n)"
    found = only(check(world.warehouse, mapping([node("Thing", sql, "id INT64")])).errors)
    assert found.message == f"{missing:,} of {rows:,} rows ({share}) have no id"


def test_empty_definitions_are_fine_and_need_no_rows_to_be_measured(world: World) -> None:
    report = check(
        world.warehouse,
        mapping(
            [node("Fruit", "SELECT id, name, price FROM nothing", "id INT64", "name STRING", "price DECIMAL(10,2)")],
            [edge("LIKE", "Fruit Fruit", "SELECT id AS a, id AS b, price FROM nothing", "a b", "price DECIMAL(10,2)")],
        ),
    )
    assert report.valid
    assert report.estimate is not None
    assert report.estimate.rows == 0


def test_columns_of_every_kind_are_measured(world: World) -> None:
    sql = """SELECT id, CAST(name AS varbinary) AS b, ARRAY[price] AS prices, MAP(ARRAY['k'], ARRAY[id]) AS m,
        CAST(ROW(id, name) AS ROW(i bigint, n varchar)) AS r, TIMESTAMP '2020-01-01 00:00:00' AS t, true AS yes
        FROM fruit"""
    properties = [("b", "BLOB"), ("prices", "DECIMAL(10,2)[]"), ("m", "MAP(STRING,INT64)")]
    properties += [("r", "STRUCT(i INT64, n STRING)"), ("t", "TIMESTAMP"), ("yes", "BOOL")]
    definition = {**node("Fruit", sql), "properties": [{"name": n, "type": t} for n, t in properties]}
    report = check(world.warehouse, mapping([definition]))
    assert report.valid, report.errors
    assert report.estimate is not None
    assert report.estimate.rows == 1000
    assert 10_000 < report.estimate.bytes < 1_000_000


def test_data_that_the_sql_cannot_read_is_told_as_such(world: World) -> None:
    report = check(world.warehouse, mapping([node("Fruit", "SELECT CAST(name AS bigint) AS id FROM fruit")]))
    found = only(report.errors)
    assert (found.code, found.entity) == ("DATA_NOT_CHECKED", "Fruit")
    assert report.estimate is None


def test_trusted_data_is_not_looked_at(world: World) -> None:
    report = check(world.warehouse, mapping([node("Thing", THINGS, "id INT64", "name STRING")]), DataChecks.TRUSTED)
    assert report.valid
    assert report.estimate is None


# -- real flights, as they come ------------------------------------------------------------------------------------

FLIGHTS_AS_THEY_COME = mapping(
    [
        node("Airport", "SELECT faa, name FROM airports", "faa STRING", "name STRING"),
        node("Plane", "SELECT tailnum, model FROM planes", "tailnum STRING", "model STRING"),
        node("Airline", "SELECT carrier FROM airlines", "carrier STRING"),
    ],
    [
        edge("FLIES_TO", "Airport Airport", "SELECT origin, dest, flight FROM flights", "origin dest", "flight INT64"),
        edge("FLOWN_BY", "Airline Plane", "SELECT carrier, tailnum FROM flights", "carrier tailnum"),
    ],
)


def test_flights_as_they_come_go_to_airports_and_by_planes_that_do_not_exist(flights: Warehouse) -> None:
    report = check(flights, FLIGHTS_AS_THEY_COME)
    assert [(p.code, p.entity, p.field, p.message) for p in report.errors] == [
        (
            "DATA_END_MISSING",
            "FLIES_TO",
            "dest",
            "7,602 of 336,776 rows (2.3 %) name 4 keys that no Airport has: BQN, PSE, SJU, STT",
        ),
        ("DATA_KEY_NULL", "FLOWN_BY", "tailnum", "2,512 of 336,776 rows (0.75 %) have no tailnum"),
        (
            "DATA_END_MISSING",
            "FLOWN_BY",
            "tailnum",
            "50,094 of 336,776 rows (15 %) name 721 keys that no Plane has: "
            "such as D942DN, N0EGMQ, N14628, N149AT, N16632",
        ),
    ]
    assert report.estimate is not None
    assert report.estimate.rows == 1458 + 3322 + 16 + 2 * 336_776


def test_the_demos_own_mapping_is_clean(flights: Warehouse) -> None:
    report = check(flights, read_mapping(DEMO_MAPPING.read_text(encoding="utf-8")))
    assert report.valid, report.errors


def _processor_seconds(warehouse: DuckDBWarehouse) -> float:
    """Of this process and those that the warehouse has the file open in; all of them live on."""
    spent = time.process_time()
    for process in warehouse._pool.processes:
        for thread in Path(f"/proc/{process.pid}/task").glob("*/schedstat"):  # finer than the hundredths in `stat`
            spent += int(thread.read_text().split()[0]) / 1e9
    return spent


def test_a_check_costs_a_few_times_a_count_of_the_same_rows(tmp_path: Path) -> None:
    path = tmp_path / "w.duckdb"
    load_flights(path)
    with duckdb.connect(str(path)) as connection:
        # As many rows as make the work of the database outweigh that of reading the SQL.
        connection.execute("CREATE TABLE many AS SELECT f.* FROM flights f, range(30)")
    definition = mapping(
        [node("Airport", "SELECT faa, name FROM airports", "faa STRING", "name STRING")],
        [
            edge(
                "FLIES_TO",
                "Airport Airport",
                "SELECT f.origin, f.dest, f.flight, f.tailnum FROM many f JOIN airports d ON d.faa = f.dest",
                "origin dest",
                "flight INT64",
                "tailnum STRING",
            )
        ],
    )
    warehouse = DuckDBWarehouse(path, threads=1)
    try:
        resolved = validate_on(warehouse, definition, Settings.load({}), lambda _: None).resolved
        counted, checked = [], []
        for _ in range(5):
            started = _processor_seconds(warehouse)
            for each in resolved:
                warehouse.fetch(f"SELECT count(*) AS n FROM (\n{each.sql}\n) AS x", 1, 60)
            between = _processor_seconds(warehouse)
            for check in data_checks(resolved, ENFORCED):
                warehouse.fetch(check.sql, 1, 60)
            counted.append(between - started)
            checked.append(_processor_seconds(warehouse) - between)
    finally:
        warehouse.close()
    ratio = min(checked) / min(counted)
    print(f"data check with estimate / count(*): {ratio:.1f}")
    assert ratio < 4


# -- with a catalog: what is recorded, what is refused, and how far off the estimate is ------------------------------


def test_the_estimate_is_near_what_the_load_takes(home: Path, catalog_url: str, flights_file: Path) -> None:
    settings = make_settings(home, catalog_url, warehouse=f"duckdb://{flights_file}")
    definition = read_mapping(DEMO_MAPPING.read_text(encoding="utf-8"))
    with Platform.open(settings) as platform:
        report = platform.mappings.validate(ValidateMapping(mapping=definition, data_checks="enforced"), Recorder())
        platform.mappings.create(CreateMapping(mapping=definition), BY, Recorder())
        snapshot = platform.snapshots.create(CreateSnapshot(mapping="flights", data_checks="enforced"), BY, Recorder())
    estimate = report.estimate
    assert estimate is not None
    assert snapshot.data_checks == "enforced"
    assert estimate.rows == snapshot.rows == 375_708
    storage = open_storage(settings.storage)
    again = BuildRequest(
        *(settings.engine, storage.url, snapshot.folder, Manifest.from_json(storage.read(snapshot.manifest_key or ""))),
        *(home / "again" / "graph.db", home / "again", 2 * 1024**3),
        threads=0,
    )
    off = {
        "Parquet": estimate.bytes / snapshot.bytes,
        "database": estimate.database_bytes / (snapshot.database_bytes or 0),
        "memory": estimate.memory_bytes / build_database(again).peak_bytes,
    }
    print(f"estimate / what it took: {off}")
    assert 0.6 < off["Parquet"] < 1.5
    assert 0.6 < off["database"] < 1.5
    assert 0.6 < off["memory"] < 1.5


def test_with_enforced_checks_a_snapshot_of_bad_data_is_refused_and_leaves_nothing(
    home: Path, catalog_url: str, flights_file: Path
) -> None:
    settings = make_settings(home, catalog_url, warehouse=f"duckdb://{flights_file}")
    with Platform.open(settings) as platform:
        platform.mappings.create(CreateMapping(mapping=FLIGHTS_AS_THEY_COME), BY, Recorder())
        with pytest.raises(PlatformError) as failure:
            platform.snapshots.create(CreateSnapshot(mapping="checked", data_checks="enforced"), BY, Recorder())
        assert platform.snapshots.list() == []
        assert not list(home.glob("storage/**/*.parquet"))
    assert failure.value.code is ErrorCode.VALIDATION_FAILED
    assert "BQN, PSE, SJU, STT" in failure.value.message
    assert len(failure.value.details["report"]["errors"]) == 3


def test_a_mapping_over_bad_data_is_not_kept_where_the_checks_are_enforced(
    home: Path, catalog_url: str, flights_file: Path
) -> None:
    settings = make_settings(home, catalog_url, warehouse=f"duckdb://{flights_file}")
    with Platform.open(settings) as platform, pytest.raises(PlatformError) as failure:
        platform.mappings.create(CreateMapping(mapping=FLIGHTS_AS_THEY_COME, data_checks="enforced"), BY, Recorder())
    assert failure.value.code is ErrorCode.VALIDATION_FAILED


def test_the_mode_is_recorded_and_an_unknown_one_refused(home: Path, catalog_url: str) -> None:
    with Platform.open(make_settings(home, catalog_url)) as platform:
        platform.mappings.create(CreateMapping(mapping=people()), BY, Recorder())
        assert (
            platform.snapshots.create(CreateSnapshot(mapping="people", name="one"), BY, Recorder()).data_checks
            == "trusted"
        )
        told = Recorder()
        assert (
            platform.snapshots.create(
                CreateSnapshot(mapping="people", name="two", data_checks="sampled"), BY, told
            ).data_checks
            == "sampled"
        )
        assert any("checked the data of KNOWS" in line for line in told.lines)
        with pytest.raises(PlatformError) as failure:
            platform.snapshots.create(
                CreateSnapshot(mapping="people", name="three", data_checks="some"), BY, Recorder()
            )
    assert failure.value.code is ErrorCode.VALIDATION_FAILED
    assert "trusted, sampled, enforced" in (failure.value.hint or "")
