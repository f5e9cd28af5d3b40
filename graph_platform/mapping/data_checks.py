"""Checks of a definition's data: the one query that finds what would abort a load, and the meaning of its one row.

The modes are `trusted` (nothing is asked), `sampled` (one key in sixteen is looked at, and what is found is a warning,
since who asks for a sample does not ask to be refused) and `enforced` (every row, and what is found is an error). How
large the graph gets is `graph_platform.mapping.sizes`, asked in the same query.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from graph_platform.mapping.problems import ProblemCode, problem
from graph_platform.mapping.report import Problem
from graph_platform.mapping.resolved import ResolvedColumn, ResolvedDefinition
from graph_platform.mapping.sizes import DefinitionSize, definition_size, size_expressions, size_source
from graph_platform.mapping.sql import identifier, without_terminator

SAMPLE_KEYS = 5
ONE_IN = 16  # one hexadecimal digit of a key's hash
_KEYS = f"min(CAST({{}} AS varchar), {SAMPLE_KEYS})"

_CODES = frozenset(
    {
        ProblemCode.DATA_KEY_NULL,
        ProblemCode.DATA_KEY_DUPLICATE,
        ProblemCode.DATA_END_MISSING,
        ProblemCode.DATA_NOT_CHECKED,
    }
)


class DataChecks(StrEnum):
    """How much of the data is looked at before it is taken."""

    TRUSTED = "trusted"
    SAMPLED = "sampled"
    ENFORCED = "enforced"


@dataclass(frozen=True)
class DataCheck:
    """The question about one definition: `sql`, in Trino's dialect, gives one row for `findings`."""

    definition: ResolvedDefinition
    ends: tuple[ResolvedDefinition, ...]
    mode: DataChecks
    sql: str


@dataclass(frozen=True)
class DataFindings:
    """What one definition's data is like: all its rows, what is wrong with them, and how large they get."""

    rows: int
    problems: tuple[Problem, ...]
    size: DefinitionSize


def data_checks(resolved: Sequence[ResolvedDefinition], mode: DataChecks) -> tuple[DataCheck, ...]:
    """One query per definition of a valid mapping, none if the data is trusted."""
    if mode is DataChecks.TRUSTED:
        return ()
    nodes = {each.name: each for each in resolved if each.kind == "node"}
    return tuple(_data_check(each, nodes, mode) for each in resolved)


def findings(check: DataCheck, row: Sequence[Any]) -> DataFindings:
    """What the row of a check's query says."""
    rows, rest = int(row[0]), row[1:]
    if check.definition.kind == "node":
        width, problems = 5, _node_problems(check, _Counts(rows, *rest[:5]))
    else:
        width, problems = 10, _edge_problems(check, rows, rest)
    return DataFindings(rows, tuple(problems), definition_size(check.definition, rows, rest[width:]))


def is_data(found: Problem) -> bool:
    """Whether a problem is one of the data, and not of the mapping."""
    return found.code in _CODES


def _data_check(definition: ResolvedDefinition, nodes: Mapping[str, ResolvedDefinition], mode: DataChecks) -> DataCheck:
    ends: tuple[ResolvedDefinition, ...] = ()
    if definition.kind == "node":
        checked = _node_query(definition, mode)
    else:
        ends = (nodes[definition.from_node or ""], nodes[definition.to_node or ""])
        checked = _edge_query(definition, ends, mode)
    sizes = ",\n  ".join(size_expressions(definition))
    # Both halves have exactly one row.
    sql = (
        f"SELECT * FROM (\n{checked}\n) AS checked CROSS JOIN (\n"  # noqa: S608
        f"SELECT\n  {sizes}\nFROM ({size_source(definition)}) AS size_sample\n) AS measured"
    )
    return DataCheck(definition, ends, mode, sql)


def _rows(definition: ResolvedDefinition) -> str:
    """The user's SQL as a source that export expressions refer to, on lines of its own."""
    return f'(\n{without_terminator(definition.sql)}\n) AS "definition"'


