"""What every engine promises, on the real engine; each runs in a process of its own (see `conftest.py`)."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest

from graph_platform.engine.connect import load_engine
from graph_platform.engine.gate.functions import FUNCTIONS, REFUSED_FUNCTIONS, TABLE_FUNCTIONS
from graph_platform.engine.gate.operators import check_operators, plan_operators
from graph_platform.engine.gate.statement import check_statement
from graph_platform.engine.protocol import Database, TableSchema
from graph_platform.errors import ErrorCode, PlatformError
from graph_platform_tests.waiting import until

MEMORY_BYTES = 128 * 1024**2


def opened(engine_name: str, path: Path, *, read_only: bool = False) -> Database:
    return load_engine(engine_name).open(path, read_only=read_only, memory_bytes=MEMORY_BYTES, threads=2)


def rows(database: Database, cypher: str, **parameters: object) -> list[list[object]]:
    result = database.query(cypher, parameters, timeout_seconds=20, row_limit=100)
    return [list(row) for row in result.rows]


def small_graph(engine_name: str, path: Path) -> Database:
    database = opened(engine_name, path)
    database.execute("CREATE NODE TABLE `Order`(`id` INT64, `name` STRING, PRIMARY KEY(`id`))")
    database.execute("CREATE NODE TABLE `City`(`code` STRING, PRIMARY KEY(`code`))")
    database.execute("CREATE REL TABLE `NEAR`(FROM `Order` TO `City`, FROM `City` TO `City`, `km` DOUBLE)")
    database.execute("CREATE (:`Order` {id: 1, name: 'one'}), (:`Order` {id: 2}), (:City {code: 'AMS'})")
    database.execute("MATCH (a:`Order` {id: 1}), (b:City) CREATE (a)-[:NEAR {km: 1.5}]->(b)")
    return database


def test_a_second_engine_in_the_process_is_refused(engine_name: str) -> None:
    assert load_engine(engine_name).version.name == engine_name
    assert load_engine(engine_name).version == load_engine(engine_name).version
    other = {"ladybug": "ryugraph", "ryugraph": "ladybug"}[engine_name]
    with pytest.raises(PlatformError) as refused:
        load_engine(other)
    assert refused.value.code is ErrorCode.INVALID_STATE
    with pytest.raises(PlatformError) as unknown:
        load_engine("neo4j")
    assert unknown.value.code is ErrorCode.VALIDATION_FAILED


def test_what_was_written_is_there_when_it_is_opened_read_only(engine_name: str, tmp_path: Path) -> None:
    database = small_graph(engine_name, tmp_path / "graph.db")
    database.execute("CHECKPOINT")
    database.close()
    assert [item.name for item in tmp_path.iterdir()] == ["graph.db"]
    first, second = (opened(engine_name, tmp_path / "graph.db", read_only=True) for _ in range(2))
    assert rows(first, "MATCH (o:`Order`) RETURN o.id ORDER BY o.id") == [[1], [2]]
    assert rows(second, "MATCH (o:`Order`) RETURN count(*)") == [[2]]
    with pytest.raises(PlatformError):
        first.execute("CREATE (:`Order` {id: 3})")
    first.close()
    second.close()
    assert [item.name for item in tmp_path.iterdir()] == ["graph.db"]


def test_the_schema_names_keys_pairs_and_rows(engine_name: str, tmp_path: Path) -> None:
    database = small_graph(engine_name, tmp_path / "graph.db")
    assert list(database.schema()) == [
        TableSchema("Order", "node", (("id", "INT64"), ("name", "STRING")), "id", (), 2),
        TableSchema("City", "node", (("code", "STRING"),), "code", (), 1),
        TableSchema("NEAR", "edge", (("km", "DOUBLE"),), None, (("Order", "City"), ("City", "City")), 1),
    ]
    database.close()


VALUES = [
    ("1", 1),
    ("NULL", None),
    ("true", True),
    ("'Zoë \\' \\u0041'", "Zoë ' A"),
    ("CAST('1.50' AS DECIMAL(5, 2))", "1.50"),
    ("to_int128(170141183460469231731687303715884105727)", "170141183460469231731687303715884105727"),
    ("1.5", 1.5),
    ("0.0 / 0.0", "NaN"),
    ("1.0 / 0.0", "Infinity"),
    ("-1.0 / 0.0", "-Infinity"),
    ("date('2020-02-29')", "2020-02-29"),
    ("timestamp('2020-02-29 01:02:03.000004')", "2020-02-29T01:02:03.000004"),
    ("interval('1 day 2 seconds')", "P1DT2S"),
    ("uuid('a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11')", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
    ("blob('\\\\xAA')", "qg=="),
    ("[1, NULL]", [1, None]),
    ("{a: {b: [CAST('1.5' AS DECIMAL(3, 1))]}}", {"a": {"b": ["1.5"]}}),
    ("map([1, 2], ['a', 'b'])", {"1": "a", "2": "b"}),
    ("map([date('2020-01-01')], [1])", {"2020-01-01": 1}),
    ("map(['k'], [[1]])", {"k": [1]}),
]


def test_every_type_is_ready_for_json(engine_name: str, tmp_path: Path) -> None:
    database = opened(engine_name, tmp_path / "graph.db")
    for expression, expected in VALUES:
        [[value]] = rows(database, f"RETURN {expression}")
        assert value == expected, expression
        assert json.loads(json.dumps(value, allow_nan=False)) == expected
    database.close()


def test_nodes_edges_and_paths_keep_labels_and_ids(engine_name: str, tmp_path: Path) -> None:
    database = small_graph(engine_name, tmp_path / "graph.db")
    [[node, edge, path]] = rows(database, "MATCH p = (a:`Order`)-[e:NEAR]->(b:City) RETURN a, e, p")
    assert node == {"_label": "Order", "_id": "0:0", "properties": {"id": 1, "name": "one"}}
    assert edge["_label"] == "NEAR" and edge["properties"] == {"km": 1.5}  # type: ignore[index]
    assert edge["_from"] == "0:0" and edge["_to"] == "1:0"  # type: ignore[index]
    assert [item["_label"] for item in path["_nodes"]] == ["Order", "City"]  # type: ignore[index]
    assert [item["_label"] for item in path["_edges"]] == ["NEAR"]  # type: ignore[index]
    database.close()


def test_parameters_of_every_kind_reach_the_engine(engine_name: str, tmp_path: Path) -> None:
    database = small_graph(engine_name, tmp_path / "graph.db")
    for value in (1, -(2**63), 2**63 - 1, 1.5, True, "x'y\\\"", None, [1, 2], {"a": 1}, ["a", None]):
        assert rows(database, "RETURN $p", p=value) == [[value]]
    assert rows(database, "MATCH (o:`Order` {id: $id}) RETURN o.name", id=1) == [["one"]]
    with pytest.raises(PlatformError) as refused:
        rows(database, "RETURN $p + 1", q=1)
    assert refused.value.code is ErrorCode.QUERY_ERROR
    for odd in ([1, "a"], [], 2**70, [[1], ["a"]]):
        try:
            rows(database, "RETURN $p", p=odd)
        except PlatformError as error:
            assert error.code is ErrorCode.QUERY_ERROR
    database.close()


def test_a_result_is_cut_at_the_row_limit_and_says_so(engine_name: str, tmp_path: Path) -> None:
    database = opened(engine_name, tmp_path / "graph.db")
    for limit, truncated in ((9, True), (10, False), (11, False)):
        result = database.query("UNWIND range(1, 10) AS x RETURN x", timeout_seconds=5, row_limit=limit)
        assert (len(result.rows), result.truncated) == (min(limit, 10), truncated)
    assert (result.columns, result.types) == (("x",), ("INT64",))
    database.close()


ENDLESS = "UNWIND range(1, 1000000) AS x UNWIND range(1, 1000000) AS y RETURN sum(x * y % 7)"


def test_a_query_ends_at_its_time_limit_and_the_next_one_works(engine_name: str, tmp_path: Path) -> None:
    database = opened(engine_name, tmp_path / "graph.db")
    with pytest.raises(PlatformError) as stopped:
        database.query(ENDLESS, timeout_seconds=0.3, row_limit=1)
    assert stopped.value.code is ErrorCode.QUERY_TIMEOUT
    assert rows(database, "RETURN 1") == [[1]]
    database.close()


def test_a_query_can_be_interrupted_while_others_go_on(engine_name: str, tmp_path: Path) -> None:
    database = opened(engine_name, tmp_path / "graph.db")
    ended = threading.Event()
    raised: list[PlatformError] = []
    interrupts: list[object] = []

    def run() -> None:
        try:
            database.query(ENDLESS, timeout_seconds=30, row_limit=1, started=interrupts.append)
        except PlatformError as error:
            raised.append(error)
        ended.set()

    thread = threading.Thread(target=run)
    thread.start()
    until(lambda: interrupts, "the query does not start")
    assert rows(database, "RETURN 2") == [[2]]
    while not ended.wait(0.05):
        interrupts[0]()  # type: ignore[operator]
    thread.join()
    assert [error.code for error in raised] == [ErrorCode.QUERY_ERROR]
    database.close()


def test_many_threads_share_a_database(engine_name: str, tmp_path: Path) -> None:
    database = small_graph(engine_name, tmp_path / "graph.db")
    answers: list[object] = []

    def run(number: int) -> None:
        for _ in range(60):
            answers.append(rows(database, "MATCH (o:`Order`) RETURN count(*) + $n", n=number) == [[2 + number]])

    threads = [threading.Thread(target=run, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 240 and all(answers)
    database.close()


def test_a_refusal_has_the_engines_own_words(engine_name: str, tmp_path: Path) -> None:
    database = opened(engine_name, tmp_path / "graph.db")
    with pytest.raises(PlatformError, match="Nowhere") as refused:
        rows(database, "MATCH (n:Nowhere) RETURN n")
    assert refused.value.code is ErrorCode.QUERY_ERROR
    with pytest.raises(PlatformError, match="LIST") as refused:
        database.execute("CREATE NODE TABLE X(a LIST, PRIMARY KEY(a))")
    assert refused.value.code is ErrorCode.DATABASE_ERROR
    with pytest.raises(PlatformError, match="zero") as refused:
        rows(database, "RETURN 1 / 0")
    database.close()
    with pytest.raises(PlatformError) as refused:
        rows(database, "RETURN 1")
    assert refused.value.code is ErrorCode.DATABASE_ERROR


def test_a_file_that_is_not_this_engines_is_refused_before_it_is_opened(engine_name: str, tmp_path: Path) -> None:
    other = {"ladybug": b"RYU\x27" + bytes(9000), "ryugraph": b"LBUG1" + bytes(9000)}[engine_name]
    for content, word in ((other, "database of"), (b"", "not a graph"), (b"garbage" * 999, "not a graph")):
        path = tmp_path / "other.db"
        path.write_bytes(content)
        with pytest.raises(PlatformError, match=word) as refused:
            opened(engine_name, path, read_only=True)
        assert refused.value.code is ErrorCode.DATABASE_ERROR
    with pytest.raises(PlatformError, match="not there"):
        opened(engine_name, tmp_path / "none.db", read_only=True)
    (tmp_path / "new.db.wal").write_bytes(b"x" * 100)
    with pytest.raises(PlatformError, match=r"new\.db\.wal"):
        opened(engine_name, tmp_path / "new.db")


READING = [
    "MATCH (n) RETURN n",
    "OPTIONAL MATCH (n:City) WHERE n.code IN ['a', 'b'] RETURN count(DISTINCT n) AS n ORDER BY n SKIP 0 LIMIT 3",
    "MATCH p = (a:`Order`)-[e:NEAR* 1..2]->(b) RETURN length(p), nodes(p), rels(p)",
    "MATCH p = (a:`Order`)-[e:NEAR* SHORTEST 1..3]->(b) RETURN p",
    "MATCH p = (a:`Order`)-[e:NEAR* ALL SHORTEST 1..3 (r, n | WHERE r.km > 0.1)]->(b) RETURN p",
    "MATCH (a:`Order`) WHERE EXISTS { MATCH (a)-[:NEAR]->() } AND NOT (a.id = 3) RETURN COUNT { MATCH (a)-[]->() }",
    "MATCH (a:`Order`), (b:City) RETURN a.id, b.code",
    "MATCH (a:City)<-[:NEAR]-(b)-[:NEAR]->(c) RETURN count(*)",
    "UNWIND [1, 2] AS x WITH x, sum(x) AS s WHERE s > 0 RETURN collect(x)[1:2], CASE WHEN (true) THEN (1) ELSE 2 END",
    "RETURN 1 UNION ALL RETURN 2",
    "RETURN 1 AS x UNION RETURN 2 AS x",
    "MATCH (n:City) RETURN n.code ORDER BY n.code",
    "CALL show_tables() RETURN *",
    "CALL table_info('City') RETURN name",
    "CALL show_connection('NEAR') RETURN *",
    "CALL db_version() RETURN *",
    "MATCH (n:`Order`) WHERE n.id = 1 RETURN n.name",
    "RETURN list_transform([1, 2], x -> x + 1), list_reduce([1, 2], (x, y) -> x + y), CAST(1 AS DECIMAL(5, 2))",
    "MATCH (n) RETURN label(n), id(n), count(*)",
    "MATCH (n:City) RETURN DISTINCT n.code LIMIT 0",
]


def test_what_a_reader_needs_passes_both_gates(engine_name: str, tmp_path: Path) -> None:
    database = small_graph(engine_name, tmp_path / "graph.db")
    for text in READING:
        statement = check_statement(text, "read")
        check_operators(database.operators(statement.subject), "read", database.version)
        database.query(statement.text, timeout_seconds=10, row_limit=10)
        for prefix in ("EXPLAIN", "PROFILE", "explain logical"):
            assert check_statement(f"{prefix} {text};", "read").subject == text
    database.close()


WRITING = [
    "CREATE (:City {code: 'X'})",
    "MERGE (c:City {code: 'Y'})",
    "MERGE (o:`Order` {id: 9}) ON CREATE SET o.name = 'new' ON MATCH SET o.name = 'old' RETURN o",
    "MATCH (o:`Order` {id: 2}) SET o.name = 'two'",
    "MATCH (a:City {code: 'X'}), (b:City {code: 'Y'}) CREATE (a)-[:NEAR {km: 1.0}]->(b)",
    "MATCH (a:City)-[e:NEAR]->(b:City) DELETE e",
    "MATCH (c:City {code: 'X'}) DETACH DELETE c",
    "CREATE NODE TABLE New(id INT64, PRIMARY KEY(id))",
    "ALTER TABLE New ADD note STRING",
    "DROP TABLE New",
]


def test_writing_is_let_through_for_a_writer_only(engine_name: str, tmp_path: Path) -> None:
    database = small_graph(engine_name, tmp_path / "graph.db")
    for text in WRITING:
        with pytest.raises(PlatformError) as refused:
            check_statement(text, "read")
        assert refused.value.code is ErrorCode.PERMISSION_DENIED
        operators = database.operators(check_statement(text, "write").subject)
        check_operators(operators, "write", database.version)
        with pytest.raises(PlatformError):
            check_operators(operators, "read", database.version)
        database.query(text, timeout_seconds=10, row_limit=10)
    database.close()


def test_every_function_of_the_engine_has_been_looked_at(engine_name: str, tmp_path: Path) -> None:
    database = opened(engine_name, tmp_path / "graph.db")
    result = database.query("CALL show_functions() RETURN name", timeout_seconds=5, row_limit=10_000)
    names = {str(name).upper() for (name,) in result.rows}
    names = {name for name in names if name.replace("_", "a").isalnum()}
    assert names - FUNCTIONS - REFUSED_FUNCTIONS - TABLE_FUNCTIONS == set()
    assert set() == FUNCTIONS & REFUSED_FUNCTIONS
    database.close()


def test_the_second_line_sees_what_would_touch_files(engine_name: str, tmp_path: Path) -> None:
    database = small_graph(engine_name, tmp_path / "graph.db")
    file = tmp_path / "data.csv"
    file.write_text("a\n1\n")
    for text in (
        f"LOAD FROM '{file}' RETURN *",
        f"COPY (MATCH (n:City) RETURN n.*) TO '{tmp_path}/out.csv'",
        f"COPY City FROM '{file}'",
        "CALL current_setting('threads') RETURN *",
        "CREATE (:City {code: 'q'})",
        "CALL show_attached_databases() RETURN *",
    ):
        with pytest.raises(PlatformError) as refused:
            check_operators(database.operators(text), "read", database.version)
        assert refused.value.code in (ErrorCode.PERMISSION_DENIED, ErrorCode.QUERY_ERROR), text
    forged = database.operators("RETURN 'SCAN_NODE_TABLE[0]' AS `COPY_TO[1]`, 'Function: READ_CSV_SERIAL' AS x")
    assert forged >= {"RESULT_COLLECTOR"}
    assert plan_operators("nothing like a plan") == frozenset({"UNREADABLE_PLAN"})
    database.close()


def test_values_come_as_json_has_them(engine_name: str, tmp_path: Path) -> None:
    database = opened(engine_name, tmp_path / "graph.db")
    result = database.query(
        "RETURN CAST('1.50' AS DECIMAL(5, 2)) AS d, date('2020-01-01') AS t", timeout_seconds=5, row_limit=1
    )
    assert result.rows == (("1.50", "2020-01-01"),)
    assert [kind.replace(" ", "") for kind in result.types] == ["DECIMAL(5,2)", "DATE"]
    database.close()
