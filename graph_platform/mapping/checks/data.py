"""Checks of a definition's data: the one query that finds what would abort a load, and the meaning of its one row.

The modes are `trusted` (nothing is asked), `sampled` (one key in seventeen is looked at, and what is found is a
warning, since who asks for a sample does not ask to be refused) and `enforced` (every row, and what is found is an
error). How large the graph gets is `graph_platform.mapping.checks.sizes`, asked in the same query.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any

from graph_platform.mapping.checks.problems import ProblemCode, problem
from graph_platform.mapping.checks.report import Problem
from graph_platform.mapping.checks.sizes import DefinitionSize, definition_size, size_expressions, size_source
from graph_platform.mapping.definition.resolved import ResolvedColumn, ResolvedDefinition
from graph_platform.mapping.sql.gate import identifier, without_terminator
from graph_platform.mapping.types.rules import can_be_ordered
from graph_platform.mapping.types.text import parse_warehouse_type

SAMPLE_KEYS = 5
ONE_IN = 17  # keys of a sample; a prime, since ids often go in steps of ten or sixteen
_HASHED = f"X'{256 // ONE_IN:02X}'"  # the first byte of a hash is below it for one key in ONE_IN
_INTEGERS = frozenset({"bigint", "integer", "smallint", "tinyint"})
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


def _looked_at(name: str, key: ResolvedColumn, mode: DataChecks) -> str:
    """A key, or NULL outside the sample. All rows of a key are in it or none, so that it finds duplicates as well."""
    if mode is DataChecks.ENFORCED:
        return name
    if key.file_type in _INTEGERS:
        picked = f"{name} % {ONE_IN} = 0"  # a hash of each row would cost more than the sample saves
    else:
        picked = f"md5(to_utf8(CAST({name} AS varchar))) < {_HASHED}"
    return f"CASE WHEN {picked} THEN {name} END"


def _node_query(definition: ResolvedDefinition, mode: DataChecks) -> str:
    key, repeated = definition.columns[0], "FILTER (WHERE looked_at IS NOT NULL AND n > 1)"
    return f"""SELECT
  coalesce(sum(n), 0) AS total,
  coalesce(sum(n - with_key), 0) + coalesce(sum(n) FILTER (WHERE looked_at IS NOT NULL), 0) AS looked_at,
  coalesce(sum(n - with_key), 0) AS missing,
  count(*) {repeated} AS repeated_keys,
  coalesce(sum(n) {repeated}, 0) AS repeated_rows,
  {_KEYS.format("looked_at")} {repeated} AS sample_keys
FROM (
  SELECT looked_at, count(*) AS n, count(k) AS with_key
  FROM (
    SELECT k, {_looked_at("k", key, mode)} AS looked_at
    FROM (SELECT {key.export_sql} AS k FROM {_rows(definition)}) AS keys
  ) AS sampled
  GROUP BY looked_at
) AS by_key"""  # noqa: S608


def _edge_query(definition: ResolvedDefinition, ends: Sequence[ResolvedDefinition], mode: DataChecks) -> str:
    """Each edge looks its ends up among the nodes' keys, and only what was not found there is counted by key.

    Counting the edges by key first, and looking up the keys, takes two to three times the processor's time on a large
    table: it has about as many ends as rows. `IN` costs more than a join, on Trino as much again.
    """
    counted, summed, joined = [], [], []
    source, target = definition.columns[:2]
    for end, side, node in zip("ft", (1, 2), ends, strict=True):
        # grouping(f_absent, t_absent) is a bit for each that is not grouped by: 1 for the end `f`, 2 for `t`.
        absent = f"FILTER (WHERE side = {side} AND {end}_absent IS NOT NULL)"
        counted += [
            f"coalesce(sum(n - {end}_rows + {end}_sampled) FILTER (WHERE side = {side}), 0) AS {end}_looked_at",
            f"coalesce(sum(n - {end}_rows) FILTER (WHERE side = {side}), 0) AS {end}_missing",
            f"count(*) {absent} AS {end}_absent_keys",
            f"coalesce(sum(n) {absent}, 0) AS {end}_absent_rows",
            f"{_KEYS.format(f'{end}_absent')} {absent} AS {end}_sample_keys",
        ]
        summed += [f"sum({end}_rows) AS {end}_rows", f"sum({end}_sampled) AS {end}_sampled"]
        key = node.columns[0]
        # The sample is no condition: connectors that generate their rows would then filter them one at a time.
        joined.append(
            f"LEFT JOIN (SELECT DISTINCT {_looked_at('k', key, mode)} AS k "  # noqa: S608
            f"FROM (SELECT {key.export_sql} AS k FROM {_rows(node)}) AS every_{end}) AS known_{end} "
            f"ON known_{end}.k = {end}_key"
        )
    return f"""SELECT
  coalesce(sum(n) FILTER (WHERE side = 1), 0) AS total,
  {", ".join(counted)}
