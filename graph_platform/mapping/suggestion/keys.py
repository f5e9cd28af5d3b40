"""Which column of a table is its key, and which refer to another table's: candidates by name, and how data proves them.

Questions are SQL in Trino's dialect with one row for an answer; asking is the caller's. What becomes of the keys is
`graph_platform.mapping.suggestion.suggest`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from graph_platform.mapping.sql.gate import identifier
from graph_platform.mapping.suggestion.labels import singular_words, words
from graph_platform.mapping.types.table import BY_SOURCE
from graph_platform.mapping.types.text import parse_warehouse_type
from graph_platform.relational import Column, ForeignKey, Relation

# Types that can be a key, by kind: a reference and the key that it names are of one kind. The value is the key's type.
KEY_KINDS: Mapping[str, str] = MappingProxyType(
    {source: row.key for source, row in BY_SOURCE.items() if row.key and source not in row.unordered}
)
_MOST_KEYS = 8  # candidates of one table: each is a count of different values over all rows
_MOST_REFERENCES = 24
_BY_CHANCE = 3  # the rank of a key that neither a declaration nor a name speaks for
_BY_NAME, _BY_VALUES = 0.5, 0.9  # share of rows whose value must be a key there
# What a column that names another row of its own table is called after. By values alone it would be found too often:
# of two columns of small whole numbers each seems to refer to the other.
_KIN = frozenset(
    {
        *("ancestor", "boss", "broader", "head", "manager", "master", "mother", "father", "next", "original", "parent"),
        *("predecessor", "previous", "replaces", "reply", "root", "successor", "superior", "supervisor", "upper"),
    }
)
_GENERIC = frozenset({"id", "key", "code", "name", "uuid", "type", "value", "date", "number", "no"})


@dataclass(frozen=True)
class TableKey:
    """A table's rows, and the column that identifies them with why; None where there is none.

    `meant` is whether the column was declared or is named as the key, and is not unique by chance, as a remark may be.
    """

    relation: Relation
    rows: int
    column: str | None
    why: str
    meant: bool = False


@dataclass(frozen=True)
class Reference:
    """A column that holds another table's key; `whole` is whether it does in every row, so that none is left out."""

    column: str
    target: Relation
    key: str
    why: str
    whole: bool


@dataclass(frozen=True)
class Candidate:
    """A column that may refer to the key of another table, with the share of rows that has to prove it."""

    column: str
    target: TableKey
    share: float
    why: str


def key_kind(column: Column) -> str | None:
    """The type of a graph's key that the column could be, None where it could be none."""
    try:
        return KEY_KINDS.get(parse_warehouse_type(column.type).base)
    except ValueError:
        return None


def key_candidates(relation: Relation) -> tuple[str, ...]:
    """Columns that may be the key, the likeliest first: declared, named like one, then in the table's order."""
    possible = [column.name for column in relation.columns if key_kind(column)]
    return tuple(sorted(possible, key=lambda name: _rank(relation, name))[:_MOST_KEYS])


def _rank(relation: Relation, name: str) -> int:
    plain, own = "_".join(words(name)), "_".join(singular_words(relation.name))
    if (name,) == relation.primary_key:
        return 0
    if plain in ("id", f"{own}_id", f"{own}_key", f"{own}_code", own):
        return 1
    return 2 if plain.endswith(("_id", "_key", "_code")) or plain in ("key", "code", "uuid") else _BY_CHANCE


def key_question(source: str, candidates: Sequence[str]) -> str:
    """Rows, then for each candidate the rows that have a value and the number of different values.

    Args:
        source: a table's reference, or a query in parentheses with an alias.
    """
    counts = ["count(*) AS n"]
    for index, name in enumerate(candidates):
        column = identifier(name)
        counts += [f"count({column}) AS present_{index}", f"count(DISTINCT {column}) AS different_{index}"]
    return f"SELECT {', '.join(counts)} FROM {source}"  # noqa: S608


def table_key(relation: Relation, candidates: Sequence[str], row: Sequence[Any]) -> TableKey:
    """The key, from the answer to `key_question`."""
    rows = int(row[0])
    for index, name in enumerate(candidates):
        present, different = row[1 + 2 * index : 3 + 2 * index]
        if present == rows and different == rows:
            declared = "declared as the primary key; " if (name,) == relation.primary_key else ""
            why = f"{name} is the key: {declared}{rows:,} rows, each with a value of its own"
            why = why if rows else f"{name} is the key, a guess: there are no rows"
            return TableKey(relation, rows, name, why, _rank(relation, name) < _BY_CHANCE)
    return TableKey(
        relation,
        rows,
        None,
        f"no column that can be a key has a value of its own in each row{_nearest(relation, candidates, row)}",
    )


def _nearest(relation: Relation, candidates: Sequence[str], row: Sequence[Any]) -> str:
    """The column that is nearest to a key, of those that have a value of their own in most rows, and the way to it."""
    rows = int(row[0])
    shares = [(int(row[2 + 2 * index]), -index) for index in range(len(candidates))]
    most, back = max(shares, default=(0, 0))
    if 2 * most <= rows:
        return ""
    name = candidates[-back]
    column = identifier(name)
    numbered = f"SELECT *, row_number() OVER (PARTITION BY {column} ORDER BY {column}) AS nth FROM {relation.reference}"  # noqa: S608
    return (
        f"; {name} is nearest, with {most:,} values in {rows:,} rows ({_percent(most, rows)}): "
        f"for one node of each, select from ({numbered}) AS numbered WHERE nth = 1 AND {column} IS NOT NULL"
    )


