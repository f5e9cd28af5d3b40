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
from graph_platform.warehouse.duckdb.signatures.conditions import CONDITIONS
from graph_platform.warehouse.duckdb.signatures.kinds import UNKNOWN, common, duckdb_type, is_taken_for
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

    def why_not(self, arguments: Sequence[exp.Expr]) -> str | None:
        """What the row's conditions say against these arguments."""
        for condition in self.conditions:
            why = CONDITIONS[condition](arguments)
            if why:
                return why
        return None

    def made(self, arguments: Sequence[exp.Expr], call: Call) -> exp.Expr:  # noqa: PLR0911
        """What DuckDB is asked."""
        if self.duckdb == "itself":
            return arguments[0]
        if self.duckdb == "joined":
            whole = arguments[0]
            for each in arguments[1:]:
                whole = exp.DPipe(this=whole, expression=each)
            return exp.Paren(this=whole) if len(arguments) > 1 else whole
        if self.duckdb == "parsed":
            return _cast_if(self, rewritten(as_parsed(self.name, list(arguments))), call)
        if self.duckdb == "reduced":
            folded = exp.Anonymous(this="list_reduce", expressions=[arguments[0], arguments[2], arguments[1]])
            answer = exp.Anonymous(this="list_transform", expressions=[exp.Array(expressions=[folded]), arguments[3]])
            return exp.Anonymous(this="list_extract", expressions=[answer, exp.Literal.number(1)])
        if self.duckdb == "averaged" and call.result is not None:
            return _average(arguments[0], call.result)
        if self.duckdb is not None and self.duckdb.endswith("*"):
            inner = exp.Anonymous(this="list_transform", expressions=list(arguments))
            return exp.Anonymous(this=self.duckdb[:-1], expressions=[inner])
        ordered = list(arguments)
        if self.order is not None:
            ordered = []
            for place in self.order:
                if place.startswith("$"):
                    ordered.append(arguments[int(place[1:]) - 1].copy())
                else:
                    ordered.append(exp.Literal.string(place.strip("'")))
        return _cast_if(self, exp.Anonymous(this=self.duckdb, expressions=ordered), call)


def _average(value: exp.Expr, kind: WarehouseType) -> exp.Expr:
    """Of DECIMALs: DuckDB's own is a DOUBLE. Both aggregates are marked, since a clause belongs to each."""
    scale = exp.Literal.number(kind.numbers[1])
    total = exp.Anonymous(this="sum", expressions=[value])
    count = exp.Anonymous(this="count", expressions=[value.copy()])
    units = exp.Anonymous(this="trino_units", expressions=[_marked(total), scale, scale.copy()])
    number = exp.cast(exp.Anonymous(this="nullif", expressions=[_marked(count), exp.Literal.number(0)]), "int128")
    made = exp.Anonymous(this="trino_divide_decimal", expressions=[units, number, scale.copy()])
    return exp.cast(made, duckdb_type(kind), dialect="duckdb")


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

    def width(self) -> tuple[bool, int]:
        """For the order of rows that all take the arguments: types of its own first, then the narrowest."""
        return (
            any(each.is_open for each in self.types),
            sum(_ORDERED.index(each.base) for each in self.types if each.base in _ORDERED),
        )

    def parameters(self, at: int) -> list[WarehouseType | None]:
        """The types of a function's parameters."""
        return [_filled(each, self.bound, self.digits) for each in self.types[at].inner[:-1]]

    def answered(self, at: int, kind: WarehouseType) -> Call | None:
        """The call with what a function answers, None where that is another type than is wanted."""
        pattern = self.types[at].inner[-1]
        bound = dict(self.bound)
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


def _bind(pattern: _Pattern, kind: WarehouseType, bound: dict[str, WarehouseType], *, exactly: bool) -> bool:
    if pattern.is_variable:
        before = bound.get(pattern.base)
        both = kind if before is None else common(before, kind)
        if both is None or (exactly and before is not None and before != kind and UNKNOWN not in (before, kind)):
            return False
        bound[pattern.base] = both
        return True
    if kind == UNKNOWN:
        return True
    if kind.base == pattern.base:
        return len(kind.inner) == len(pattern.inner) and all(
            _bind(one, other, bound, exactly=exactly) for one, other in zip(pattern.inner, kind.inner, strict=True)
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