FROM (
  SELECT grouping(f_absent, t_absent) AS side, f_absent, t_absent, sum(n) AS n, {", ".join(summed)}
  FROM (
    SELECT f_absent, t_absent, count(*) AS n,
      count(f) AS f_rows, count(f_key) AS f_sampled, count(t) AS t_rows, count(t_key) AS t_sampled
    FROM (
      SELECT f, f_key, CASE WHEN known_f.k IS NULL THEN f_key END AS f_absent,
        t, t_key, CASE WHEN known_t.k IS NULL THEN t_key END AS t_absent
      FROM (
        SELECT f, {_looked_at("f", source, mode)} AS f_key, t, {_looked_at("t", target, mode)} AS t_key
        FROM (SELECT {source.export_sql} AS f, {target.export_sql} AS t FROM {_rows(definition)}) AS ends
      ) AS sampled
      {joined[0]}
      {joined[1]}
    ) AS compared
    GROUP BY f_absent, t_absent
  ) AS by_both_ends
  GROUP BY GROUPING SETS ((f_absent), (t_absent))
) AS by_end"""  # noqa: S608


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
        # Rows without a key are all counted, which says nothing about the sampled ones.
        base = self.total if self._is_whole else self.looked_at - self.missing
        return f"{rows:,} of {base:,} rows ({_percent(rows, base)})"

    def share_without_key(self) -> str:
        return f"{self.missing:,} of {self.total:,} rows ({_percent(self.missing, self.total)})"

    def of_sample(self) -> str:
        return "" if self._is_whole else f", in a sample of one key in {ONE_IN}"

    @property
    def _is_whole(self) -> bool:
        return self.looked_at == self.total

    def shown(self) -> str:
        shown = ", ".join(self.sample or ())
        return f"such as {shown}" if self.bad_keys > SAMPLE_KEYS else shown


def _percent(part: int, whole: int) -> str:
    """Two digits, without an exponent; from 99 % up rounded down to a tenth, since 100 % means all."""
    if 100 * part >= 99 * whole > 0:
        return f"{1000 * part // whole / 10:g} %"
    return f"{Decimal(f'{100 * part / whole:.2g}'):f} %" if whole else "0 %"


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
        window = f"PARTITION BY {identifier(key.name)}{_order(definition)}"
        mended = (
            f"SELECT {names} FROM (\nSELECT *, row_number() OVER ({window}) AS copy_number "  # noqa: S608
            f"FROM (\n{without_terminator(definition.sql)}\n) AS every_copy\n) AS numbered WHERE copy_number = 1"
        )
        hint = f"keep one row of each key:\n{mended}"
        yield problem(ProblemCode.DATA_KEY_DUPLICATE, definition.name, message, field=key.name, hint=hint)


def _order(definition: ResolvedDefinition) -> str:
    """Which of a key's rows is kept is the same on every run, as far as the values that can be ordered tell them
    apart.
    """
    names = [
        identifier(column.name)
        for column in definition.columns[1:]
        if can_be_ordered(parse_warehouse_type(column.warehouse_type))
    ]
    return f" ORDER BY {', '.join(names)}" if names else ""


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
    message = f"{counts.share_without_key()} have no {column.name}"
    hint = f"leave these rows out:\n{_wrapped(definition, f'{identifier(column.name)} IS NOT NULL')}"
    return problem(ProblemCode.DATA_KEY_NULL, definition.name, message, field=column.name, hint=hint)


def _wrapped(definition: ResolvedDefinition, condition: str) -> str:
    return f"SELECT * FROM (\n{without_terminator(definition.sql)}\n) AS every_row WHERE {condition}"  # noqa: S608


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
