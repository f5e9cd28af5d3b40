"""Operators between two values: of numbers and times, comparisons, and tests for a place in a list or pattern."""

from __future__ import annotations

from sqlglot import exp

from graph_platform.mapping.types.text import WarehouseType
from graph_platform.warehouse.duckdb.rewrites import rewritten
from graph_platform.warehouse.duckdb.signatures.kinds import (
    BOOLEAN,
    INTEGERS,
    UNKNOWN,
    VARCHAR,
    common,
)
from graph_platform.warehouse.duckdb.signatures.operators import (
    ARITHMETIC,
    COMPARED,
    arithmetic,
    compared,
)
from graph_platform.warehouse.duckdb.signatures.walk import Scope, Typed, Walk


class Comparisons(Walk):
    """Operators between two values."""

    def _arithmetic(self, node: exp.Expr, scope: Scope) -> Typed:
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

    def _compared(self, node: exp.Expr, scope: Scope) -> Typed:
        if node.this.key in COMPARED or node.expression.key in COMPARED:
            self._refuse(node, "Trino compares no comparison", COMPARED[node.key], "put it in parentheses")
        right = node.expression
        if isinstance(right, exp.Anonymous) and len(right.expressions) == 1 and str(right.name).lower() in _QUANTIFIERS:
            node.set("expression", _QUANTIFIERS[str(right.name).lower()](this=right.expressions[0]))
        if isinstance(node.expression, (exp.Any, exp.All)):
            return self._quantified(node, scope)
        left, right = self._expr(node.this, scope), self._expr(node.expression, scope)
        return self._comparison(node, left, right)

    def _quantified(self, node: exp.Expr, scope: Scope) -> Typed:
        """A comparison with any or all rows of a query."""
        value, word = self._expr(node.this, scope), node.expression.key.upper()
        inner = node.expression.this
        if not isinstance(inner, (exp.Query, exp.Values)):
            return self._unproved(node, scope)
        columns = self._query(inner, Scope(results=scope.results, outer=scope))
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
        return Typed(exp.Paren(this=exp.Not(this=whole)) if node.key == "neq" else whole, BOOLEAN, told)

    def _of_between(self, node: exp.Between, scope: Scope) -> Typed:
        value = self._expr(node.this, scope)
        low, high = self._expr(node.args["low"], scope), self._expr(node.args["high"], scope)
        first = self._comparison(exp.GTE(this=value.node, expression=low.node), value, low)
        again = Typed(value.node.copy(), value.kind, value.told)
        second = self._comparison(exp.LTE(this=again.node, expression=high.node), again, high)
        return Typed(
            exp.Paren(this=exp.And(this=first.node, expression=second.node)), BOOLEAN, first.told or second.told
        )

    def _of_in(self, node: exp.In, scope: Scope) -> Typed:
        value = self._expr(node.this, scope)
        node.set("this", value.node)
        if node.args.get("query") is not None:
            inner = node.args["query"]
            columns = self._query(inner, Scope(results=scope.results, outer=scope))
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

    def _of_escape(self, node: exp.Escape, scope: Scope) -> Typed:
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

    def _of_like(self, node: exp.Like, scope: Scope) -> Typed:
        left, right = self._expr(node.this, scope), self._expr(node.expression, scope)
        node.set("this", left.node)
        node.set("expression", right.node)
        for each in (left, right):
            if each.kind is not None and each.kind not in (VARCHAR, UNKNOWN):
                self._refuse(node, f"LIKE takes a varchar, and this is a {each.kind}", "like", "cast it to VARCHAR")
        if left.kind is None or right.kind is None:
            return self._consumed(node, [left, right], BOOLEAN, "LIKE")
        return Typed(node, BOOLEAN, left.told or right.told)


_QUANTIFIERS = {"all": exp.All, "any": exp.Any, "some": exp.Any}  # before VALUES, the parser takes them for functions


def _well_escaped(pattern: str, mark: str) -> bool:
    at = 0
    while at < len(pattern):
        if pattern[at] == mark:
            at += 1
            if at >= len(pattern) or pattern[at] not in ("%", "_", mark):
                return False
        at += 1
    return True
