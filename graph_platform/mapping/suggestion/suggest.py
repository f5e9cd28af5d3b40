"""A mapping made from tables and what is known of their keys: tables become nodes, references and link tables edges.

Every choice that was a guess is noted, and the notes stand as comments in the YAML that `write_suggestion` writes. What
the keys are is `graph_platform.mapping.suggestion.keys`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from sqlglot import exp

from graph_platform.mapping.definition.document import write_mapping
from graph_platform.mapping.definition.model import (
    EdgeDefinition,
    MappingDefinition,
    NodeDefinition,
    PrimaryKeyDefinition,
)
from graph_platform.mapping.definition.structure import MAX_PROPERTY_NAME
from graph_platform.mapping.sql.gate import check_query, identifier
from graph_platform.mapping.suggestion.keys import Reference, TableKey, key_kind, unused_foreign_keys
from graph_platform.mapping.suggestion.labels import Names, words
from graph_platform.mapping.suggestion.selection import SelectedColumn, Selection, selection
from graph_platform.relational import Column

_THERE = "_there"


@dataclass
class Suggestion:
    """A mapping in the making, with a list of notes for each definition and for the whole."""

    name: str
    description: str
    nodes: list[tuple[NodeDefinition, list[str]]] = field(default_factory=list)
    edges: list[tuple[EdgeDefinition, list[str]]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def mapping(self) -> MappingDefinition:
        """The mapping alone."""
        return MappingDefinition(
            name=self.name,
            description=self.description,
            node_definitions=tuple(node for node, _ in self.nodes),
            edge_definitions=tuple(edge for edge, _ in self.edges),
        )


def suggest_mapping(name: str, tables: Sequence[TableKey], references: Mapping[str, Sequence[Reference]]) -> Suggestion:
    """A mapping of a whole schema.

    Args:
        tables: each table with its key, or the lack of one.
        references: the proved references of each table, by the table's reference.
    """
    made = Suggestion(name, f"Suggested from {len(tables)} tables")
    names = Names()
    labels: dict[str, str] = {}
    links = [t for t in tables if _is_link(t, references.get(t.relation.reference, ()), references)]
    for table in tables:
        if table.column is None or table in links:
            continue
        label = names.label(table.relation.name)
        labels[table.relation.reference] = label
        made.nodes.append(_node(table, label))
    for table in tables:
        usable = [r for r in references.get(table.relation.reference, ()) if r.target.reference in labels]
        if table in links:
            made.edges += _link_edges(table, usable, labels, names, made.notes)
        elif table.column is None:
            made.notes.append(f"{table.relation.name} is not used: it does not link two tables, and {table.why}")
        else:
            made.edges += _reference_edges(table, usable, labels, names)
        made.notes += unused_foreign_keys(table.relation, tables)
    made.nodes[:] = _keys_spelt_alike(made.nodes)
    return made


def suggest_node(name: str, sql: str, columns: Sequence[Column], table: TableKey) -> Suggestion:
    """One node definition from a query.

    Args:
        name: what the mapping and, in the singular, the label is made from.
        table: the key that was found among the query's columns; it has one.
    """
    made = Suggestion(name, "Suggested from a query")
    key = next(column for column in columns if column.name == table.column)
    chosen = selection([key], [column for column in columns if column is not key])
    query = _over(sql, columns, chosen.columns)
    made.nodes.append(_definition_of_node(Names().label(name), query, chosen, key, table.why))
    return made


def suggest_edge(name: str, sql: str, columns: Sequence[Column]) -> Suggestion:
    """One edge definition from a query, its ends the first two columns that can be keys, with a node for each of them.

    There must be two such columns. What the query computes, such as a count, is an end only if nothing else can be.
    """
    made = Suggestion(name, "Suggested from a query")
    names = Names()
    computed = _computed(sql)
    keys = [column for column in columns if key_kind(column)]
    preferred = sorted(keys, key=lambda column: column.name.lower() in computed)[:2]
    ends = [column for column in keys if column in preferred]
    chosen = selection(ends, [column for column in columns if column not in ends])
    query = _over(sql, columns, chosen.columns)
    labels = []
    for end, column in zip(chosen.keys, ends, strict=True):
        stem = [word for word in words(end.name) if word not in ("id", "key", "code")] or words(end.name)
        label = names.label("_".join(stem))
        labels.append(label)
        node_sql = (
            f"SELECT DISTINCT {identifier(end.name)}\nFROM (\n{query}\n) AS ends\n"
            f"WHERE {identifier(end.name)} IS NOT NULL"
        )
        key = PrimaryKeyDefinition(name=end.name, type=key_kind(column) or "STRING")
        why = f"a guess: every value of {end.name} is a node; put your own definition of {label} here"
        made.nodes.append((NodeDefinition(label=label, sql=node_sql, primary_key=key), [why]))
    present = " AND ".join(f"{identifier(end.name)} IS NOT NULL" for end in chosen.keys)
    source, target = chosen.keys
    edge = EdgeDefinition(
        type=names.edge_type(name),
        from_node=labels[0],
        to_node=labels[1],
        sql=f"SELECT *\nFROM (\n{query}\n) AS edges\nWHERE {present}",
        from_key=source.name,
        to_key=target.name,
        properties=chosen.definitions,
    )
    why = f"a guess: it goes from {source.name} to {target.name}, the first columns that can be keys"
    made.edges.append((edge, [why, *chosen.notes]))
    made.nodes[:] = _keys_spelt_alike(made.nodes)
    return made


def _keys_spelt_alike(nodes: Sequence[tuple[NodeDefinition, list[str]]]) -> Iterator[tuple[NodeDefinition, list[str]]]:
    """`Id` and `id` as the first of them is written, which a mapping must; the SQL's own spelling does not matter."""
    spelt: dict[str, str] = {}
    for node, notes in nodes:
        name = spelt.setdefault(node.primary_key.name.lower(), node.primary_key.name)
        key = node.primary_key.model_copy(update={"name": name})
        yield node.model_copy(update={"primary_key": key}), notes


