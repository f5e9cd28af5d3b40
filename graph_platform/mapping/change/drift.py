"""What changed in the warehouse since a version of a mapping was kept: tables that went, columns, types.

It compares a validation of today with the columns that were recorded when the version was kept. Asking the warehouse is
the caller's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from sqlglot import exp

from graph_platform.mapping.change.diff import Change, ChangeKind
from graph_platform.mapping.checks.problems import ProblemCode
from graph_platform.mapping.checks.report import Problem, ValidationReport
from graph_platform.mapping.definition.model import MappingDefinition
from graph_platform.mapping.sql.gate import check_query
from graph_platform.relational import Relation

RecordedColumns = Sequence[Mapping[str, Any]]

_TYPE_CODES = frozenset(
    {
        ProblemCode.TYPE_UNSUPPORTED,
        ProblemCode.TYPE_MISMATCH,
        ProblemCode.KEY_TYPE_MISMATCH,
        ProblemCode.KEY_TYPE_NOT_ALLOWED,
    }
)


def recorded_columns(report: ValidationReport) -> list[dict[str, Any]]:
    """What is kept with a version: each definition's columns with their types, as JSON-ready data."""
    return [
        {"kind": kind, "name": each.name, "columns": [column.model_dump(mode="json") for column in each.columns]}
        for kind, results in (("node", report.node_results), ("edge", report.edge_results))
        for each in results
    ]


def drift(
    definition: MappingDefinition,
    recorded: RecordedColumns,
    report: ValidationReport,
    relations: Sequence[Relation] = (),
) -> tuple[Change, ...]:
    """What changed in the warehouse, and which of it breaks the mapping.

    Args:
        recorded: what `recorded_columns` gave when the version was kept.
        report: the validation of today.
        relations: the warehouse's tables of today, among which a table that went is looked for under another name.
    """
    types = {
        (each["name"], column["name"].lower()): column["warehouse_type"]
        for each in recorded
        for column in each["columns"]
    }
    queries = queries_by_name(definition, report)
    today = {
        (result.name, column.name.lower()): column.warehouse_type
        for result in (*report.node_results, *report.edge_results)
        for column in result.columns
    }
    changes = [change for found in report.errors for change in _of_error(found, types, today, queries, relations)]
    told = {(change.entity, change.field) for change in changes}
    for result in (*report.node_results, *report.edge_results):
        for column in result.columns:
            was = types.get((result.name, column.name.lower()))
            if was is not None and was != column.warehouse_type and (result.name, column.name) not in told:
                message = f"{result.name}: {column.name} was {was} and is {column.warehouse_type}"
                name, now = column.name, column.warehouse_type
                changes.append(Change(ChangeKind.TYPE_CHANGED, result.name, message, name, was, now, False))
    # With a mapping that was valid once, every error has its cause in the warehouse; the order is that of the report.
    return tuple(dict.fromkeys(changes))


def missing_table(found: Problem, tree: exp.Expr | None) -> exp.Table | None:
    """The table of a query that a problem says is not there."""
    tables = tree.find_all(exp.Table) if tree is not None else ()
    return next((table for table in tables if f" {_written(table)} " in f"{found.message} "), None)


def queries_by_name(definition: MappingDefinition, report: ValidationReport) -> dict[str, str]:
    """The SQL of each definition under the name that its problems have."""
    results = (*report.node_results, *report.edge_results)
    statements = [each.sql for each in definition.node_definitions] + [each.sql for each in definition.edge_definitions]
    return {result.name: sql for result, sql in zip(results, statements, strict=True)}


def _of_error(
    found: Problem,
    types: Mapping[tuple[str, str], str],
    today: Mapping[tuple[str, str], str],
    queries: Mapping[str, str],
    relations: Sequence[Relation],
) -> Iterator[Change]:
    field, where = found.field, found.entity
    if found.code == ProblemCode.TABLE_NOT_FOUND:
        yield _table(found, queries.get(where, ""), relations)
    elif found.code == ProblemCode.COLUMN_NOT_FOUND:
        yield _column(found, queries.get(where, ""))
    elif found.code == ProblemCode.COLUMN_MISSING:
        message = f"{where}: the column {field} is gone from what the SQL returns"
        yield Change(ChangeKind.COLUMN_GONE, where, message, field, field, None, True)
    elif found.code == ProblemCode.COLUMN_EXTRA:
        message = f"{where}: the SQL now returns a further column, {field}"
        yield Change(ChangeKind.COLUMN_ADDED, where, message, field, None, field, True)
    elif found.code == ProblemCode.COLUMN_ORDER:
        message = f"{where}: the columns come in another order than they did"
        yield Change(ChangeKind.COLUMNS_REORDERED, where, message, field, None, None, True)
    elif found.code in _TYPE_CODES and field is not None and (where, field.lower()) in types:
        was = types[where, field.lower()]
        message = f"{where}: {field} was {was}; {found.message}"
        now = today.get((where, field.lower()))
        yield Change(ChangeKind.TYPE_CHANGED, where, message, field, was, now, True)
    else:
        yield Change(ChangeKind.NO_LONGER_HOLDS, where, f"{where}: {found.message}", field, breaks=True)


def _table(found: Problem, sql: str, relations: Sequence[Relation]) -> Change:
    tree = check_query(sql).tree
    gone = missing_table(found, tree)
    if tree is None or gone is None:
        return Change(ChangeKind.TABLE_GONE, found.entity, f"{found.entity}: {found.message}", "sql", breaks=True)
    name = _written(gone)
    renamed = _renamed(tree, gone, relations)
    if renamed is None:
        message = f"{found.entity}: the table {name} is gone"
        return Change(ChangeKind.TABLE_GONE, found.entity, message, "sql", name, None, True)
    message = f"{found.entity}: the table {name} is gone; {renamed} has the same columns"
    return Change(ChangeKind.TABLE_RENAMED, found.entity, message, "sql", name, renamed, True)


def _written(table: exp.Table) -> str:
    return ".".join(part.name for part in table.parts)


def _renamed(tree: exp.Expr, gone: exp.Table, relations: Sequence[Relation]) -> str | None:
    """The relation that has every column that the query takes from the lost table, by the nearest name of several.

    An unqualified column is known to be the lost table's only where the query has no other.
    """
    alias = gone.alias_or_name.lower()
    tables = list(tree.find_all(exp.Table))
    wanted = {
        column.name.lower()
        for column in tree.find_all(exp.Column)
        if column.name and (column.table.lower() == alias or (not column.table and len(tables) == 1))
    }
    used = {table.name.lower() for table in tables}
    fitting = {
        relation.name.lower(): relation.reference
        for relation in relations
        if relation.name.lower() not in used and wanted <= {column.name.lower() for column in relation.columns}
    }
    if not wanted or not fitting:
        return None
    close = get_close_matches(gone.name.lower(), list(fitting), n=1, cutoff=0.0)
    return fitting[close[0]] if close else next(iter(fitting.values()))


def _column(found: Problem, sql: str) -> Change:
    tree = check_query(sql).tree
    columns = list(tree.find_all(exp.Column)) if tree is not None else []
    written = {".".join(part.name for part in column.parts): column.name for column in columns}
    gone = next((name for full, name in written.items() if f" {full} " in f"{found.message} "), None)
    message = f"{found.entity}: {found.message if gone is None else f'the column {gone} is gone'}"
    hint = f" ({found.hint})" if found.hint else ""
    return Change(ChangeKind.COLUMN_GONE, found.entity, message + hint, gone or "sql", gone, None, True)
