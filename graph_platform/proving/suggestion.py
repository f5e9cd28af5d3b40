"""Suggesting a mapping as the platform does: what the pure rules want to know, asked of a warehouse side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sqlglot import exp

from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.mapping.sql.gate import check_query, without_terminator
from graph_platform.mapping.suggestion.keys import (
    Reference,
    TableKey,
    key_candidates,
    key_kind,
    key_question,
    reference_candidates,
    reference_question,
    references,
    table_key,
)
from graph_platform.mapping.suggestion.suggest import Suggestion, suggest_edge, suggest_mapping, suggest_node
from graph_platform.names import nearest_name
from graph_platform.relational import Column, Refusal, Relation
from graph_platform.settings import Settings
from graph_platform.warehouse.protocol import Warehouse
from graph_platform.workers import workers


def suggest_from_schema(
    warehouse: Warehouse, name: str, relations: Sequence[Relation], settings: Settings, progress: Callable[[str], None]
) -> Suggestion:
    """A mapping of these tables, in two questions to each. One that does not answer is left out with a note.

    Raises:
        PlatformError: RESOURCE_NOT_FOUND if there are no tables or none has a key, BACKEND_UNREACHABLE.
    """
    if not relations:
        raise PlatformError(ErrorCode.RESOURCE_NOT_FOUND, "the schema has no tables", "name another one with --schema")

    notes: list[str] = []

    def key(relation: Relation) -> TableKey | None:
        candidates = key_candidates(relation)
        try:
            row = _row(warehouse, key_question(relation.reference, candidates), settings)
        except _Unanswered as unanswered:
            notes.append(f"{relation.name} is not used: its data cannot be read: {unanswered}")
            return None
        return table_key(relation, candidates, row)

    def proved(table: TableKey) -> tuple[Reference, ...]:
        candidates = reference_candidates(table, tables)
        if not candidates:
            return ()
        try:
            row = _row(warehouse, reference_question(table.relation.reference, candidates), settings)
        except _Unanswered as unanswered:
            notes.append(f"what {table.relation.name} refers to is not known: {unanswered}")
            return ()
        return references(candidates, row)

    with workers(settings.export_concurrency, "suggest") as pool:
        tables = [found for found in pool.map(key, relations) if found is not None]
        progress(f"looked for the keys of {len(tables)} tables")
        found = dict(zip((each.relation.reference for each in tables), pool.map(proved, tables), strict=True))
    progress(f"proved {sum(map(len, found.values()))} references on the data")
    made = suggest_mapping(name, tables, found)
    # Sorted, since the threads end in any order.
    made.notes[:0] = sorted(notes)
    if not made.nodes:
        raise PlatformError(
            ErrorCode.RESOURCE_NOT_FOUND,
            "no table of the schema has a column that can be a key",
            "; ".join(made.notes[:3]) or None,
        )
    return made


def suggest_from_query(warehouse: Warehouse, name: str | None, sql: str, edge: bool, settings: Settings) -> Suggestion:
    """A node or an edge definition of one query, in a mapping that validates.

    Raises:
        PlatformError: VALIDATION_FAILED if the query does not hold or has no columns for it.
    """
    try:
        columns = warehouse.describe(sql)
    except Refusal as refusal:
        at = f" (line {refusal.line}, column {refusal.column})" if refusal.line else ""
        hint = f"did you mean {' or '.join(refusal.candidates[:3])}?" if refusal.candidates else None
        raise PlatformError(
            ErrorCode.VALIDATION_FAILED, f"the SQL does not hold: {refusal.message}{at}", hint
        ) from None
    _require_names(columns)
    query = without_terminator(sql).strip()
    called = name or nearest_name(_subject(sql))
    if edge:
        if sum(key_kind(column) is not None for column in columns) < 2:
            message = "an edge needs two columns that can be keys, of text, whole numbers, dates or UUIDs"
            raise PlatformError(ErrorCode.VALIDATION_FAILED, message, "select the keys of both ends")
        return suggest_edge(called, query, columns)
    relation = Relation(called, called, columns)
    candidates = key_candidates(relation)
    try:
        row = _row(warehouse, key_question(f"(\n{query}\n) AS suggested", candidates), settings)
    except _Unanswered as unanswered:
        message = f"the data of the query cannot be read: {unanswered}"
        raise PlatformError(ErrorCode.VALIDATION_FAILED, message) from None
    found = table_key(relation, candidates, row)
    if found.column is None:
        message = f"the query gives no key for a node: {found.why}"
        hint = "leave out rows without a key and repeated ones, or ask for an edge with --edge"
        raise PlatformError(ErrorCode.VALIDATION_FAILED, message, hint)
    return suggest_node(called, query, columns, found)


class _Unanswered(Exception):
    """A question that the warehouse refused, or did not answer in time; the text is why."""


def _row(warehouse: Warehouse, sql: str, settings: Settings) -> tuple[Any, ...]:
    try:
        (row,) = warehouse.fetch(sql, 1, settings.data_check_seconds)
    except Refusal as refusal:
        raise _Unanswered(refusal.message) from None
    except PlatformError as error:
        if error.code is not ErrorCode.QUERY_TIMEOUT:
            raise
        raise _Unanswered(error.message) from None
    return row


def _require_names(columns: Sequence[Column]) -> None:
    lowered = [column.name.lower() for column in columns]
    for index, name in enumerate(lowered):
        if not name or name in lowered[:index]:
            what = "has no name" if not name else f"is named {columns[index].name} like one before it"
            message = f"column {index + 1} of the SQL {what}"
            raise PlatformError(ErrorCode.VALIDATION_FAILED, message, "give it a name with AS")


def _subject(sql: str) -> str:
    """What a query is about: the first table of its outermost FROM, else of the whole text."""
    tree = check_query(sql).tree
    table = tree.find(exp.Table) if tree is not None else None
    return table.name if table is not None and table.name else "suggested"
