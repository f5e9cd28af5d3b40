"""What DuckDB answers without a warning is what a real Trino answers: value, type, and that there is an answer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from graph_platform_tests.services.trino import TrinoServer
from graph_platform_tests.warehouse.oracle.comparison import OUTCOMES, Comparison
from graph_platform_tests.warehouse.oracle.generated import FROM, Generator

EXPRESSIONS = Path(__file__).with_name("expressions.txt").read_text().splitlines()
GENERATED = 400
LOUD_AT_MOST = 0.2


@pytest.fixture(scope="module")
def comparison(trino_server: TrinoServer) -> Iterator[Comparison]:
    opened = Comparison(trino_server.port)
    yield opened
    opened.close()


def test_no_expression_of_the_list_differs_in_silence_and_few_are_warned_of(comparison: Comparison) -> None:
    sql = [each if each.startswith(("select ", "with ")) else f"select {each}" for each in EXPRESSIONS]
    outcomes = {each: comparison.outcome(each) for each in sql}
    assert {each: found for each, found in outcomes.items() if found not in OUTCOMES} == {}
    counts = Counter(outcomes.values())
    assert counts["loud"] / (counts["loud"] + counts["same"]) < LOUD_AT_MOST


def test_no_expression_that_is_made_from_the_table_differs_in_silence(comparison: Comparison) -> None:
    generator = Generator(seed=476)
    made = [f"select {generator.expression()} {FROM}" for _ in range(GENERATED)]
    outcomes = {each: comparison.outcome(each) for each in made}
    assert {each: found for each, found in outcomes.items() if found not in OUTCOMES} == {}
    assert Counter(outcomes.values())["same"] > GENERATED / 2
