"""A null without a type ends the process of an engine in some places; there it is refused, and nowhere else."""

from __future__ import annotations

from pathlib import Path

import pytest

from graph_platform.engine.connect import load_engine
from graph_platform.engine.gate.statement import check_statement
from graph_platform.errors import ErrorCode, PlatformError
from graph_platform_tests.engine.fuzz_graph import TABLES


@pytest.mark.parametrize(
    "text",
    [
        "RETURN id(NULL)",
        "RETURN `label`( ((null)) )",
        "MATCH (n:Person) WHERE n.id IN NULL RETURN n",
        "MATCH (n:Person) WHERE NOT n.id IN (NULL) RETURN n",
        "WITH NULL AS x RETURN id(x)",
        "MATCH (n:Person) WITH n, NULL AS x WHERE n.id IN x RETURN n",
        "RETURN list_sum(NULL), 1",
        "RETURN map([1], NULL)",
        "RETURN list_contains(NULL, 1)",
        "MATCH (n:Person) RETURN equals(n, NULL)",
        "MATCH p = (a:Person)-[e:KNOWS]->(b) RETURN nodes(NULL)",
        "MATCH p = (a:Person)-[e:KNOWS]->(b) RETURN cost(p)",
        "MATCH `p` = (a:Person)-[e:KNOWS* ALL WSHORTEST(since)]->(b:Person) RETURN a, COST(P)",
    ],
)
def test_a_null_without_a_type_is_refused_where_an_engine_dies_of_it(engine_name: str, text: str) -> None:
    with pytest.raises(PlatformError, match="do not survive") as refused:
        check_statement(text, "read", engine_name)
    assert refused.value.code is ErrorCode.QUERY_ERROR
    assert refused.value.hint and refused.value.details["line"] == 1


def test_a_null_is_let_through_and_answered_elsewhere(engine_name: str, tmp_path: Path) -> None:
    database = load_engine(engine_name).open(tmp_path / "g.db", read_only=False, memory_bytes=128 * 1024**2, threads=1)
    for text in TABLES:
        database.execute(text)
    for text in (
        "RETURN NULL AS x",
        "RETURN coalesce(NULL, 1), nullif(1, 1), size(NULL), upper(NULL), [NULL, 1]",
        "MATCH (n:Person) WHERE n.name IS NOT NULL AND n.age <> NULL RETURN n.id AS id, NULL AS x LIMIT 1",
        "MATCH (n:Person) WITH n, CAST(NULL AS INT64[]) AS x WHERE n.id IN x RETURN list_sum(x), n.id IN [NULL, 1]",
        "MATCH (n:Person) WITH CASE WHEN n.age > 3 THEN n.age ELSE NULL END AS age RETURN age AS x, NULL AS y LIMIT 1",
        "MATCH (n:Person) WHERE n.name = $a OR $a IS NULL RETURN coalesce($a, n.name) AS x LIMIT 1",
        "MATCH (n:Person) WHERE n.id IN CAST($a AS INT64[]) RETURN n.id",
        "MATCH p = (a:Person)-[e:KNOWS* WSHORTEST(since)]->(b:Person) RETURN cost(e) LIMIT 1",
    ):
        statement = check_statement(text, "read", engine_name)
        assert statement.typed == frozenset(), text
        parameters = dict.fromkeys(statement.parameters)
        if engine_name == "ladybug" and "$a IS NULL" in text:
            continue  # it binds such a parameter as BOOL, and says so
        database.query(statement.text, parameters, timeout_seconds=30, row_limit=10)
    database.close()


@pytest.mark.parametrize(
    ("text", "typed"),
    [
        ("MATCH (n) WHERE n.id IN $a AND n.name = $b RETURN id($c), coalesce($d, 1)", {"a", "c"}),
        ("WITH $a AS x, $b + 1 AS y UNWIND $c AS z RETURN $d AS w", {"a"}),
        ("MATCH (n) WHERE list_contains(($a), n.id) RETURN size($b)", {"a"}),
        ("RETURN [$a, $b], {id: $c}, (1 + $d), id(x, [$a])", set()),
    ],
)
def test_the_parameters_that_may_not_be_null_are_named(text: str, typed: set[str]) -> None:
    assert check_statement(text, "read").typed == typed
