"""A row limit that the engine is told of: the same rows as without, the same word on whether there were more."""

from __future__ import annotations

import json
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from graph_platform.engine.connect import load_engine
from graph_platform.engine.gate.rows import with_row_limit
from graph_platform.engine.gate.statement import check_statement
from graph_platform.engine.protocol import Database, QueryResult
from graph_platform.errors import PlatformError
from graph_platform_tests.engine.dialect import GLUE, Dialect
from graph_platform_tests.engine.fuzz_graph import TABLES
from graph_platform_tests.engine.test_operators import READING

LIMITED = [
    ("MATCH (n) RETURN n", "MATCH (n) RETURN n LIMIT 11"),
    ("match (n) return n.limit", "match (n) return n.limit LIMIT 11"),
    ("MATCH (n) RETURN n LIMIT 500", "MATCH (n) RETURN n LIMIT 11"),
    ("MATCH (n:P) RETURN n ORDER BY n.limit SKIP 3 limit 500", "MATCH (n:P) RETURN n ORDER BY n.limit SKIP 3 limit 11"),
    ("MATCH (n:P)-[e:K]->() RETURN n.a AS x, e ORDER BY X DESC, `e`.order ASC", None),
    ("MATCH (n) WITH n LIMIT 500 RETURN n", "MATCH (n) WITH n LIMIT 500 RETURN n LIMIT 11"),
    ("MATCH (n:P) RETURN n.id AS return ORDER BY return SKIP 1", None),
    ("MATCH (n) RETURN n AS return LIMIT 99", "MATCH (n) RETURN n AS return LIMIT 11"),
    ("MATCH (n) RETURN COUNT { MATCH (n)-[e]->() RETURN e LIMIT 50 }", None),
    ("RETURN 'LIMIT 5' AS `LIMIT`", "RETURN 'LIMIT 5' AS `LIMIT` LIMIT 11"),
    ("MATCH (n) RETURN n // LIMIT 5", "MATCH (n) RETURN n LIMIT 11"),
]
KEPT = [
    "MATCH (n) RETURN n LIMIT 11",
    "MATCH (n) RETURN n LIMIT 3",
    "MATCH (n) RETURN n LIMIT $most",
    "MATCH (n) RETURN n LIMIT 10 + 90",
    "MATCH (n) RETURN n LIMIT 99999999999999999999",
    "MATCH (n) RETURN n AS limit",
    "MATCH (n:P) RETURN n.id, 1 AS x ORDER BY x",
    "MATCH (n:P) RETURN n.id, 1 AS x ORDER BY n.id, x LIMIT 50",
    "MATCH (n:P) WITH n.id AS i, {id: 1} AS n RETURN i ORDER BY n.id",
    "MATCH (n:P) RETURN n.name, count(*) ORDER BY count(*) DESC",
    "MATCH (n:P) RETURN n.size + 1 AS size ORDER BY size",
    "UNWIND range(1, 30) AS limit RETURN limit",
    "MATCH (n) RETURN n.id UNION ALL MATCH (n) RETURN n.id",
    "RETURN 1 AS x UNION RETURN 2 AS x LIMIT 50",
    "CALL show_tables() RETURN *",
    "EXPLAIN MATCH (n) RETURN n",
    "PROFILE MATCH (n) RETURN n",
]
WRITING = ["MATCH (n:City) SET n.size = 1 RETURN n", "CREATE (n:City {code: 'x'}) RETURN n"]


@pytest.mark.parametrize(("text", "expected"), LIMITED)
def test_a_limit_is_written_or_made_smaller_at_the_end_of_a_statement(text: str, expected: str | None) -> None:
    limited = with_row_limit(check_statement(text, "read"), 11)
    assert limited.text == limited.subject == (expected or f"{text} LIMIT 11")


@pytest.mark.parametrize("text", KEPT)
def test_what_a_limit_could_change_stays_as_it_is(text: str) -> None:
    statement = check_statement(text, "read")
    assert with_row_limit(statement, 11) == statement


