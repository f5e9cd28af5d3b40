"""Tables and views as the platform knows them, from what `catalog` read, and which of them a query names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from sqlglot import exp

from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.mapping.sql.gate import identifier
from graph_platform.relational import Column, ForeignKey, Relation

_DEFAULT = "main"
# Of a row, and of the connection: functions that DuckDB calls without parentheses, in quotes too.
_VALUES_OF_DUCKDBS = frozenset(
    {
        *("rowid", "user", "session_user", "current_user", "current_role", "current_catalog", "current_schema"),
        *("current_date", "current_time", "current_timestamp", "localtime", "localtimestamp"),
    }
)


def relations_in(found: Mapping[str, Any], wanted: str | None) -> tuple[Relation, ...]:
    """The relations of a schema.

    Raises:
        PlatformError: RESOURCE_NOT_FOUND, with the schemas that there are.
    """
    if "schema" not in found:
        raise _no_such_schema(str(wanted), found["schemas"])
    schema = found["schema"]
    return tuple(
        Relation(
            each["name"],
            _reference(schema, each["name"]),
            tuple(Column(name, kind) for name, kind in each["columns"]),
            tuple(each["primary"]),
            tuple(
                ForeignKey(tuple(columns), _reference(schema, table), tuple(referenced))
                for columns, table, referenced in each["foreign"]
            ),
        )
        for each in found["relations"]
    )


def relations_named(tree: exp.Expr) -> Iterator[exp.Table]:
    """What a query names in FROM beside the results of its own WITH clauses: tables and views, or nothing at all."""
    for table in tree.find_all(exp.Table):
        if table.args.get("db") is not None or not _names_a_result(table):
            yield table


def columns_of_duckdbs(tree: exp.Expr) -> list[str]:
    """Names that a query reads and gives to no column of its own, and that DuckDB has a meaning for if no table has."""
    given = {each.alias.lower() for each in tree.find_all(exp.Alias)}
    given |= {column.name.lower() for alias in tree.find_all(exp.TableAlias) for column in alias.columns}
    read = {column.name.lower(): column.name for column in tree.find_all(exp.Column)}
    return [name for lowered, name in read.items() if lowered in _VALUES_OF_DUCKDBS and lowered not in given]


def _names_a_result(table: exp.Table) -> bool:
    """Whether a WITH clause around a name gives that name, where it stands.

    A result is known to the query that the clause belongs to and to the results after it; to itself only in the second
    half of a recursive one. Anywhere else DuckDB takes the name for one of its own relations.
    """
    name = table.name.lower()
    inside: exp.Expr = table
    while (around := inside.parent) is not None:
        clause = around.args.get("with_")
        if isinstance(around, exp.With):
            before = around.expressions[: inside.index]
            if any(each.alias.lower() == name for each in before):
                return True
            if around.recursive and inside.alias.lower() == name and _is_in_the_second_half(table, inside):
                return True
        elif clause is not None and inside is not clause and any(e.alias.lower() == name for e in clause.expressions):
            return True
        inside = around
    return False


def _is_in_the_second_half(table: exp.Expr, result: exp.Expr) -> bool:
    union = result.this
    inside = table
    while inside.parent is not None and inside.parent is not union:
        inside = inside.parent
    return isinstance(union, exp.Union) and inside is union.expression


def _no_such_schema(wanted: str, known: Sequence[str]) -> PlatformError:
    lowered = {name.lower(): name for name in known}
    close = get_close_matches(wanted.lower(), list(lowered), n=1)
    hint = f"did you mean {lowered[close[0]]}?" if close else f"there are: {', '.join(known)}"
    return PlatformError(ErrorCode.RESOURCE_NOT_FOUND, f"the warehouse has no schema {wanted!r}", hint)


def _reference(schema: str, name: str) -> str:
    return identifier(name) if schema == _DEFAULT else f"{identifier(schema)}.{identifier(name)}"
