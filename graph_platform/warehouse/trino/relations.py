"""What Trino says of the tables of a schema, in one question to its information schema. It knows no declared keys."""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches
from itertools import groupby

from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.mapping.sql.gate import identifier
from graph_platform.mapping.types.text import parse_warehouse_type
from graph_platform.relational import Column, Relation
from graph_platform.warehouse.trino.refusals import literal, quoted
from graph_platform.warehouse.trino.statement import TrinoFailure

Rows = Callable[[str], list[list[object]]]


def relations_of(rows: Rows, catalog: str | None, schema: str | None, wanted: str | None) -> tuple[Relation, ...]:
    """Tables and views of a schema, by name.

    Args:
        catalog: the one of the warehouse's URL, which an unqualified schema is in.
        schema: the one of the warehouse's URL, which is meant where none is wanted.
        wanted: `SCHEMA` or `CATALOG.SCHEMA`.

    Raises:
        PlatformError: RESOURCE_NOT_FOUND with what there is, VALIDATION_FAILED where the URL and `wanted` leave open
            which one is meant.
        TrinoFailure: Trino refused the question.
    """
    first, _, last = (wanted or schema or "").rpartition(".")
    of_catalog, of_schema = first or catalog, last
    if not of_catalog or not of_schema:
        message = f"neither the warehouse URL nor the request names a {'schema' if of_catalog else 'catalog'}"
        raise PlatformError(ErrorCode.VALIDATION_FAILED, message, "name it as CATALOG.SCHEMA")
    try:
        found = rows(
            "SELECT table_name, column_name, data_type "  # noqa: S608
            f"FROM {quoted(of_catalog)}.information_schema.columns "
            f"WHERE table_schema = {literal(of_schema.lower())} ORDER BY table_name, ordinal_position"
        )
    except TrinoFailure as failure:
        if failure.name != "CATALOG_NOT_FOUND":
            raise
        raise _absent("catalog", of_catalog, [str(row[0]) for row in rows("SHOW CATALOGS")]) from None
    if not found:
        _require(rows, of_catalog, of_schema)
    prefix = [] if of_catalog == catalog else [of_catalog]
    if prefix or of_schema != schema:
        prefix.append(of_schema)
    return tuple(
        Relation(
            name,
            ".".join(identifier(part) for part in (*prefix, name)),
            tuple(Column(str(column), _type(str(kind))) for _, column, kind in columns),
        )
        for name, columns in groupby(found, key=lambda row: str(row[0]))
    )


def _require(rows: Rows, catalog: str, schema: str) -> None:
    known = [str(row[0]) for row in rows(f"SHOW SCHEMAS FROM {quoted(catalog)}")]
    if schema.lower() not in known:
        raise _absent("schema", schema, known)


def _absent(what: str, name: str, known: list[str]) -> PlatformError:
    close = get_close_matches(name.lower(), known, n=1)
    hint = f"did you mean {close[0]}?" if close else f"there are: {', '.join(known)}"
    return PlatformError(ErrorCode.RESOURCE_NOT_FOUND, f"the warehouse has no {what} {name!r}", hint)


def _type(text: str) -> str:
    try:
        return str(parse_warehouse_type(text))
    except ValueError:
        return text
