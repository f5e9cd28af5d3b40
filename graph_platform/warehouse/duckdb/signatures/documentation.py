"""`docs/duckdb.md`: what of Trino's functions a warehouse on DuckDB has, made from the table of signatures."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from itertools import groupby

from graph_platform.warehouse.duckdb.signatures.functions import Row, every_row

_INTRODUCTION = """# Trino's SQL on DuckDB

A mapping's SQL is Trino's, also where the warehouse is a DuckDB file. A form that was held against a real Trino, with
values and types, runs without a word. What Trino refuses is refused. Anything else warns where the mapping is
validated: it runs where DuckDB can run it, and need not give Trino's value.

This page is made from the table that decides it (`make docs`), and a test fails when it is not.

Beside the functions below, these warn, are refused or fail with a word about why: CHAR and TIME; a TIMESTAMP WITH TIME
ZONE in another zone than UTC, since DuckDB keeps the instant alone; intervals as values of a column; digits of a second
beyond the sixth; comparisons of rows, maps and JSON that are not written out; a `->` that is the comparator of
`array_sort` or the replacement of `regexp_replace`; patterns with lookahead, backreferences or possessive repetitions;
paths of JSON with wildcards, and `JSON_VALUE`, `JSON_QUERY` and `JSON_EXISTS`; `TRY` of anything but a cast or a
division of columns; `FETCH … WITH TIES`; frames of a window by RANGE with a distance.
"""

_CONDITIONS: Mapping[str, str] = {
    "pattern": "a pattern that is written out, means the same in both and does not end with $",
    "tested_pattern": "a pattern that is written out and means the same in both",
    "consuming": "that matches no empty text",
    "group": "a group that the pattern always finds",
    "dollars": "a replacement that is written out",
    "unit": "a unit from second to year, written out",
    "fine_unit": "a unit from millisecond to year, written out",
    "day_unit": "a unit from day to year, written out",
    "day_step": "a step in days, written out",
    "date_pattern": "a pattern that is written out and means the same in both",
    "parse_pattern": "a pattern of digits that is written out",
    "simple_path": "a path of names and places, written out",
    "nonempty": "a separator that is written out",
    "delimiters": "two delimiters that are written out",
    "utc_text": "a text in UTC, written out",
    "canonical": "a text that is written out as Trino writes JSON",
    "short": "at most 10,000 elements",
    "letter": "one letter, written out",
    "letter_sought": "one letter, written out",
}
"""What a row wants of its arguments beside their types; what is not here is no condition for who writes SQL."""


def page() -> str:
    """The page as Markdown."""
    rows = sorted(every_row(), key=lambda row: row.name)
    proved, others = [row for row in rows if row.duckdb], [row for row in rows if not row.duckdb]
    differing = [row for row in others if row.note]
    unproved = [row for row in others if not row.note]
    return "\n".join(
        (
            _INTRODUCTION,
            f"## Proved: {len(proved)} forms\n",
            *_lines(proved, lambda row: ", ".join(_CONDITIONS[each] for each in row.conditions if each in _CONDITIONS)),
            f"\n## Known to differ: {len(differing)} forms\n",
            *_lines(differing, lambda row: row.note or ""),
            f"\n## Not proved, or not to be had: {len(unproved)} forms\n",
            *_lines(unproved, lambda row: ""),
            "",
        )
    )


def _lines(rows: Iterable[Row], remark: Callable[[Row], str]) -> Iterable[str]:
    """A line for each function; forms with a remark have it behind them."""
    for name, forms in groupby(rows, key=lambda row: row.name):
        told = [f"`{form}`" + (f" ({remark(form)})" if remark(form) else "") for form in forms]
        yield f"- **{name}**: {', '.join(told)}"


if __name__ == "__main__":
    sys.stdout.write(page())
