"""Expressions: names, literals, conditions, casts and what else has a grammar of its own."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from sqlglot import exp

from graph_platform.mapping.types.text import WarehouseType
from graph_platform.warehouse.duckdb.rewrites import rewritten
from graph_platform.warehouse.duckdb.signatures.casts import cast, literal_kind
from graph_platform.warehouse.duckdb.signatures.conditions import canonical_json
from graph_platform.warehouse.duckdb.signatures.kinds import (
    BIGINT,
    BOOLEAN,
    DATE,
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
    extract_name,
)
from graph_platform.warehouse.duckdb.signatures.walk import Scope, Typed, Walk


class Expressions(Walk):
    """An expression by its node: a method for each kind that has more to it than a row of the table."""

    def _expr(self, node: exp.Expr, scope: Scope) -> Typed:
        method = getattr(self, "_of_" + node.key, None)
        if method is not None:
            typed: Typed = method(node, scope)
            return typed
        if node.key in ARITHMETIC:
            return self._arithmetic(node, scope)
        if node.key in COMPARED:
            return self._compared(node, scope)
        return self._unproved(node, scope)

    def _unproved(self, node: exp.Expr, scope: Scope) -> Typed:
        told = self._children(node, scope)
        if not told:
            self._doubt(node, _WORDS.get(node.key, node.key), None)
        return Typed(rewritten(node), None, told=True)

    def _children(self, node: exp.Expr, scope: Scope) -> bool:
        told = False
        for child in list(node.iter_expressions()):
            if isinstance(child, exp.DataType):
                continue
            if isinstance(child, exp.Query):
                self._query(child, Scope(results=scope.results, outer=scope))
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

    def _of_alias(self, node: exp.Alias, scope: Scope) -> Typed:
        made = self._expr(node.this, scope)
        node.set("this", made.node)
        return Typed(node, made.kind, made.told)

    def _of_paren(self, node: exp.Paren, scope: Scope) -> Typed:
        made = self._expr(node.this, scope)
        node.set("this", made.node)
        return Typed(node, made.kind, made.told)

    def _of_column(self, node: exp.Column, scope: Scope) -> Typed:
        parts = [part.name.lower() for part in node.parts]
        at: Scope | None = scope
        while at is not None:
            if parts[0] in at.parameters:
                return Typed(node, _field(at.parameters[parts[0]], parts[1:]))
            if parts[0] in at.sources and len(parts) > 1:
                columns = at.sources[parts[0]]
                kinds = [kind for name, kind in columns or () if name == parts[1]]
                self._refuse_twice(node, parts[1], len(kinds))
                return Typed(node, _field(kinds[0], parts[2:]) if kinds else None)
            kinds = [kind for columns in at.sources.values() for name, kind in columns or () if name == parts[0]]
            if kinds:
                for columns in at.sources.values():
                    self._refuse_twice(node, parts[0], sum(name == parts[0] for name, _ in columns or ()))
                return Typed(node, _field(kinds[0], parts[1:]) if len(kinds) == 1 else None)
            if any(columns is None for columns in at.sources.values()):
                return Typed(node, None)
            at = at.outer
        return Typed(node, None)

    def _refuse_twice(self, node: exp.Column, name: str, times: int) -> None:
        if times > 1:
            self._refuse(node, f"column {name} is ambiguous: the query beneath has {times} of that name", name)

    def _of_identifier(self, node: exp.Identifier, scope: Scope) -> Typed:
        return Typed(node, self._of_column(exp.Column(this=node.copy()), scope).kind)

    def _of_literal(self, node: exp.Literal, scope: Scope) -> Typed:
        kind = literal_kind(node)
        if kind is None:
            self._refuse(node, f"{node.this} is too large a number", str(node.this))
            return Typed(node, None, told=True)
        if kind.base == "decimal" and str(node.this).startswith(("0", ".")):
            return Typed(exp.cast(node, exp.DataType.build(duckdb_type(kind), dialect="duckdb")), kind)
        return Typed(node, kind)

    def _of_boolean(self, node: exp.Expr, scope: Scope) -> Typed:
        return Typed(node, BOOLEAN)

    def _of_null(self, node: exp.Expr, scope: Scope) -> Typed:
        return Typed(node, UNKNOWN)

    def _of_unicodestring(self, node: exp.Expr, scope: Scope) -> Typed:
        text = str(node.this)
        if node.args.get("escape") or re.search(r"\\(?![0-9A-Fa-f]{4}|\+[0-9A-Fa-f]{6}|\\)", text.replace("\\\\", "")):
            return self._unproved(node, scope)
        sign = re.compile(r"\\\\|\\([0-9A-Fa-f]{4})|\\\+([0-9A-Fa-f]{6})")
        plain = sign.sub(lambda found: chr(int(found[1] or found[2], 16)) if found[1] or found[2] else "\\", text)
        return Typed(exp.Literal.string(plain), VARCHAR)

    def _of_hexstring(self, node: exp.Expr, scope: Scope) -> Typed:
        if len("".join(str(node.this).split())) % 2:
            self._refuse(node, "a binary literal must contain an even number of digits", "x'")
        return Typed(node, VARBINARY)

    def _of_currentdate(self, node: exp.Expr, scope: Scope) -> Typed:
        return Typed(node, DATE)

    def _of_currenttimestamp(self, node: exp.Expr, scope: Scope) -> Typed:
        if node.args.get("this") is not None:
            return self._unproved(node, scope)
        return Typed(node, WarehouseType(ZONED, (3,)))

    def _of_subquery(self, node: exp.Subquery, scope: Scope) -> Typed:
        columns = self._query(node, Scope(results=scope.results, outer=scope))
        kind = columns[0][1] if columns and len(columns) == 1 else None
        return Typed(node, kind)

    def _of_exists(self, node: exp.Exists, scope: Scope) -> Typed:
        self._query(node.this, Scope(results=scope.results, outer=scope))
        return Typed(node, BOOLEAN)

    def _of_neg(self, node: exp.Neg, scope: Scope) -> Typed:
        if isinstance(node.this, exp.Literal) and str(node.this.this) == str(2**63):
            return Typed(node, BIGINT)  # the least BIGINT, whose digits alone are none
        made = self._expr(node.this, scope)
        node.set("this", made.node)
        if made.kind is None or made.kind == UNKNOWN:
            return self._consumed(node, [made], None, "-")
        if made.kind.base not in NUMBERS:
            self._refuse(node, f"cannot negate {made.kind}", "-")
        return Typed(node, made.kind, made.told)

    def _of_not(self, node: exp.Not, scope: Scope) -> Typed:
        return self._logical(node, scope, ("this",), "NOT")

    def _of_and(self, node: exp.And, scope: Scope) -> Typed:
        return self._logical(node, scope, ("this", "expression"), "AND")

    def _of_or(self, node: exp.Or, scope: Scope) -> Typed:
        return self._logical(node, scope, ("this", "expression"), "OR")

    def _logical(self, node: exp.Expr, scope: Scope, names: Sequence[str], word: str) -> Typed:
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

    def _of_is(self, node: exp.Is, scope: Scope) -> Typed:
        made = self._expr(node.this, scope)
        node.set("this", made.node)
        if not isinstance(node.expression, exp.Null):
            self._doubt(node, "IS", None)
        return Typed(node, BOOLEAN, made.told)

    def _of_case(self, node: exp.Case, scope: Scope) -> Typed:
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

    def _of_if(self, node: exp.If, scope: Scope) -> Typed:
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

    def _of_dpipe(self, node: exp.DPipe, scope: Scope) -> Typed:
        left, right = self._expr(node.this, scope), self._expr(node.expression, scope)
        return self._call(exp.Anonymous(this="concat"), [left, right], "||")

    def _of_cast(self, node: exp.Cast, scope: Scope) -> Typed:
        return self._cast(node, scope, tries=False)

    def _of_trycast(self, node: exp.Cast, scope: Scope) -> Typed:
        return self._cast(node, scope, tries=True)

    def _cast(self, node: exp.Cast, scope: Scope, *, tries: bool) -> Typed:
        text = node.to.sql(dialect="trino").lower()
        wanted = kind_of(text)
        zone = node.this if isinstance(node.this, exp.AtTimeZone) else None
        if zone is not None and wanted is not None and wanted.base in (TIMESTAMP, DATE.base):
            local = self._local(zone, scope)
            if local is not None:
                made = cast(local.node, local.kind or VARCHAR, wanted, tries=tries)
                if isinstance(made, exp.Expr):
                    return Typed(made, wanted, local.told)
        if wanted is not None and wanted.base != "json":
            self._read_json = node.this
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

    def _local(self, node: exp.AtTimeZone, scope: Scope) -> Typed | None:
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

    def _of_attimezone(self, node: exp.AtTimeZone, scope: Scope) -> Typed:
        told = self._children(node, scope)
        if not told:
            self._doubt(node, "zone", "outside a CAST(… AS TIMESTAMP): DuckDB keeps the instant alone")
        return Typed(rewritten(node), None, told=True)

    def _of_parsejson(self, node: exp.Expr, scope: Scope) -> Typed:
        if isinstance(node.this, exp.Literal):
            text = canonical_json(str(node.this.this))
            if text is not None:
                self.reworded[str(node.this.this).lower()] += 1
                node.set("this", exp.Literal.string(text))
        return self._call(exp.Anonymous(this="json_parse"), [self._expr(node.this, scope)], "json")

    def _of_array(self, node: exp.Array, scope: Scope) -> Typed:
        given = [self._expr(each, scope) for each in node.expressions]
        made, kind, told = self._alike(node, given, "ARRAY")
        node.set("expressions", made)
        return Typed(node, WarehouseType("array", (), (kind,)) if kind else None, told)

    def _of_tuple(self, node: exp.Tuple, scope: Scope) -> Typed:
        return self._row(node, [self._expr(each, scope) for each in node.expressions])

    def _row(self, node: exp.Expr, given: list[Typed]) -> Typed:
        told = any(each.told for each in given)
        made = exp.Anonymous(this="row", expressions=[each.node for each in given])
        kinds = [each.kind for each in given]
        if any(kind is None for kind in kinds):
            return self._consumed(made, given, None, "row")
        known = tuple(kind for kind in kinds if kind is not None)
        return Typed(made, WarehouseType("row", (), known, (None,) * len(known)), told)

    def _of_bracket(self, node: exp.Bracket, scope: Scope) -> Typed:
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

    def _of_dot(self, node: exp.Dot, scope: Scope) -> Typed:
        given = self._expr(node.this, scope)
        node.set("this", given.node)
        return Typed(node, _field(given.kind, [node.expression.name.lower()]), given.told)

    def _of_extract(self, node: exp.Extract, scope: Scope) -> Typed:
        name = extract_name(str(node.this.name))
        local = self._local_or_given(node.expression, scope)
        if name is None:
            self._refuse(node, f"Trino's EXTRACT has no field {node.this.name}", str(node.this.name))
            return Typed(node, BIGINT, told=True)
        return self._call(exp.Anonymous(this=name), [local], "extract")

    def _local_or_given(self, node: exp.Expr, scope: Scope) -> Typed:
        if isinstance(node, exp.AtTimeZone):
            local = self._local(node, scope)
            if local is not None:
                return local
        return self._expr(node, scope)

    def _of_trim(self, node: exp.Trim, scope: Scope) -> Typed:
        name = {"LEADING": "ltrim", "TRAILING": "rtrim"}.get(node.args.get("position") or "", "trim")
        given = [self._expr(each, scope) for each in (node.this, node.expression) if each is not None]
        return self._call(exp.Anonymous(this=name), given, "trim")

    def _of_substring(self, node: exp.Substring, scope: Scope) -> Typed:
        parts = (node.this, node.args.get("start"), node.args.get("length"))
        given = [self._expr(each, scope) for each in parts if each is not None]
        return self._call(exp.Anonymous(this="substring"), given, "substring")

    def _of_strposition(self, node: exp.StrPosition, scope: Scope) -> Typed:
        given = [self._expr(each, scope) for each in (node.this, node.args["substr"])]
        return self._call(exp.Anonymous(this="strpos"), given, "position")

    def _of_lambda(self, node: exp.Lambda, scope: Scope) -> Typed:
        return self._function(node, [None] * len(node.expressions), scope)

    def _function(self, node: exp.Lambda, kinds: Sequence[WarehouseType | None], scope: Scope) -> Typed:
        names = [each.name.lower() for each in node.expressions]
        inside = replace(scope, parameters={**scope.parameters, **dict(zip(names, kinds, strict=False))})
        made = self._expr(node.this, inside)
        node.set("this", made.node)
        return Typed(node, made.kind, made.told)

    def _of_interval(self, node: exp.Interval, scope: Scope) -> Typed:
        unit = node.args.get("unit")
        number = node.this.name if isinstance(node.this, exp.Literal) else ""
        if not isinstance(unit, exp.Var) or not number.lstrip("-").isdigit():
            return Typed(node, None)
        kind = {"YEAR": MONTHS, "MONTH": MONTHS}.get(unit.name.upper(), DAYS)
        if unit.name.upper() not in ("YEAR", "MONTH", "DAY", "HOUR", "MINUTE", "SECOND"):
            self._refuse(node, f"Trino has no interval of {unit.name}", unit.name)
            return Typed(node, None, told=True)
        return Typed(node, kind)


_WORDS = {"currenttime": "current_time", "localtimestamp": "localtimestamp", "jsonextract": "json_query"}


def _field(kind: WarehouseType | None, names: Sequence[str]) -> WarehouseType | None:
    for name in names:
        if kind is None or kind.base != "row":
            return None
        fields = [each.lower() if each else None for each in kind.fields]
        kind = kind.inner[fields.index(name)] if name in fields else None
    return kind


def _is_utc(text: str) -> bool:
    return (":" in text and re.fullmatch(r"[\d :.-]+", text.strip()) is not None) or text.strip().upper().endswith(
        (" UTC", " Z", "+00:00")
    )


def _is_zone(name: str) -> bool:
    return name == "UTC" or ("/" in name and not name.startswith(("Etc/", "+", "-")))
