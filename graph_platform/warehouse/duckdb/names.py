"""The names of a query's result columns, as Trino gives them: which columns have one, and which are none's."""

from __future__ import annotations

from sqlglot import exp


def trino_names(tree: exp.Expr, names: list[str]) -> list[str]:
    """The names that Trino would give the result columns, empty for a column without one.

    DuckDB names every column after its expression, and a second `a` of a subquery `a_1`; Trino names only columns,
    fields and what has an alias. Columns of a `*` keep the name that DuckDB found.
    """
    query = tree
    while isinstance(query, (exp.Subquery, exp.SetOperation)):
        query = query.this
    if isinstance(query, exp.Values):
        return [""] * len(names)
    if not isinstance(query, exp.Select):
        return names
    items = list(query.expressions)
    stars = [i for i, item in enumerate(items) if item.is_star]
    shown = list(names)
    head = stars[0] if stars else len(items)
    tail = len(items) - 1 - stars[-1] if stars else 0
    for i in range(min(head, len(shown))):
        shown[i] = _own_name(items[i], shown[i])
    for i in range(1, tail + 1):
        shown[-i] = _own_name(items[-i], shown[-i])
    return shown


def _own_name(item: exp.Expr, found: str) -> str:
    while isinstance(item, exp.Paren):
        item = item.this
    if isinstance(item, exp.Alias):
        return str(item.alias)
    if isinstance(item, exp.Column):
        return found
    return str(item.expression.name) if isinstance(item, exp.Dot) else ""
