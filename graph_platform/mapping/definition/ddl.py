"""The statements that create a graph's tables from a resolved mapping: one per table, every name in backticks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from graph_platform.mapping.definition.resolved import ResolvedDefinition
from graph_platform.mapping.types.text import parse_engine_type


def ddl(resolved: Sequence[ResolvedDefinition]) -> tuple[str, ...]:
    """CREATE NODE TABLE for each label, then CREATE REL TABLE for each edge type with all its pairs of ends.

    One statement per element, to be run one at a time: several in one call can crash an engine.
    """
    nodes = [_node(definition) for definition in resolved if definition.kind == "node"]
    edges: dict[str, list[ResolvedDefinition]] = {}
    for definition in resolved:
        if definition.kind == "edge":
            edges.setdefault(definition.table, []).append(definition)
    return (*nodes, *(_edge(table, definitions) for table, definitions in edges.items()))


def _node(definition: ResolvedDefinition) -> str:
    columns = [_column(column.name, column.engine_type) for column in definition.columns]
    return _create("NODE", definition.table, [*columns, f"PRIMARY KEY ({_quoted(definition.primary_key or '')})"])


def _edge(table: str, definitions: Sequence[ResolvedDefinition]) -> str:
    pairs = [f"FROM {_quoted(d.from_node or '')} TO {_quoted(d.to_node or '')}" for d in definitions]
    # The two keys are the ends and not properties; each definition of the type has the same properties.
    properties = [_column(column.name, column.engine_type) for column in definitions[0].columns[2:]]
    return _create("REL", table, [*pairs, *properties])


def _create(kind: str, table: str, parts: Iterable[str]) -> str:
    return f"CREATE {kind} TABLE {_quoted(table)} ({', '.join(parts)})"


def _column(name: str, engine_type: str) -> str:
    return f"{_quoted(name)} {parse_engine_type(engine_type).ddl()}"


def _quoted(name: str) -> str:
    return f"`{name}`"
