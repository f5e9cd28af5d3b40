"""Where a query uses the alias of an item as if it were a column, which DuckDB allows and Trino does not."""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp


def aliases_as_columns(tree: exp.Expr) -> Iterator[str]:
    """The aliases that a WHERE, GROUP BY, HAVING or a later item of the same SELECT reads.

    A name that is plainly a column as well is none of them: one that was read before its alias was given, or that a
    subquery or a list of columns gives. The columns of tables are not known here.
    """
    in_common = {name for part in tree.find_all(exp.CTE) for name in _given_by(part)}
    for select in tree.find_all(exp.Select):
        yield from _of_select(select, in_common)


def _of_select(select: exp.Select, in_common: set[str]) -> Iterator[str]:
    sources = [source for source in (select.args.get("from_"), *(select.args.get("joins") or ())) if source is not None]
    columns = in_common | {name for source in sources for name in (*_given_by(source), *_read_by(source))}
    aliases: set[str] = set()
    for item in select.expressions:
        read = _read_by(item)
        yield from sorted(read & aliases)
        columns |= read - aliases
        if isinstance(item, exp.Alias):
            name = item.alias.lower()
            # `t.x AS x` may be read as `x`: it is the column's own name.
            is_own = isinstance(item.this, exp.Column) and item.this.name.lower() == name
            (columns if is_own or name in columns else aliases).add(name)
    for clause in ("where", "group", "having"):
        part = select.args.get(clause)
        if part is not None:
            yield from sorted(_read_by(part) & aliases)


def _given_by(source: exp.Expr) -> Iterator[str]:
    for names in source.find_all(exp.TableAlias):
        yield from (column.name.lower() for column in names.columns)
    for query in source.find_all(exp.Select):
        yield from (name.lower() for name in query.named_selects)


def _read_by(part: exp.Expr) -> set[str]:
    """The columns that are read without the name of a table, outside of subqueries."""
    nodes = part.walk(prune=lambda node: isinstance(node, exp.Query))
    return {node.name.lower() for node in nodes if isinstance(node, exp.Column) and not node.table}
