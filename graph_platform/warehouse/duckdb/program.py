"""The confined process that has the DuckDB file open, and runs one statement at a time on it.

It is asked and answers in JSON: data only, so that whoever asks need not trust a process that ran anybody's SQL, and
none of it is large. Translating SQL and making sense of errors is the asking side's business (`warehouse`): what is
imported here, each process pays for.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import duckdb

from graph_platform.confined.program import Interrupted, LastAnswer, NotOpened, OutOfMemory, serve
from graph_platform.errors import PlatformError
from graph_platform.warehouse.duckdb.catalog import DEFAULT_SCHEMA, columns_of, has_column, names_of, relations_of
from graph_platform.warehouse.duckdb.file import Locked, opened
from graph_platform.warehouse.duckdb.text import literal, quoted
from graph_platform.warehouse.duckdb.types import plain_type, trino_type

# The file or the whole database cannot be used, which is nobody's SQL's fault.
_OF_THE_FILE = (duckdb.IOException, duckdb.FatalException, duckdb.ConnectionException)
# After these a database is in a state that nobody knows.
_LAST = (duckdb.FatalException, duckdb.InternalException)


class _File:
    """The open file as a program: each request is a document with `do`, the name of one of the methods."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        self._names = frozenset((schema.lower(), name.lower()) for schema, name in names_of(connection))
        (own,) = connection.execute("SELECT current_database()").fetchone() or ("",)
        self._catalog = str(own).lower()

    def interrupt(self) -> None:
        self._connection.interrupt()

    def answer(self, request: bytes) -> bytes:
        asked = json.loads(request)
        try:
            answer = self._missing(asked) or getattr(self, "_" + asked.pop("do"))(**asked)
        except duckdb.InterruptException as error:
            raise Interrupted from error
        except duckdb.OutOfMemoryException as error:
            raise OutOfMemory from error
        except duckdb.Error as error:
            refused = {"text": str(error), "unusable": isinstance(error, _OF_THE_FILE)}
            answer = _bytes({"refused": refused})
            if isinstance(error, _LAST):
                raise LastAnswer(answer) from error
            return answer
        return _bytes(answer)

    def _missing(self, asked: dict[str, Any]) -> Mapping[str, Any] | None:
        """The first of the relations that a statement names which is no table or view of this file, or such a column.

        DuckDB itself would look further: for its own tables of settings, databases and logs, and for pg_catalog.
        """
        for index, (catalog, schema, name) in enumerate(asked.pop("relations", ())):
            known = (schema.lower() or DEFAULT_SCHEMA, name.lower()) in self._names
            if not known or catalog.lower() not in ("", self._catalog):
                return {"missing_relation": index}
        for name in asked.pop("columns", ()):
            if not has_column(self._connection, name):
                return {"missing_column": name}
        return None

    def _columns(self, named: list[tuple[str, str, str]]) -> Mapping[str, Any]:
        """Names and types of the columns of each relation, None for one that is not there or does not hold."""
        found: list[list[tuple[str, str]] | None] = []
        for catalog, schema, name in named:
            known = (schema.lower() or DEFAULT_SCHEMA, name.lower()) in self._names
            if not known or catalog.lower() not in ("", self._catalog):
                found.append(None)
            else:
                found.append(columns_of(self._connection, schema or DEFAULT_SCHEMA, name))
        return {"columns": found}

    def _describe(self, sql: str) -> Mapping[str, Any]:
        relation = self._connection.sql(sql)
        if relation is None:
            return {"columns": None}
        described = zip(relation.columns, relation.types, strict=True)
        return {"columns": [(name, str(trino_type(kind))) for name, kind in described]}

    def _fetch(self, sql: str, rows: int) -> Mapping[str, Any]:
        return {"rows": self._connection.execute(sql).fetchmany(rows)}

    def _export(self, sql: str, target: str, options: str) -> Mapping[str, Any]:
        relation = self._connection.sql(sql)
        columns = ", ".join(
            quoted(name)
            if str(kind) == plain_type(kind)
            else f"CAST({quoted(name)} AS {plain_type(kind)}) AS {quoted(name)}"
            for name, kind in zip(relation.columns, relation.types, strict=True)
        )
        row = self._connection.execute(
            f"COPY (SELECT {columns} FROM ({sql})) TO {literal(target)} "  # noqa: S608
            f"(FORMAT parquet, COMPRESSION zstd{options})"
        ).fetchone()
        return {"rows": int(row[0]) if row else 0}

    def _tables(self) -> Mapping[str, Any]:
        return {"tables": names_of(self._connection)}

    def _relations(self, schema: str | None) -> Mapping[str, Any]:
        return relations_of(self._connection, schema)


def _bytes(answer: Mapping[str, Any]) -> bytes:
    return json.dumps(answer, default=str).encode()


def _opened(opening: bytes) -> _File:
    asked = json.loads(opening)
    try:
        return _File(
            opened(
                Path(asked["path"]),
                Locked(asked["storage"], asked["scratch"], asked["threads"], asked["memory_bytes"], asked["prelude"]),
            )
        )
    except PlatformError as error:
        raise NotOpened(_bytes(error.document())) from error


if __name__ == "__main__":
    serve(_opened)
