"""The mapping as the user writes it: nodes and edges, each with its SQL.

Only shape is said here (keys, kinds of value, what is required). The rules over it (labels, limits, duplicates) are
`graph_platform.mapping.definition.structure`, so that one broken rule does not hide the next.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Sql = Annotated[str, StringConstraints(strip_whitespace=False)]
"""SQL as it was written, first blank lines and all: an error's position is one in the user's own text."""


class _Definition(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)


class PropertyDefinition(_Definition):
    """A column of the definition's SQL that becomes a property."""

    name: str = Field(description="Name of the property, and of the column in the definition's SQL.")
    type: str = Field(description="Type in the graph: STRING, INT64, DOUBLE, DECIMAL(10,2), TIMESTAMP, STRING[] …")


class PrimaryKeyDefinition(_Definition):
    """The column that identifies a node. It must be the first column of the node's SQL."""

    name: str = Field(description="Name of the key, and of the first column in the node's SQL.")
    type: str = Field(description="Type of the key: STRING, INT64, DATE or UUID.")


class NodeDefinition(_Definition):
    """One kind of node."""

    label: str = Field(description="Label of the nodes, e.g. Airport.")
    sql: Sql = Field(description="One SELECT in Trino's dialect: the primary key first, then the properties in order.")
    primary_key: PrimaryKeyDefinition = Field(description="The column that identifies a node.")
    properties: tuple[PropertyDefinition, ...] = Field(default=(), description="The further columns, in order.")


class EdgeDefinition(_Definition):
    """One kind of edge between two kinds of node."""

    type: str = Field(description="Type of the edges, e.g. FLIES_TO.")
    from_node: str = Field(description="Label of the node definition at which the edges start.")
    to_node: str = Field(description="Label of the node definition at which the edges end.")
    sql: Sql = Field(description="One SELECT in Trino's dialect: from_key, to_key, then the properties in order.")
    from_key: str = Field(description="First column of the SQL: the primary key of the start node.")
    to_key: str = Field(description="Second column of the SQL: the primary key of the end node.")
    properties: tuple[PropertyDefinition, ...] = Field(default=(), description="The further columns, in order.")


class MappingDefinition(_Definition):
    """A graph, written as SQL over the warehouse's tables."""

    name: str = Field(description="Name of the mapping, its own among those that live: letters, digits, _, - and .")
    description: str = Field(default="", description="What the graph is about, for people.")
    ttl: str | None = Field(default=None, description="Life of the mapping: 90d, or in ISO 8601 P90D.")
    inactivity_timeout: str | None = Field(default=None, description="Life of the mapping while nobody uses it.")
    node_definitions: tuple[NodeDefinition, ...] = Field(description="The kinds of node.")
    edge_definitions: tuple[EdgeDefinition, ...] = Field(default=(), description="The kinds of edge.")
