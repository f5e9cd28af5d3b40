"""Which warehouse type becomes which engine type, what widens to what, and what a mapping may declare.

What is known of each type stands in `table`. How a value travels through Parquet is decided in `loading`, and the text
of types is read and written by `text`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from graph_platform.mapping.types.table import AS_TEXT, BY_ENGINE, BY_SOURCE, BY_SYNONYM, REFUSED, TYPES
from graph_platform.mapping.types.text import EngineType, WarehouseType, parse_engine_type, parse_warehouse_type

MAX_DECIMAL_PRECISION = 38
ENGINE_TIMESTAMP_DIGITS = 6
PRIMARY_KEY_TYPES = tuple(dict.fromkeys(row.key for row in TYPES if row.key))
ENGINE_SCALARS = frozenset(row.engine for row in TYPES) - {"DECIMAL"}
FIELD_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*", re.ASCII)


@dataclass(eq=False)
class TypeRefusal(Exception):
    """A type that cannot be loaded, and what to write instead: in `advice`, {item} is the expression, {name} its name.

    `cast` is an expression of a type that can be loaded, for a {} of the refused type.
    """

    message: str
    advice: str
    cast: str | None = None

    @property
    def hint(self) -> str:
        """What to write instead, for a column x."""
        return self.hint_for("x", "x")

    def hint_for(self, item: str, name: str) -> str:
        """What to write instead of `item AS name`."""
        texts = {"{item}": item, "{name}": name}
        return re.sub(r"\{item\}|\{name\}", lambda found: texts[found[0]], self.advice)

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})"


_LENGTH_IGNORED = frozenset({"VARCHAR", "CHAR", "VARBINARY", "TIMESTAMP", "TIMESTAMP WITH TIME ZONE"})


def engine_type(trino: str | WarehouseType) -> EngineType:
    """The engine type that a warehouse type becomes by itself.

    Raises:
        TypeRefusal: it becomes none.
        ValueError: the text is no type.
    """
    source = parse_warehouse_type(trino) if isinstance(trino, str) else trino
    scalar = BY_SOURCE.get(source.base)
    if scalar is not None:
        return EngineType(scalar.engine, _decimal(source.numbers) if scalar.engine == "DECIMAL" else ())
    if source.base == "array" and len(source.inner) == 1:
        return EngineType("LIST", (), _inside(source))
    if source.base == "map" and len(source.inner) == 2:
        return EngineType("MAP", (), _inside(source))
    if source.base == "row" and source.inner:
        return EngineType("STRUCT", (), _inside(source), _fields(source))
    instead = REFUSED.get(source.base, AS_TEXT)
    casts = (instead.sql, *instead.others)
    advice = "write " + ", or ".join(cast.replace("{}", "{item}") + " AS {name}" for cast in casts)
    if source.base == "unknown":
        advice += ", since a bare NULL has no type"
    raise TypeRefusal(f"the type {source} has no counterpart in the graph", advice, casts[0])


def _inside(source: WarehouseType) -> tuple[EngineType, ...]:
    """The types inside an array, a map or a row; what helps for a type alone is no cast of the whole."""
    inner = []
    for place, kind in enumerate(source.inner):
        try:
            inner.append(engine_type(kind))
        except TypeRefusal as refusal:
            element = _of_each(source.base, place, refusal.cast) if refusal.cast else None
            if element is None:
                advice = "leave it out, or choose from it what can be loaded"
            else:
                advice = f"leave it out, or turn it into text element by element: {element} AS {{name}}"
            raise TypeRefusal(f"{source}: {refusal.message}", advice) from refusal
    return tuple(inner)


def _of_each(base: str, place: int, cast: str) -> str | None:
    if base == "array":
        return f"transform({{item}}, e -> {cast.replace('{}', 'e')})"
    if base == "map":
        function, lambda_ = (("transform_keys", "k"), ("transform_values", "v"))[place]
        return f"{function}({{item}}, (k, v) -> {cast.replace('{}', lambda_)})"
    return None


def _fields(source: WarehouseType) -> tuple[str, ...]:
    shape = ", ".join(f"{name or f'field{i}'} {kind}" for i, (name, kind) in _numbered(source))
    hint = f"name the fields: CAST({{item}} AS ROW({shape})) AS {{name}}"
    names = [name for name in source.fields if name is not None]
    if len(names) != len(source.fields):
        raise TypeRefusal(f"the type {source} has a field without a name", hint)
    if any(not FIELD_NAME.fullmatch(name) for name in names):
        raise TypeRefusal(f"the type {source} has a field whose name is not letters, digits and _", hint)
    if len({name.lower() for name in names}) != len(names):
        raise TypeRefusal(f"the type {source} has two fields of one name", hint)
    return tuple(names)


def _numbered(source: WarehouseType) -> list[tuple[int, tuple[str | None, WarehouseType]]]:
    return list(enumerate(zip(source.fields, source.inner, strict=True), start=1))


def _decimal(numbers: tuple[int, ...]) -> tuple[int, int]:
    precision, scale = (*numbers, 0)[:2] if numbers else (MAX_DECIMAL_PRECISION, 0)
    if not 1 <= precision <= MAX_DECIMAL_PRECISION or scale > precision or len(numbers) > 2:
        raise TypeRefusal(
            f"DECIMAL({', '.join(map(str, numbers))}) is outside the range of the engines",
            f"use a precision of 1 to {MAX_DECIMAL_PRECISION} and a scale up to the precision",
        )
    return precision, scale


def declared_type(text: str) -> EngineType:
    """The engine type that a mapping declares, synonyms resolved: `varchar` is STRING, `int[]` is INT32[].

    Raises:
        TypeRefusal: no such type, or one that a graph of this platform cannot have.
    """
    try:
        return _resolved(parse_engine_type(text))
    except ValueError as error:
        choices = ", ".join(sorted(ENGINE_SCALARS))
        raise TypeRefusal(str(error), f"use one of {choices}, DECIMAL(p, s), T[], MAP(K, V), STRUCT(name T)") from error


def _resolved(kind: EngineType) -> EngineType:
    if kind.inner:
        for name in kind.fields:
            if not FIELD_NAME.fullmatch(name):
                raise TypeRefusal(f"{name!r} cannot be a field's name", "use letters, digits and _, a letter first")
        if len({name.lower() for name in kind.fields}) != len(kind.fields):
            raise TypeRefusal(f"{kind} has two fields of one name", "the engines ignore case: rename one")
        return EngineType(kind.base, (), tuple(map(_resolved, kind.inner)), kind.fields)
    base = BY_SYNONYM[kind.base].engine if kind.base in BY_SYNONYM else kind.base
    if base == "DECIMAL":
        if not kind.numbers:
            raise TypeRefusal("DECIMAL needs its precision and scale", "e.g. DECIMAL(18, 2)")
        return EngineType("DECIMAL", _decimal(kind.numbers))
    if base in ("LIST", "ARRAY", "MAP", "STRUCT", "ROW"):
        raise TypeRefusal(f"{kind} does not say what is inside", "write T[], MAP(K, V) or STRUCT(name T, …)")
    if base not in ENGINE_SCALARS:
        raise TypeRefusal(f"{kind} is not a type of the graph", "use one of " + ", ".join(sorted(ENGINE_SCALARS)))
    if kind.numbers and kind.base not in _LENGTH_IGNORED:
        raise TypeRefusal(f"{kind} takes no number", f"write {base}")
    return EngineType(base)


def widens(inferred: EngineType, declared: EngineType) -> bool:  # noqa: PLR0911
    """Whether every value of the column's own type has an equal in the declared one.

    Nothing becomes a STRING by itself: how a number or a date is spelt is the user's choice, in a CAST. One loss is
    allowed because declaring it is the only way to ask for it: DECIMAL to DOUBLE.
    """
    own, wanted = BY_ENGINE.get(inferred.base), BY_ENGINE.get(declared.base)
    if inferred.base != declared.base:
        if own is None or wanted is None:
            return False
        if declared.base in own.widens:
            return True
        if declared.base == "DECIMAL" and own.digits:
            precision, scale = declared.numbers
            return precision - scale >= own.digits.most
        if inferred.base == "DECIMAL" and wanted.digits:
            precision, scale = inferred.numbers
            return scale == 0 and precision <= wanted.digits.safe
        return inferred.base == "DECIMAL" and declared.base == "DOUBLE"
    if inferred.base == "DECIMAL":
        (precision, scale), (wide_precision, wide_scale) = inferred.numbers, declared.numbers
        return wide_scale >= scale and wide_precision - wide_scale >= precision - scale
    if [name.lower() for name in inferred.fields] != [name.lower() for name in declared.fields]:
        return False
    return all(widens(a, b) for a, b in zip(inferred.inner, declared.inner, strict=True))


def loses_exactness(inferred: EngineType, declared: EngineType) -> bool:
    """Whether a DECIMAL becomes a DOUBLE somewhere, on the mapping's own word."""
    if inferred.base == "DECIMAL" and declared.base == "DOUBLE":
        return True
    return len(inferred.inner) == len(declared.inner) and any(
        loses_exactness(a, b) for a, b in zip(inferred.inner, declared.inner, strict=True)
    )


