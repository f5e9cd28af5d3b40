"""Calls: of a function by the table of signatures, of an aggregate with its clauses, of a window."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from sqlglot import exp

from graph_platform.mapping.types.text import WarehouseType
from graph_platform.warehouse.duckdb.rewrites import rewritten
from graph_platform.warehouse.duckdb.signatures.casts import cast
from graph_platform.warehouse.duckdb.signatures.functions import Call, Row, rows_of
from graph_platform.warehouse.duckdb.signatures.kinds import (
    BIGINT,
    DOUBLE,
    INTEGER,
    INTEGERS,
    TIMESTAMP,
    UNKNOWN,
    VARCHAR,
    common,
)
from graph_platform.warehouse.duckdb.signatures.walk import Found, Scope, Typed, Walk
from graph_platform.warehouse.duckdb.signatures.written import as_parsed


class Calls(Walk):
    """Calls of functions by their names."""

    def _of_anonymous(self, node: exp.Anonymous, scope: Scope) -> Typed:
        name = str(node.name).lower()
        special = getattr(self, "_call_of_" + name, None)
        made: Typed | None = special(node, scope) if special is not None else None
        return made or self._call(node, self._arguments(node, scope), name, scope)

    # Calls whose arguments are not values alone; None where the table is to say it

    def _call_of_count(self, node: exp.Anonymous, scope: Scope) -> Typed | None:
        is_star = len(node.expressions) == 1 and isinstance(node.expressions[0], exp.Star)
        return Typed(node, BIGINT) if is_star else None

    def _call_of_coalesce(self, node: exp.Anonymous, scope: Scope) -> Typed | None:
        given = node.expressions
        return self._spread(node, "coalesce", [self._expr(each, scope) for each in given]) if len(given) > 1 else None

    def _call_of_greatest(self, node: exp.Anonymous, scope: Scope) -> Typed | None:
        given = node.expressions
        return (
            self._spread(node, str(node.name).lower(), [self._expr(each, scope) for each in given]) if given else None
        )

    _call_of_least = _call_of_greatest

    def _call_of_nullif(self, node: exp.Anonymous, scope: Scope) -> Typed | None:
        if len(node.expressions) != 2:
            return None
        left, right = (self._expr(each, scope) for each in node.expressions)
        same = self._equal(node, Typed(left.node.copy(), left.kind, left.told), right)
        case = exp.Case(ifs=[exp.If(this=same.node, true=exp.null())], default=left.node)
        return Typed(case, left.kind, same.told)

    def _call_of_row(self, node: exp.Anonymous, scope: Scope) -> Typed | None:
        return self._row(node, [self._expr(each, scope) for each in node.expressions])

    def _call_of_mod(self, node: exp.Anonymous, scope: Scope) -> Typed | None:
        if len(node.expressions) != 2:
            return None
        left, right = node.expressions
        return self._arithmetic(exp.Mod(this=left, expression=right), scope)

    def _call_of_typeof(self, node: exp.Anonymous, scope: Scope) -> Typed | None:
        if len(node.expressions) != 1:
            return None
        given = self._expr(node.expressions[0].copy(), scope)
        if given.told or given.kind is None or re.search("varchar|unknown|row", str(given.kind)):
            return None  # a VARCHAR's length is not kept here
        words = node.find_all(exp.Identifier, exp.Literal)
        self.reworded.update(str(each.this).lower() for each in words)
        return Typed(exp.Literal.string(str(given.kind)), VARCHAR)

    def _call_of_grouping(self, node: exp.Anonymous, scope: Scope) -> Typed | None:
        node.set("expressions", [self._key(each, scope) for each in node.expressions])
        return Typed(exp.cast(node, "INTEGER", dialect="duckdb"), INTEGER)

    def _call_of_format(self, node: exp.Anonymous, scope: Scope) -> Typed | None:
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

    def _call_of_try(self, node: exp.Anonymous, scope: Scope) -> Typed | None:
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

    def _tried_division(self, node: exp.Binary, scope: Scope) -> Typed | None:
        """Of whole numbers that stand there: nothing but a divisor of zero is an error then."""
        sides = [self._expr(each.copy(), scope) for each in (node.this, node.expression)]
        plain = all(isinstance(each, (exp.Column, exp.Literal)) for each in (node.this, node.expression))
        if not plain or any(each.told or each.kind is None or each.kind.base not in INTEGERS for each in sides):
            return None
        zero = exp.Anonymous(this="nullif", expressions=[sides[1].node, exp.Literal.number(0)])
        name = "trino_divide" if isinstance(node, exp.Div) else "trino_modulo"
        kind = common(*(each.kind or UNKNOWN for each in sides))
        return Typed(exp.Anonymous(this=name, expressions=[sides[0].node, zero]), kind)

    def _arguments(self, node: exp.Anonymous, scope: Scope) -> list[Typed]:
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

    def _modified(self, node: exp.Expr, scope: Scope) -> Typed:
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

    def _call(self, node: exp.Anonymous, given: list[Typed], word: str, scope: Scope | None = None) -> Typed:
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
                waived = "canonical" if node is self._read_json else ""
                why = call.row.why_not([each.node for each in wants], waived) or _why_not_of(call)
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
        if {"simple_path", "pattern", "tested_pattern"} & set(row.conditions):
            self.reworded[str(given[1].node.this).lower()] += 1

    def _matching(self, rows: Sequence[Row], given: list[Typed], scope: Scope | None) -> Call | None:
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

    def _with_functions(self, row: Row, call: Call, given: list[Typed], scope: Scope | None) -> Call | None:
        bound = call
        for at, each in enumerate(given):
            if isinstance(each.node, exp.Lambda):
                made = self._function(each.node, bound.parameters(at), scope or Scope())
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

    def _of_groupconcat(self, node: exp.GroupConcat, scope: Scope) -> Typed:
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

    def _of_filter(self, node: exp.Filter, scope: Scope) -> Typed:
        made = self._expr(node.this, scope)
        self._condition(node.expression, "this", scope)

        def wrap(inner: exp.Expr) -> exp.Expr:
            around = exp.Filter(this=inner, expression=node.expression.copy())
            if inner.meta.pop("aggregate", None) or made.node is not inner:
                around.meta["aggregate"] = True
            return around

        return Typed(_around(made.node, wrap), made.kind, made.told)

    def _of_window(self, node: exp.Window, scope: Scope) -> Typed:
        inner = node.this
        skips_nulls = isinstance(inner, exp.IgnoreNulls) and str(inner.this.name).lower() in _NEIGHBOURS
        if skips_nulls:
            inner = inner.this
        if isinstance(inner, exp.Filter):
            self._refuse(node, "FILTER is not supported for window functions", "filter", "write CASE WHEN … THEN … END")
        if not isinstance(inner, (exp.Anonymous, exp.Filter)):
            return self._unproved(node, scope)
        made = self._expr(inner, scope)
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


_NEIGHBOURS = ("lag", "lead", "first_value", "last_value", "nth_value")


def _is_plain_frame(spec: exp.WindowSpec) -> bool:
    """Whether a frame is of rows, or of values that are only told apart."""
    bounds = [str(spec.args.get(name) or "").upper() for name in ("start", "end")]
    return str(spec.args.get("kind")).upper() == "ROWS" or set(bounds) <= {"UNBOUNDED", "CURRENT ROW", ""}


def _formatted(given: Typed, part: str) -> exp.Expr | None:
    """The text of a value in a format, None for one that is not proved."""
    kinds = INTEGERS if part == "%d" else (*INTEGERS, "varchar", "boolean", "date")
    if given.told or given.kind is None or given.kind.base not in kinds:
        return None
    text = cast(given.node, given.kind, VARCHAR, tries=False)
    return exp.Coalesce(this=text, expressions=[exp.Literal.string("null")]) if isinstance(text, exp.Expr) else None


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
