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


DROPPED = {
    "array_sort(x, (a, b) -> a - b)": "array_sort",
    "reduce(x, 0, (s, a) -> s + a, s -> s * 2)": "reduce",
    "strpos(x, 'b', 2)": "strpos",
    "from_unixtime(x, 'UTC')": "from_unixtime",
    "from_unixtime(x, zone)": "from_unixtime",
    "approx_distinct(x, 0.01)": "approx_distinct",
    "random(3, 9)": "random",
    "array_position(x, 3, 4)": "array_position",
    "split(x, ',', 3)": "split",
    "sha512(x)": "sha512",
}


@pytest.mark.parametrize("call", DROPPED)
def test_an_argument_that_duckdb_has_no_place_for_is_refused_and_never_left_out(call: str) -> None:
    translation = to_duckdb(check_query(f"SELECT {call} AS v FROM t"))
    assert translation.sql is None
    assert translation.errors[0].code == ProblemCode.SQL_NOT_TRANSLATED
    assert translation.errors[0].message.startswith(f"{DROPPED[call]} cannot be used on DuckDB")
    assert translation.errors[0].position == Position(line=1, column=8)


def test_rows_that_tie_are_not_left_out() -> None:
    [found] = to_duckdb(check_query("SELECT x FROM t ORDER BY x FETCH FIRST 1 ROW WITH TIES")).errors
    assert found.message == "fetch cannot be used on DuckDB: DuckDB has no WITH TIES; use rank() in a subquery"
