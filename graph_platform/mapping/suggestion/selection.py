"""Which columns of a table or a query can be in a definition, under which names, and how the SELECT writes each.

What a name and a type may be is `definition.structure` and `types`; here is what comes nearest where a column is not
that, and the note that says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from graph_platform.mapping.definition.model import PropertyDefinition
from graph_platform.mapping.definition.quoting import is_word_of_cypher
from graph_platform.mapping.definition.structure import MAX_PROPERTIES, MAX_PROPERTY_NAME, property_name
from graph_platform.mapping.sql.gate import identifier
from graph_platform.mapping.types.loading import export_expression
from graph_platform.mapping.types.rules import TypeRefusal, engine_type, sql_type
from graph_platform.mapping.types.table import AS_TEXT, REFUSED
from graph_platform.mapping.types.text import WarehouseType, parse_warehouse_type
from graph_platform.relational import Column

_ROOM_FOR_A_NUMBER = 4
# What a list of rows cannot hold beside text, and what it can instead; `loading` refuses with the same advice.
_BESIDE_TEXT = {"decimal": WarehouseType("double"), "uuid": WarehouseType("varchar")}


@dataclass(frozen=True)
class SelectedColumn:
    """A column of a SELECT: `sql` as it is written there, `type` that of the graph."""

    name: str
    sql: str
    type: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Selection:
    """The SELECT of one definition: its keys, then its properties, and notes on what is not as the table has it."""

    keys: tuple[SelectedColumn, ...]
    properties: tuple[SelectedColumn, ...]
    notes: tuple[str, ...]

    @property
    def columns(self) -> tuple[SelectedColumn, ...]:
        """All of them in the SELECT's order."""
        return (*self.keys, *self.properties)

    @property
    def definitions(self) -> tuple[PropertyDefinition, ...]:
        """The properties as a mapping has them."""
        return tuple(PropertyDefinition(name=column.name, type=column.type) for column in self.properties)


def selection(keys: Sequence[Column], others: Sequence[Column] = ()) -> Selection:
    """Columns as keys and properties: cast or renamed where a graph needs it, left out where nothing helps.

    Args:
        keys: columns of types that can be a key, which are never left out.
    """
    taken = {column.name.lower() for column in (*keys, *others) if _suggested(column.name) == column.name}
    chosen = [_selected(column, taken) for column in keys]
    possible, left_out = [], []
    for column in others:
        try:
            possible.append(_selected(column, taken))
        except (TypeRefusal, ValueError) as error:
            why = error.message if isinstance(error, TypeRefusal) else str(error)
            left_out.append(f"{column.name} is {column.type} and left out: {why}")
    properties, too_many = possible[:MAX_PROPERTIES], possible[MAX_PROPERTIES:]
    if too_many:
        names = ", ".join(column.name for column in too_many)
        left_out.append(f"left out, since {MAX_PROPERTIES} properties are the most: {names}")
    notes = [note for column in (*chosen, *properties) for note in column.notes]
    return Selection(tuple(chosen), tuple(properties), (*notes, *left_out))


def _selected(column: Column, taken: set[str]) -> SelectedColumn:
    sql, kind, cast = _written(column)
    name = _free_name(column.name, taken)
    renamed = None
    if name != column.name:
        why = (
            "queries would have to quote that word"
            if is_word_of_cypher(column.name)
            else "no property may have that name"
        )
        renamed = f"{column.name} is named {name}, since {why}"
    if sql != identifier(name):
        sql += f" AS {identifier(name)}"
    return SelectedColumn(name, sql, kind, tuple(note for note in (renamed, cast) if note))


def _free_name(name: str, taken: set[str]) -> str:
    stem = _suggested(name)
    if stem == name:
        return name
    found, number = stem, 1
    while found.lower() in taken:
        number += 1
        found = f"{stem[: MAX_PROPERTY_NAME - _ROOM_FOR_A_NUMBER]}_{number}"
    taken.add(found.lower())
    return found


def _suggested(name: str) -> str:
    return f"{name}_value" if is_word_of_cypher(name) else property_name(name)


def _written(column: Column) -> tuple[str, str, str | None]:
    """The column's expression, its type in the graph, and a note where it is not the column itself.

    Raises:
        TypeRefusal: nothing is known that makes a property of it.
        ValueError: its type cannot be read.
    """
    sql, source = identifier(column.name), parse_warehouse_type(column.type)
    try:
        return sql, _loaded_as(source), None
    except TypeRefusal:
        why = f"{column.name} is {column.type}, which a graph does not have"
        instead = REFUSED.get(source.base)
        if instead is not None:
            text = "it is cast to text" if _is_cast_to_text(source) else f"it is {instead.expression(sql)}"
            return instead.expression(sql), _loaded_as(instead.type_for(source)), f"{why}: {text}"
        near = _nearest(source)
        if near is None:
            raise
        return f"CAST({sql} AS {sql_type(near)})", _loaded_as(near), f"{why}: it is cast to {near}"


def _loaded_as(source: WarehouseType) -> str:
    kind = str(engine_type(source))
    export_expression("x", str(source), kind)
    return kind


def _is_loadable(source: WarehouseType) -> bool:
    try:
        return bool(_loaded_as(source))
    except TypeRefusal:
        return False


def _nearest(source: WarehouseType) -> WarehouseType | None:
    """The type that a graph can hold and that one CAST leads to on every warehouse, None where there is none.

    A field keeps its name even if that is refused: Trino casts rows by position and DuckDB by name, where a new name
    would be NULL without a word. Fields without any names are matched by position on both.
    """
    if not source.inner:
        if _is_loadable(source):
            return source
        return WarehouseType("varchar") if _is_cast_to_text(source) else None
    inner = tuple(found for each in source.inner if (found := _nearest(each)) is not None)
    if len(inner) != len(source.inner):
        return None
    fields = source.fields
    if fields and not any(fields):
        fields = tuple(f"field{number}" for number in range(1, len(fields) + 1))
    near = replace(source, inner=inner, fields=fields)
    return next((kind for kind in (near, _beside_text(near)) if _is_loadable(kind)), None)


def _is_cast_to_text(source: WarehouseType) -> bool:
    return source.base in REFUSED and REFUSED[source.base].sql == AS_TEXT.sql


def _beside_text(source: WarehouseType) -> WarehouseType:
    if source.base in _BESIDE_TEXT:
        return _BESIDE_TEXT[source.base]
    # Two keys of a map may be one DOUBLE, and its keys need not be cast for its values' sake.
    kept = source.inner[:1] if source.base == "map" else ()
    return replace(source, inner=(*kept, *map(_beside_text, source.inner[len(kept) :])))
