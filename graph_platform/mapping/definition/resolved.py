"""A validated mapping in the form that the export and the load work from: tables, columns, and how each travels."""

from __future__ import annotations

from dataclasses import dataclass

from graph_platform.mapping.sql.gate import without_terminator

_ALIAS = "definition"


@dataclass(frozen=True)
class ResolvedColumn:
    """A column in the mapping's spelling.

    `warehouse_type` is what the SQL yields and `file_type` what the Parquet file holds, both in Trino's notation;
    `engine_type` is the type of the graph's property; `export_sql` is the expression in Trino's dialect, over the
    definition's SQL in parentheses under the alias `definition`.
    """

    name: str
    warehouse_type: str
    file_type: str
    engine_type: str
    export_sql: str


@dataclass(frozen=True)
class ResolvedDefinition:
    """One node or edge definition, `kind` telling which.

    `name` is unique in the mapping and safe as a folder's name: the label, the edge type, or `TYPE-From-To` where an
    edge type has several pairs of ends. `table` is the engine's table. Columns are in the order of the mapping: the
    primary key first, or both ends' keys first.
    """

    kind: str
    name: str
    table: str
    sql: str
    columns: tuple[ResolvedColumn, ...]
    primary_key: str | None = None
    from_node: str | None = None
    to_node: str | None = None


def column_reference(name: str) -> str:
    """A column of the definition's SQL, as an export expression names it."""
    return f"{_quoted(_ALIAS)}.{_quoted(name)}"


def export_statement(resolved: ResolvedDefinition) -> str:
    """The query, in Trino's dialect, whose rows are the definition's file: each column explicitly and in order.

    The user's SQL stands on lines of its own, so that a comment at its end ends there; closing semicolons are dropped.
    """
    columns = ",\n  ".join(f"{column.export_sql} AS {_quoted(column.name)}" for column in resolved.columns)
    query = without_terminator(resolved.sql)
    return f"SELECT\n  {columns}\nFROM (\n{query}\n) AS {_quoted(_ALIAS)}"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
