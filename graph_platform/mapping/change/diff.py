"""What changed from one version of a mapping to another, as data and as lines for a person.

Two versions without a change are equal: whatever makes a new version is told, also what the engines do not care about.
Only what the mapping says is compared. Whether the warehouse of today still fits it is `drift`.
"""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, TypeVar

from graph_platform.mapping.definition.model import (
    EdgeDefinition,
    MappingDefinition,
    NodeDefinition,
    PropertyDefinition,
)

_Item = TypeVar("_Item")


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
    DEFINITIONS_REORDERED = "DEFINITIONS_REORDERED"
    RENAMED_IN_CASE = "RENAMED_IN_CASE"

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
    old = before.node_definitions
    pairs, left = _matched(old, after.node_definitions, lambda node: node.label.lower())
    for at, node in pairs:
        where = f"node {node.label}"
        if at is None:
            yield Change(ChangeKind.DEFINITION_ADDED, node.label, where)
            continue
        yield from _recased(where, node.label, "label", old[at].label, node.label)
        keys = [f"{key.name} {key.type}" for key in (old[at].primary_key, node.primary_key)]
        if keys[0] != keys[1]:
            message = f"{where}: the primary key was {keys[0]} and is {keys[1]}"
            yield Change(ChangeKind.KEY_CHANGED, node.label, message, "primary_key", keys[0], keys[1])
        yield from _within(where, node.label, old[at], node)
    for at in left:
        yield Change(ChangeKind.DEFINITION_REMOVED, old[at].label, f"node {old[at].label}")
    orders = _orders([node.label for node in old], [(at, node.label) for at, node in pairs])
    yield from _reordered(after.name, "node_definitions", "the order of the nodes", orders)


def _of_edges(before: MappingDefinition, after: MappingDefinition) -> Iterator[Change]:
    old = before.edge_definitions
    pairs, left = _matched_edges(old, after.edge_definitions)
    for at, edge in pairs:
        if at is None:
            yield Change(ChangeKind.DEFINITION_ADDED, edge.type, f"edge {_named(edge)}")
            continue
        where = f"edge {edge.type}"
        yield from _recased(where, edge.type, "type", old[at].type, edge.type)
        ends = [f"{each.from_node} → {each.to_node}" for each in (old[at], edge)]
        if ends[0].lower() != ends[1].lower():
            message = f"{where}: it went {ends[0]} and goes {ends[1]}"
            yield Change(ChangeKind.ENDS_CHANGED, edge.type, message, "from_node", ends[0], ends[1])
        else:
            yield from _recased(where, edge.type, "from_node", old[at].from_node, edge.from_node)
            yield from _recased(where, edge.type, "to_node", old[at].to_node, edge.to_node)
        for field in ("from_key", "to_key"):
            was, now = getattr(old[at], field), getattr(edge, field)
            if was != now:
                message = f"{where}: {field} was {was} and is {now}"
                yield Change(ChangeKind.KEY_CHANGED, edge.type, message, field, was, now)
        yield from _within(where, edge.type, old[at], edge)
    for at in left:
        yield Change(ChangeKind.DEFINITION_REMOVED, old[at].type, f"edge {_named(old[at])}")
    orders = _orders([_named(edge) for edge in old], [(at, _named(edge)) for at, edge in pairs])
    yield from _reordered(after.name, "edge_definitions", "the order of the edges", orders)


def _matched(
    before: Sequence[_Item], after: Sequence[_Item], identity: Callable[[_Item], object]
) -> tuple[list[tuple[int | None, _Item]], list[int]]:
    """Each later item with the position of the earlier one of the same identity, and the positions that are left.

    Each earlier item is taken once: a file that is compared may say something twice.
    """
    left = list(range(len(before)))
    pairs: list[tuple[int | None, _Item]] = []
    for item in after:
        same = next((at for at in left if identity(before[at]) == identity(item)), None)
        if same is not None:
            left.remove(same)
        pairs.append((same, item))
    return pairs, left


def _matched_edges(
    before: Sequence[EdgeDefinition], after: Sequence[EdgeDefinition]
) -> tuple[list[tuple[int | None, EdgeDefinition]], list[int]]:
    """Edges of the same type and ends; then, where a type has one left on either side, its ends changed."""
    pairs, left = _matched(before, after, _identity)
    added = Counter(edge.type.lower() for at, edge in pairs if at is None)
    gone = Counter(before[at].type.lower() for at in left)
    for index, (at, edge) in enumerate(pairs):
        name = edge.type.lower()
        if at is None and added[name] == gone[name] == 1:
            moved = next(other for other in left if before[other].type.lower() == name)
            left.remove(moved)
            pairs[index] = (moved, edge)
    return pairs, left


def _identity(edge: EdgeDefinition) -> tuple[str, str, str]:
    return edge.type.lower(), edge.from_node.lower(), edge.to_node.lower()


def _named(edge: EdgeDefinition) -> str:
    return f"{edge.type} ({edge.from_node} → {edge.to_node})"


def _recased(where: str, entity: str, field: str, old: str, new: str, what: str | None = None) -> Iterator[Change]:
    """A name that is the same for the engines and still another text."""
    if old != new:
        message = f"{where}: {what or field} was spelt {old} and is spelt {new}"
        yield Change(ChangeKind.RENAMED_IN_CASE, entity, message, field, old, new)


def _orders(before: Sequence[str], pairs: Sequence[tuple[int | None, str]]) -> tuple[str, str] | None:
    """What was kept, in its order before and after, None where that is one order."""
    kept = [(at, name) for at, name in pairs if at is not None]
    if [at for at, _ in kept] == sorted(at for at, _ in kept):
        return None
    return ", ".join(before[at] for at in sorted(at for at, _ in kept)), ", ".join(name for _, name in kept)


def _reordered(
    entity: str,
    field: str,
    what: str,
    orders: tuple[str, str] | None,
    kind: ChangeKind = ChangeKind.DEFINITIONS_REORDERED,
) -> Iterator[Change]:
    if orders is not None:
        yield Change(kind, entity, f"{what} was {orders[0]} and is {orders[1]}", field, *orders)


def _within(
    where: str, entity: str, old: NodeDefinition | EdgeDefinition, new: NodeDefinition | EdgeDefinition
) -> Iterator[Change]:
    if old.sql != new.sql:
        yield Change(ChangeKind.SQL_CHANGED, entity, f"{where}: its SQL", "sql", old.sql, new.sql)
    yield from _of_properties(where, entity, old.properties, new.properties)


def _of_properties(
    where: str, entity: str, old: Sequence[PropertyDefinition], new: Sequence[PropertyDefinition]
) -> Iterator[Change]:
    pairs, left = _matched(old, new, lambda p: p.name.lower())
    for at, p in pairs:
        if at is None:
            message = f"{where}: property {p.name} {p.type}"
            yield Change(ChangeKind.PROPERTY_ADDED, entity, message, p.name, None, p.type)
            continue
        yield from _recased(where, entity, p.name, old[at].name, p.name, "a property")
        was = old[at].type
        if was != p.type:
            message = f"{where}: property {p.name} was {was} and is {p.type}"
            yield Change(ChangeKind.PROPERTY_RETYPED, entity, message, p.name, was, p.type)
    for at in left:
        message = f"{where}: property {old[at].name} {old[at].type}"
        yield Change(ChangeKind.PROPERTY_REMOVED, entity, message, old[at].name, old[at].type, None)
    orders = _orders([p.name for p in old], [(at, p.name) for at, p in pairs])
    what = f"{where}: the order of the properties"
    yield from _reordered(entity, "properties", what, orders, ChangeKind.PROPERTIES_REORDERED)