@pytest.mark.parametrize("text", WRITING)
def test_a_statement_that_writes_stays_as_it_is(text: str) -> None:
    statement = check_statement(text, "write")
    assert with_row_limit(statement, 11) == statement


def filled(engine_name: str, path: Path) -> Database:
    database = load_engine(engine_name).open(path, read_only=False, memory_bytes=256 * 1024**2, threads=1)
    for text in TABLES:
        database.execute(text)
    return database


def answer(database: Database, text: str, row_limit: int) -> QueryResult:
    return database.query(text, timeout_seconds=60, row_limit=row_limit)


def check_same(database: Database, text: str, row_limit: int) -> str:
    """Whether the limit was told to the engine, was not, or the statement fails or takes too long by itself."""
    statement = check_statement(text, "read", database.version.name)
    try:
        whole = answer(database, statement.text, 10_000)
    except PlatformError:
        return "failed"
    if whole.truncated:
        return "too long"
    limited = with_row_limit(statement, row_limit + 1)
    cut = answer(database, limited.text, row_limit)
    assert (cut.columns, cut.types) == (whole.columns, whole.types), text
    assert len(cut.rows) == min(row_limit, len(whole.rows)), text
    assert cut.truncated == (len(whole.rows) > row_limit), text
    assert not counted(cut.rows) - counted(whole.rows), text
    return "kept" if limited == statement else "limited"


def counted(rows: tuple[tuple[Any, ...], ...]) -> Counter[str]:
    return Counter(json.dumps(row, sort_keys=True) for row in rows)


def test_the_rows_of_a_limited_statement_are_rows_of_the_whole_one(engine_name: str, tmp_path: Path) -> None:
    database = filled(engine_name, tmp_path / "graph.db")
    seen = Counter(check_same(database, text, limit) for text in READING for limit in (1, 3, 12))
    assert seen["limited"] > 150, seen
    database.close()


@pytest.mark.parametrize("seed", range(4))
def test_generated_statements_give_the_same_rows_when_they_are_limited(
    engine_name: str, tmp_path: Path, seed: int
) -> None:
    database = filled(engine_name, tmp_path / "graph.db")
    seen: Counter[str] = Counter()
    for index in range(250):
        chance = random.Random(f"{seed}:{index}")
        text = joined(Dialect(chance, "read").query())
        try:
            seen[check_same(database, text, chance.choice((1, 2, 5)))] += 1
        except PlatformError:
            seen["refused"] += 1
    assert seen["limited"] > 60 and seen["kept"] > 5, seen
    database.close()


def test_an_engine_loses_rows_of_one_key_to_a_limit(engine_name: str, tmp_path: Path) -> None:
    """Why such a statement is left alone; once no engine does that any more, none needs to be."""
    database = filled(engine_name, tmp_path / "graph.db")
    text = "UNWIND range(1, 12) AS i RETURN i, 1 AS x, COUNT { MATCH (p:Person {id: 1}) } ORDER BY x"
    assert len(answer(database, text, 100).rows) == 12
    assert len(answer(database, f"{text} LIMIT 6", 100).rows) < 6
    assert check_same(database, text, 5) == "kept"
    database.close()


def joined(words: list[str]) -> str:
    return " ".join(words).replace(f" {GLUE} ", "")


def test_rows_keep_their_order_when_they_are_limited(engine_name: str, tmp_path: Path) -> None:
    database = filled(engine_name, tmp_path / "graph.db")
    for text in (
        "MATCH (n:Person) RETURN n.id ORDER BY n.id DESC",
        "MATCH (n:Person) RETURN n.id ORDER BY n.id SKIP 2",
    ):
        whole = answer(database, text, 100)
        limited = with_row_limit(check_statement(text, "read"), 5)
        assert answer(database, limited.text, 4).rows == whole.rows[:4]
    database.close()