def _computed(sql: str) -> frozenset[str]:
    """Names, in lower case, of the result columns of a plain SELECT that are more than a column of its tables."""
    tree = check_query(sql).tree
    items = tree.expressions if isinstance(tree, exp.Select) else []
    return frozenset(
        item.alias.lower() for item in items if isinstance(item, exp.Alias) and not isinstance(item.this, exp.Column)
    )


def write_suggestion(made: Suggestion) -> str:
    """The mapping as YAML, each note a comment before what it is about."""
    notes = iter([notes for _, notes in made.nodes] + [notes for _, notes in made.edges])
    lines = [line for note in made.notes for line in _comment(note)]
    for line in write_mapping(made.mapping).splitlines():
        # Only a definition begins in the first column: SQL is indented.
        if line.startswith("- "):
            lines += [line for note in next(notes) for line in _comment(note)]
        lines.append(line)
    return "\n".join(lines) + "\n"


def _comment(note: str) -> Iterator[str]:
    """YAML allows no control characters, not even in a comment, and names of columns and tables may have them."""
    for line in note.splitlines():
        yield "# " + "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in line)


def _is_link(
    table: TableKey, references: Sequence[Reference], all_references: Mapping[str, Sequence[Reference]]
) -> bool:
    """A table that joins two others: one without a key that was meant, or whose key is one of its references."""
    if len(references) < 2 or any(
        each.target == table.relation for others in all_references.values() for each in others
    ):
        return False
    columns = {reference.column for reference in references}
    return not table.meant or table.column in columns or len(table.relation.columns) == len(columns) + 1


def _node(table: TableKey, label: str) -> tuple[NodeDefinition, list[str]]:
    key = next(column for column in table.relation.columns if column.name == table.column)
    chosen = selection([key], [column for column in table.relation.columns if column is not key])
    return _definition_of_node(label, _select(chosen.columns, table.relation.reference), chosen, key, table.why)


def _definition_of_node(
    label: str, sql: str, chosen: Selection, key: Column, why: str
) -> tuple[NodeDefinition, list[str]]:
    node = NodeDefinition(
        label=label,
        sql=sql,
        primary_key=PrimaryKeyDefinition(name=chosen.keys[0].name, type=key_kind(key) or "STRING"),
        properties=chosen.definitions,
    )
    return node, [why, *chosen.notes]