def _picked(key: str, mode: DataChecks) -> str:
    """Whether a key is looked at. All rows of a key are or none, so that a sample finds duplicates as well."""
    if mode is DataChecks.ENFORCED:
        return "true"
    return f"({key} IS NULL OR substr(to_hex(md5(to_utf8(CAST({key} AS varchar)))), 1, 1) = '0')"


def _node_query(definition: ResolvedDefinition, mode: DataChecks) -> str:
    repeated = "FILTER (WHERE k IS NOT NULL AND n > 1)"
    return f"""SELECT
  coalesce(sum(n), 0) AS total,
  coalesce(sum(n) FILTER (WHERE picked), 0) AS looked_at,
  coalesce(sum(n) FILTER (WHERE picked AND k IS NULL), 0) AS missing,
  count(*) {repeated} AS repeated_keys,
  coalesce(sum(n) {repeated}, 0) AS repeated_rows,
  {_KEYS.format("k")} {repeated} AS sample_keys
FROM (
  SELECT picked, CASE WHEN picked THEN k END AS k, count(*) AS n
  FROM (
    SELECT k, {_picked("k", mode)} AS picked
    FROM (SELECT {definition.columns[0].export_sql} AS k FROM {_rows(definition)}) AS keys
  ) AS picked_keys
  GROUP BY 1, 2
) AS grouped"""  # noqa: S608


def _edge_query(definition: ResolvedDefinition, ends: Sequence[ResolvedDefinition], mode: DataChecks) -> str:
    """Each end is counted by key in one pass over the edges, and only these counts are compared with the nodes."""
    of_end = []
    for column, side in (("f", 1), ("t", 2)):
        # grouping(f, t) is a bit for each column that is not grouped by: 1 where `f` is, 2 where `t` is.
        mine = f"side = {'1' if side == 1 else '2'} AND picked_{column}"
        absent = f"FILTER (WHERE {mine} AND {column} IS NOT NULL AND NOT found_{column})"
        of_end += [
            f"coalesce(sum(n) FILTER (WHERE {mine}), 0) AS {column}_looked_at",
            f"coalesce(sum(n) FILTER (WHERE {mine} AND {column} IS NULL), 0) AS {column}_missing",
            f"count(*) {absent} AS {column}_absent_keys",
            f"coalesce(sum(n) {absent}, 0) AS {column}_absent_rows",
            f"{_KEYS.format(column)} {absent} AS {column}_sample_keys",
        ]
    found = [
        f"coalesce({column} IN (SELECT k FROM (SELECT {node.columns[0].export_sql} AS k FROM {_rows(node)}) AS keys "  # noqa: S608
        f"WHERE k IS NOT NULL), false) AS found_{column}"
        for column, node in zip("ft", ends, strict=True)
    ]
    source, target = definition.columns[:2]
    keys = f"SELECT {source.export_sql} AS f, {target.export_sql} AS t FROM {_rows(definition)}"  # noqa: S608
    if mode is DataChecks.ENFORCED:
        # Grouping by a constant as well would cost a third more.
        grouped = f"""SELECT grouping(f, t) AS side, true AS picked_f, true AS picked_t, f, t, count(*) AS n
    FROM ({keys}) AS edge_keys
    GROUP BY GROUPING SETS ((f), (t))"""  # noqa: S608
    else:
        grouped = f"""SELECT grouping(f, t) AS side, picked_f, picked_t, f, t, count(*) AS n
    FROM (
      SELECT picked_f, picked_t, CASE WHEN picked_f THEN f END AS f, CASE WHEN picked_t THEN t END AS t
      FROM (
        SELECT f, t, {_picked("f", mode)} AS picked_f, {_picked("t", mode)} AS picked_t FROM ({keys}) AS edge_keys
      ) AS edges_with_choice
    ) AS picked_edges
    GROUP BY GROUPING SETS ((picked_f, f), (picked_t, t))"""  # noqa: S608
    return f"""SELECT
  coalesce(sum(n) FILTER (WHERE side = 1), 0) AS total,
  {", ".join(of_end)}
FROM (
  SELECT side, picked_f, picked_t, f, t, n,
    {", ".join(found)}
  FROM (
    {grouped}
  ) AS grouped
) AS compared"""  # noqa: S608


