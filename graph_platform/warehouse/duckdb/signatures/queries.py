"""Queries: what they read from, the columns that they have, and their clauses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from sqlglot import exp

from graph_platform.mapping.types.text import WarehouseType
from graph_platform.warehouse.duckdb.signatures.kinds import (
    BIGINT,
    BOOLEAN,
    UNKNOWN,
    VARCHAR,
    ZONED,
    common,
)
from graph_platform.warehouse.duckdb.signatures.kinds import (
    kind as kind_of,
)
from graph_platform.warehouse.duckdb.signatures.operators import (
    DAYS,
    MONTHS,
)
from graph_platform.warehouse.duckdb.signatures.walk import Columns, Scope, Walk


class Queries(Walk):
    """Queries, and what stands in FROM."""

    def _query(self, node: exp.Expr, scope: Scope) -> Columns | None:
        scope = self._with_results(node, scope)
        if isinstance(node, exp.Subquery):
            columns = self._query(node.this, scope)
            self._modifiers(node, scope, columns)
            return self._renamed(node, columns)
        if isinstance(node, exp.SetOperation):
            left, right = self._query(node.this, scope), self._query(node.expression, scope)
            self._modifiers(node, scope, left)
            return self._united(node, left, right)
        if isinstance(node, exp.Values):
            return self._renamed(node, self._values(node, scope))
        if isinstance(node, exp.Table):
            return self._table(node, scope)
        if isinstance(node, exp.Select):
            return self._select(node, scope)
        self._doubt(node, node.key, None)
        return None

    def _with_results(self, node: exp.Expr, scope: Scope) -> Scope:
        clause = node.args.get("with_")
        if clause is None:
            return scope
        for each in clause.expressions:
            name = each.alias.lower()
            names = [c.name.lower() for c in each.args["alias"].columns]
            inside = scope
            if clause.recursive:
                first = each.this.this if isinstance(each.this, exp.SetOperation) else None
                known = self._preview(first, scope) if first is not None else None
                inside = replace(scope, results={**scope.results, name: _named(known, names)})
                self._doubt_growing(each.this, known)
            columns = self._query(each.this, inside)
            scope = replace(scope, results={**scope.results, name: _named(columns, names)})
        return scope

    def _doubt_growing(self, node: exp.Expr, columns: Columns | None) -> None:
        """A text of a recursion whose length Trino takes from the first half, and refuses a longer one."""
        first = node.this if isinstance(node, exp.SetOperation) else None
        items = first.expressions if isinstance(first, exp.Select) else ()
        for item, (name, kind) in zip(items, columns or (), strict=False):
            value = item.this if isinstance(item, exp.Alias) else item
            if kind == VARCHAR and not isinstance(value, (exp.Column, exp.Cast)):
                why = "of a recursion, a text whose length Trino takes from the first query,"
                self._doubt(node, name or "recursive", why)

    def _preview(self, node: exp.Expr, scope: Scope) -> Columns | None:
        """The columns of the first half of a recursive query, which the second half reads."""
        return type(self)(self._lookup)._query(exp.Subquery(this=node.copy()), scope)

    def _united(self, node: exp.Expr, left: Columns | None, right: Columns | None) -> Columns | None:
        if left is None or right is None:
            return None
        if len(left) != len(right):
            self._refuse(node, f"{node.key} of queries with {len(left)} and {len(right)} columns", node.key)
            return None
        columns: list[tuple[str, WarehouseType | None]] = []
        for (name, one), (_, other) in zip(left, right, strict=True):
            both = common(one, other) if one and other else None
            if one and other and both is None:
                what = f"column {len(columns) + 1} in {node.key.upper()} has incompatible types: {one}, {other}"
                self._refuse(node, what, node.key, "cast one of them")
            columns.append((name, both))
            if one and other and one != other and one.base != other.base and UNKNOWN not in (one, other):
                self._doubt(node, node.key.upper(), f"of a {one} and a {other}")
        return columns

    def _values(self, node: exp.Values, scope: Scope) -> Columns | None:
        rows = []
        for item in node.expressions:
            each = item
            while isinstance(each, exp.Paren):
                each = each.this
            if isinstance(each, exp.Tuple):
                cells = [self._expr(cell, scope) for cell in each.expressions]
            else:
                cells = [self._expr(each, scope)]
            if len(cells) == 1 and cells[0].kind is not None and cells[0].kind.base == "row":
                self._doubt(each, "VALUES", "of a row, whose fields are columns on Trino,")
            rows.append(cells)
        if len({len(cells) for cells in rows}) != 1:
            return None
        columns: list[tuple[str, WarehouseType | None]] = []
        for at, cells in enumerate(map(list, zip(*rows, strict=True))):
            both: WarehouseType | None = UNKNOWN
            for cell in cells:
                both = common(both, cell.kind) if both and cell.kind else None
            if both is None and all(cell.kind for cell in cells):
                kinds = " and ".join(dict.fromkeys(str(cell.kind) for cell in cells))
                self._refuse(node, f"column {at + 1} of VALUES mixes {kinds}", "values", "cast them to one type")
            columns.append((f"_col{at}", both))
            for cells_at in range(len(rows)):
                rows[cells_at][at] = self._as(rows[cells_at][at], both)
        tuples = [exp.Tuple(expressions=[cell.node for cell in cells]) for cells in rows]
        node.set("expressions", tuples)
        return columns

    def _table(self, node: exp.Table, scope: Scope) -> Columns | None:
        for join in node.args.get("joins") or ():
            self._told_once(join, "a join in parentheses")
        name = node.name.lower()
        if not node.args.get("db") and name in scope.results:
            columns = scope.results[name]
        else:
            known = self._lookup(node) if self._lookup else None
            columns = None if known is None else [(n.lower(), kind_of(k)) for n, k in known]
        for part in ("sample", "pivots", "version", "when", "laterals", "joins"):
            if node.args.get(part):
                self._doubt(node, {"sample": "tablesample"}.get(part, part), None)
        return self._renamed(node, columns)

    def _renamed(self, node: exp.Expr, columns: Columns | None) -> Columns | None:
        alias = node.args.get("alias")
        names = [each.name.lower() for each in alias.columns] if isinstance(alias, exp.TableAlias) else []
        return _named(columns, names)

    def _source(self, node: exp.Expr, scope: Scope, before: dict[str, Columns | None]) -> None:
        name = node.alias_or_name.lower() or f"?{len(before)}"
        if isinstance(node, exp.Unnest):
            before[name] = self._unnest(node, replace(scope, sources=dict(before)))
        elif isinstance(node, exp.Lateral) and isinstance(node.this, exp.Subquery):
            inner = Scope(results=scope.results, outer=replace(scope, sources=dict(before)))
            before[name] = self._renamed(node, self._query(node.this, inner))
        elif isinstance(node, exp.Subquery) and not isinstance(node.this, exp.Query):
            self._doubt(node, "join", "in parentheses")
            before[name] = None
        elif isinstance(node, (exp.Subquery, exp.Values, exp.Table)):
            inner = Scope(results=scope.results, outer=scope.outer)
            columns = self._query(node, inner)
            before[name] = columns
            for join in node.args.get("joins") or () if not isinstance(node, exp.Table) else ():
                self._join(join, scope, before)
        else:
            self._doubt(node, node.key, None)
            before[name] = None

    def _unnest(self, node: exp.Unnest, scope: Scope) -> Columns | None:
        given = [self._expr(each, scope) for each in node.expressions]
        node.set("expressions", [each.node for each in given])
        kinds = [each.kind for each in given]
        known = [kind for kind in kinds if kind is not None and kind.base in ("array", "map")]
        if len(known) < len(kinds):
            if not any(each.told for each in given):
                self._doubt(node, "unnest", "of anything but arrays and maps whose types are known")
            return None
        columns = [
            (f"_col{at}", kind) for at, kind in enumerate(column for kind in known for column in _columns_of(kind))
        ]
        if node.args.get("offset") or len(columns) > 1 or known[0].inner[0].base == "row":
            self._unnested_beside(node, [each.node for each in given], known)
        return self._renamed(node, [*columns, ("_ordinality", BIGINT)] if node.args.get("offset") else columns)

    def _unnested_beside(self, node: exp.Unnest, given: Sequence[exp.Expr], kinds: Sequence[WarehouseType]) -> None:
        """What gives several columns, as DuckDB's SELECT of several `unnest`, which it fills up with NULL as well."""
        items: list[exp.Expr] = []
        for each, kind in zip(given, kinds, strict=True):
            if kind.base == "map":
                items += [_unnest_of(exp.Anonymous(this=name, expressions=[each.copy()]))
                          for name in ("map_keys", "map_values")]  # fmt: skip
            elif kind.inner[0].base == "row":
                field = exp.to_identifier("trino_each")
                for at, name in enumerate(kind.inner[0].fields):
                    place = exp.Literal.string(name) if name else exp.Literal.number(at + 1)
                    one = exp.Anonymous(this="struct_extract", expressions=[field.copy(), place])
                    body = exp.Lambda(this=one, expressions=[field.copy()])
                    items.append(_unnest_of(exp.Anonymous(this="list_transform", expressions=[each.copy(), body])))
            else:
                items.append(_unnest_of(each))
        alias = (
            node.args["alias"].copy()
            if node.args.get("alias")
            else exp.TableAlias(this=exp.to_identifier("trino_unnest"))
        )
        offset = node.args.get("offset")
        if offset:
            lists = [item.expressions[0] for item in items if isinstance(item, exp.Anonymous)]
            longest = exp.Anonymous(this="greatest", expressions=[
                exp.Anonymous(this="len", expressions=[each.copy()]) for each in lists])  # fmt: skip
            counted = exp.Anonymous(this="generate_series", expressions=[exp.Literal.number(1), longest])
            items.append(_unnest_of(counted))
            if isinstance(offset, exp.Identifier):
                alias.append("columns", offset.copy())
        node.replace(exp.Lateral(this=exp.Subquery(this=exp.Select(expressions=items)), alias=alias))

    def _join(self, join: exp.Join, scope: Scope, sources: dict[str, Columns | None]) -> None:
        self._source(join.this, scope, sources)
        inside = replace(scope, sources=dict(sources))
        if join.args.get("on") is not None:
            self._condition(join, "on", inside)
        if join.args.get("using"):
            names = {each.name.lower() for each in join.args["using"]}
            last = join.this.alias_or_name.lower()
            kept = sources.get(last)
            for other, columns in sources.items():
                for column, one in columns or ():
                    for same, two in kept or ():
                        if other != last and column == same and column in names and one != two:
                            self._doubt(join, "using", f"of a {one} and a {two}")
            if kept is not None:
                sources[last] = [each for each in kept if each[0] not in names]

    def _select(self, node: exp.Select, scope: Scope) -> Columns | None:
        sources: dict[str, Columns | None] = {}
        start = node.args.get("from_")
        if start is not None:
            self._source(start.this, scope, sources)
        for join in node.args.get("joins") or ():
            self._join(join, scope, sources)
        for lateral in node.args.get("laterals") or ():
            self._source(lateral, scope, sources)
        inside = replace(scope, sources=sources, parameters={})
        inside = replace(inside, outer=scope.outer or (scope if scope.parameters else None))
        for clause in ("where", "having"):
            if node.args.get(clause) is not None:
                self._condition(node.args[clause], "this", inside)
        columns: list[tuple[str, WarehouseType | None]] | None = []
        items = []
        for item in list(node.expressions):
            if item.is_star:
                items.append(item)
                star = self._star(item, sources)
                columns = [*columns, *star] if columns is not None and star is not None else None
                continue
            made = self._expr(item, inside)
            made.node.comments = None
            if made.kind is not None and made.kind.base == ZONED and not made.told and made.node.meta.get("zone"):
                self._doubt(item, "zone", "is kept by the instant alone: the zone that it is written in is lost")
            if made.kind in (DAYS, MONTHS) and not made.told:
                self._doubt(item, "interval", "as a value of a column")
            items.append(made.node)
            if columns is not None:
                columns.append((item.alias_or_name.lower(), made.kind))
        node.set("expressions", items)
        aliases = {item.alias.lower(): kind for item, (_, kind) in zip(items, columns or (), strict=False)
                   if isinstance(item, exp.Alias)}  # fmt: skip
        self._group(node, inside)
        self._modifiers(node, inside, columns, aliases)
        for part in ("windows", "qualify", "match", "connect", "pivots", "sample", "into", "hint", "kind", "cluster"):
            if node.args.get(part):
                self._doubt(node, {"windows": "window"}.get(part, part), None)
        return columns

    def _star(self, item: exp.Expr, sources: Mapping[str, Columns | None]) -> Columns | None:
        if isinstance(item, exp.Column):
            return sources.get(item.table.lower())
        every: list[tuple[str, WarehouseType | None]] = []
        for columns in sources.values():
            if columns is None:
                return None
            every += columns
        return every

    def _group(self, node: exp.Select, scope: Scope) -> None:
        group = node.args.get("group")
        if group is None:
            return
        for key, value in group.args.items():
            if key == "expressions":
                if any(isinstance(each, _SETS) for each in value):
                    self._check_sets(value)
                group.set(key, [self._grouped(each, scope) for each in value])

    def _check_sets(self, keys: Sequence[exp.Expr]) -> None:
        """Several sets of groups are made of columns; DuckDB takes `x` and `t.x` for two of them."""
        leaves = [leaf for each in keys for leaf in _leaves(each)]
        for each in leaves:
            if not isinstance(each, exp.Column):
                what = "GROUP BY of several sets takes columns alone"
                self._refuse(each, what, "group by", "give it a name in a subquery")
        if len({bool(each.table) for each in leaves if isinstance(each, exp.Column)}) > 1:
            self._doubt(keys[0], "GROUP BY", "of columns with and without their tables")

    def _grouped(self, node: exp.Expr, scope: Scope) -> exp.Expr:
        if isinstance(node, (*_SETS, exp.Tuple)):
            node.set("expressions", [self._grouped(each, scope) for each in node.expressions])
            return node
        return self._key(node, scope)

    def _key(self, node: exp.Expr, scope: Scope) -> exp.Expr:
        return node if isinstance(node, exp.Literal) else self._expr(node, scope).node

    def _modifiers(
        self, node: exp.Expr, scope: Scope, columns: Columns | None,
        aliases: Mapping[str, WarehouseType | None] | None = None,
    ) -> None:  # fmt: skip
        order = node.args.get("order")
        if order is None:
            return
        named = dict(aliases or {})
        if not isinstance(node, exp.Select):
            named = dict(columns or ())
        inside = replace(scope, parameters={**scope.parameters, **named})
        for each in order.expressions:
            key = each.this
            if isinstance(node, exp.Select) and node.args.get("distinct") and not self._is_selected(node, key):
                what = "for SELECT DISTINCT, ORDER BY expressions must appear in the select list"
                self._refuse(key, what, "order by", "select it as well, or order a query around this one")
            each.set("this", self._key(key, inside))

    @staticmethod
    def _is_selected(node: exp.Select, key: exp.Expr) -> bool:
        if isinstance(key, exp.Literal):
            return True
        for item in node.expressions:
            if item.is_star or item == key or (isinstance(item, exp.Alias) and item.this == key):
                return True
            if isinstance(key, exp.Column) and item.alias_or_name.lower() == key.name.lower():
                return True
        return False

    def _condition(self, holder: exp.Expr, name: str, scope: Scope) -> None:
        made = self._expr(holder.args[name], scope)
        if made.kind is not None and made.kind not in (BOOLEAN, UNKNOWN):
            self._refuse(holder, f"a condition must be a boolean, and this is a {made.kind}", "where")
        holder.set(name, made.node)


_SETS = (exp.Rollup, exp.Cube, exp.GroupingSets)


def _leaves(node: exp.Expr) -> Iterator[exp.Expr]:
    """What is grouped by, out of all sets and parentheses."""
    if isinstance(node, exp.Paren):
        yield from _leaves(node.this)
    elif isinstance(node, (*_SETS, exp.Tuple)):
        for each in node.expressions:
            yield from _leaves(each)
    else:
        yield node


def _columns_of(kind: WarehouseType) -> Sequence[WarehouseType]:
    """The types of the columns that UNNEST makes of a map or an array."""
    return kind.inner[0].inner if kind.base == "array" and kind.inner[0].base == "row" else kind.inner


def _unnest_of(value: exp.Expr) -> exp.Expr:
    return exp.Anonymous(this="unnest", expressions=[value])


def _named(columns: Columns | None, names: Sequence[str]) -> Columns | None:
    if columns is None or not names:
        return columns
    return [(name, kind) for name, (_, kind) in zip(names, columns, strict=False)]
