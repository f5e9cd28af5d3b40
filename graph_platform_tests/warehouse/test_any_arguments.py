"""Every function of Trino's with arguments of every kind and number: what cannot be translated is a problem of its own
definition, and never an exception that takes the report of the others with it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from graph_platform.mapping.checks.problems import ProblemCode
from graph_platform.mapping.checks.report import Position
from graph_platform.mapping.sql.functions import TRINO_FUNCTIONS
from graph_platform.mapping.sql.gate import check_query
from graph_platform.warehouse.duckdb.translation import to_duckdb

ARGUMENTS = ("x", "'a'", "1", "ARRAY[1]", "a -> a", "NULL", "DISTINCT x", "*")
MOST_ARGUMENTS = 4


def calls(name: str) -> Iterator[str]:
    """The function without an argument, and with up to four of each kind, each at each place."""
    yield f"{name}()"
    for count in range(1, MOST_ARGUMENTS + 1):
        for first in range(len(ARGUMENTS)):
            yield f"{name}({', '.join(ARGUMENTS[(first + at) % len(ARGUMENTS)] for at in range(count))})"


def test_whatever_a_function_is_given_there_is_a_translation_or_a_problem() -> None:
    for name in sorted(TRINO_FUNCTIONS):
        for call in calls(name):
            translation = to_duckdb(check_query(f"SELECT {call} AS v FROM t", "Person"), "Person")
            assert (translation.sql is None) == bool(translation.errors), call
            assert all(found.entity == "Person" and found.message for found in translation.errors), call


@pytest.mark.parametrize(
    ("call", "name"), [("split_part(x, '-')", "split_part"), ("slice(x, 1)", "slice"), ("element_at(x)", "element_at")]
)
def test_a_function_that_lacks_an_argument_is_named_with_its_place(call: str, name: str) -> None:
    [found] = to_duckdb(check_query(f"SELECT id,\n  {call} AS v FROM t", "Person"), "Person").errors
    assert (found.code, found.entity) == (ProblemCode.SQL_NOT_TRANSLATED, "Person")
    assert found.position == Position(line=2, column=3)
    assert found.message.startswith(f"{name} cannot be used on DuckDB with these arguments")
    assert found.hint == f"give {name} all of its arguments, as Trino wants them"
