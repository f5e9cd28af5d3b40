"""The way of a column from the warehouse through Parquet into the engine: what the export writes, what COPY reads.

Most types need at most one cast. The exceptions are DECIMAL, which the engines refuse in Parquet, and UUID: they travel
as text, which COPY casts exactly. Inside a list, map or struct that works only where the whole value is text in the
engines' own notation (`[1.50,NULL]`, `{k=1.50}`, `{a: 1.50}`): a Parquet list of text that COPY has to cast crashes
both engines, and `list_transform` over nested lists or structs gives wrong values without a word. Text of strings has
no escape in that notation, so what mixes strings with these is taken apart, or refused where it cannot be.
"""

from __future__ import annotations

from dataclasses import dataclass

from graph_platform.mapping.types.rules import TypeRefusal, loses_fractions, sql_field, sql_type
from graph_platform.mapping.types.table import BY_ENGINE, TYPES, Nested
from graph_platform.mapping.types.text import (
    EngineType,
    WarehouseType,
    parse_engine_type,
    parse_warehouse_type,
)

_TEXT_SAFE = frozenset(row.engine for row in TYPES if row.nested is not Nested.QUOTED)
_TEXT_ONLY = frozenset(row.engine for row in TYPES if row.nested is Nested.TEXT)
_CAST_BY_THE_ENGINE = frozenset(row.engine for row in TYPES if row.nested in (Nested.TEXT, Nested.CAST))
_TEXT = WarehouseType("varchar")
_KEYS, _VALUES = "k", "v"


@dataclass(frozen=True)
class ExportColumn:
    """How a column is exported: the expression in Trino's dialect, and the Trino type that the file then has."""

    sql: str
    file_type: str


def export_expression(column_sql: str, trino_type: str, engine_type: str) -> ExportColumn:
    """The cast that makes a column loadable as `engine_type`.

    Args:
        column_sql: a column reference, quoted where needed.
        trino_type: the column's type in the warehouse.
        engine_type: the type of the engine's column; the warehouse type must widen to it.

    Raises:
        TypeRefusal: there is no way that keeps the values, so far as both engines were tried.
    """
    source, target = parse_warehouse_type(trino_type), parse_engine_type(engine_type)
    file_type = _file_type(target)
    return ExportColumn(_converted(column_sql, source, target, file_type, 0), str(file_type))


def load_expression(column_ref: str, file_type: str, engine_type: str) -> str | None:
    """The Cypher expression over `LOAD FROM` that yields the column, or None where COPY's own cast does it.

    Args:
        column_ref: the column of the file as Cypher names it, in backticks where needed.
        file_type: the Trino type in the file, as `export_expression` gave it.
        engine_type: the type of the engine's column.
    """
    source, target = parse_warehouse_type(file_type), parse_engine_type(engine_type)
    expression = _loaded(column_ref, source, target)
    return None if expression == column_ref else expression


def _any(kind: EngineType, bases: frozenset[str]) -> bool:
    return kind.base in bases if not kind.inner else any(_any(inner, bases) for inner in kind.inner)


def _all(kind: EngineType, bases: frozenset[str]) -> bool:
    return kind.base in bases if not kind.inner else all(_all(inner, bases) for inner in kind.inner)


def _file_type(target: EngineType) -> WarehouseType:
    if not target.inner:
        return BY_ENGINE[target.base].file
    if not _any(target, _TEXT_ONLY):
        inner = tuple(map(_file_type, target.inner))
        base = {"LIST": "array", "MAP": "map", "STRUCT": "row"}[target.base]
        return WarehouseType(base, (), inner, target.fields)
    if _all(target, _TEXT_SAFE):
        return _TEXT
    if target.base == "STRUCT":
        return WarehouseType("row", (), tuple(map(_file_type, target.inner)), target.fields)
    if target.base == "MAP":
        sides = tuple(_file_type(EngineType("LIST", (), (kind,))) for kind in target.inner)
        return WarehouseType("row", (), sides, (_KEYS, _VALUES))
    raise TypeRefusal(
        f"{target} has text together with DECIMAL or UUID inside a list, which the engines cannot load exactly",
        "cast the DECIMAL to DOUBLE or the UUID to VARCHAR, or make the elements nodes (CROSS JOIN UNNEST)",
    )


