"""The table of signatures: what a call is on Trino, and what DuckDB is asked instead.

A row is `name(types) -> type`, as Trino's SHOW FUNCTIONS has it, and after `=` the function or macro of DuckDB's that
gave the same values in the tests. A row without one is known, so that its type goes on, and not proved. Capital letters
are types that are bound by the arguments; `T...` is one or more.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache

from sqlglot import exp

from graph_platform.mapping.types.text import WarehouseType
from graph_platform.warehouse.duckdb.rewrites import rewritten
from graph_platform.warehouse.duckdb.signatures.casts import cast
from graph_platform.warehouse.duckdb.signatures.conditions import CONDITIONS, duckdb_path, duckdb_pattern
from graph_platform.warehouse.duckdb.signatures.kinds import UNKNOWN, VARCHAR, common, duckdb_type, is_taken_for
from graph_platform.warehouse.duckdb.signatures.table import TABLE
from graph_platform.warehouse.duckdb.signatures.written import as_parsed

_ROW = re.compile(
    r"(?P<name>\w+)\((?P<types>.*?)\) -> (?P<result>[^=!]+?)"
    r"(?: = (?P<duckdb>\w+\*?)(?:\((?P<order>[^)]*)\))?(?P<casts> as result)?(?: where (?P<conditions>[\w, ]+))?)?"
    r"(?: ! (?P<note>.+))?"
)
_ORDERED = ("tinyint", "smallint", "integer", "bigint", "decimal", "real", "double")
_VARIABLE = re.compile(r"[A-Z]\d?")


@dataclass(frozen=True)
class _Pattern:
    base: str
    inner: tuple[_Pattern, ...] = ()
    is_many: bool = False

    @property
    def is_variable(self) -> bool:
        return _VARIABLE.fullmatch(self.base) is not None

    @property
    def is_open(self) -> bool:
        return self.is_variable or any(each.is_open for each in self.inner)

    def __str__(self) -> str:
        inner = f"({', '.join(map(str, self.inner))})" if self.inner else ""
        return self.base + inner + ("..." if self.is_many else "")


def _split(text: str) -> list[str]:
    parts, depth, start = [], 0, 0
    for at, sign in enumerate(text):
        depth += {"(": 1, ")": -1}.get(sign, 0)
        if sign == "," and depth == 0:
            parts.append(text[start:at].strip())
            start = at + 1
    return [*parts, text[start:].strip()] if text.strip() else []


def _pattern(text: str) -> _Pattern:
    many = text.endswith("...")
    text = text.removesuffix("...")
    base, paren, inside = text.partition("(")
    return _Pattern(base, tuple(map(_pattern, _split(inside[:-1]))) if paren else (), many)


@dataclass(frozen=True)
class Row:
    """One signature."""

    name: str
    types: tuple[_Pattern, ...]
    result: _Pattern
    duckdb: str | None = None
    order: tuple[str, ...] | None = None
    casts: bool = False
    conditions: tuple[str, ...] = ()
    note: str | None = None

    def __str__(self) -> str:
        return f"{self.name}({', '.join(map(str, self.types))})"

    def call(self, given: Sequence[WarehouseType | None], *, exactly: bool) -> Call | None:
        """The row with its types bound by the arguments; None stands for a function.

        Args:
            exactly: whether each argument has to be of the row's own type, and is not coerced.
        """
        types = self.types
        if types and types[-1].is_many and len(given) >= len(types):
            last = replace(types[-1], is_many=False)
            types = (*types[:-1], *[last] * (len(given) - len(types) + 1))
        if len(types) != len(given):
            return None
        bound: dict[str, WarehouseType] = {}
        for pattern, kind in zip(types, given, strict=True):
            if (kind is None) != (pattern.base == "function"):
                return None
            if kind is not None and not _bind(pattern, kind, bound, exactly=exactly):
                return None
        wanted = [None if kind is None else _wanted(pattern, kind, bound)
                  for pattern, kind in zip(types, given, strict=True)]  # fmt: skip
        return Call(self, types, tuple(wanted), bound, _digits(self, given))

    def why_not(self, arguments: Sequence[exp.Expr], waived: str = "") -> str | None:
        """What the row's conditions say against these arguments.

        Args:
            waived: a condition that does not matter here.
        """
        for condition in self.conditions:
            why = None if condition == waived else CONDITIONS[condition](arguments)
            if why:
                return why
        return None

    def made(self, arguments: Sequence[exp.Expr], call: Call) -> exp.Expr:
        """What DuckDB is asked."""
        if "simple_path" in self.conditions:
            arguments = [arguments[0], exp.Literal.string(duckdb_path(str(arguments[1].this))), *arguments[2:]]
        if {"pattern", "tested_pattern"} & set(self.conditions):
            arguments = [arguments[0], exp.Literal.string(duckdb_pattern(str(arguments[1].this))), *arguments[2:]]
        special = _MADE.get(self.duckdb or "")
        if special is not None:
            return special(self, arguments, call)
        if self.duckdb is not None and self.duckdb.endswith("*"):
            return _function_of(self.duckdb[:-1], _function_of("list_transform", *arguments))
        ordered = list(arguments)
        if self.order is not None:
            ordered = []
            for place in self.order:
                if place.startswith("$"):
                    ordered.append(arguments[int(place[1:]) - 1].copy())
                elif place.isdigit():
                    ordered.append(exp.Literal.number(place))
                else:
                    ordered.append(exp.Literal.string(place.strip("'")))
        return _cast_if(self, exp.Anonymous(this=self.duckdb, expressions=ordered), call)


def _function_of(name: str, *arguments: exp.Expr) -> exp.Anonymous:
    return exp.Anonymous(this=name, expressions=list(arguments))


def _with_parts(node: exp.Expr, given: Mapping[str, exp.Expr]) -> exp.Expr:
    """A function's body with other expressions for its parameters; a field, a column or the parameter of a function
    inside that is called so is another thing.
    """
    if isinstance(node, exp.Identifier):
        return given[node.name.lower()].copy() if node.name.lower() in given else node
    if isinstance(node, exp.Column):
        return node
    if isinstance(node, exp.Lambda):
        own = {each.name.lower() for each in node.expressions}
        node.set("this", _with_parts(node.this, {name: part for name, part in given.items() if name not in own}))
        return node
    for child in list(node.iter_expressions()):
        if not (isinstance(node, exp.Dot) and child is node.expression):
            made = _with_parts(child, given)
            if made is not child:
                child.replace(made)
    return node


def _itself(row: Row, arguments: Sequence[exp.Expr], call: Call) -> exp.Expr:
    return arguments[0]


def _joined(row: Row, arguments: Sequence[exp.Expr], call: Call) -> exp.Expr:
    whole = arguments[0]
    for each in arguments[1:]:
        whole = exp.DPipe(this=whole, expression=each)
    return exp.Paren(this=whole) if len(arguments) > 1 else whole


def _parsed(row: Row, arguments: Sequence[exp.Expr], call: Call) -> exp.Expr:
    return _cast_if(row, rewritten(as_parsed(row.name, list(arguments))), call)


def _reduced(row: Row, arguments: Sequence[exp.Expr], call: Call) -> exp.Expr:
    folded = _function_of("list_reduce", arguments[0], arguments[2], arguments[1])
    answer = _function_of("list_transform", exp.Array(expressions=[folded]), arguments[3])
    return _function_of("list_extract", answer, exp.Literal.number(1))


def _without_nan(row: Row, arguments: Sequence[exp.Expr], call: Call) -> exp.Expr:
    """NaN is the largest number of DuckDB's, and on Trino it counts only where there is no other."""
    numbers = _marked(_function_of(row.name, _function_of("trino_not_nan", arguments[0])))
    return exp.Coalesce(this=numbers, expressions=[_marked(_function_of(row.name, arguments[0].copy()))])


