"""Statements that the gate lets through and that would cost a server everything: time, or memory of no pool."""

from __future__ import annotations

from typing import Any

SLOW = "UNWIND range(1, 100000) AS x UNWIND range(1, 100000) AS y RETURN sum(x * y % 7)"
"""Runs for minutes, and hears when it is interrupted."""

STAR_EDGES = 20

HUNGRY: dict[str, tuple[str, dict[str, Any]]] = {
    "a list": ("RETURN size(range(1, CAST('400000000' AS INT64)))", {}),
    "a list that is doubled": (
        "WITH range(1, 100) AS x0 "
        + " ".join(f"WITH list_concat(x{number}, x{number}) AS x{number + 1}" for number in range(24))
        + " RETURN size(x24)",
        {},
    ),
    "a parameter put into itself": (
        "RETURN size(" + "regexp_replace(" * 4 + "$a" + ", 'a', $a, 'g')" * 4 + ")",
        {"a": "a" * 200},
    ),
    "a text that is padded": ("RETURN size(lpad('a', 4*1000*1000*1000, 'b'))", {}),
}
"""Each wants gigabytes at once, for a value that is made while the statement is planned or outside the buffer pool."""


def star(edge: str) -> str:
    """A statement that an engine plans for most of a minute, deaf to whatever it is told. `edge` is a type of edges."""
    return "MATCH " + ", ".join(f"(a)-[:{edge}]->(b{number})" for number in range(STAR_EDGES)) + " RETURN count(*)"