def _loaded(ref: str, source: WarehouseType, target: EngineType) -> str:
    if not target.inner or not _any(target, _TEXT_ONLY):
        return ref
    if source.base == "varchar":
        return ref
    if target.base == "STRUCT":
        fields = ", ".join(
            f"`{name}` := {_cast_inside(f'{ref}.`{name}`', file_kind, kind)}"
            for name, file_kind, kind in zip(target.fields, source.inner, target.inner, strict=True)
        )
        # struct_pack of a missing struct would be a struct of missing fields.
        return f"CASE WHEN {ref} IS NULL THEN NULL ELSE struct_pack({fields}) END"
    if target.base == "MAP":
        sides = ", ".join(
            _cast_inside(f"{ref}.`{name}`", file_kind, EngineType("LIST", (), (kind,)))
            for name, file_kind, kind in zip((_KEYS, _VALUES), source.inner, target.inner, strict=True)
        )
        return f"CASE WHEN {ref} IS NULL THEN NULL ELSE map({sides}) END"
    return ref


def _cast_inside(ref: str, source: WarehouseType, target: EngineType) -> str:
    expression = _loaded(ref, source, target)
    if expression == ref and source != _natural_file_type(target):
        return f"cast({ref} AS {target.ddl()})"
    return expression


def _natural_file_type(target: EngineType) -> WarehouseType | None:
    """The file type that the engine reads as `target` without a cast, None where it reads something else."""
    if not target.inner:
        return None if target.base in _CAST_BY_THE_ENGINE else BY_ENGINE[target.base].file
    if _any(target, _CAST_BY_THE_ENGINE):
        return None
    return _file_type(target)


def _converted(sql: str, source: WarehouseType, target: EngineType, file_type: WarehouseType, depth: int) -> str:  # noqa: PLR0911
    if file_type == _TEXT and target.inner:
        return _text(sql, source, target, depth)
    if not target.inner:
        return _scalar(sql, source, target, file_type)
    if _same(source, file_type):
        return sql
    if target.base == "MAP" and file_type.base == "row":
        return _map_in_two(sql, source, target, file_type, depth)
    if _cast_suffices(source, file_type):
        return f"CAST({sql} AS {sql_type(file_type)})"
    name = f"e{depth}"
    if target.base == "LIST":
        inner = _converted(name, source.inner[0], target.inner[0], file_type.inner[0], depth + 1)
        return f"transform({sql}, {name} -> {inner})"
    if target.base == "MAP":
        sides = ", ".join(
            f"transform({function}({sql}), {name} -> {_converted(name, a, b, c, depth + 1)})"
            for function, a, b, c in zip(
                ("map_keys", "map_values"), source.inner, target.inner, file_type.inner, strict=True
            )
        )
        return f"CASE WHEN {sql} IS NULL THEN NULL ELSE map({sides}) END"
    fields = ", ".join(
        _converted(f"{sql}.{_field(field)}", a, b, c, depth)
        for field, a, b, c in zip(source.fields, source.inner, target.inner, file_type.inner, strict=True)
    )
    return f"CASE WHEN {sql} IS NULL THEN NULL ELSE CAST(ROW({fields}) AS {sql_type(file_type)}) END"


def _map_in_two(sql: str, source: WarehouseType, target: EngineType, file_type: WarehouseType, depth: int) -> str:
    sides = ", ".join(
        _converted(
            f"{function}({sql})", WarehouseType("array", (), (a,)), EngineType("LIST", (), (b,)), file_kind, depth
        )
        for function, a, b, file_kind in zip(
            ("map_keys", "map_values"), source.inner, target.inner, file_type.inner, strict=True
        )
    )
    return f"CASE WHEN {sql} IS NULL THEN NULL ELSE CAST(ROW({sides}) AS {sql_type(file_type)}) END"


