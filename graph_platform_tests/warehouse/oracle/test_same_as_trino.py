"""What DuckDB answers without a warning is what a real Trino answers: value, type, and that there is an answer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from graph_platform_tests.services.trino import TrinoServer
from graph_platform_tests.warehouse.oracle.comparison import OUTCOMES, Comparison
from graph_platform_tests.warehouse.oracle.generated import FROM, Generator

GENERATED = 400
LOUD_AT_MOST = 0.15
MARKS = {"=": "same", "!": "refused", "?": "loud"}
"""Each line of the list begins with what is known of it, so that nothing that was proved turns loud unseen."""


def _listed() -> dict[str, str]:
    """The queries of the list, with what comes of each."""
    lines = (line.split(" ", 1) for line in Path(__file__).with_name("expressions.txt").read_text().splitlines())
    return {sql if sql.startswith(("select ", "with ")) else f"select {sql}": MARKS[mark] for mark, sql in lines}


@pytest.fixture(scope="module")
def comparison(trino_server: TrinoServer) -> Iterator[Comparison]:
    opened = Comparison(trino_server.port)
    yield opened
    opened.close()


def test_each_expression_of_the_list_is_the_same_or_is_told_as_it_is_known_to_be(comparison: Comparison) -> None:
    listed = _listed()
    comparison.ask_ahead(sql for sql, known in listed.items() if known != "refused")
    assert {sql: found for sql, known in listed.items() if (found := comparison.outcome(sql)) != known} == {}
    counts = Counter(listed.values())
    assert counts["loud"] / (counts["loud"] + counts["same"]) < LOUD_AT_MOST


def test_no_expression_that_is_made_from_the_table_differs_in_silence(comparison: Comparison) -> None:
    generator = Generator(seed=476)
    made = [f"select {generator.expression()} {FROM}" for _ in range(GENERATED)]
    outcomes = {each: comparison.outcome(each) for each in made}
    assert {each: found for each, found in outcomes.items() if found not in OUTCOMES} == {}
    assert Counter(outcomes.values())["same"] > GENERATED / 2
