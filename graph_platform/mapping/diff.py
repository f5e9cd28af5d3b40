"""What changed from one version of a mapping to another, as data and as lines for a person.

Only what the mapping says is compared. Whether the warehouse of today still fits it is `graph_platform.mapping.drift`.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from graph_platform.mapping.model import EdgeDefinition, MappingDefinition, NodeDefinition, PropertyDefinition


class ChangeKind(StrEnum):
    """The name of a change, stable across releases."""

    MAPPING_CREATED = "MAPPING_CREATED"
    DESCRIPTION_CHANGED = "DESCRIPTION_CHANGED"
    LIFE_CHANGED = "LIFE_CHANGED"
    DEFINITION_ADDED = "DEFINITION_ADDED"
    DEFINITION_REMOVED = "DEFINITION_REMOVED"
    SQL_CHANGED = "SQL_CHANGED"
    KEY_CHANGED = "KEY_CHANGED"
    ENDS_CHANGED = "ENDS_CHANGED"
    PROPERTY_ADDED = "PROPERTY_ADDED"
    PROPERTY_REMOVED = "PROPERTY_REMOVED"
    PROPERTY_RETYPED = "PROPERTY_RETYPED"
    PROPERTIES_REORDERED = "PROPERTIES_REORDERED"

    TABLE_GONE = "TABLE_GONE"
    TABLE_RENAMED = "TABLE_RENAMED"
    COLUMN_GONE = "COLUMN_GONE"
    COLUMN_ADDED = "COLUMN_ADDED"
    COLUMNS_REORDERED = "COLUMNS_REORDERED"
    TYPE_CHANGED = "TYPE_CHANGED"
    NO_LONGER_HOLDS = "NO_LONGER_HOLDS"


@dataclass(frozen=True)
class Change:
    """One change. `entity` is the definition or the mapping's name, `field` the key or column inside it.

    `breaks` is whether the mapping no longer holds because of it; between two versions nothing does.
    """

    kind: ChangeKind
    entity: str
    message: str
    field: str | None = None
    before: str | None = None
    after: str | None = None
    breaks: bool = False

    def document(self) -> dict[str, Any]:
        """The change as JSON-ready data."""
        return asdict(self)


def compare(before: MappingDefinition | None, after: MappingDefinition) -> tuple[Change, ...]:
    """What changed, in the order of the later version; without an earlier one, that it was created."""
    if before is None:
        counts = f"{len(after.node_definitions)} kinds of node and {len(after.edge_definitions)} of edge"
        return (Change(ChangeKind.MAPPING_CREATED, after.name, f"{after.name} is new, with {counts}"),)
    return (*_of_mapping(before, after), *_of_nodes(before, after), *_of_edges(before, after))


def change_lines(changes: Sequence[Change]) -> list[str]:
    """The changes for a person: `+` what came, `-` what went, `~` what is another, `!` what breaks the mapping."""
    lines = []
    for change in changes:
        lines.append(f"{_SIGNS.get(change.kind, '!' if change.breaks else '~')} {change.message}")
        if change.kind is ChangeKind.SQL_CHANGED:
            old, new = (change.before or "").splitlines(), (change.after or "").splitlines()
            # The first two lines are the names of files.
            lines += [f"    {line}" for line in list(difflib.unified_diff(old, new, n=1, lineterm=""))[2:]]
    return lines


_SIGNS = {
    ChangeKind.MAPPING_CREATED: "+",
    ChangeKind.DEFINITION_ADDED: "+",
    ChangeKind.PROPERTY_ADDED: "+",
    ChangeKind.DEFINITION_REMOVED: "-",
    ChangeKind.PROPERTY_REMOVED: "-",
}


def _of_mapping(before: MappingDefinition, after: MappingDefinition) -> Iterator[Change]:
    if before.name != after.name:
        message = f"{before.name} is compared with {after.name}, another mapping"
        yield Change(ChangeKind.DESCRIPTION_CHANGED, after.name, message, "name", before.name, after.name)
    for field, kind in (
        ("description", ChangeKind.DESCRIPTION_CHANGED),
        ("ttl", ChangeKind.LIFE_CHANGED),
        ("inactivity_timeout", ChangeKind.LIFE_CHANGED),
    ):
        old, new = getattr(before, field), getattr(after, field)
        if old != new:
            message = f"{field}: {_shown(old)} is now {_shown(new)}"
            yield Change(kind, after.name, message, field, old, new)


def _shown(value: str | None) -> str:
    return "the default" if value is None else repr(value)


def _of_nodes(before: MappingDefinition, after: MappingDefinition) -> Iterator[Change]:
    old = {node.label.lower(): node for node in before.node_definitions}
    new = {node.label.lower(): node for node in after.node_definitions}
    for label, node in new.items():
        earlier = old.get(label)
        if earlier is None:
            yield Change(ChangeKind.DEFINITION_ADDED, node.label, f"node {node.label}")
            continue
        keys = [f"{key.name} {key.type}" for key in (earlier.primary_key, node.primary_key)]
        if keys[0] != keys[1]:
            message = f"node {node.label}: the primary key was {keys[0]} and is {keys[1]}"
            yield Change(ChangeKind.KEY_CHANGED, node.label, message, "primary_key", keys[0], keys[1])
        yield from _within(f"node {node.label}", node.label, earlier, node)
    for label, node in old.items():
        if label not in new:
            yield Change(ChangeKind.DEFINITION_REMOVED, node.label, f"node {node.label}")


def _of_edges(before: MappingDefinition, after: MappingDefinition) -> Iterator[Change]:
    pairs, removed, added = _matched(before.edge_definitions, after.edge_definitions)
    for edge in after.edge_definitions:
        if edge in added:
            yield Change(ChangeKind.DEFINITION_ADDED, edge.type, f"edge {_named(edge)}")
            continue
        earlier = next(old for old, new in pairs if new is edge)
        where = f"edge {edge.type}"
        ends = [f"{each.from_node} → {each.to_node}" for each in (earlier, edge)]
        if ends[0].lower() != ends[1].lower():
            message = f"{where}: it went {ends[0]} and goes {ends[1]}"
            yield Change(ChangeKind.ENDS_CHANGED, edge.type, message, "from_node", ends[0], ends[1])
        for field in ("from_key", "to_key"):
            old, new = getattr(earlier, field), getattr(edge, field)
            if old != new:
                message = f"{where}: {field} was {old} and is {new}"
                yield Change(ChangeKind.KEY_CHANGED, edge.type, message, field, old, new)
        yield from _within(where, edge.type, earlier, edge)
    for edge in removed:
        yield Change(ChangeKind.DEFINITION_REMOVED, edge.type, f"edge {_named(edge)}")


def _matched(
    before: Sequence[EdgeDefinition], after: Sequence[EdgeDefinition]
) -> tuple[list[tuple[EdgeDefinition, EdgeDefinition]], list[EdgeDefinition], list[EdgeDefinition]]:
    """Edges of the same type and ends; then, where a type has one left on either side, its ends changed."""
    left = list(before)
    pairs, added = [], []
    for edge in after:
        same = next((old for old in left if _identity(old) == _identity(edge)), None)
        if same is None:
            added.append(edge)
        else:
            left.remove(same)
            pairs.append((same, edge))
    for edge in list(added):
        old_ones = [old for old in left if old.type == edge.type]
        if len(old_ones) == 1 and sum(new.type == edge.type for new in added) == 1:
            pairs.append((old_ones[0], edge))
            left.remove(old_ones[0])
            added.remove(edge)
    return pairs, left, added


def _identity(edge: EdgeDefinition) -> tuple[str, str, str]:
    return edge.type, edge.from_node.lower(), edge.to_node.lower()


def _named(edge: EdgeDefinition) -> str:
    return f"{edge.type} ({edge.from_node} → {edge.to_node})"


def _within(
    where: str, entity: str, old: NodeDefinition | EdgeDefinition, new: NodeDefinition | EdgeDefinition
) -> Iterator[Change]:
    if old.sql != new.sql:
        yield Change(ChangeKind.SQL_CHANGED, entity, f"{where}: its SQL", "sql", old.sql, new.sql)
    yield from _of_properties(where, entity, old.properties, new.properties)


def _of_properties(
    where: str, entity: str, old: Sequence[PropertyDefinition], new: Sequence[PropertyDefinition]
) -> Iterator[Change]:
    types = {p.name.lower(): p.type for p in old}
    present = {p.name.lower() for p in new}
    for p in new:
        was = types.get(p.name.lower())
        if was is None:
            message = f"{where}: property {p.name} {p.type}"
            yield Change(ChangeKind.PROPERTY_ADDED, entity, message, p.name, None, p.type)
        elif was != p.type:
            message = f"{where}: property {p.name} was {was} and is {p.type}"
            yield Change(ChangeKind.PROPERTY_RETYPED, entity, message, p.name, was, p.type)
    for p in old:
        if p.name.lower() not in present:
            message = f"{where}: property {p.name} {p.type}"
            yield Change(ChangeKind.PROPERTY_REMOVED, entity, message, p.name, p.type, None)
    kept = [[p.name for p in each if p.name.lower() in present & types.keys()] for each in (old, new)]
    if [name.lower() for name in kept[0]] != [name.lower() for name in kept[1]]:
        before, after = (", ".join(names) for names in kept)
        message = f"{where}: the order of the properties was {before} and is {after}"
        yield Change(ChangeKind.PROPERTIES_REORDERED, entity, message, "properties", before, after)