def _same(source: WarehouseType, file_type: WarehouseType) -> bool:
    """Whether the warehouse's own type already is the file's; a varchar's length does not matter."""
    if source.base != file_type.base or source.fields != file_type.fields:
        return False
    if source.base != "varchar" and not source.inner and source.numbers != file_type.numbers:
        return False
    return all(_same(a, b) for a, b in zip(source.inner, file_type.inner, strict=True))


def _cast_suffices(source: WarehouseType, file_type: WarehouseType) -> bool:
    """Whether one CAST of the whole does it: not for JSON (needs json_format), zones (need UTC first), nor for
    fractions that are cut off (a CAST rounds them).
    """
    if not source.inner:
        return source.base not in ("json", "timestamp with time zone") and not loses_fractions(source)
    if source.base != file_type.base:
        return False
    return all(_cast_suffices(a, b) for a, b in zip(source.inner, file_type.inner, strict=True))


def _scalar(sql: str, source: WarehouseType, target: EngineType, file_type: WarehouseType) -> str:
    if source.base == "json":
        return f"json_format({sql})"
    if source.base == "timestamp with time zone":
        precision = max(6, *source.numbers) if source.numbers else 6
        sql = f"CAST({sql} AT TIME ZONE 'UTC' AS timestamp({precision}))"
        return _cut_off(sql) if loses_fractions(source) else sql
    if loses_fractions(source):
        return _cut_off(sql)
    if target.base == "DECIMAL":
        exact = f"decimal({target.numbers[0]},{target.numbers[1]})"
        inner = sql if str(source) == exact else f"CAST({sql} AS {exact})"
        return f"CAST({inner} AS varchar)"
    return sql if _same(source, file_type) else f"CAST({sql} AS {sql_type(file_type)})"


def _cut_off(sql: str) -> str:
    """A timestamp to microseconds. Over its text, since a CAST rounds, which may make a time of the next year of it,
    and Trino's date_trunc stops at milliseconds.
    """
    return f"CAST(regexp_replace(CAST({sql} AS varchar), '(\\.[0-9]{{6}})[0-9]+$', '$1') AS timestamp(6))"


def _field(name: str | None) -> str:
    return sql_field(name or "")


def _text(sql: str, source: WarehouseType, target: EngineType, depth: int) -> str:
    """The value in the engines' own notation; NULL stays NULL, inside a nested value it is the word."""
    name = f"e{depth}"
    if source.base == "array":
        inner = _text(name, source.inner[0], target.inner[0], depth + 1)
        return f"'[' || array_join(transform({sql}, {name} -> coalesce({inner}, 'NULL')), ',') || ']'"
    if source.base == "map":
        key = _text(name, source.inner[0], target.inner[0], depth + 1)
        value = _text(f"{sql}[{name}]", source.inner[1], target.inner[1], depth + 1)
        pair = f"{key} || '=' || coalesce({value}, 'NULL')"
        return f"'{{' || array_join(transform(map_keys({sql}), {name} -> {pair}), ',') || '}}'"
    if source.base == "row":
        fields = " || ', ' || ".join(
            f"'{shown}: ' || coalesce({_text(f'{sql}.{_field(field)}', a, b, depth)}, 'NULL')"
            for field, shown, a, b in zip(source.fields, target.fields, source.inner, target.inner, strict=True)
        )
        return f"CASE WHEN {sql} IS NULL THEN NULL ELSE '{{' || {fields} || '}}' END"
    file_type = BY_ENGINE[target.base].file
    scalar = _scalar(sql, source, target, file_type)
    return scalar if file_type == _TEXT else f"CAST({scalar} AS varchar)"
