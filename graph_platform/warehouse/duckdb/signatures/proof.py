"""A query as it was written, held against the table: what DuckDB is asked, what Trino refuses, and what is not proved.

Types are found from the tables' columns upwards; each node comes back as DuckDB's with the type that Trino gives it. A
node without a row is not left out of the translation: it is translated as well as the parser can, and told.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from sqlglot import exp

from graph_platform.mapping.types.text import WarehouseType
from graph_platform.warehouse.duckdb.rewrites import rewritten
from graph_platform.warehouse.duckdb.signatures.casts import cast, literal_kind
from graph_platform.warehouse.duckdb.signatures.conditions import canonical_json
from graph_platform.warehouse.duckdb.signatures.functions import Call, Row, rows_of
from graph_platform.warehouse.duckdb.signatures.kinds import (
    BIGINT,
    BOOLEAN,
    DATE,
    DOUBLE,
    INTEGER,
    INTEGERS,
    NUMBERS,
    TIMESTAMP,
    UNKNOWN,
    VARBINARY,
    VARCHAR,
    ZONED,
    common,
    duckdb_type,
    is_taken_for,
)
from graph_platform.warehouse.duckdb.signatures.kinds import (
    kind as kind_of,
)
from graph_platform.warehouse.duckdb.signatures.operators import (
    ARITHMETIC,
    COMPARED,
    DAYS,
    MONTHS,
    arithmetic,
    compared,
    extract_name,
)
from graph_platform.warehouse.duckdb.signatures.written import as_parsed

Columns = Sequence[tuple[str, WarehouseType | None]]
"""Names in lower case, and types; None for a type that is not known."""
Lookup = Callable[[exp.Table], Sequence[tuple[str, str]] | None]


@dataclass(frozen=True)
class Found:
    """What is to be told of a node: `refused` is what Trino or DuckDB will not do, else it is not proved."""

    message: str
    word: str
    start: int | None = None
    hint: str | None = None
    refused: bool = False
    differs: bool = False


@dataclass
class Typed:
    """DuckDB's node and Trino's type, None where it is not known; `told` if something below it was told already."""

    node: exp.Expr
    kind: WarehouseType | None
    told: bool = False


@dataclass(frozen=True)
class _Scope:
    sources: Mapping[str, Columns | None] = field(default_factory=dict)
    results: Mapping[str, Columns | None] = field(default_factory=dict)
    parameters: Mapping[str, WarehouseType | None] = field(default_factory=dict)
    outer: _Scope | None = None


class Proof:
    """One query's proof. `found` has what is to be told, in the order of the text; `reworded` how often a word of it,
    in lower case, is told to DuckDB in another way.
    """

    def __init__(self, lookup: Lookup | None) -> None:
        self._lookup = lookup
        self.found: list[Found] = []
        self.reworded: Counter[str] = Counter()

    def prove(self, tree: exp.Expr) -> exp.Expr:
        """DuckDB's tree for the tree of what was written, which is used up."""
        root = exp.Subquery(this=tree) if not isinstance(tree, exp.Subquery) else tree
        self._query(root, _Scope())
        return root if isinstance(tree, exp.Subquery) else root.this.pop()

    # Queries

    def _query(self, node: exp.Expr, scope: _Scope) -> Columns | None:
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

    def _with_results(self, node: exp.Expr, scope: _Scope) -> _Scope:
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
            columns = self._query(each.this, inside)
            scope = replace(scope, results={**scope.results, name: _named(columns, names)})
        return scope

    def _preview(self, node: exp.Expr, scope: _Scope) -> Columns | None:
        """The columns of the first half of a recursive query, which the second half reads."""
        return Proof(self._lookup)._query(exp.Subquery(this=node.copy()), scope)

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

    def _values(self, node: exp.Values, scope: _Scope) -> Columns | None:
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

    def _table(self, node: exp.Table, scope: _Scope) -> Columns | None:
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

    def _source(self, node: exp.Expr, scope: _Scope, before: dict[str, Columns | None]) -> None:
        name = node.alias_or_name.lower() or f"?{len(before)}"
        if isinstance(node, exp.Unnest):
            before[name] = self._unnest(node, replace(scope, sources=dict(before)))
        elif isinstance(node, exp.Lateral) and isinstance(node.this, exp.Subquery):
            inner = _Scope(results=scope.results, outer=replace(scope, sources=dict(before)))
            before[name] = self._renamed(node, self._query(node.this, inner))
        elif isinstance(node, exp.Subquery) and not isinstance(node.this, exp.Query):
            self._doubt(node, "join", "in parentheses")
            before[name] = None
        elif isinstance(node, (exp.Subquery, exp.Values, exp.Table)):
            inner = _Scope(results=scope.results, outer=scope.outer)
            columns = self._query(node, inner)
            before[name] = columns
            for join in node.args.get("joins") or () if not isinstance(node, exp.Table) else ():
                self._join(join, scope, before)
        else:
            self._doubt(node, node.key, None)
            before[name] = None

    def _unnest(self, node: exp.Unnest, scope: _Scope) -> Columns | None:
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

    def _join(self, join: exp.Join, scope: _Scope, sources: dict[str, Columns | None]) -> None:
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

    def _select(self, node: exp.Select, scope: _Scope) -> Columns | None:
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

    def _group(self, node: exp.Select, scope: _Scope) -> None:
        group = node.args.get("group")
        if group is None:
            return
        for key, value in group.args.items():
            if key == "expressions":
                group.set(key, [self._grouped(each, scope) for each in value])

    def _grouped(self, node: exp.Expr, scope: _Scope) -> exp.Expr:
        if isinstance(node, (exp.Rollup, exp.Cube, exp.GroupingSets, exp.Tuple)):
            node.set("expressions", [self._grouped(each, scope) for each in node.expressions])
            return node
        return self._key(node, scope)

    def _key(self, node: exp.Expr, scope: _Scope) -> exp.Expr:
        return node if isinstance(node, exp.Literal) else self._expr(node, scope).node

    def _modifiers(
        self, node: exp.Expr, scope: _Scope, columns: Columns | None,
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

    def _condition(self, holder: exp.Expr, name: str, scope: _Scope) -> None:
        made = self._expr(holder.args[name], scope)
        if made.kind is not None and made.kind not in (BOOLEAN, UNKNOWN):
            self._refuse(holder, f"a condition must be a boolean, and this is a {made.kind}", "where")
        holder.set(name, made.node)

    # Expressions

    def _expr(self, node: exp.Expr, scope: _Scope) -> Typed:
        method = getattr(self, "_of_" + node.key, None)
        if method is not None:
            typed: Typed = method(node, scope)
            return typed
        if node.key in ARITHMETIC:
            return self._arithmetic(node, scope)
        if node.key in COMPARED:
            return self._compared(node, scope)
        return self._unproved(node, scope)

    def _unproved(self, node: exp.Expr, scope: _Scope) -> Typed:
        told = self._children(node, scope)
        if not told:
            self._doubt(node, _WORDS.get(node.key, node.key), None)
        return Typed(rewritten(node), None, told=True)

    def _children(self, node: exp.Expr, scope: _Scope) -> bool:
        told = False
        for child in list(node.iter_expressions()):
            if isinstance(child, exp.DataType):
                continue
            if isinstance(child, exp.Query):
                self._query(child, _Scope(results=scope.results, outer=scope))
            elif isinstance(
                child, (exp.Ordered, exp.Order, exp.Distinct, exp.Where, exp.WindowSpec, exp.Tuple, exp.Var)
            ):
                told = self._children(child, scope) or told
            else:
                made = self._expr(child, scope)
                told = told or made.told
                if made.node is not child:
                    child.replace(made.node)
        return told

    def _of_alias(self, node: exp.Alias, scope: _Scope) -> Typed:
        made = self._expr(node.this, scope)
        node.set("this", made.node)
        return Typed(node, made.kind, made.told)

    def _of_paren(self, node: exp.Paren, scope: _Scope) -> Typed:
        made = self._expr(node.this, scope)
        node.set("this", made.node)
        return Typed(node, made.kind, made.told)

    def _of_column(self, node: exp.Column, scope: _Scope) -> Typed:
        parts = [part.name.lower() for part in node.parts]
        at: _Scope | None = scope
        while at is not None:
            if parts[0] in at.parameters:
                return Typed(node, _field(at.parameters[parts[0]], parts[1:]))
            if parts[0] in at.sources and len(parts) > 1:
                columns = at.sources[parts[0]]
                kinds = [kind for name, kind in columns or () if name == parts[1]]
                return Typed(node, _field(kinds[0], parts[2:]) if kinds else None)
            kinds = [kind for columns in at.sources.values() for name, kind in columns or () if name == parts[0]]
            if kinds:
                return Typed(node, _field(kinds[0], parts[1:]) if len(kinds) == 1 else None)
            if any(columns is None for columns in at.sources.values()):
                return Typed(node, None)
            at = at.outer
        return Typed(node, None)

    def _of_identifier(self, node: exp.Identifier, scope: _Scope) -> Typed:
        return Typed(node, self._of_column(exp.Column(this=node.copy()), scope).kind)

    def _of_literal(self, node: exp.Literal, scope: _Scope) -> Typed:
        kind = literal_kind(node)
        if kind is None:
            self._refuse(node, f"{node.this} is too large a number", str(node.this))
            return Typed(node, None, told=True)
        if kind.base == "decimal" and str(node.this).startswith(("0", ".")):
            return Typed(exp.cast(node, exp.DataType.build(duckdb_type(kind), dialect="duckdb")), kind)
        return Typed(node, kind)

    def _of_boolean(self, node: exp.Expr, scope: _Scope) -> Typed:
        return Typed(node, BOOLEAN)

    def _of_null(self, node: exp.Expr, scope: _Scope) -> Typed:
        return Typed(node, UNKNOWN)

    def _of_unicodestring(self, node: exp.Expr, scope: _Scope) -> Typed:
        text = str(node.this)
        if node.args.get("escape") or re.search(r"\\(?![0-9A-Fa-f]{4}|\+[0-9A-Fa-f]{6}|\\)", text.replace("\\\\", "")):
            return self._unproved(node, scope)
        sign = re.compile(r"\\\\|\\([0-9A-Fa-f]{4})|\\\+([0-9A-Fa-f]{6})")
        plain = sign.sub(lambda found: chr(int(found[1] or found[2], 16)) if found[1] or found[2] else "\\", text)
        return Typed(exp.Literal.string(plain), VARCHAR)

    def _of_hexstring(self, node: exp.Expr, scope: _Scope) -> Typed:
        return Typed(node, VARBINARY)

    def _of_currentdate(self, node: exp.Expr, scope: _Scope) -> Typed:
        return Typed(node, DATE)

    def _of_currenttimestamp(self, node: exp.Expr, scope: _Scope) -> Typed:
        if node.args.get("this") is not None:
            return self._unproved(node, scope)
        return Typed(node, WarehouseType(ZONED, (3,)))

    def _of_subquery(self, node: exp.Subquery, scope: _Scope) -> Typed:
        columns = self._query(node, _Scope(results=scope.results, outer=scope))
        kind = columns[0][1] if columns and len(columns) == 1 else None
        return Typed(node, kind)

    def _of_exists(self, node: exp.Exists, scope: _Scope) -> Typed:
        self._query(node.this, _Scope(results=scope.results, outer=scope))
        return Typed(node, BOOLEAN)

    def _of_neg(self, node: exp.Neg, scope: _Scope) -> Typed:
        if isinstance(node.this, exp.Literal) and str(node.this.this) == str(2**63):
            return Typed(node, BIGINT)  # the least BIGINT, whose digits alone are none
        made = self._expr(node.this, scope)
        node.set("this", made.node)
        if made.kind is None or made.kind == UNKNOWN:
            return self._consumed(node, [made], None, "-")
        if made.kind.base not in NUMBERS:
            self._refuse(node, f"cannot negate {made.kind}", "-")
        return Typed(node, made.kind, made.told)

    def _of_not(self, node: exp.Not, scope: _Scope) -> Typed:
        return self._logical(node, scope, ("this",), "NOT")

    def _of_and(self, node: exp.And, scope: _Scope) -> Typed:
        return self._logical(node, scope, ("this", "expression"), "AND")

    def _of_or(self, node: exp.Or, scope: _Scope) -> Typed:
        return self._logical(node, scope, ("this", "expression"), "OR")

    def _logical(self, node: exp.Expr, scope: _Scope, names: Sequence[str], word: str) -> Typed:
        told = False
        for name in names:
            made = self._expr(node.args[name], scope)
            told = told or made.told
            if made.kind is not None and made.kind not in (BOOLEAN, UNKNOWN):
                self._refuse(node, f"{word} takes booleans, and this is a {made.kind}", word)
            elif made.kind is None and not made.told:
                told = True
                self._doubt(node, word, "of something whose type is not known")
            node.set(name, made.node)
        return Typed(node, BOOLEAN, told)

    def _of_is(self, node: exp.Is, scope: _Scope) -> Typed:
        made = self._expr(node.this, scope)
        node.set("this", made.node)
        if not isinstance(node.expression, exp.Null):
            self._doubt(node, "IS", None)
        return Typed(node, BOOLEAN, made.told)

    def _of_case(self, node: exp.Case, scope: _Scope) -> Typed:
        operand = self._expr(node.this, scope) if node.this is not None else None
        conditions, answers = [], []
        for each in node.args["ifs"]:
            conditions.append(self._expr(each.this, scope))
            answers.append(self._expr(each.args["true"], scope))
        if node.args.get("default") is not None:
            answers.append(self._expr(node.args["default"], scope))
        if operand is not None:
            conditions = [self._equal(node, Typed(operand.node.copy(), operand.kind, operand.told), each)
                          for each in conditions]  # fmt: skip
        return self._cases(node, conditions, answers, has_default=node.args.get("default") is not None, word="CASE")

    def _of_if(self, node: exp.If, scope: _Scope) -> Typed:
        conditions = [self._expr(node.this, scope)]
        answers = [self._expr(node.args["true"], scope)]
        if node.args.get("false") is not None:
            answers.append(self._expr(node.args["false"], scope))
        return self._cases(node, conditions, answers, has_default=len(answers) > 1, word="IF")

    def _cases(
        self, node: exp.Expr, conditions: list[Typed], answers: list[Typed], *, has_default: bool, word: str
    ) -> Typed:
        for each in conditions:
            if each.kind is not None and each.kind not in (BOOLEAN, UNKNOWN):
                self._refuse(node, f"{word} wants a condition, and this is a {each.kind}", word)
        made, kind, told = self._alike(node, answers, word)
        told = told or any(each.told for each in conditions)
        if not told and any(each.kind is None for each in conditions):
            self._doubt(node, word, "with a condition whose type is not known")
            told = True
        ifs = [exp.If(this=each.node, true=made[at]) for at, each in enumerate(conditions)]
        default = made[-1] if has_default else None
        return Typed(exp.Case(ifs=ifs, default=default), kind, told)

    def _alike(
        self, node: exp.Expr, given: list[Typed], word: str
    ) -> tuple[list[exp.Expr], WarehouseType | None, bool]:
        """The values as one type, which Trino wants them to have in common."""
        told = any(each.told for each in given)
        both: WarehouseType | None = UNKNOWN
        for each in given:
            if each.kind is None or both is None:
                if not told:
                    self._doubt(node, word, "with a value whose type is not known")
                return [one.node for one in given], None, True
            before, both = both, common(both, each.kind)
            if both is None:
                self._refuse(node, f"{word} mixes {before} and {each.kind}", word, "cast them to one type")
                return [one.node for one in given], None, True
        return [self._as(each, both).node for each in given], both, told

    def _as(self, given: Typed, wanted: WarehouseType | None) -> Typed:
        """A value as the type that Trino coerces it to; DuckDB's own coercions are other ones."""
        if wanted is None or given.kind is None or wanted in (given.kind, UNKNOWN):
            return given
        if isinstance(given.node, (exp.Distinct, exp.Order)):
            inner = given.node.expressions[0] if isinstance(given.node, exp.Distinct) else given.node.this
            made_of = self._as(Typed(inner.copy(), given.kind, given.told), wanted)
            if not isinstance(inner, exp.Distinct):
                inner.replace(made_of.node)
            return Typed(given.node, wanted, made_of.told)
        if given.kind == UNKNOWN and not isinstance(given.node, exp.Null):
            return given
        made = cast(given.node, given.kind, wanted, tries=False)
        if made is None or isinstance(made, str):
            self._doubt(given.node, "cast", f"of a {given.kind} to a {wanted}")
            return Typed(given.node, wanted, told=True)
        return Typed(made, wanted, given.told)

    def _arithmetic(self, node: exp.Expr, scope: _Scope) -> Typed:
        left, right = self._expr(node.this, scope), self._expr(node.expression, scope)
        node.set("this", left.node)
        node.set("expression", right.node)
        sign = ARITHMETIC[node.key]
        if left.kind is None or right.kind is None:
            return self._consumed(node, [left, right], None, sign)
        made = arithmetic(node, left.kind, right.kind)
        told = left.told or right.told
        if isinstance(made, str):
            self._refuse(node, made, sign, "cast one of them")
            return Typed(node, None, told=True)
        if made is None:
            if not told:
                self._doubt(node, sign, f"of a {left.kind} and a {right.kind}")
            return Typed(rewritten(node), None, told=True)
        return Typed(made[0], made[1], told)

    def _compared(self, node: exp.Expr, scope: _Scope) -> Typed:
        if node.this.key in COMPARED or node.expression.key in COMPARED:
            self._refuse(node, "Trino compares no comparison", COMPARED[node.key], "put it in parentheses")
        if isinstance(node.expression, (exp.Any, exp.All)):
            return self._quantified(node, scope)
        left, right = self._expr(node.this, scope), self._expr(node.expression, scope)
        return self._comparison(node, left, right)

    def _quantified(self, node: exp.Expr, scope: _Scope) -> Typed:
        """A comparison with any or all rows of a query."""
        value, word = self._expr(node.this, scope), node.expression.key.upper()
        inner = node.expression.this
        if not isinstance(inner, (exp.Query, exp.Values)):
            return self._unproved(node, scope)
        columns = self._query(inner, _Scope(results=scope.results, outer=scope))
        kind = columns[0][1] if columns and len(columns) == 1 else None
        node.set("this", value.node)
        if value.kind is None or value.kind != kind or value.kind.base not in (*INTEGERS, "decimal", "varchar", "date"):
            if not value.told:
                self._doubt(node, word, f"of a {value.kind} and a query of {kind}")
            return Typed(node, BOOLEAN, told=True)
        if isinstance(inner, exp.Values) or isinstance(inner.this, exp.Values):
            rows = (inner if isinstance(inner, exp.Values) else inner.this).copy()
            rows.set("alias", exp.TableAlias(this=exp.to_identifier("trino_values")))
            node.expression.set("this", exp.select("*").from_(rows))
        return Typed(node, BOOLEAN, value.told)

    def _equal(self, node: exp.Expr, left: Typed, right: Typed) -> Typed:
        return self._comparison(exp.EQ(this=left.node, expression=right.node), left, right)

    def _comparison(self, node: exp.Expr, left: Typed, right: Typed) -> Typed:
        sign = COMPARED[node.key]
        node.set("this", left.node)
        node.set("expression", right.node)
        told = left.told or right.told
        if left.kind is None or right.kind is None:
            return self._consumed(node, [left, right], BOOLEAN, sign)
        both = common(left.kind, right.kind)
        if both is None:
            what = f"Trino cannot apply {sign} to {left.kind} and {right.kind}"
            self._refuse(node, what, sign, "cast one of them")
            return Typed(node, BOOLEAN, told=True)
        fields = self._fields_compared(node, left, right)
        if fields is not None:
            return fields
        node.set("this", self._as(left, both).node)
        node.set("expression", self._as(right, both).node)
        found = compared(node, both, left.kind, right.kind)
        if found is None:
            if not told:
                self._doubt(node, sign, f"of {both}")
            return Typed(node, BOOLEAN, told=True)
        return Typed(found, BOOLEAN, told)

    def _fields_compared(self, node: exp.Expr, left: Typed, right: Typed) -> Typed | None:
        """Rows that are written out, field by field; None where they are not."""
        sides = (left.node, right.node)
        if node.key not in ("eq", "neq") or not all(isinstance(s, exp.Anonymous) and s.name == "row" for s in sides):
            return None
        whole: exp.Expr = exp.true()
        told = False
        kinds = zip(*((each.kind.inner if each.kind else ()) for each in (left, right)), strict=True)
        for one, other, (a, b) in zip(left.node.expressions, right.node.expressions, kinds, strict=True):
            made = self._equal(node, Typed(one.copy(), a, left.told), Typed(other.copy(), b, right.told))
            told = told or made.told
            whole = exp.And(this=whole, expression=exp.Paren(this=made.node))
        whole = exp.Paren(this=whole)
        return Typed(exp.Not(this=whole) if node.key == "neq" else whole, BOOLEAN, told)

    def _of_between(self, node: exp.Between, scope: _Scope) -> Typed:
        value = self._expr(node.this, scope)
        low, high = self._expr(node.args["low"], scope), self._expr(node.args["high"], scope)
        first = self._comparison(exp.GTE(this=value.node, expression=low.node), value, low)
        again = Typed(value.node.copy(), value.kind, value.told)
        second = self._comparison(exp.LTE(this=again.node, expression=high.node), again, high)
        return Typed(
            exp.Paren(this=exp.And(this=first.node, expression=second.node)), BOOLEAN, first.told or second.told
        )

    def _of_in(self, node: exp.In, scope: _Scope) -> Typed:
        value = self._expr(node.this, scope)
        node.set("this", value.node)
        if node.args.get("query") is not None:
            inner = node.args["query"]
            columns = self._query(inner, _Scope(results=scope.results, outer=scope))
            other = columns[0][1] if columns and len(columns) == 1 else None
            if value.kind is not None and other is not None and value.kind != other:
                if common(value.kind, other) is None:
                    what = f"value expression and result of subquery must be of the same type: {value.kind}, {other}"
                    self._refuse(node, what, "in", "cast one of them")
                elif not (value.kind.base in INTEGERS and other.base in INTEGERS) and not value.told:
                    self._doubt(node, "IN", f"of a {value.kind} in a query of {other}")
            elif (value.kind is None or other is None) and not value.told:
                self._doubt(node, "IN", "of something whose type is not known")
            elif value.kind is not None and value.kind.base in ("double", "real", "array", "map", "row"):
                self._doubt(node, "IN", f"of a {value.kind} in a query")
            return Typed(node, BOOLEAN, value.told)
        if node.args.get("unnest") or not node.expressions:
            return self._unproved(node, scope)
        given = [self._expr(each, scope) for each in node.expressions]
        told = value.told
        if value.kind is None or any(each.kind is None for each in given):
            node.set("expressions", [each.node for each in given])
            return self._consumed(node, [value, *given], BOOLEAN, "IN")
        both: WarehouseType | None = value.kind
        for each in given:
            both = common(both, each.kind) if both and each.kind else None
        if both is None:
            kinds = ", ".join(dict.fromkeys(str(each.kind) for each in (value, *given)))
            self._refuse(node, f"IN value and list items must be of one type: {kinds}", "in", "cast one of them")
            return Typed(node, BOOLEAN, told=True)
        if both.base in ("double", "real", "array", "map", "row", "json"):
            ways = [self._equal(node, Typed(value.node.copy(), value.kind), each).node for each in given]
            whole: exp.Expr = ways[0]
            for way in ways[1:]:
                whole = exp.Or(this=whole, expression=way)
            return Typed(exp.Paren(this=whole), BOOLEAN, told)
        node.set("this", self._as(value, both).node)
        node.set("expressions", [self._as(each, both).node for each in given])
        return Typed(node, BOOLEAN, told or any(each.told for each in given))

    def _of_escape(self, node: exp.Escape, scope: _Scope) -> Typed:
        like = node.this
        if not isinstance(like, exp.Like) or not node.expression.is_string or len(node.expression.name) != 1:
            return self._unproved(node, scope)
        made = self._of_like(like, scope)
        node.set("this", made.node)
        pattern = like.expression
        mark = node.expression.name
        if not pattern.is_string or mark in "%_" or not _well_escaped(pattern.name, mark):
            self._doubt(node, "ESCAPE", "with a pattern that is not written out, or escapes another letter")
        return Typed(node, BOOLEAN, made.told)

    def _of_like(self, node: exp.Like, scope: _Scope) -> Typed:
        left, right = self._expr(node.this, scope), self._expr(node.expression, scope)
        node.set("this", left.node)
        node.set("expression", right.node)
        for each in (left, right):
            if each.kind is not None and each.kind not in (VARCHAR, UNKNOWN):
                self._refuse(node, f"LIKE takes a varchar, and this is a {each.kind}", "like", "cast it to VARCHAR")
        if left.kind is None or right.kind is None:
            return self._consumed(node, [left, right], BOOLEAN, "LIKE")
        return Typed(node, BOOLEAN, left.told or right.told)

    def _of_dpipe(self, node: exp.DPipe, scope: _Scope) -> Typed:
        left, right = self._expr(node.this, scope), self._expr(node.expression, scope)
        return self._call(exp.Anonymous(this="concat"), [left, right], "||")

    def _of_cast(self, node: exp.Cast, scope: _Scope) -> Typed:
        return self._cast(node, scope, tries=False)

    def _of_trycast(self, node: exp.Cast, scope: _Scope) -> Typed:
        return self._cast(node, scope, tries=True)

    def _cast(self, node: exp.Cast, scope: _Scope, *, tries: bool) -> Typed:
        text = node.to.sql(dialect="trino").lower()
        wanted = kind_of(text)
        zone = node.this if isinstance(node.this, exp.AtTimeZone) else None
        if zone is not None and wanted is not None and wanted.base in (TIMESTAMP, DATE.base):
            local = self._local(zone, scope)
            if local is not None:
                made = cast(local.node, local.kind or VARCHAR, wanted, tries=tries)
                if isinstance(made, exp.Expr):
                    return Typed(made, wanted, local.told)
        given = self._expr(node.this, scope)
        node.set("this", given.node)
        if given.kind is None or wanted is None:
            if not given.told:
                why = f"to {text}" if wanted is None else "of something whose type is not known"
                self._doubt(node, "cast" if not tries else "try_cast", why)
            return Typed(rewritten(node), wanted, told=True)
        length = node.to.expressions[0].this if node.to.expressions and wanted == VARCHAR else None
        is_literal = node.this.is_string
        made = cast(given.node, given.kind, wanted, tries=tries, length=length, is_literal=is_literal)
        if isinstance(made, str):
            self._refuse(node, made, "try_cast" if tries else "cast")
            return Typed(node, wanted, told=True)
        if made is None:
            if not given.told:
                self._doubt(node, "try_cast" if tries else "cast", f"of a {given.kind} to a {wanted}")
            return Typed(rewritten(node), wanted, told=True)
        if isinstance(made, exp.Literal) and given.kind != wanted:
            made = exp.cast(made, duckdb_type(wanted), dialect="duckdb")  # said, so that the literal has that type
        typed = Typed(made, wanted, given.told)
        is_far = given.kind.base not in (TIMESTAMP, ZONED, DATE.base) and not _is_utc(str(node.this.name))
        if wanted.base == ZONED and is_far and not given.told:
            self._doubt(node, "timestamp", "with a zone that is not UTC: only the instant is kept")
            typed.told = True
        return typed

    def _local(self, node: exp.AtTimeZone, scope: _Scope) -> Typed | None:
        """The wall clock of a zone that is written out."""
        given = self._expr(node.this, scope)
        zone = node.args["zone"]
        if given.kind is None or given.kind.base not in (TIMESTAMP, ZONED) or not zone.is_string:
            node.set("this", given.node)
            return None
        instant = exp.cast(given.node, exp.DataType.build("timestamptz", dialect="duckdb"))
        if not _is_zone(zone.name):
            return None
        local = exp.Anonymous(this="timezone", expressions=[zone.copy(), instant])
        return Typed(local, WarehouseType(TIMESTAMP, given.kind.numbers), given.told)

    def _of_attimezone(self, node: exp.AtTimeZone, scope: _Scope) -> Typed:
        told = self._children(node, scope)
        if not told:
            self._doubt(node, "zone", "outside a CAST(… AS TIMESTAMP): DuckDB keeps the instant alone")
        return Typed(rewritten(node), None, told=True)

    def _of_parsejson(self, node: exp.Expr, scope: _Scope) -> Typed:
        if isinstance(node.this, exp.Literal):
            text = canonical_json(str(node.this.this))
            if text is not None:
                self.reworded[str(node.this.this).lower()] += 1
                node.set("this", exp.Literal.string(text))
        return self._call(exp.Anonymous(this="json_parse"), [self._expr(node.this, scope)], "json")

    def _of_array(self, node: exp.Array, scope: _Scope) -> Typed:
        given = [self._expr(each, scope) for each in node.expressions]
        made, kind, told = self._alike(node, given, "ARRAY")
        node.set("expressions", made)
        return Typed(node, WarehouseType("array", (), (kind,)) if kind else None, told)

    def _of_tuple(self, node: exp.Tuple, scope: _Scope) -> Typed:
        return self._row(node, [self._expr(each, scope) for each in node.expressions])

    def _row(self, node: exp.Expr, given: list[Typed]) -> Typed:
        told = any(each.told for each in given)
        made = exp.Anonymous(this="row", expressions=[each.node for each in given])
        kinds = [each.kind for each in given]
        if any(kind is None for kind in kinds):
            return self._consumed(made, given, None, "row")
        known = tuple(kind for kind in kinds if kind is not None)
        return Typed(made, WarehouseType("row", (), known, (None,) * len(known)), told)

    def _of_bracket(self, node: exp.Bracket, scope: _Scope) -> Typed:
        given = self._expr(node.this, scope)
        at = node.expressions[0]
        place = self._expr(at, scope)
        kind = given.kind
        if kind is None or place.kind is None:
            made = exp.Anonymous(this="trino_element", expressions=[given.node, place.node])
            return self._consumed(made, [given, place], None, "element_at")
        told = given.told or place.told
        if kind.base == "row" and at.is_int:
            self._doubt(node, "row", "by the number of its field")
            return Typed(node, None, told=True)
        wanted = BIGINT if kind.base == "array" else kind.inner[0] if kind.base == "map" else None
        if wanted is None or not is_taken_for(place.kind, wanted):
            self._refuse(node, f"Trino has no subscript of {kind} by {place.kind}", "[")
            return Typed(node, None, told=True)
        made = exp.Anonymous(this="trino_element", expressions=[given.node, self._as(place, wanted).node])
        return Typed(made, kind.inner[-1], told)

    def _of_dot(self, node: exp.Dot, scope: _Scope) -> Typed:
        given = self._expr(node.this, scope)
        node.set("this", given.node)
        return Typed(node, _field(given.kind, [node.expression.name.lower()]), given.told)

    def _of_extract(self, node: exp.Extract, scope: _Scope) -> Typed:
        name = extract_name(str(node.this.name))
        local = self._local_or_given(node.expression, scope)
        if name is None:
            self._refuse(node, f"Trino's EXTRACT has no field {node.this.name}", str(node.this.name))
            return Typed(node, BIGINT, told=True)
        return self._call(exp.Anonymous(this=name), [local], "extract")

    def _local_or_given(self, node: exp.Expr, scope: _Scope) -> Typed:
        if isinstance(node, exp.AtTimeZone):
            local = self._local(node, scope)
            if local is not None:
                return local
        return self._expr(node, scope)

    def _of_trim(self, node: exp.Trim, scope: _Scope) -> Typed:
        name = {"LEADING": "ltrim", "TRAILING": "rtrim"}.get(node.args.get("position") or "", "trim")
        given = [self._expr(each, scope) for each in (node.this, node.expression) if each is not None]
        return self._call(exp.Anonymous(this=name), given, "trim")

    def _of_substring(self, node: exp.Substring, scope: _Scope) -> Typed:
        parts = (node.this, node.args.get("start"), node.args.get("length"))
        given = [self._expr(each, scope) for each in parts if each is not None]
        return self._call(exp.Anonymous(this="substring"), given, "substring")

    def _of_strposition(self, node: exp.StrPosition, scope: _Scope) -> Typed:
        given = [self._expr(each, scope) for each in (node.this, node.args["substr"])]
        return self._call(exp.Anonymous(this="strpos"), given, "position")

    def _of_lambda(self, node: exp.Lambda, scope: _Scope) -> Typed:
        return self._function(node, [None] * len(node.expressions), scope)

    def _function(self, node: exp.Lambda, kinds: Sequence[WarehouseType | None], scope: _Scope) -> Typed:
        names = [each.name.lower() for each in node.expressions]
        inside = replace(scope, parameters={**scope.parameters, **dict(zip(names, kinds, strict=False))})
        made = self._expr(node.this, inside)
        node.set("this", made.node)
        return Typed(node, made.kind, made.told)

    def _of_interval(self, node: exp.Interval, scope: _Scope) -> Typed:
        unit = node.args.get("unit")
        number = node.this.name if isinstance(node.this, exp.Literal) else ""
        if not isinstance(unit, exp.Var) or not number.lstrip("-").isdigit():
            return Typed(node, None)
        kind = {"YEAR": MONTHS, "MONTH": MONTHS}.get(unit.name.upper(), DAYS)
        if unit.name.upper() not in ("YEAR", "MONTH", "DAY", "HOUR", "MINUTE", "SECOND"):
            self._refuse(node, f"Trino has no interval of {unit.name}", unit.name)
            return Typed(node, None, told=True)
        return Typed(node, kind)

    # Calls

    def _of_anonymous(self, node: exp.Anonymous, scope: _Scope) -> Typed:
        name = str(node.name).lower()
        special = getattr(self, "_call_of_" + name, None)
        made: Typed | None = special(node, scope) if special is not None else None
        return made or self._call(node, self._arguments(node, scope), name, scope)

    # Calls whose arguments are not values alone; None where the table is to say it

    def _call_of_count(self, node: exp.Anonymous, scope: _Scope) -> Typed | None:
        is_star = len(node.expressions) == 1 and isinstance(node.expressions[0], exp.Star)
        return Typed(node, BIGINT) if is_star else None

    def _call_of_coalesce(self, node: exp.Anonymous, scope: _Scope) -> Typed | None:
        given = node.expressions
        return self._spread(node, "coalesce", [self._expr(each, scope) for each in given]) if len(given) > 1 else None

    def _call_of_greatest(self, node: exp.Anonymous, scope: _Scope) -> Typed | None:
        given = node.expressions
        return (
            self._spread(node, str(node.name).lower(), [self._expr(each, scope) for each in given]) if given else None
        )

    _call_of_least = _call_of_greatest

    def _call_of_nullif(self, node: exp.Anonymous, scope: _Scope) -> Typed | None:
        if len(node.expressions) != 2:
            return None
        left, right = (self._expr(each, scope) for each in node.expressions)
        same = self._equal(node, Typed(left.node.copy(), left.kind, left.told), right)
        case = exp.Case(ifs=[exp.If(this=same.node, true=exp.null())], default=left.node)
        return Typed(case, left.kind, same.told)

    def _call_of_row(self, node: exp.Anonymous, scope: _Scope) -> Typed | None:
        return self._row(node, [self._expr(each, scope) for each in node.expressions])

    def _call_of_mod(self, node: exp.Anonymous, scope: _Scope) -> Typed | None:
        if len(node.expressions) != 2:
            return None
        left, right = node.expressions
        return self._arithmetic(exp.Mod(this=left, expression=right), scope)

    def _call_of_typeof(self, node: exp.Anonymous, scope: _Scope) -> Typed | None:
        if len(node.expressions) != 1:
            return None
        given = self._expr(node.expressions[0].copy(), scope)
        if given.told or given.kind is None or re.search("varchar|unknown|row", str(given.kind)):
            return None  # a VARCHAR's length is not kept here
        words = node.find_all(exp.Identifier, exp.Literal)
        self.reworded.update(str(each.this).lower() for each in words)
        return Typed(exp.Literal.string(str(given.kind)), VARCHAR)

    def _call_of_grouping(self, node: exp.Anonymous, scope: _Scope) -> Typed | None:
        node.set("expressions", [self._key(each, scope) for each in node.expressions])
        return Typed(exp.cast(node, "INTEGER", dialect="duckdb"), INTEGER)

    def _call_of_format(self, node: exp.Anonymous, scope: _Scope) -> Typed | None:
        """A format of texts and whole numbers alone, as the parts that it puts together."""
        pattern = node.expressions[0] if node.expressions else None
        if not isinstance(pattern, exp.Literal):
            return None
        given = [self._expr(each.copy(), scope) for each in node.expressions[1:]]
        parts = re.split(r"(%%|%s|%d)", str(pattern.this))
        wanted = [part for part in parts if part in ("%s", "%d")]
        if any("%" in part for part in parts[::2]) or len(wanted) != len(given) or not given:
            return None
        texts = [_formatted(each, part) for each, part in zip(given, wanted, strict=True)]
        if any(text is None for text in texts):
            return None
        values = iter(texts)
        made = [next(values) if part in wanted else exp.Literal.string("%" if part == "%%" else part)
                for part in parts if part]  # fmt: skip
        self.reworded[str(pattern.this).lower()] += 1
        return Typed(exp.Concat(expressions=[exp.Literal.string(""), *made]), VARCHAR)

    def _call_of_try(self, node: exp.Anonymous, scope: _Scope) -> Typed | None:
        if len(node.expressions) != 1:
            return None
        inner = node.expressions[0]
        if isinstance(inner, exp.Cast) and isinstance(inner.this, (exp.Column, exp.Literal)):
            return self._cast(inner, scope, tries=True)
        division = self._tried_division(inner, scope) if isinstance(inner, (exp.Div, exp.Mod)) else None
        if division is not None:
            return division
        self._doubt(node, "try", "what is an error on one may be none on the other")
        made = self._expr(inner, scope)
        node.set("expressions", [made.node])
        return Typed(node, made.kind, told=True)

    def _spread(self, node: exp.Anonymous, name: str, given: list[Typed]) -> Typed:
        made, kind, told = self._alike(node, given, name)
        node.set("expressions", made)
        if kind is None or name == "coalesce":
            return Typed(node, kind, told)
        if kind == DOUBLE:
            return Typed(
                exp.Anonymous(this=f"trino_{name}_double", expressions=[exp.Array(expressions=made)]), kind, told
            )
        if kind.base in ("real", "array", "map", "row", "json", "boolean"):
            if not told:
                self._doubt(node, name, f"of {kind}")
            return Typed(node, kind, told=True)
        return Typed(exp.Anonymous(this=f"trino_{name}", expressions=[exp.Array(expressions=made)]), kind, told)

    def _tried_division(self, node: exp.Binary, scope: _Scope) -> Typed | None:
        """Of whole numbers that stand there: nothing but a divisor of zero is an error then."""
        sides = [self._expr(each.copy(), scope) for each in (node.this, node.expression)]
        plain = all(isinstance(each, (exp.Column, exp.Literal)) for each in (node.this, node.expression))
        if not plain or any(each.told or each.kind is None or each.kind.base not in INTEGERS for each in sides):
            return None
        zero = exp.Anonymous(this="nullif", expressions=[sides[1].node, exp.Literal.number(0)])
        name = "trino_divide" if isinstance(node, exp.Div) else "trino_modulo"
        kind = common(*(each.kind or UNKNOWN for each in sides))
        return Typed(exp.Anonymous(this=name, expressions=[sides[0].node, zero]), kind)

    def _arguments(self, node: exp.Anonymous, scope: _Scope) -> list[Typed]:
        """The arguments with their types; a lambda's has none before it is known what it is called with."""
        given = []
        for each in node.expressions:
            if isinstance(each, exp.Lambda):
                given.append(Typed(each, None))
            elif isinstance(each, (exp.Order, exp.Distinct)):
                given.append(self._modified(each, scope))
            else:
                given.append(self._local_or_given(each, scope))
        return given

    def _modified(self, node: exp.Expr, scope: _Scope) -> Typed:
        """The argument of an aggregate with DISTINCT or ORDER BY, which stay around it."""
        if isinstance(node, exp.Order):
            inner = (
                self._modified(node.this, scope)
                if isinstance(node.this, exp.Distinct)
                else self._expr(node.this, scope)
            )
            for each in node.expressions:
                each.set("this", self._expr(each.this, scope).node)
            return Typed(exp.Order(this=inner.node, expressions=node.expressions), inner.kind, inner.told)
        given = [self._expr(each, scope) for each in node.expressions]
        node.set("expressions", [each.node for each in given])
        return Typed(node, given[0].kind if len(given) == 1 else None, any(each.told for each in given))

    def _call(self, node: exp.Anonymous, given: list[Typed], word: str, scope: _Scope | None = None) -> Typed:
        name = str(node.name).lower()
        rows = rows_of(name)
        told = any(each.told for each in given)
        is_known = all(each.kind is not None or isinstance(each.node, exp.Lambda) for each in given)
        if not told and is_known and rows:
            call = self._matching(rows, given, scope)
            if call is None:
                kinds = ", ".join("function" if each.kind is None else str(each.kind) for each in given)
                expected = ", ".join(dict.fromkeys(str(row) for row in rows))
                what = f"{word} does not take ({kinds}) on Trino, but {expected}"
                self._refuse(node, what, word, "cast the argument to what it takes")
                return Typed(node, None, told=True)
            told = any(each.told for each in given)
            if call.row.duckdb is not None and not told:
                wants = [self._as(each, kind) for each, kind in zip(given, call.kinds, strict=True)]
                why = call.row.why_not([each.node for each in wants]) or _why_not_of(call)
                if why is None:
                    self._count_reworded(call.row, given)
                    return Typed(call.row.made([each.node for each in wants], call), call.result)
                self._doubt(node, word, why)
            elif not told and call.row.note is not None:
                message = f"{word} may give another value on DuckDB than on Trino: {call.row.note}"
                self.found.append(Found(message, word, node.meta.get("start"), differs=True))
            elif not told:
                self._doubt(node, word, None)
        elif not told:
            self._doubt(node, word, "with an argument whose type is not known" if rows else None)
        for each in given:
            if isinstance(each.node, exp.Lambda) and scope is not None and each.kind is None and not each.told:
                self._function(each.node, [None] * len(each.node.expressions), scope)
        arguments = [each.node for each in given]
        return Typed(rewritten(as_parsed(name, arguments)), None, told=True)

    def _count_reworded(self, row: Row, given: Sequence[Typed]) -> None:
        if row.duckdb == "entries":
            function = given[-1].node
            names = [each.name.lower() for each in function.expressions]
            self.reworded.update(each.name.lower() for each in function.find_all(exp.Identifier)
                                 if each.name.lower() in names)  # fmt: skip
        if "simple_path" in row.conditions:
            self.reworded[str(given[1].node.this).lower()] += 1

    def _matching(self, rows: Sequence[Row], given: list[Typed], scope: _Scope | None) -> Call | None:
        """The row that takes the arguments as they are, else the narrowest that they can be coerced to."""
        kinds = [each.kind for each in given]
        for exactly in (True, False):
            calls = [call for row in rows if (call := row.call(kinds, exactly=exactly)) is not None]
            calls.sort(key=Call.width)
            if not calls:
                continue
            if any(isinstance(each.node, exp.Lambda) for each in given):
                return self._with_functions(calls[0].row, calls[0], given, scope)
            if UNKNOWN in kinds and len({call.result for call in calls}) > 1:
                self._doubt(given[0].node, rows[0].name, "of a NULL without a type")
                given[0].told = True
            return calls[0]
        return None

    def _with_functions(self, row: Row, call: Call, given: list[Typed], scope: _Scope | None) -> Call | None:
        bound = call
        for at, each in enumerate(given):
            if isinstance(each.node, exp.Lambda):
                made = self._function(each.node, bound.parameters(at), scope or _Scope())
                if made.kind is None and not made.told:
                    made.told = True
                    self._doubt(each.node, "->", "a function whose type is not known")
                given[at] = Typed(each.node, None, made.told)
                if made.kind is not None:
                    next_bound = bound.answered(at, made.kind)
                    if next_bound is None:
                        return None
                    bound = next_bound
        return bound

    def _of_groupconcat(self, node: exp.GroupConcat, scope: _Scope) -> Typed:
        order = node.this if isinstance(node.this, exp.Order) else None
        value = order.this if order is not None else node.this
        is_distinct = isinstance(value, exp.Distinct)
        inner = self._modified(value, scope) if is_distinct else self._expr(value, scope)
        separator = node.args.get("separator") or exp.Literal.string("")
        extra = [key for key, arg in node.args.items() if arg and key not in ("this", "separator")]
        if inner.kind is not None and inner.kind not in (VARCHAR, UNKNOWN):
            self._refuse(node, f"listagg takes a varchar, and this is a {inner.kind}", "listagg", "cast it to VARCHAR")
        elif inner.kind is None or extra or order is None or not separator.is_string:
            if not inner.told:
                self._doubt(node, "listagg", "with these clauses, or of something whose type is not known")
            inner.told = True
        arguments: list[exp.Expr] = [inner.node, separator]
        if order is not None:
            for each in order.expressions:
                each.set("this", self._expr(each.this, scope).node)
            arguments[1] = exp.Order(this=separator, expressions=order.expressions)
        return Typed(exp.Anonymous(this="string_agg", expressions=arguments), VARCHAR, inner.told)

    def _of_filter(self, node: exp.Filter, scope: _Scope) -> Typed:
        made = self._expr(node.this, scope)
        self._condition(node.expression, "this", scope)

        def wrap(inner: exp.Expr) -> exp.Expr:
            around = exp.Filter(this=inner, expression=node.expression.copy())
            if inner.meta.pop("aggregate", None) or made.node is not inner:
                around.meta["aggregate"] = True
            return around

        return Typed(_around(made.node, wrap), made.kind, made.told)

    def _of_window(self, node: exp.Window, scope: _Scope) -> Typed:
        inner = node.this
        skips_nulls = isinstance(inner, exp.IgnoreNulls) and str(inner.this.name).lower() in _NEIGHBOURS
        if skips_nulls:
            inner = inner.this
        if not isinstance(inner, (exp.Anonymous, exp.Filter)):
            return self._unproved(node, scope)
        made = self._expr(inner, scope)
        if made.node.find(exp.Coalesce) and made.kind == DOUBLE and not made.told:
            self._doubt(node, "over", "of DOUBLEs, whose largest and least Trino takes NaN for in a window")
            made.told = True
        if node.args.get("partition_by"):
            node.set("partition_by", [self._expr(each, scope).node for each in node.args["partition_by"]])
        if node.args.get("order") is not None:
            for each in node.args["order"].expressions:
                each.set("this", self._expr(each.this, scope).node)
        spec = node.args.get("spec")
        if (spec is not None and not _is_plain_frame(spec)) or node.args.get("alias"):
            if not made.told:
                self._doubt(node, "over", "with a frame by values, or a named window")
            made.told = True

        def wrap(aggregate: exp.Expr) -> exp.Expr:
            around = node.copy()
            if skips_nulls:  # which the generator leaves out for functions that it does not know
                aggregate = exp.IgnoreNulls(this=as_parsed(str(aggregate.name).lower(), list(aggregate.expressions)))
            around.set("this", aggregate)
            return around

        return Typed(_around(made.node, wrap), made.kind, made.told)

    # Telling

    def _consumed(self, node: exp.Expr, given: list[Typed], kind: WarehouseType | None, word: str) -> Typed:
        """A node over something whose type is not known: told here, unless it was told where it came from."""
        if not any(each.told for each in given):
            self._doubt(node, word, "of something whose type is not known")
        return Typed(node if isinstance(node, exp.Anonymous) else rewritten(node), kind, told=True)

    def _told_once(self, node: exp.Expr, what: str) -> None:
        self._doubt(node, what, None)

    def _doubt(self, node: exp.Expr, word: str, why: str | None) -> None:
        message = f"{word}{' ' + why if why else ''} is not proved to give on DuckDB what it gives on Trino"
        hint = "compare a few values before you rely on it"
        self.found.append(Found(message, word.lower(), node.meta.get("start"), hint))

    def _refuse(self, node: exp.Expr, message: str, word: str, hint: str | None = None) -> None:
        self.found.append(Found(message, word.lower(), node.meta.get("start"), hint, refused=True))


_NEIGHBOURS = ("lag", "lead", "first_value", "last_value", "nth_value")


def _is_plain_frame(spec: exp.WindowSpec) -> bool:
    """Whether a frame is of rows, or of values that are only told apart."""
    bounds = [str(spec.args.get(name) or "").upper() for name in ("start", "end")]
    return str(spec.args.get("kind")).upper() == "ROWS" or set(bounds) <= {"UNBOUNDED", "CURRENT ROW", ""}


_WORDS = {"currenttime": "current_time", "localtimestamp": "localtimestamp", "jsonextract": "json_query"}


def _formatted(given: Typed, part: str) -> exp.Expr | None:
    """The text of a value in a format, None for one that is not proved."""
    kinds = INTEGERS if part == "%d" else (*INTEGERS, "varchar", "boolean", "date")
    if given.told or given.kind is None or given.kind.base not in kinds:
        return None
    text = cast(given.node, given.kind, VARCHAR, tries=False)
    return exp.Coalesce(this=text, expressions=[exp.Literal.string("null")]) if isinstance(text, exp.Expr) else None


def _columns_of(kind: WarehouseType) -> Sequence[WarehouseType]:
    """The types of the columns that UNNEST makes of a map or an array."""
    return kind.inner[0].inner if kind.base == "array" and kind.inner[0].base == "row" else kind.inner


def _unnest_of(value: exp.Expr) -> exp.Expr:
    return exp.Anonymous(this="unnest", expressions=[value])


def _named(columns: Columns | None, names: Sequence[str]) -> Columns | None:
    if columns is None or not names:
        return columns
    return [(name, kind) for name, (_, kind) in zip(names, columns, strict=False)]


def _field(kind: WarehouseType | None, names: Sequence[str]) -> WarehouseType | None:
    for name in names:
        if kind is None or kind.base != "row":
            return None
        fields = [each.lower() if each else None for each in kind.fields]
        kind = kind.inner[fields.index(name)] if name in fields else None
    return kind


_DELICATE = ("double", "real", "array", "map", "row", "json")


def _why_not_of(call: Call) -> str | None:
    """What binds a type of the row to one whose values the two compare in other ways: NaN, and NULL inside others."""
    if call.row.duckdb == "texts_joined":
        kind = call.kinds[0]
        texts = cast(exp.null(), kind, WarehouseType("array", (), (VARCHAR,)), tries=False) if kind else None
        return None if isinstance(texts, exp.Expr) else f"of {kind}"
    if any(kind is not None and kind.base == TIMESTAMP and kind.numbers[0] > 6 for kind in call.kinds):
        return "of more digits of the second than six"
    if "any" in call.row.conditions:
        return None
    kinds = [call.bound["K"]] if "any_value" in call.row.conditions else call.bound.values()
    kind = next((each for each in kinds if each.base in _DELICATE), None)
    return f"of {kind}" if kind else None


def _around(made: exp.Expr, wrap: Callable[[exp.Expr], exp.Expr]) -> exp.Expr:
    """A clause of an aggregate, put around the aggregate inside of what is computed from it."""
    marked = [node for node in made.walk() if node.meta.get("aggregate")]
    for node in marked:
        place = node.parent
        holder = exp.Paren(this=exp.null())
        node.replace(holder)
        node.meta.pop("aggregate", None)
        holder.replace(wrap(node)) if place is not None else None
    if marked:
        return made
    if isinstance(made, exp.Cast):
        made.set("this", _around(made.this, wrap))
        return made
    return wrap(made)


def _well_escaped(pattern: str, mark: str) -> bool:
    at = 0
    while at < len(pattern):
        if pattern[at] == mark:
            at += 1
            if at >= len(pattern) or pattern[at] not in ("%", "_", mark):
                return False
        at += 1
    return True


def _is_utc(text: str) -> bool:
    return (":" in text and re.fullmatch(r"[\d :.-]+", text.strip()) is not None) or text.strip().upper().endswith(
        (" UTC", " Z", "+00:00")
    )


def _is_zone(name: str) -> bool:
    return name == "UTC" or ("/" in name and not name.startswith(("Etc/", "+", "-")))