def _by_number(row: Row, arguments: Sequence[exp.Expr], call: Call) -> exp.Expr:
    """As `_without_nan`, of the value beside it."""
    name = {"max_by": "arg_max_null", "min_by": "arg_min_null"}[row.name]
    value, key = arguments
    number = _function_of("trino_not_nan", key)
    count = _marked(_function_of("count", number.copy()))
    of_all = _marked(_function_of(name, value.copy(), key.copy()))
    of_numbers = _marked(_function_of(name, value.copy(), number))
    has_none = exp.EQ(this=count, expression=exp.Literal.number(0))
    return exp.Case(ifs=[exp.If(this=has_none, true=of_all)], default=of_numbers)


def _gathered(row: Row, arguments: Sequence[exp.Expr], call: Call) -> exp.Expr:
    name = {"map_agg": "trino_map_of", "multimap_agg": "trino_multimap_of"}[row.name]
    return _function_of(name, _marked(_function_of("list", _function_of("row", *arguments))))


def _iso_moment(row: Row, arguments: Sequence[exp.Expr], call: Call) -> exp.Expr:
    kind = call.kinds[0]
    moment = exp.cast(exp.cast(arguments[0], "TIMESTAMP", dialect="duckdb"), "VARCHAR", dialect="duckdb")
    digits = exp.Literal.number(kind.numbers[0] if kind else 3)
    signs = (exp.Literal.string(" "), exp.Literal.string("T"))
    return _function_of("replace", _function_of("trino_text_of_moment", moment, digits), *signs)


