"""The rules over a mapping that need no warehouse: names, limits, duplicates, ends of edges, durations.

Limits and forbidden names are the constants at the top. What a type or a statement may be is `types` and `sql`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from itertools import islice
from types import MappingProxyType

from graph_platform.lives import Grant, LifeFault, LifeRefusal, read_life
from graph_platform.mapping.checks.problems import ProblemCode, problem, shown
from graph_platform.mapping.checks.report import MOST_PROBLEMS, Problem
from graph_platform.mapping.definition.model import EdgeDefinition, MappingDefinition, NodeDefinition
from graph_platform.mapping.types.rules import TypeRefusal, declared_type
from graph_platform.names import MAX_NAME, RULE, name_fault

LABEL = re.compile(r"[A-Za-z][A-Za-z0-9_]*", re.ASCII)
EDGE_TYPE = re.compile(r"[A-Z][A-Z0-9_]*", re.ASCII)
MAX_LABEL = 64
MAX_PROPERTY_NAME = 255
MAX_PROPERTIES = 100
RESERVED_PREFIXES = ("_internal_", "_system_", "_")
# Backticks quote names in the engines' DDL and only one of the engines can escape one; the rest cannot be typed.
_FORBIDDEN_CHARACTER = re.compile(r"[\x00-\x1f\x7f\x80-\x9f`\u2028\u2029]")
_FORBIDDEN_IN_A_COLUMN = re.compile(f"{_FORBIDDEN_CHARACTER.pattern}|,")  # a Hive table has no comma in a name
_NAMES_COMPARED = 1000
_NAMES_LISTED = MAX_PROPERTIES + 10
_FIELDS_WITH_A_LIFE = ("ttl", "inactivity_timeout")
_FAULTS: Mapping[LifeFault, ProblemCode] = MappingProxyType(
    {LifeFault.UNREADABLE: ProblemCode.DURATION_INVALID, LifeFault.TOO_LONG: ProblemCode.DURATION_TOO_LONG}
)


def check_structure(mapping: MappingDefinition, grant: Grant | None = None) -> tuple[Problem, ...]:
    """Every problem that shows without a warehouse, in the order of the mapping.

    Args:
        grant: how long a mapping may live; None for one that was kept, for which it was settled then.
    """
    return (
        *_name(mapping),
        *_description(mapping),
        *_lives(mapping, grant),
        *_definitions_exist(mapping),
        *(found for node in mapping.node_definitions for found in _node(node)),
        *_edges(mapping),
        *_duplicate_labels(mapping),
        *_keys_of_two_spellings(mapping),
        *_repeated_edges(mapping),
    )


class Suggestions:
    """The names that were probably meant, out of those that there are; for the first problems only.

    Each costs a comparison with every name, and nobody reads more of them than a report lists.
    """

    def __init__(self, known: Iterable[str]) -> None:
        few = islice((name for name in known if len(name) <= MAX_NAME), _NAMES_COMPARED)
        self._known = {name.lower(): name for name in few}
        self._left = MOST_PROBLEMS

    def meant(self, name: str) -> str | None:
        """The known name that is nearest, compared without regard to case; None if none is near."""
        if self._left == 0 or len(name) > MAX_NAME:
            return None
        self._left -= 1
        close = get_close_matches(name.lower(), list(self._known), n=1, cutoff=0.6)
        return self._known[close[0]] if close else None


def suggestion(name: str, known: Iterable[str]) -> str | None:
    """The known name that was probably meant, for one name."""
    return Suggestions(known).meant(name)


def names(known: Sequence[str]) -> str:
    """Names as a sentence lists them, not more than a person reads."""
    return ", ".join(known[:_NAMES_LISTED]) + (f" and {len(known) - _NAMES_LISTED} more" * (len(known) > _NAMES_LISTED))


def property_name(name: str) -> str:
    """The name itself if a property may have it, else the nearest that one may have."""
    return _FORBIDDEN_IN_A_COLUMN.sub("_", name).lstrip("_")[:MAX_PROPERTY_NAME] or "column"


def _name(mapping: MappingDefinition) -> Iterator[Problem]:
    fault = name_fault(mapping.name)
    if fault:
        entity = shown(mapping.name, MAX_LABEL) or "mapping"
        yield problem(ProblemCode.NAME_INVALID, entity, f"the mapping's name {fault}", field="name", hint=RULE)


def _description(mapping: MappingDefinition) -> Iterator[Problem]:
    if "\0" in mapping.description:
        hint = "write it without the character U+0000"
        message = "the description has a NUL character"
        yield problem(ProblemCode.DOCUMENT_VALUE, mapping.name, message, field="description", hint=hint)


def _lives(mapping: MappingDefinition, grant: Grant | None) -> Iterator[Problem]:
    read = grant.life if grant else read_life
    for key in _FIELDS_WITH_A_LIFE:
        text = getattr(mapping, key)
        if text is None:
            continue
        try:
            read(key, text)
        except LifeRefusal as refused:
            yield problem(_FAULTS[refused.fault], mapping.name, refused.message, field=key, hint=refused.hint)


def _definitions_exist(mapping: MappingDefinition) -> Iterator[Problem]:
    if not mapping.node_definitions:
        message = "the mapping has no node definition"
        yield problem(ProblemCode.NO_NODES, mapping.name, message, field="node_definitions", hint="add one")


def _node(node: NodeDefinition) -> Iterator[Problem]:
    yield from _label(node.label, LABEL, ProblemCode.LABEL_INVALID, "label", "letters, digits and _, a letter first")
    yield from _columns(node.label, "primary_key", [("primary_key", node.primary_key.name)], node)


def _edges(mapping: MappingDefinition) -> Iterator[Problem]:
    labels = [node.label for node in mapping.node_definitions]
    known = {label.lower() for label in labels}
    nearest, listing = Suggestions(labels), names(labels) or "none"
    for edge in mapping.edge_definitions:
        rule = "capital letters, digits and _, a letter first"
        yield from _label(edge.type, EDGE_TYPE, ProblemCode.EDGE_TYPE_INVALID, "type", rule)
        for key in ("from_node", "to_node"):
            wanted = getattr(edge, key)
            if wanted.lower() not in known:
                meant = nearest.meant(wanted)
                yield problem(
                    ProblemCode.UNKNOWN_NODE,
                    edge.type,
                    f"{key} is {wanted}, but the mapping has no such node",
                    field=key,
                    hint=f"did you mean {meant}?" if meant else f"the nodes are: {listing}",
                )
        if edge.from_key.lower() == edge.to_key.lower():
            message = f"from_key and to_key are both {edge.from_key}"
            yield problem(ProblemCode.EDGE_KEYS_SAME, edge.type, message, field="to_key")
            yield from _columns(edge.type, "from_key", [("from_key", edge.from_key)], edge)
        else:
            yield from _columns(edge.type, "from_key", [("from_key", edge.from_key), ("to_key", edge.to_key)], edge)


def _label(name: str, pattern: re.Pattern[str], code: ProblemCode, field: str, rule: str) -> Iterator[Problem]:
    shown = name or "?"
    if name.lower().startswith(RESERVED_PREFIXES):
        yield problem(
            ProblemCode.NAME_RESERVED, shown, f"{name!r} begins with _, which is reserved", field=field, hint="drop it"
        )
    elif not pattern.fullmatch(name):
        better = _repaired(name, pattern)
        hint = f"use {rule}" + (f", e.g. {better}" if better else "")
        yield problem(code, shown, f"{name!r} is not a valid {field}", field=field, hint=hint)
    elif len(name) > MAX_LABEL:
        yield problem(code, shown, f"{name!r} has {len(name)} characters, more than {MAX_LABEL}", field=field)


def _repaired(name: str, pattern: re.Pattern[str]) -> str | None:
    candidate = re.sub(r"[^A-Za-z0-9]+", "_", name).strip("_")
    if pattern is EDGE_TYPE:
        candidate = candidate.upper()
    return candidate if pattern.fullmatch(candidate) else None


def _keys_of_two_spellings(mapping: MappingDefinition) -> Iterator[Problem]:
    """With keys `Id` and `id`, LadybugDB fails at `MATCH ()-[e:TYPE]->()`, and Ryugraph gives each node both."""
    first: dict[str, NodeDefinition] = {}
    for node in mapping.node_definitions:
        name = node.primary_key.name
        other = first.setdefault(name.lower(), node)
        if other.primary_key.name != name:
            spelt = other.primary_key.name
            yield problem(
                ProblemCode.PROPERTY_NAME_INVALID,
                node.label,
                f"the key {name} and the key {spelt} of {other.label} differ only in case, which the engines mix up",
                field="primary_key",
                hint=f"write {spelt} in both",
            )


def _columns(
    entity: str, key: str, keys: list[tuple[str, str]], definition: NodeDefinition | EdgeDefinition
) -> Iterator[Problem]:
    columns = [*keys, *((f"properties[{i}]", p.name) for i, p in enumerate(definition.properties))]
    if len(definition.properties) > MAX_PROPERTIES:
        message = f"{len(definition.properties)} properties, more than {MAX_PROPERTIES}"
        yield problem(ProblemCode.TOO_MANY_PROPERTIES, entity, message, field="properties")
    for place, name in columns:
        field = place if place in ("primary_key", "from_key", "to_key") else name or place
        if not name or len(name) > MAX_PROPERTY_NAME or _FORBIDDEN_IN_A_COLUMN.search(name):
            yield problem(
                ProblemCode.PROPERTY_NAME_INVALID,
                entity,
                f"{name[:MAX_LABEL]!r} cannot be a property's name",
                field=field,
                hint=f"1 to {MAX_PROPERTY_NAME} characters, no comma, no backtick and no control character",
            )
        elif name.startswith(RESERVED_PREFIXES):
            better = name.lstrip("_") or "name"
            yield problem(
                ProblemCode.NAME_RESERVED,
                entity,
                f"{name!r} begins with _, which is reserved for the engines and the platform",
                field=field,
                hint=f"rename it in the SQL: {name} AS {better}",
            )
    for spelt in _repeated(name for _, name in columns):
        yield problem(
            ProblemCode.COLUMN_NAME_DUPLICATE,
            entity,
            f"{' and '.join(spelt[:_NAMES_LISTED])} are one name: case does not count",
            field=spelt[-1],
            hint="remove one, or give it another alias in the SQL",
        )


def _duplicate_labels(mapping: MappingDefinition) -> Iterator[Problem]:
    """Node and edge tables share the engines' one case-insensitive namespace; an edge type may repeat as spelt."""
    nodes = [node.label for node in mapping.node_definitions]
    edges = list(dict.fromkeys(edge.type for edge in mapping.edge_definitions))
    for spelt in _repeated((*nodes, *edges)):
        together = " and ".join(spelt[:_NAMES_LISTED])
        message = f"{together} are one name for the engines, which ignore case and share names"
        yield problem(ProblemCode.NAME_DUPLICATE, spelt[-1], message, hint="rename one of them")