def reference_candidates(table: TableKey, others: Sequence[TableKey]) -> tuple[Candidate, ...]:
    """Columns that may refer to another table: declared, named after it, or, for text, perhaps by their values."""
    found = list(_declared(table.relation, others))
    named = [
        Candidate(column.name, other, _BY_NAME, f"{column.name} is named after {other.relation.name}")
        for column in table.relation.columns
        for other in others
        if _may_refer(table, column, other)
        and _named_after(column.name, other)
        and not (_named_after(other.column or "", table) and _is_larger(table, column, other))
    ]
    own = [
        Candidate(column.name, table, _BY_NAME, f"{column.name} is named after another row of {table.relation.name}")
        for column in table.relation.columns
        if _may_refer(table, column, table) and _KIN.intersection(words(column.name))
    ]
    by_values = [
        Candidate(column.name, other, _BY_VALUES, "found by its values alone")
        for column in table.relation.columns
        for other in others
        if _may_refer(table, column, other)
        and other.relation != table.relation
        and key_kind(column) in ("STRING", "UUID")
        and not _named_after(column.name, other)
        and not _is_larger(table, column, other)
    ]
    return tuple((*found, *named, *own, *by_values)[:_MOST_REFERENCES])


def reference_question(source: str, candidates: Sequence[Candidate]) -> str:
    """Rows, then for each candidate the rows that have a value, and those whose value is a key there."""
    inner, outer = [], ["count(*) AS n"]
    for index, candidate in enumerate(candidates):
        column, key = identifier(candidate.column), identifier(candidate.target.column or "")
        keys = f"SELECT {key} FROM {candidate.target.relation.reference} WHERE {key} IS NOT NULL"  # noqa: S608
        inner += [f"{column} AS c{index}", f"coalesce({column} IN ({keys}), false) AS found_{index}"]
        outer += [f"count(c{index}) AS present_{index}", f"count_if(found_{index}) AS known_{index}"]
    return f"SELECT {', '.join(outer)} FROM (SELECT {', '.join(inner)} FROM {source}) AS referring"  # noqa: S608


def references(candidates: Sequence[Candidate], row: Sequence[Any]) -> tuple[Reference, ...]:
    """The references that the data proves, at most one per column, from the answer to `reference_question`."""
    rows = int(row[0])
    found: dict[str, Reference] = {}
    for index, candidate in enumerate(candidates):
        present, known = row[1 + 2 * index : 3 + 2 * index]
        share = known / present if present else 0.0
        target, name = candidate.target, candidate.column
        # A table without rows proves nothing; what was declared, or is named so, is taken at its word.
        if name in found or share < (candidate.share if rows else 0.0) or (not rows and candidate.share == _BY_VALUES):
            continue
        proof = f"{_percent(known, present)} of its values are keys there" if present else "there are no values yet"
        why = f"{name} refers to {target.relation.name}: {candidate.why}, {proof}"
        if known < rows:
            why += f"; {rows - known:,} of {rows:,} rows are left out"
        found[name] = Reference(name, target.relation, target.column or "", why, known == rows)
    return tuple(found.values())


def unused_foreign_keys(relation: Relation, others: Sequence[TableKey]) -> Iterator[str]:
    """What to say of each declared reference that no edge can follow."""
    by_reference = {other.relation.reference: other for other in others}
    for key in relation.foreign_keys:
        other = by_reference.get(key.relation)
        why = _why_unused(key, other)
        if why is not None:
            target = other.relation.name if other is not None else key.relation
            said = f"{relation.name} ({', '.join(key.columns)}) refers to {target} ({', '.join(key.referenced)})"
            yield f"{said}, declared as a foreign key, and no edge follows it: {why}"


def _declared(relation: Relation, others: Sequence[TableKey]) -> Iterator[Candidate]:
    by_reference = {other.relation.reference: other for other in others}
    for key in relation.foreign_keys:
        other = by_reference.get(key.relation)
        if other is not None and _why_unused(key, other) is None:
            yield Candidate(key.columns[0], other, 0.0, "declared as a foreign key")


def _why_unused(key: ForeignKey, other: TableKey | None) -> str | None:
    if len(key.columns) > 1:
        return "an edge finds its node by one column"
    if other is None:
        return "that table could not be read"
    if other.column is None:
        return f"{other.relation.name} has no key"
    return None if key.referenced == (other.column,) else f"the key of its node is {other.column}"


def _may_refer(table: TableKey, column: Column, other: TableKey) -> bool:
    if other.column is None or (other.relation == table.relation and column.name == table.column):
        return False
    target = next(each for each in other.relation.columns if each.name == other.column)
    return key_kind(column) is not None and key_kind(column) == key_kind(target)


def _is_larger(table: TableKey, column: Column, other: TableKey) -> bool:
    """Of two tables that share a key only the smaller one refers to the other, and not both to each other."""
    return column.name == table.column and (other.rows, table.relation.name) < (table.rows, other.relation.name)


def _named_after(column: str, other: TableKey) -> bool:
    """`customer_id`, `customerId`, `customer` and `billing_customer_id` for the table `customers` with the key `id`."""
    name, key, table = words(column), words(other.column or ""), singular_words(other.relation.name)
    if not name or not table:
        return False
    if name == key:
        return not _GENERIC.issuperset(name)
    for tail in ([*table, *key], [*table, "id"], table, key if not _GENERIC.issuperset(key) else []):
        if tail and name[-len(tail) :] == tail:
            return True
    return False


def _percent(part: int, whole: int) -> str:
    # Rounded down, since 100 % is a promise.
    return f"{int(1000 * part / whole) / 10:g} %"
