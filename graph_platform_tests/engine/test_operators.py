"""The lists of plan operators, held against the plans of many statements on each engine, with data.

Whoever raises an engine's pin and sees a test here fail decides about each operator that is new, and puts it on a list.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from graph_platform.engine.connect import load_engine
from graph_platform.engine.gate.clauses import Access
from graph_platform.engine.gate.functions import words
from graph_platform.engine.gate.operators import PLAN_OPERATORS, check_operators
from graph_platform.engine.gate.statement import check_statement
from graph_platform.engine.protocol import Database, EngineVersion
from graph_platform.errors import ErrorCode, PlatformError
from graph_platform_tests.engine.fuzz_graph import TABLES

READING = (
    "MATCH (n) RETURN n",
    "MATCH (n:Person) RETURN count(*)",
    "MATCH (n:Person {id: 3}) RETURN n.name",
    "MATCH (n:Person) WHERE n.id IN [1, 2, 3] RETURN n.name",
    "MATCH (n:Person) WHERE n.id = 1 OR n.id = 2 RETURN n.name",
    "MATCH (n:City) WHERE n.code = 'c1' RETURN *",
    "MATCH (n:Person) RETURN id(n)",
    "MATCH (n:Person) RETURN n.age, count(*), sum(n.id), avg(n.score), min(n.name), max(n.born), collect(n.tags)",
    "MATCH (n:Person) RETURN DISTINCT n.age % 3",
    "MATCH (n:Person) RETURN count(DISTINCT n.age), n.`set`",
    "MATCH (n:Person) RETURN n.name ORDER BY n.age DESC, n.name",
    "MATCH (n:Person) RETURN n.name ORDER BY n.age SKIP 1 LIMIT 2",
    "MATCH (n:Person) RETURN n.name SKIP 2 LIMIT 3",
    "MATCH (n:Person) RETURN n.name SKIP 2",
    "MATCH (n:Person) WITH n ORDER BY n.age LIMIT 3 MATCH (n)-[:KNOWS]->(m) RETURN m.name",
    "MATCH (a:Person)-[e:KNOWS]->(b:Person) RETURN a.id, e.since, b.id",
    "MATCH (a:Person)-[:KNOWS]->(b:Person)-[:KNOWS]->(c:Person) RETURN count(*)",
    "MATCH (a:Person)-[:KNOWS]->(b:Person)-[:KNOWS]->(c:Person)-[:KNOWS]->(d) RETURN count(*)",
    "MATCH (a:Person)-[:KNOWS]->(b:Person) RETURN count(*)",
    "MATCH (a:Person {id: 1})-[:KNOWS]->(b:Person) RETURN count(*)",
    "MATCH (a:Person)-[:KNOWS]->(b:Person) RETURN a.id, count(*)",
    "MATCH (a:Person)-[:KNOWS]->(b:Person) RETURN a.id, count(b) AS friends ORDER BY friends DESC LIMIT 3",
    "MATCH (a:Person)-[:KNOWS]-(b:Person) RETURN a.id, count(*) AS degree ORDER BY degree DESC LIMIT 5",
    "MATCH (a:Person)-[:KNOWS]->(b:Person), (b)-[:KNOWS]->(c:Person), (a)-[:KNOWS]->(c) RETURN count(*)",
    "MATCH (a:Person)-[:KNOWS]->(b:Person)-[:KNOWS]->(c:Person)-[:KNOWS]->(a) RETURN a.id, b.id, c.id",
    "MATCH (a:Person)-[:KNOWS]->(b:Person) WHERE a.age > b.age RETURN a.name, b.name",
    "MATCH (a:Person)-[:KNOWS]->(b:Person) WHERE NOT EXISTS { MATCH (b)-[:KNOWS]->(a) } RETURN count(*)",
    "MATCH (a:Person), (b:City) RETURN a.id, b.code",
    "MATCH (a:Person), (b:Person) WHERE a.age = b.age AND a.id <> b.id RETURN count(*)",
    "MATCH (a:Person), (b:City) WHERE a.name = b.name RETURN count(*)",
    "OPTIONAL MATCH (a:Person {id: 99}) RETURN a",
    "MATCH (a:Person) OPTIONAL MATCH (a)-[:LIVES]->(c:City) RETURN a.id, c.code",
    "MATCH (a:Person) OPTIONAL MATCH (a)-[:LIVES]->(c:City) WHERE c.size > 2 RETURN a.id, count(c)",
    "MATCH (a:Person) WHERE EXISTS { MATCH (a)-[:LIVES]->(:City {code: 'c1'}) } RETURN a.id",
    "MATCH (a:Person) RETURN a.id, COUNT { MATCH (a)-[:KNOWS]->() } AS degree ORDER BY degree DESC LIMIT 1",
    "MATCH (a:Person) WHERE (a)-[:KNOWS]->(:Person) RETURN a.id",
    "MATCH (a:Person)-[:KNOWS|LIVES]->(b) RETURN label(b), count(*)",
    "MATCH (a)-[e]->(b) RETURN label(e), count(*)",
    "MATCH (a:Person|City) RETURN label(a), count(*)",
    "MATCH p = (a:Person)-[:KNOWS]->(b) RETURN p, length(p), nodes(p), rels(p)",
    "MATCH p = (a:Person {id: 1})-[:KNOWS* 1..3]->(b:Person) RETURN length(p), properties(nodes(p), 'name')",
    "MATCH (a:Person {id: 1})-[:KNOWS* 1..3]->(b:Person) RETURN count(*)",
    "MATCH (a:Person {id: 1})-[:KNOWS* 1..3]->(b:Person) RETURN count(DISTINCT b)",
    "MATCH (a:Person)-[:KNOWS* 1..3]->(b:Person) RETURN a.id, count(DISTINCT b)",
    "MATCH (a:Person)-[:KNOWS* 1..2]->(b:Person) RETURN DISTINCT b.id",
    "MATCH p = (a:Person)-[:KNOWS* TRAIL 1..3]->(b:Person) RETURN count(*)",
    "MATCH p = (a:Person)-[:KNOWS* ACYCLIC 1..3]->(b:Person) RETURN count(*)",
    "MATCH p = (a:Person {id: 1})-[:KNOWS* SHORTEST 1..5]->(b:Person {id: 4}) RETURN p",
    "MATCH p = (a:Person)-[:KNOWS* SHORTEST]-(b:Person) RETURN length(p)",
    "MATCH p = (a:Person)-[:KNOWS* ALL SHORTEST 1..4]->(b:Person) RETURN p",
    "MATCH p = (a:Person)-[e:KNOWS* WSHORTEST(since)]->(b:Person) RETURN cost(e)",
    "MATCH p = (a:Person)-[e:KNOWS* ALL WSHORTEST(since)]->(b:Person) RETURN p, cost(e)",
    "MATCH (a:Person)-[e:KNOWS* 1..2 (r, n | WHERE r.since > 1 AND n.age > 3 | {r.since}, {n.name})]->(b) RETURN e",
    "UNWIND [1, 2, 2] AS x RETURN x",
    "UNWIND [1, 2, 2] AS x RETURN DISTINCT x",
    "UNWIND [3, 1, 2] AS x WITH x ORDER BY x DESC LIMIT 2 RETURN collect(x)",
    "UNWIND [1, 2] AS x MATCH (n:Person {id: x}) RETURN n.name",
    "UNWIND [1, 2, 1] AS x MATCH (n:Person) WHERE n.id = x RETURN n.name",
    "UNWIND $l AS x MATCH (n:Person) WHERE n.id = x RETURN DISTINCT n.name",
    "WITH [1, 2] AS ids MATCH (n:Person) WHERE n.id IN ids RETURN n.name",
    "MATCH (n:Person) UNWIND n.tags AS tag RETURN tag, count(*)",
    "MATCH (n:Person) WITH n.age % 3 AS third, count(*) AS many WHERE many > 1 RETURN third, many",
    "MATCH (n:Person) WITH collect(n) AS all_of_them UNWIND all_of_them AS one RETURN one.name",
    "RETURN 1 UNION ALL RETURN 2",
    "RETURN 1 AS x UNION RETURN 2 AS x UNION RETURN 1 AS x",
    "MATCH (n:Person) RETURN n.name AS name UNION MATCH (c:City) RETURN c.name AS name",
    "MATCH (n:Person) WHERE false RETURN n",
    "MATCH (n:Person) RETURN n LIMIT 0",
    "RETURN 1 + 1, 'a', [1, 2], {a: 1}, date('2020-01-01'), CASE WHEN true THEN 1 END",
    "RETURN list_transform([1, 2], x -> x + 1), list_filter([1, 2], x -> x > 1), list_reduce([1, 2], (x, y) -> x + y)",
    "MATCH (n:Person) WHERE any(t IN n.tags WHERE t = 'a') RETURN n.id",
    "MATCH (n:Person) WHERE all(t IN n.tags WHERE t = 'a') OR single(t IN n.tags WHERE t = 'b') RETURN n.id",
    "MATCH (a:Person)-[:KNOWS]->(b:Person)<-[:KNOWS]-(c:Person) WHERE a.id < c.id RETURN a.id, c.id, count(b)",
    "MATCH (a:Person)-[:KNOWS]->(b:Person)-[:LIVES]->(c:City) RETURN c.code, count(DISTINCT a)",
    "MATCH (a:Person)-[:LIVES]->(c:City)<-[:LIVES]-(b:Person) WHERE NOT (a)-[:KNOWS]->(b) RETURN count(*)",
    "MATCH (a:Person)-[:KNOWS]->(b)-[:KNOWS]->(c) WHERE NOT EXISTS { MATCH (a)-[:KNOWS]->(c) } RETURN count(*)",
    "MATCH (a:Person)-[:CALL]->(l:`Load`)-[:CALL]->(b:Person) RETURN count(*)",
    "MATCH (a:Person) WHERE a.id = 1 MATCH (b:Person) WHERE b.id = 2 MATCH (a)-[e:KNOWS]->(b) RETURN e",
    "CALL show_tables() RETURN *",
    "CALL db_version() YIELD version AS v RETURN v",
    "CALL table_info('Person') RETURN name, type",
    "CALL show_connection('KNOWS') RETURN *",
    "CALL show_functions() RETURN count(*)",
    "CALL show_indexes() RETURN *",
    "CALL show_macros() RETURN *",
    "CALL show_sequences() RETURN *",
    "CALL show_warnings() RETURN *",
    "CALL db_version() RETURN *",
    "CALL catalog_version() RETURN *",
    "MATCH (n:Person) CALL show_tables() WHERE name = 'Person' RETURN n.id, name",
)

WRITING = (
    "CREATE (:Person {id: 100, name: 'new'})",
    "CREATE (p:Person {id: 101}) RETURN p.id",
    "UNWIND range(200, 205) AS i CREATE (:Person {id: i, tags: ['x']})",
    "MATCH (a:Person {id: 1}), (b:Person {id: 2}) CREATE (a)-[e:KNOWS {since: 3}]->(b) RETURN e",
    "CREATE (:Person {id: 300})-[:KNOWS {since: 1}]->(:Person {id: 301})-[:LIVES]->(:City {code: 'x'})",
    "MERGE (:Person {id: 100})",
    "MERGE (p:Person {id: 400}) ON CREATE SET p.name = 'made' ON MATCH SET p.name = 'found' RETURN p.name",
    "MATCH (a:Person {id: 1}), (b:City {code: 'c1'}) MERGE (a)-[e:LIVES]->(b) ON CREATE SET e.since = 1",
    "UNWIND [1, 500] AS i MERGE (p:Person {id: i}) SET p.age = i",
    "MATCH (n:Person {id: 1}) SET n.name = 'set', n.age = 3",
    "MATCH (n:Person) SET n.age = n.age + 1 RETURN count(*)",
    "MATCH (:Person {id: 1})-[e:KNOWS]->() SET e.since = 9",
    "MATCH (a)-[e:KNOWS|LIVES]->(b) SET e.since = 8",
    "MATCH (n:Person|City) SET n.name = 'both'",
    "MATCH (:Person {id: 1})-[e:KNOWS]->(:Person) DELETE e",
    "MATCH (n:Person {id: 300}) DETACH DELETE n",
    "MATCH (n:Person {id: 101}) DELETE n",
    "MATCH (n:Person {id: 200}) DELETE n RETURN n.id",
    "CREATE NODE TABLE Made(id INT64, name STRING DEFAULT 'x', many INT64[] DEFAULT [1, -2], PRIMARY KEY(id))",
    "CREATE NODE TABLE IF NOT EXISTS Made(id INT64 PRIMARY KEY)",
    "CREATE NODE TABLE Other(id STRING PRIMARY KEY, price DECIMAL(10, 2), pairs MAP(STRING, INT64), "
    "place STRUCT(x DOUBLE, y DOUBLE), fixed INT64[3])",
    "CREATE REL TABLE MADE_OF(FROM Made TO Other, FROM Other TO Other, since DATE, MANY_MANY)",
    "CREATE REL TABLE IF NOT EXISTS ONE(FROM Made TO Other, MANY_ONE)",
    "ALTER TABLE Made ADD score DOUBLE DEFAULT -1.5",
    "ALTER TABLE Made ADD IF NOT EXISTS score DOUBLE",
    "ALTER TABLE Made RENAME score TO points",
    "ALTER TABLE Made DROP points",
    "ALTER TABLE Made DROP IF EXISTS points",
    "ALTER TABLE MADE_OF ADD IF NOT EXISTS FROM Made TO Made",
    "ALTER TABLE MADE_OF DROP IF EXISTS FROM Made TO Made",
    "DROP TABLE MADE_OF",
    "DROP TABLE IF EXISTS ONE",
    "ALTER TABLE Made RENAME TO Renamed",
    "DROP TABLE Renamed",
)


NOT_PLANNED_HERE = words(
    "COUNT_ANTI_EDGE_CHAIN DUMMY_SIMPLE_SINK GROUPED_REACHABLE_COUNT INDEX_LOOKUP PACKED_EXTEND PACKED_FILTERED_COUNT "
    "PROFILE REACHABLE_COUNT REL_DEGREE_TABLE TABLE_FUNCTION_CALL:STORAGE_VERSION UNWIND_DEDUP"
)
"""Operators that only read, by the sources and by the names in the wheels, and that no statement above made them plan
(LadybugDB takes some for large graphs only)."""


def planned(database: Database, text: str, access: Access) -> frozenset[str]:
    """The operators of a statement that both lines let through and that was run."""
    statement = check_statement(text, access, database.version.name)
    parameters = {name: [1, 2] for name in statement.parameters}
    operators = database.operators(statement.subject, parameters)
    check_operators(operators, access, database.version)
    database.query(statement.text, parameters, timeout_seconds=60, row_limit=100)
    return operators


def filled(engine_name: str, path: Path) -> Database:
    database = load_engine(engine_name).open(path, read_only=False, memory_bytes=128 * 1024**2, threads=2)
    for text in TABLES:
        database.execute(text)
    return database


def test_every_plan_of_a_reader_has_only_operators_of_the_list(engine_name: str, tmp_path: Path) -> None:
    database = filled(engine_name, tmp_path / "graph.db")
    seen: set[str] = set()
    for text in READING:
        seen |= planned(database, text, "read")
    listed = PLAN_OPERATORS[engine_name, database.version.version]
    assert seen <= listed.reading
    assert listed.reading - seen - NOT_PLANNED_HERE == set(), "the list has something that no release plans"
    database.close()


def test_every_plan_of_a_writer_has_only_operators_of_the_list(engine_name: str, tmp_path: Path) -> None:
    database = filled(engine_name, tmp_path / "graph.db")
    seen: set[str] = set()
    for text in WRITING:
        operators = planned(database, text, "write")
        assert operators & PLAN_OPERATORS[engine_name, database.version.version].writing, text
        with pytest.raises(PlatformError):
            check_operators(operators, "read", database.version)
        seen |= operators
    assert PLAN_OPERATORS[engine_name, database.version.version].writing <= seen
    database.close()


def test_the_release_that_is_installed_has_a_list_and_the_lists_say_each_operator_once(engine_name: str) -> None:
    version = load_engine(engine_name).version
    listed = PLAN_OPERATORS[version.name, version.version]
    assert listed.reading.isdisjoint(listed.writing | listed.acting) and listed.writing.isdisjoint(listed.acting)


LADYBUG = EngineVersion("ladybug", "0.22.0", "42")


@pytest.mark.parametrize("operator", ["QUERY_PRIMARY_KEY_LOOKUP", "PACKED_EXTEND", "COUNT_REL_TABLE", "ORDER_BY_SCAN"])
def test_an_operator_passes_because_it_is_listed(operator: str) -> None:
    check_operators(frozenset({operator, "RESULT_COLLECTOR"}), "read", LADYBUG)


@pytest.mark.parametrize("operator", ["COPY_TO", "INSERT", "STANDALONE_CALL", "CREATE_INDEX", "PARTITIONER", "DROP"])
def test_an_operator_that_acts_is_not_allowed_for_a_reader(operator: str) -> None:
    with pytest.raises(PlatformError, match=f"not allowed here: {operator}") as refused:
        check_operators(frozenset({operator, "RESULT_COLLECTOR"}), "read", LADYBUG)
    assert refused.value.code == ErrorCode.PERMISSION_DENIED


@pytest.mark.parametrize("operator", ["COPY_TO", "BATCH_INSERT", "EXPORT_DATABASE", "CREATE_MACRO", "ATTACH_DATABASE"])
def test_an_operator_that_reaches_files_is_not_allowed_for_a_writer_either(operator: str) -> None:
    with pytest.raises(PlatformError, match=operator):
        check_operators(frozenset({operator}), "write", LADYBUG)


@pytest.mark.parametrize("access", ["read", "write"])
@pytest.mark.parametrize("operator", ["SCAN_FILE", "FILTER_SCAN", "COUNT_LOOKUP_SCAN", "UNHEARD_OF", "UNREADABLE_PLAN"])
def test_an_operator_on_no_list_is_refused_as_a_gap_to_report_whatever_its_name_says(
    operator: str, access: Access
) -> None:
    with pytest.raises(PlatformError, match=f"on no list: {operator}") as refused:
        check_operators(frozenset({operator, "RESULT_COLLECTOR"}), access, LADYBUG)
    assert refused.value.code == ErrorCode.PERMISSION_DENIED
    assert refused.value.hint and "report" in refused.value.hint


def test_a_table_function_on_no_list_is_refused() -> None:
    with pytest.raises(PlatformError, match="READ_CSV_PARALLEL"):
        check_operators(frozenset({"TABLE_FUNCTION_CALL", "TABLE_FUNCTION_CALL:READ_CSV_PARALLEL"}), "read", LADYBUG)


def test_an_operator_of_one_release_does_not_pass_on_another() -> None:
    with pytest.raises(PlatformError, match="on no list: COUNT_REL_TABLE"):
        check_operators(frozenset({"COUNT_REL_TABLE"}), "read", EngineVersion("ryugraph", "25.9.2", "39"))


def test_a_release_without_a_list_answers_nothing_and_says_why() -> None:
    with pytest.raises(PlatformError, match=r"ladybug 9\.9\.9") as refused:
        check_operators(frozenset({"PROJECTION"}), "read", EngineVersion("ladybug", "9.9.9", "42"))
    assert refused.value.hint and "0.22.0" in refused.value.hint