def _over_entries(row: Row, arguments: Sequence[exp.Expr], call: Call) -> exp.Expr:
    """What Trino calls with the key and the value, or with one element of each list, DuckDB calls with a pair."""
    function = arguments[-1]
    pair = exp.to_identifier("trino_pair")
    fields = (exp.Literal.number(1), exp.Literal.number(2))
    if row.name != "zip_with":
        fields = (exp.Literal.string("key"), exp.Literal.string("value"))
    parts = [_function_of("struct_extract", pair.copy(), field) for field in fields]
    given = dict(zip((each.name.lower() for each in function.expressions), parts, strict=True))
    body = exp.Lambda(this=_with_parts(function.this, given), expressions=[pair])
    if row.name == "zip_with":
        return _function_of("list_transform", _function_of("trino_zip", *arguments[:2]), body)
    entries = _function_of("map_entries", arguments[0])
    if row.name == "map_filter":
        return _function_of("map_from_entries", _function_of("list_filter", entries, body))
    keys, values = (_function_of(each, arguments[0].copy()) for each in ("map_keys", "map_values"))
    made = _function_of("list_transform", entries, body)
    return _function_of("map", made, values) if row.name == "transform_keys" else _function_of("map", keys, made)


def _texts_joined(row: Row, arguments: Sequence[exp.Expr], call: Call) -> exp.Expr:
    kind = call.kinds[0]
    texts = cast(arguments[0], kind, WarehouseType("array", (), (VARCHAR,)), tries=False) if kind else None
    assert isinstance(texts, exp.Expr), row  # noqa: S101  `why_not` has looked
    return _function_of("trino_array_join" if len(arguments) == 2 else "trino_array_join_with", texts, *arguments[1:])


def _averaged(row: Row, arguments: Sequence[exp.Expr], call: Call) -> exp.Expr:
    """Of DECIMALs: DuckDB's own is a DOUBLE. Both aggregates are marked, since a clause belongs to each."""
    kind = call.result or WarehouseType("decimal", (38, 0))
    scale = exp.Literal.number(kind.numbers[1])
    total, count = _function_of("sum", arguments[0]), _function_of("count", arguments[0].copy())
    units = _function_of("trino_units", _marked(total), scale, scale.copy())
    number = exp.cast(_function_of("nullif", _marked(count), exp.Literal.number(0)), "int128")
    made = _function_of("trino_divide_decimal", units, number, scale.copy())
    return exp.cast(made, duckdb_type(kind), dialect="duckdb")


_MADE: Mapping[str, Callable[[Row, Sequence[exp.Expr], Call], exp.Expr]] = {
    "itself": _itself,
    "joined": _joined,
    "parsed": _parsed,
    "reduced": _reduced,
    "averaged": _averaged,
    "without_nan": _without_nan,
    "by_number": _by_number,
    "gathered": _gathered,
    "iso_moment": _iso_moment,
    "entries": _over_entries,
    "texts_joined": _texts_joined,
}
"""What is made of more than one function of DuckDB's, by the word in the table."""


def _marked(aggregate: exp.Expr) -> exp.Expr:
    aggregate.meta["aggregate"] = True
    return aggregate


def _cast_if(row: Row, made: exp.Expr, call: Call) -> exp.Expr:
    return exp.cast(made, duckdb_type(call.result), dialect="duckdb") if row.casts and call.result else made


@dataclass(frozen=True)
class Call:
    """A row with its types bound; `kinds` are what the arguments are coerced to."""

    row: Row
    types: tuple[_Pattern, ...]
    kinds: tuple[WarehouseType | None, ...]
    bound: Mapping[str, WarehouseType]
    digits: tuple[int, ...]

    @property
    def result(self) -> WarehouseType | None:
        return _filled(self.row.result, self.bound, self.digits)

    def width(self) -> tuple[int, int]:
        """For the order of rows that all take the arguments: most types of its own first, then the narrowest."""
        return (
            sum(each.is_open for each in self.types),
            sum(_ORDERED.index(each.base) for each in self.types if each.base in _ORDERED),
        )

    def parameters(self, at: int) -> list[WarehouseType | None]:
        """The types of a function's parameters."""
        return [_filled(each, self.bound, self.digits) for each in self.types[at].inner[:-1]]

    def answered(self, at: int, kind: WarehouseType) -> Call | None:
        """The call with what a function answers, None where that is another type than is wanted."""
        pattern = self.types[at].inner[-1]
        bound = dict(self.bound)
        if kind == UNKNOWN and not pattern.is_variable:
            return None
        if pattern.is_variable and pattern.base in bound and kind not in (bound[pattern.base], UNKNOWN):
            return None
        return replace(self, bound=bound) if _bind(pattern, kind, bound, exactly=False) else None


