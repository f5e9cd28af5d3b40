"""What a DuckDB file says of its tables and views, read from its catalog, never from the data.

It runs in the process that has the file open and gives plain data; what is made of it is `relations`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import duckdb

from graph_platform.warehouse.duckdb.text import quoted
from graph_platform.warehouse.duckdb.types import trino_type

DEFAULT_SCHEMA = "main"
_OF_THE_DATABASE = (duckdb.FatalException, duckdb.ConnectionException, duckdb.InterruptException)
_OUT_OF_MEMORY = (duckdb.OutOfMemoryException, MemoryError)
_OWN = "database_name = current_database()"


def names_of(connection: duckdb.DuckDBPyConnection) -> list[tuple[str, str]]:
    """Schema and name of each table and view that somebody made: none of those that every DuckDB has."""
    return connection.execute(
        f"SELECT schema_name, table_name FROM duckdb_tables() WHERE {_OWN} AND NOT internal "  # noqa: S608
        f"UNION ALL SELECT schema_name, view_name FROM duckdb_views() WHERE {_OWN} AND NOT internal ORDER BY ALL"
    ).fetchall()


def has_column(connection: duckdb.DuckDBPyConnection, name: str) -> bool:
    """Whether a table or view of the file has a column of that name."""
    return bool(
        connection.execute(
            f"SELECT 1 FROM duckdb_columns() WHERE {_OWN} AND NOT internal AND lower(column_name) = lower($1) LIMIT 1",  # noqa: S608
            [name],
        ).fetchall()
    )


def relations_of(connection: duckdb.DuckDBPyConnection, wanted: str | None) -> Mapping[str, Any]:
    """The tables and views of a schema by name, with columns and keys; only `schemas` where there is no such schema.

    A view whose query no longer holds is left out.
    """
    schemas = {name.lower(): name for name in (DEFAULT_SCHEMA, *_schemas(connection))}
    schema = schemas.get((wanted or DEFAULT_SCHEMA).lower())
    if schema is None:
        return {"schemas": list(schemas.values())}
    primary, foreign = _keys(connection, schema)
    relations = [
        {"name": name, "columns": columns, "primary": primary.get(name, []), "foreign": foreign.get(name, [])}
        for own, name in names_of(connection)
        if own == schema and (columns := columns_of(connection, schema, name)) is not None
    ]
    return {"schema": schema, "relations": relations}


def _schemas(connection: duckdb.DuckDBPyConnection) -> list[str]:
    rows = connection.execute(
        f"SELECT schema_name FROM duckdb_schemas() WHERE {_OWN} AND NOT internal"  # noqa: S608
    ).fetchall()
    return [name for (name,) in rows]


def columns_of(connection: duckdb.DuckDBPyConnection, schema: str, name: str) -> list[tuple[str, str]] | None:
    """The columns, None for a table or view that does not hold.

    A view's query may fail to bind in as many ways as there are functions: over what is gone, over a file, which
    nothing here may read, over an extension that is not there. The database itself failing is none of them.
    """
    try:
        table = connection.sql(f"FROM {quoted(schema)}.{quoted(name)}")
    except (*_OF_THE_DATABASE, *_OUT_OF_MEMORY):
        raise
    except duckdb.Error:
        return None
    return [(c, str(trino_type(t))) for c, t in zip(table.columns, table.types, strict=True)]


def _keys(
    connection: duckdb.DuckDBPyConnection, schema: str
) -> tuple[dict[str, list[str]], dict[str, list[tuple[list[str], str, list[str]]]]]:
    rows = connection.execute(
        "SELECT table_name, constraint_type, constraint_column_names, referenced_table, referenced_column_names "  # noqa: S608
        f"FROM duckdb_constraints() WHERE {_OWN} AND schema_name = $1 "
        "AND constraint_type IN ('PRIMARY KEY', 'FOREIGN KEY') ORDER BY table_name, constraint_index",
        [schema],
    ).fetchall()
    primary: dict[str, list[str]] = {}
    foreign: dict[str, list[tuple[list[str], str, list[str]]]] = {}
    for table, kind, columns, referenced_table, referenced in rows:
        if kind == "PRIMARY KEY":
            primary[table] = columns
        else:
            foreign.setdefault(table, []).append((columns, referenced_table, referenced))
    return primary, foreign