def _reference_edges(
    table: TableKey, references: Sequence[Reference], labels: Mapping[str, str], names: Names
) -> Iterator[tuple[EdgeDefinition, list[str]]]:
    key = next(column for column in table.relation.columns if column.name == table.column)
    start = labels[table.relation.reference]
    for reference in references:
        end = labels[reference.target.reference]
        here, there = selection([key, *_columns(table, [reference.column])]).keys
        if here.name.lower() == there.name.lower():
            # Often the node's key is the other's as well: both ends are one column, which needs two names.
            name = f"{there.name[: MAX_PROPERTY_NAME - len(_THERE)]}{_THERE}"
            there = replace(there, name=name, sql=f"{identifier(reference.column)} AS {identifier(name)}")
        alone = sum(labels[other.target.reference] == end for other in references) == 1 and end != start
        edge = EdgeDefinition(
            type=names.edge_type(start, end if alone else _stem(reference.column)),
            from_node=start,
            to_node=end,
            sql=_select([here, there], table.relation.reference, [reference]),
            from_key=here.name,
            to_key=there.name,
        )
        yield edge, [reference.why]


def _link_edges(
    table: TableKey,
    references: Sequence[Reference],
    labels: Mapping[str, str],
    names: Names,
    notes: list[str],
) -> Iterator[tuple[EdgeDefinition, list[str]]]:
    pairs, left = _pairs(references)
    if not pairs:
        notes.append(f"{table.relation.name} is not used: it links tables that are no nodes")
    for number, pair in enumerate(pairs):
        ends = [reference.column for reference in pair]
        others = [c for c in table.relation.columns if c.name not in ends] if number == 0 else []
        chosen = selection(_columns(table, ends), others)
        name = names.edge_type(table.relation.name, *([] if number == 0 else [_stem(r.column) for r in pair]))
        edge = EdgeDefinition(
            type=name,
            from_node=labels[pair[0].target.reference],
            to_node=labels[pair[1].target.reference],
            sql=_select(chosen.columns, table.relation.reference, pair, distinct=number > 0),
            from_key=chosen.keys[0].name,
            to_key=chosen.keys[1].name,
            properties=chosen.definitions,
        )
        why = [reference.why for reference in pair]
        if number > 0:
            why.append(f"{table.relation.name} links these as well: each pair once, without further columns")
        yield edge, [*why, *chosen.notes]
    for reference in left:
        notes.append(f"{table.relation.name}.{reference.column} is a property only, although {reference.why}")


def _pairs(references: Sequence[Reference]) -> tuple[list[tuple[Reference, Reference]], list[Reference]]:
    """Two references to the same table belong together (from, to); what is left is paired in the table's order."""
    left = list(references)
    pairs = []
    for reference in references:
        same = [r for r in left if r is not reference and r.target == reference.target]
        if reference in left and same:
            pairs.append((reference, same[0]))
            left = [r for r in left if r is not reference and r is not same[0]]
    while len(left) > 1:
        pairs.append((left[0], left[1]))
        left = left[2:]
    return pairs, left


def _columns(table: TableKey, names: Sequence[str]) -> list[Column]:
    by_name = {column.name: column for column in table.relation.columns}
    return [by_name[name] for name in names]


def _stem(column: str) -> str:
    kept = [word for word in words(column) if word not in ("id", "key", "code")]
    return "_".join(kept or words(column))


def _select(
    columns: Sequence[SelectedColumn], source: str, references: Sequence[Reference] = (), *, distinct: bool = False
) -> str:
    """A SELECT that leaves out the rows whose reference leads nowhere."""
    lines = [f"SELECT {'DISTINCT ' if distinct else ''}{', '.join(column.sql for column in columns)}", f"FROM {source}"]
    conditions = [
        f"{identifier(r.column)} IN (SELECT {identifier(r.key)} FROM {r.target.reference})"  # noqa: S608
        for r in references
        if not r.whole
    ]
    if conditions:
        lines.append("WHERE " + "\n  AND ".join(conditions))
    return "\n".join(lines)


def _over(sql: str, columns: Sequence[Column], wanted: Sequence[SelectedColumn]) -> str:
    """The query itself where its columns are those wanted already, else a SELECT over it."""
    if [identifier(column.name) for column in columns] == [column.sql for column in wanted]:
        return sql.strip()
    return f"SELECT {', '.join(column.sql for column in wanted)}\nFROM (\n{sql.strip()}\n) AS suggested"