def _repeated(written: Iterable[str]) -> Iterator[list[str]]:
    """The spellings of each name that comes more than once without regard to case."""
    spelt: dict[str, list[str]] = {}
    for name in written:
        spelt.setdefault(name.lower(), []).append(name)
    return (found for found in spelt.values() if len(found) > 1)


def _repeated_edges(mapping: MappingDefinition) -> Iterator[Problem]:
    first: dict[str, tuple[EdgeDefinition, list[tuple[str, str]]]] = {}
    pairs: set[tuple[str, str, str]] = set()
    for edge in mapping.edge_definitions:
        pair = (edge.type, edge.from_node.lower(), edge.to_node.lower())
        if pair in pairs:
            message = f"{edge.type} from {edge.from_node} to {edge.to_node} is defined twice"
            yield problem(ProblemCode.EDGE_PAIR_DUPLICATE, edge.type, message, field="to_node")
        pairs.add(pair)
        signature = _signature(edge)
        earlier, wanted = first.setdefault(edge.type, (edge, signature))
        if signature != wanted:
            there = names([f"{p.name} {p.type}" for p in earlier.properties[:MAX_PROPERTIES]]) or "none"
            yield problem(
                ProblemCode.EDGE_PROPERTIES_DIFFER,
                edge.type,
                f"{edge.type} from {edge.from_node} to {edge.to_node} has other properties than from "
                f"{earlier.from_node} to {earlier.to_node}: they become one table",
                field="properties",
                hint=f"give both the same: {there}; or another type",
            )


def _signature(edge: EdgeDefinition) -> list[tuple[str, str]]:
    # Names are compared as the one table will spell them; types by what they are, so INT and INT32 are the same.
    return [(p.name.lower(), _type_name(p.type)) for p in edge.properties]


def _type_name(text: str) -> str:
    try:
        return str(declared_type(text))
    except TypeRefusal:
        return text