_DIGITS: Mapping[str, Callable[[int, int], tuple[int, int]]] = {
    "ceil": lambda p, s: (min(38, p - s + min(1, s)), 0),
    "round": lambda p, s: (min(38, p - s + min(1, s)), 0),
    "round2": lambda p, s: (min(38, p + 1), s),
    "truncate": lambda p, s: (max(p - s, 1), 0),
    "sum": lambda p, s: (38, s),
    "sign": lambda p, s: (1, 0),
}


def _digits(row: Row, given: Sequence[WarehouseType | None]) -> tuple[int, ...]:
    """The numbers of a result's type: those of the first argument of that kind, or what the function makes of them."""
    found = next(
        (each.numbers for each in given if each is not None and each.base == row.result.base and each.numbers), ()
    )
    if row.result.base != "decimal" or not found:
        return found
    name = {"ceiling": "ceil", "floor": "ceil"}.get(row.name, row.name)
    rule = _DIGITS.get(f"{name}{len(given)}" if len(given) > 1 else name)
    return rule(*found) if rule else found


def _bind(
    pattern: _Pattern, kind: WarehouseType, bound: dict[str, WarehouseType], *, exactly: bool, is_inside: bool = False
) -> bool:
    if pattern.is_variable:
        before = bound.get(pattern.base)
        both = kind if before is None else common(before, kind)
        if both is None or (exactly and before is not None and before != kind and UNKNOWN not in (before, kind)):
            return False
        bound[pattern.base] = both
        return True
    if kind == UNKNOWN:
        return not (exactly and is_inside)
    if kind.base == pattern.base:
        return len(kind.inner) == len(pattern.inner) and all(
            _bind(one, other, bound, exactly=exactly, is_inside=True)
            for one, other in zip(pattern.inner, kind.inner, strict=True)
        )
    return not exactly and not pattern.inner and is_taken_for(kind, _coerced(pattern.base, kind))


def _coerced(base: str, kind: WarehouseType) -> WarehouseType:
    """A type with the numbers that Trino gives it when a value of another type is taken for it."""
    if base == "decimal" and kind.base in ("tinyint", "smallint", "integer", "bigint"):
        return WarehouseType(base, ({"tinyint": 3, "smallint": 5, "integer": 10, "bigint": 19}[kind.base], 0))
    if base in ("timestamp", "timestamp with time zone"):
        return WarehouseType(base, kind.numbers or (0,))
    return WarehouseType(base)


def _wanted(pattern: _Pattern, kind: WarehouseType, bound: Mapping[str, WarehouseType]) -> WarehouseType:
    if pattern.base == kind.base and not pattern.inner:
        return kind
    filled = _filled(pattern, bound, kind.numbers)
    if filled is None or (kind == UNKNOWN and (pattern.base in ("decimal", "timestamp") or "with" in pattern.base)):
        return kind
    return _coerced(pattern.base, kind) if kind != UNKNOWN and not pattern.inner and not pattern.is_variable else filled


def _filled(pattern: _Pattern, bound: Mapping[str, WarehouseType], digits: tuple[int, ...]) -> WarehouseType | None:
    if pattern.is_variable:
        return bound.get(pattern.base)
    inner = tuple(_filled(each, bound, digits) for each in pattern.inner)
    known = tuple(each for each in inner if each is not None)
    if len(known) < len(inner):
        return None
    has_digits = pattern.base in ("decimal", "timestamp", "timestamp with time zone")
    numbers = digits if has_digits else ()
    if has_digits and not numbers:
        return None
    if pattern.base == "timestamp3":
        return WarehouseType("timestamp", (3,))
    if pattern.base == "zoned3":
        return WarehouseType("timestamp with time zone", (3,))
    return WarehouseType(pattern.base, numbers, known, (None,) * len(known) if pattern.base == "row" else ())


@cache
def _table() -> Mapping[str, tuple[Row, ...]]:
    rows: dict[str, list[Row]] = {}
    for line in TABLE.strip().splitlines():
        found = _ROW.fullmatch(line.strip())
        if found is None:
            raise ValueError(f"{line!r} is no row of the table")
        rows.setdefault(found["name"], []).append(
            Row(
                found["name"],
                tuple(map(_pattern, _split(found["types"]))),
                _pattern(found["result"].strip()),
                found["duckdb"],
                tuple(_split(found["order"])) if found["order"] is not None else None,
                bool(found["casts"]),
                tuple(each.strip() for each in (found["conditions"] or "").split(",") if each.strip()),
                found["note"],
            )
        )
    return {name: tuple(each) for name, each in rows.items()}


def rows_of(name: str) -> tuple[Row, ...]:
    """The rows of a function, none for one that the table does not have."""
    return _table().get(name, ())


def every_row() -> tuple[Row, ...]:
    """All rows of the table."""
    return tuple(row for rows in _table().values() for row in rows)
