"""Expressions made from the table of signatures: every proved row, with arguments nested, NULL, empty, extreme."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping

from graph_platform.warehouse.duckdb.signatures.functions import Row, every_row

# What an argument of a type may be: literals, and columns of the table below.
_VALUES: Mapping[str, tuple[str, ...]] = {
    "tinyint": ("CAST(7 AS tinyint)", "CAST(-128 AS tinyint)"),
    "smallint": ("CAST(300 AS smallint)", "CAST(NULL AS smallint)"),
    "integer": ("0", "1", "-1", "7", "2147483647", "CAST(NULL AS integer)", "i"),
    "bigint": ("0", "1", "2", "3", "-2", "BIGINT '9223372036854775807'", "CAST(NULL AS bigint)", "b"),
    "double": ("0e0", "-1.5e0", "2.5e0", "1e300", "nan()", "infinity()", "CAST(NULL AS double)", "d", "0.1e0"),
    "real": ("REAL '1.5'", "CAST(NULL AS real)"),
    "decimal": ("1.50", "-0.01", "12345.678", "CAST(NULL AS decimal(5,2))", "DECIMAL '99.995'", "m"),
    "varchar": ("''", "'a'", "'abcabc'", "'ä€x'", "' x '", "'a,b,,c'", "'12'", "CAST(NULL AS varchar)", "s"),
    "boolean": ("true", "false", "CAST(NULL AS boolean)", "(d > 1e0)"),
    "date": ("DATE '2024-02-29'", "DATE '1969-12-31'", "CAST(NULL AS date)", "y"),
    "timestamp": ("TIMESTAMP '2024-02-29 23:59:59.999'", "TIMESTAMP '1970-01-01 00:00:00'", "t"),
    "varbinary": ("X'61'", "X''", "CAST(NULL AS varbinary)"),
    "json": ("JSON '[1,2]'", "JSON '{\"a\":1}'"),
}
_ELEMENTS: Mapping[str, tuple[str, ...]] = {
    "integer": (
        "ARRAY[1, 2, 1]",
        "ARRAY[3, NULL, 1]",
        "CAST(ARRAY[] AS array(integer))",
        "CAST(NULL AS array(integer))",
    ),
    "bigint": ("ARRAY[BIGINT '5', 2]", "ARRAY[CAST(NULL AS bigint)]"),
    "varchar": ("ARRAY['b', 'a', 'b']", "ARRAY['a', NULL]", "split('x,y', ',')"),
    "boolean": ("ARRAY[true, NULL]",),
    "double": ("ARRAY[2.5e0, NULL]",),
}
FROM = (
    "FROM (VALUES (5, BIGINT '-3', 2.25e0, DECIMAL '7.125', 'xaXa', DATE '2023-12-31', "
    "TIMESTAMP '2023-06-30 12:34:56.789')) AS u(i, b, d, m, s, y, t)"
)
_WRITTEN: Mapping[str, tuple[str, ...]] = {
    "pattern": ("'a'", "'[ab]+'", "'(\\w)(\\w)'", "'\\d+'", "'x|,'"),
    "nonempty": ("','", "'a'", "'ab'"),
    "unit": ("'second'", "'hour'", "'day'", "'week'", "'month'", "'quarter'", "'year'"),
    "day_unit": ("'day'", "'week'", "'month'", "'quarter'", "'year'"),
    "date_pattern": ("'%Y-%m-%d'", "'%d.%m.%y %H:%i:%s'"),
    "simple_path": ("'$.a'", "'$[0]'", "'$'"),
}
_PLACE = {"pattern": 1, "nonempty": 1, "unit": 0, "day_unit": 0, "date_pattern": 1, "simple_path": 1}
_AGGREGATES = re.compile(
    r"avg|sum|count.*|min|max|m(in|ax)_by|bool_.*|every|arbitrary|any_value|array_agg|stddev.*|var.*|covar.*|corr|regr_.*"
    r"|geometric_mean|.*_agg|histogram|row_number|.*rank|cume_dist|ntile|lag|lead|.*_value"
)
_OTHERWISE = {"random", "rand", "uuid", "now", "current_date"}


class Generator:
    """Makes one expression after another.

    Args:
        seed: the same gives the same expressions.
    """

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._rows = [
            row
            for row in every_row()
            if row.duckdb and row.name not in _OTHERWISE and not _AGGREGATES.fullmatch(row.name)
            if "function" not in str(row) and "with time zone" not in str(row)
        ]

    def expression(self) -> str:
        """A call, an operator or a cast of values that are calls themselves, some of them."""
        return self._call(self._random.choice(self._rows), 2) if self._random.random() < 0.7 else self._operator(2)

    def _operator(self, depth: int) -> str:
        pick = self._random.choice
        kinds = ("integer", "bigint", "double", "decimal")
        one, other = self._value(pick(kinds), depth - 1), self._value(pick(kinds), depth - 1)
        same = pick(("varchar", "date", "boolean", *kinds))
        return pick(
            (
                f"({one} {pick('+-*/%')} {other})",
                f"({one} {pick(('=', '<>', '<', '<=', '>', '>='))} {other})",
                f"({self._value(same, depth - 1)} {pick(('=', '<', '>='))} {self._value(same, depth - 1)})",
                f"({self._value(same, depth - 1)} IS DISTINCT FROM {self._value(same, depth - 1)})",
                f"CASE WHEN {self._value('boolean', 0)} THEN {one} ELSE {other} END",
                f"coalesce({one}, {other})",
                f"nullif({one}, {other})",
                f"({one} BETWEEN {other} AND {self._value(pick(kinds), 0)})",
                f"({one} IN ({other}, {self._value(pick(kinds), 0)}))",
                f"TRY_CAST({self._value(pick(('varchar', *kinds)), depth - 1)} AS "
                f"{pick(('varchar', 'bigint', 'integer', 'double', 'decimal(12,3)', 'boolean'))})",
            )
        )

    def _call(self, row: Row, depth: int) -> str:
        bound: dict[str, str] = {}
        types = [str(each) for each in row.types]
        if types and types[-1].endswith("..."):
            types[-1:] = [types[-1].removesuffix("...")] * self._random.choice((1, 2))
        given = [self._argument(each, bound, depth) for each in types]
        for condition in row.conditions:
            if condition in _WRITTEN and _PLACE[condition] < len(given):
                given[_PLACE[condition]] = self._random.choice(_WRITTEN[condition])
        return f"{row.name}({', '.join(given)})"

    def _argument(self, kind: str, bound: dict[str, str], depth: int) -> str:
        base, _, inside = kind.partition("(")
        if base == "array":
            element = bound.setdefault(inside[:-1], self._random.choice(tuple(_ELEMENTS)))
            return self._random.choice(_ELEMENTS.get(inside[:-1]) or _ELEMENTS.get(element) or ("ARRAY[1]",))
        if base == "map":
            bound.setdefault("K", "varchar")
            return self._random.choice(("map(ARRAY['a','b'], ARRAY[1, NULL])", "map()"))
        if re.fullmatch(r"[A-Z]\d?", base):
            return self._value(bound.setdefault(base, self._random.choice(("integer", "varchar", "double"))), depth - 1)
        return self._value(base, depth - 1)

    def _value(self, kind: str, depth: int) -> str:
        rows = [row for row in self._rows if row.result.base == kind] if depth > 0 else []
        if rows and self._random.random() < 0.35:
            return self._call(self._random.choice(rows), depth)
        return self._random.choice(_VALUES.get(kind, ("NULL",)))