def loses_fractions(trino: WarehouseType) -> bool:
    """Whether the type holds timestamps finer than the engines' microseconds."""
    fine = trino.base.startswith("timestamp") and bool(trino.numbers) and trino.numbers[0] > ENGINE_TIMESTAMP_DIGITS
    return fine or any(loses_fractions(kind) for kind in trino.inner)


def can_be_ordered(trino: WarehouseType) -> bool:
    """Whether Trino orders values of the type: neither JSON nor a map, nor anything with one of them inside."""
    if trino.inner:
        return trino.base in ("array", "row") and all(map(can_be_ordered, trino.inner))
    scalar = BY_SOURCE.get(trino.base)
    return scalar is not None and trino.base not in scalar.unordered


def sql_field(name: str) -> str:
    """A row's field as SQL names it: in quotes also where a keyword would be read instead, such as `from`."""
    from graph_platform.mapping.sql.gate import identifier  # noqa: PLC0415  the parser, which a server of graphs has no use for

    return identifier(name) if name == name.lower() else '"' + name.replace('"', '""') + '"'


def sql_type(kind: WarehouseType) -> str:
    """A type as SQL writes it, which the text that a warehouse gives of it is not where a field is a keyword."""
    if kind.base == "row":
        parts = [
            sql_type(inner) if name is None else f"{sql_field(name)} {sql_type(inner)}"
            for name, inner in zip(kind.fields, kind.inner, strict=True)
        ]
        return f"row({', '.join(parts)})"
    return f"{kind.base}({', '.join(map(sql_type, kind.inner))})" if kind.inner else str(kind)


def cast_name(kind: EngineType) -> str:
    """The Trino type to cast to, so that a column becomes `kind`."""
    if kind.base == "LIST":
        return f"ARRAY({cast_name(kind.inner[0])})"
    if kind.base == "MAP":
        return f"MAP({cast_name(kind.inner[0])}, {cast_name(kind.inner[1])})"
    if kind.base == "STRUCT":
        return (
            f"ROW({', '.join(f'{sql_field(n)} {cast_name(t)}' for n, t in zip(kind.fields, kind.inner, strict=True))})"
        )
    numbers = f"({', '.join(map(str, kind.numbers))})" if kind.numbers else ""
    return BY_ENGINE[kind.base].cast + numbers
