"""Errors of the engines in the user's words and at the user's place, on both engines as they are."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from graph_platform.engine.connect import load_engine
from graph_platform.engine.explanations import EXACT, explained
from graph_platform.engine.gate.statement import check_statement
from graph_platform.engine.protocol import Database
from graph_platform.errors import ErrorCode, PlatformError

TABLES = (
    "CREATE NODE TABLE P(id INT64, x DECIMAL(10, 2), `order` STRING, PRIMARY KEY(id))",
    "CREATE REL TABLE `Group`(FROM P TO P)",
)
AMOUNTS = ("1.10", "2.20", "0.05")


def opened(engine_name: str, tmp_path: Path) -> Database:
    """A small graph. The tests run in a process of the engine's own, so they share no fixture."""
    made = load_engine(engine_name).open(tmp_path / "g.db", read_only=False, memory_bytes=256 * 1024**2, threads=1)
    rows = [f"CREATE (:P {{id: {at}, x: CAST('{x}' AS DECIMAL(10, 2))}})" for at, x in enumerate(AMOUNTS)]
    for statement in (*TABLES, *rows, "CREATE (:P {id: 9})"):
        made.query(statement, timeout_seconds=10, row_limit=1)
    return made


def planned(database: Database, cypher: str) -> PlatformError:
    """The error of a statement as the worker sends it: its plan is asked for first."""
    statement = check_statement(cypher, "read")
    with pytest.raises(PlatformError) as refused:
        database.operators(statement.subject)
    return refused.value


def run(database: Database, cypher: str) -> PlatformError:
    with pytest.raises(PlatformError) as refused:
        database.query(check_statement(cypher, "read").text, timeout_seconds=10, row_limit=5)
    return refused.value


QUOTE = "if it is a name, quote it with backticks: `{}`"

WORDS: dict[str, tuple[str, tuple[int, int] | None, str | None]] = {
    "MATCH (p:P) RETURN p.order": ("the engine did not expect order here", (1, 22), QUOTE.format("order")),
    "MATCH (p:P)-[g:Group]->(q)\nRETURN q": ("the engine did not expect Group here", (1, 16), QUOTE.format("Group")),
    "// the first\nMATCH (p /* a person */ :P)\n  RETURN p.id  AS\tend": (
        "the engine did not expect end here",
        (3, 19),
        QUOTE.format("end"),
    ),
    "RETURN  1 +": ("the statement is not whole: it ends after +", (1, 11), None),
    "RETURN 1 + * 2": ("the engine did not expect * here", (1, 12), None),
    "MATCH (p:P)\nRETURN sum( p.x )": (
        "SUM does not take a DECIMAL in this engine",
        (2, 8),
        "write list_sum(collect(p.x))",
    ),
    "MATCH (p:P) RETURN avg(p.x + p.x)": (
        "AVG does not take a DECIMAL in this engine",
        (1, 20),
        "write CAST(list_sum(collect(p.x + p.x)) AS DOUBLE) / size(collect(p.x + p.x))",
    ),
    "RETURN lower(1, 2)": ("LOWER does not take (INT64,INT64)", (1, 8), "it takes (STRING)"),
    "MATCH (p:Nope) RETURN p": ("there is no label or type Nope", (1, 10), "/schema lists those that there are"),
    "MATCH (p:P) RETURN p.nosuch": ("p has no property nosuch", (1, 22), "/schema lists those that there are"),
    "MATCH (p:P)\nWHERE p.`order` = x RETURN p.id": (
        "nothing is called x here",
        (2, 19),
        "it has to come from a MATCH, an UNWIND or a WITH before; a text stands in quotes",
    ),
}


def test_an_error_is_told_in_the_users_words_and_at_the_users_place(engine_name: str, tmp_path: Path) -> None:
    database = opened(engine_name, tmp_path)
    for cypher, (message, place, hint) in WORDS.items():
        for ask in (planned, run):
            error = explained(ask(database, cypher), cypher)
            at = f", at line {place[0]}, column {place[1]}" if place else ""
            assert (error.code, error.message, error.hint) == (ErrorCode.QUERY_ERROR, message + at, hint), cypher
            assert (error.details["line"], error.details["column"]) == place
    database.close()


def test_what_is_hinted_for_a_decimal_is_right(engine_name: str, tmp_path: Path) -> None:
    database = opened(engine_name, tmp_path)
    exact = {"SUM": "3.35", "AVG": 3.35 / 3, "MIN": "0.05", "MAX": "2.20", "COUNT": 3}
    assert sum(map(Decimal, AMOUNTS)) == Decimal(str(exact["SUM"]))
    for name, form in EXACT.items():
        answer = database.query(f"MATCH (p:P) RETURN {form.format('p.x')}", timeout_seconds=10, row_limit=1)
        assert answer.rows == ((exact[name],),), name
    database.close()


def test_what_is_not_known_is_told_as_it_is() -> None:
    odd = PlatformError(ErrorCode.QUERY_ERROR, "Runtime exception: overflow", details={"x": 1})
    assert explained(odd, "RETURN 1") is odd
    other = PlatformError(ErrorCode.QUERY_TIMEOUT, "Binder exception: Table x does not exist.")
    assert explained(other, "RETURN 1") is other