@dataclass(frozen=True)
class _Counts:
    """Of one key column: rows in all, looked at, without a key; bad keys, the rows with them, and a few of them."""

    total: int
    looked_at: int
    missing: int
    bad_keys: int
    bad_rows: int
    sample: Sequence[str] | None

    def share(self, rows: int) -> str:
        return f"{rows:,} of {self.looked_at:,} rows ({_percent(rows, self.looked_at)})"

    def of_sample(self) -> str:
        return "" if self.looked_at == self.total else f", in a sample of one key in {ONE_IN}"

    def shown(self) -> str:
        shown = ", ".join(self.sample or ())
        return f"such as {shown}" if self.bad_keys > SAMPLE_KEYS else shown


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.2g} %" if whole else "0 %"


def _node_problems(check: DataCheck, counts: _Counts) -> Iterator[Problem]:
    definition, key = check.definition, check.definition.columns[0]
    if counts.missing:
        yield _null_key(definition, key, counts)
    if counts.bad_keys:
        message = (
            f"{counts.share(counts.bad_rows)} share {_count(counts.bad_keys, 'key')} with another row"
            f"{counts.of_sample()}: {counts.shown()}"
        )
        names = ", ".join(identifier(column.name) for column in definition.columns)
        # Which of the rows is kept is the same on every run, as far as the values that can be ordered tell them apart.
        order = ", ".join(identifier(c.name) for c in definition.columns[1:] if "(" not in c.engine_type) or names
        name = identifier(key.name)
        mended = (
            f"SELECT {names} FROM (\nSELECT *, row_number() OVER (PARTITION BY {name} ORDER BY {order}) AS copy_number "  # noqa: S608
            f"FROM (\n{without_terminator(definition.sql)}\n) AS every_copy\n) AS numbered WHERE copy_number = 1"
        )
        hint = f"keep one row of each key:\n{mended}"
        yield problem(ProblemCode.DATA_KEY_DUPLICATE, definition.name, message, field=key.name, hint=hint)


def _edge_problems(check: DataCheck, rows: int, row: Sequence[Any]) -> Iterator[Problem]:
    definition = check.definition
    for index, node in enumerate(check.ends):
        column = definition.columns[index]
        counts = _Counts(rows, *row[5 * index : 5 * index + 5])
        if counts.missing:
            yield _null_key(definition, column, counts)
        if counts.bad_keys:
            message = (
                f"{counts.share(counts.bad_rows)} name {_count(counts.bad_keys, 'key')} that no {node.name} has"
                f"{counts.of_sample()}: {counts.shown()}"
            )
            condition = (
                f"{identifier(column.name)} IN (SELECT {identifier(node.columns[0].name)} "  # noqa: S608
                f"FROM (\n{without_terminator(node.sql)}\n) AS known)"
            )
            hint = f"leave these rows out:\n{_wrapped(definition, condition)}"
            yield problem(ProblemCode.DATA_END_MISSING, definition.name, message, field=column.name, hint=hint)


def _null_key(definition: ResolvedDefinition, column: ResolvedColumn, counts: _Counts) -> Problem:
    message = f"{counts.share(counts.missing)} have no {column.name}{counts.of_sample()}"
    hint = f"leave these rows out:\n{_wrapped(definition, f'{identifier(column.name)} IS NOT NULL')}"
    return problem(ProblemCode.DATA_KEY_NULL, definition.name, message, field=column.name, hint=hint)


def _wrapped(definition: ResolvedDefinition, condition: str) -> str:
    return f"SELECT * FROM (\n{without_terminator(definition.sql)}\n) AS every_row WHERE {condition}"  # noqa: S608


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
