"""What a DuckDB file says of its tables: columns in Trino's types, and the keys that were declared.

Only the catalog is read here, never the data.
"""

from __future__ import annotations

from difflib import get_close_matches

import duckdb

from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.mapping.sql import identifier
from graph_platform.warehouse.duckdb.types import trino_type
from graph_platform.warehouse.protocol import Column, ForeignKey, Relation

_DEFAULT = "main"
_OF_THE_DATABASE = (duckdb.FatalException, duckdb.ConnectionException, duckdb.InterruptException)
_OWN = "database_name = current_database()"


def relations_of(cursor: duckdb.DuckDBPyConnection, schema: str | None) -> tuple[Relation, ...]:
    """Tables and views of a schema, by name. A view whose query no longer holds is left out.

    Raises:
        PlatformError: RESOURCE_NOT_FOUND, with the schemas that there are.
    """
    own = _schema(cursor, schema)
    names = cursor.execute(
        f"SELECT table_name FROM duckdb_tables() WHERE {_OWN} AND schema_name = $1 "  # noqa: S608
        f"UNION ALL SELECT view_name FROM duckdb_views() WHERE {_OWN} AND schema_name = $1 AND NOT internal "
        "ORDER BY ALL",
        [own],
    ).fetchall()
    primary, foreign = _keys(cursor, own)
    found = []
    for (name,) in names:
        columns = _columns(cursor, f"{_quoted(own)}.{_quoted(name)}")
        if columns is not None:
            reference = _reference(own, name)
            found.append(Relation(name, reference, columns, primary.get(name, ()), tuple(foreign.get(name, ()))))
    return tuple(found)


def _columns(cursor: duckdb.DuckDBPyConnection, name: str) -> tuple[Column, ...] | None:
    """The columns, None for a table or view that does not hold.

    A view's query may fail to bind in as many ways as there are functions: over what is gone, over a file, which
    nothing here may read, over an extension that is not there. The database itself failing is none of them.
    """
    try:
        table = cursor.sql(f"FROM {name}")
    except _OF_THE_DATABASE:
        raise
    except duckdb.Error:
        return None
    return tuple(Column(c, str(trino_type(t))) for c, t in zip(table.columns, table.types, strict=True))


def _schema(cursor: duckdb.DuckDBPyConnection, wanted: str | None) -> str:
    if wanted is None:
        return _DEFAULT
    rows = cursor.execute(
        f"SELECT schema_name FROM duckdb_schemas() WHERE {_OWN} AND NOT internal"  # noqa: S608
    ).fetchall()
    known: dict[str, str] = {name.lower(): name for name in (_DEFAULT, *(name for (name,) in rows))}
    if wanted.lower() not in known:
        close = get_close_matches(wanted.lower(), list(known), n=1)
        hint = f"did you mean {known[close[0]]}?" if close else f"there are: {', '.join(known.values())}"
        raise PlatformError(ErrorCode.RESOURCE_NOT_FOUND, f"the warehouse has no schema {wanted!r}", hint)
    return known[wanted.lower()]


def _keys(
    cursor: duckdb.DuckDBPyConnection, schema: str
) -> tuple[dict[str, tuple[str, ...]], dict[str, list[ForeignKey]]]:
    rows = cursor.execute(
        "SELECT table_name, constraint_type, constraint_column_names, referenced_table, referenced_column_names "  # noqa: S608
        f"FROM duckdb_constraints() WHERE {_OWN} AND schema_name = $1 "
        "AND constraint_type IN ('PRIMARY KEY', 'FOREIGN KEY') ORDER BY table_name, constraint_index",
        [schema],
    ).fetchall()
    primary: dict[str, tuple[str, ...]] = {}
    foreign: dict[str, list[ForeignKey]] = {}
    for table, kind, columns, referenced_table, referenced in rows:
        if kind == "PRIMARY KEY":
            primary[table] = tuple(columns)
        else:
            key = ForeignKey(tuple(columns), _reference(schema, referenced_table), tuple(referenced))
            foreign.setdefault(table, []).append(key)
    return primary, foreign


def _reference(schema: str, name: str) -> str:
    return identifier(name) if schema == _DEFAULT else f"{identifier(schema)}.{identifier(name)}"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
