"""The third to fifth stage for one definition: are the columns those of the mapping, and does each type fit.

Everything here compares what the mapping wants with what the warehouse described; nothing is asked.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from graph_platform.mapping.checks.problems import ProblemCode, problem
from graph_platform.mapping.checks.report import ColumnReport, Problem
from graph_platform.mapping.definition.model import EdgeDefinition, NodeDefinition
from graph_platform.mapping.definition.resolved import ResolvedColumn, column_reference
from graph_platform.mapping.definition.structure import Suggestions, names
from graph_platform.mapping.sql.gate import identifier
from graph_platform.mapping.types.loading import export_expression
from graph_platform.mapping.types.rules import (
    PRIMARY_KEY_TYPES,
    TypeRefusal,
    cast_name,
    declared_type,
    engine_type,
    loses_exactness,
    loses_fractions,
    widens,
)
from graph_platform.mapping.types.text import EngineType, WarehouseType, parse_warehouse_type
from graph_platform.relational import Column

Place = tuple[int, int] | None


@dataclass(frozen=True)
class Expected:
    """A column that the mapping wants. `role` is `primary_key`, `end` or `property`.

    `type` is the declared type; for an edge's end the type of its node's key, None if that is not known.
    """

    name: str
    type: str | None
    role: str


@dataclass
class TypeOutcome:
    """What the types of a definition came to; `columns` is complete only without errors."""

    errors: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)
    places: Mapping[str, Place] = field(default_factory=dict)
    text_of: Callable[[str], str | None] = lambda _: None
    reported: tuple[ColumnReport, ...] = ()
    columns: tuple[ResolvedColumn, ...] = ()

    def place(self, name: str) -> Place:
        """Where a column is written in the SQL, None if that is not known."""
        return self.places.get(name.lower())

    def item(self, name: str) -> str:
        """The column as the SQL writes it, so that a hint can be put in its place; its name if that is not known."""
        return self.text_of(name) or identifier(name)

    def cast(self, name: str, kind: str) -> str:
        """The item that gives the column another type."""
        return f"CAST({self.item(name)} AS {kind}) AS {identifier(name)}"


def expected_columns(definition: NodeDefinition | EdgeDefinition, key_types: Mapping[str, str]) -> tuple[Expected, ...]:
    """The definition's columns in order.

    Args:
        key_types: for an edge, the type of the node's key by the name (in lower case) of the column that holds it.
    """
    properties = tuple(Expected(p.name, p.type, "property") for p in definition.properties)
    if isinstance(definition, NodeDefinition):
        key = definition.primary_key
        return (Expected(key.name, key.type, "primary_key"), *properties)
    ends = tuple(Expected(n, key_types.get(n.lower()), "end") for n in (definition.from_key, definition.to_key))
    return (*ends, *properties)


def check_columns(
    entity: str, expected: Sequence[Expected], described: Sequence[Column], places: Sequence[Place] = ()
) -> list[Problem]:
    """Whether the SQL returns exactly the mapping's columns, in its order; names are compared without case.

    Args:
        places: where each described column is written in the SQL, as far as that is known.
    """
    return list(_column_problems(entity, expected, described, places or [None] * len(described)))


def _column_problems(
    entity: str, expected: Sequence[Expected], described: Sequence[Column], places: Sequence[Place]
) -> Iterator[Problem]:
    order = names([column.name for column in expected])
    wanted = {column.name.lower(): column.name for column in expected}
    found = [column.name for column in described]
    counts = Counter(name.lower() for name in found if name)
    missing = [column.name for column in expected if column.name.lower() not in counts]
    for index, name in enumerate(found, start=1):
        if not name:
            message = f"column {index} of the SQL has no name"
            hint = f"give it one: … AS {missing[0] if missing else 'name'}; the mapping wants {order}"
            at = places[index - 1]
            yield problem(ProblemCode.COLUMN_UNNAMED, entity, message, field="sql", hint=hint, position=at)
    # Of a column that comes twice, the last.
    written = {name.lower(): place for name, place in zip(found, places, strict=True)}
    for lowered, count in counts.items():
        if count > 1:
            shown = wanted.get(lowered, lowered)
            message = f"the SQL returns {count} columns named {shown}"
            hint = f"give the others an alias, or leave them out; the mapping wants {order}"
            at = written[lowered]
            yield problem(ProblemCode.COLUMN_DUPLICATE, entity, message, field=shown, hint=hint, position=at)
    extra = [name for name in dict.fromkeys(found) if name and name.lower() not in wanted]
    of_the_sql, of_the_mapping = Suggestions(extra), Suggestions(missing)
    for name in missing:
        meant = of_the_sql.meant(name)
        hint = f"did you mean {meant}? Write {meant} AS {name}" if meant else f"the mapping wants {order}"
        message = f"the SQL does not return {name}"
        yield problem(ProblemCode.COLUMN_MISSING, entity, message, field=name, hint=hint)
    for name in extra:
        meant = of_the_mapping.meant(name)
        hint = f"rename it to {meant}" if meant else "leave it out of the SELECT, or add it to properties"
        message = f"the SQL returns {name}, which the mapping does not name"
        at = written[name.lower()]
        yield problem(ProblemCode.COLUMN_EXTRA, entity, message, field=name, hint=hint, position=at)
    if not missing and not extra and len(found) == len(expected):
        present = [wanted[name.lower()] for name in found]
        wrong = next((i for i, column in enumerate(expected) if present[i] != column.name), None)
        if wrong is not None:
            place = f"column {wrong + 1} is {present[wrong]}, where the mapping wants {_called(expected, wrong)}"
            message = f"the SQL returns the columns as {', '.join(present)}: {place}"
            hint = f"the engine loads by position: SELECT {order}"
            at = places[wrong]
            yield problem(ProblemCode.COLUMN_ORDER, entity, message, field="sql", hint=hint, position=at)


def _called(expected: Sequence[Expected], index: int) -> str:
    column = expected[index]
    key = {"primary_key": "primary key", "end": ("from_key", "to_key")[min(index, 1)]}.get(column.role, "property")
    return f"the {key} {column.name}"


def check_types(
    entity: str,
    expected: Sequence[Expected],
    found: Mapping[str, str],
    places: Mapping[str, Place] = MappingProxyType({}),
    text_of: Callable[[str], str | None] = lambda _: None,
) -> TypeOutcome:
    """Whether each declared type exists, and each column's own type widens to it.

    Args:
        found: the warehouse's types by column name in lower case; a column that is absent is not compared.
        places: where each of them is written in the SQL, by the same names, as far as that is known.
        text_of: what the SQL writes for a column, without its alias, None if that is not known.
    """
    outcome = TypeOutcome(places=places, text_of=text_of)
    reported, columns = [], []
    for column in expected:
        declared = _declared(entity, column, outcome)
        text = found.get(column.name.lower())
        if text is None:
            continue
        target = _target(entity, column, declared, text, outcome)
        reported.append(
            ColumnReport(name=column.name, warehouse_type=text, engine_type=str(target) if target else None)
        )
        resolved = _exported(entity, column.name, text, target, outcome) if target else None
        if resolved is not None:
            columns.append(resolved)
    outcome.reported, outcome.columns = tuple(reported), tuple(columns)
    return outcome


def _declared(entity: str, column: Expected, outcome: TypeOutcome) -> EngineType | None:
    if column.type is None:
        return None
    try:
        declared = declared_type(column.type)
    except TypeRefusal as refusal:
        outcome.errors.append(
            problem(ProblemCode.TYPE_UNKNOWN, entity, refusal.message, field=column.name, hint=refusal.hint)
        )
        return None
    if column.role == "primary_key" and str(declared) not in PRIMARY_KEY_TYPES:
        outcome.errors.append(
            problem(
                ProblemCode.KEY_TYPE_NOT_ALLOWED,
                entity,
                f"the primary key {column.name} is {declared}",
                field=column.name,
                hint=_key_hint(outcome, column.name, declared),
            )
        )
        return None
    return declared


def _key_hint(outcome: TypeOutcome, name: str, declared: EngineType) -> str:
    allowed = f"a key is {', '.join(PRIMARY_KEY_TYPES)}"
    if declared.base in ("INT8", "INT16", "INT32"):
        return f"{allowed}: declare INT64, the export widens it"
    return f"{allowed}: write {outcome.cast(name, 'VARCHAR')} in the SQL and declare STRING"


def _target(
    entity: str, column: Expected, declared: EngineType | None, text: str, outcome: TypeOutcome
) -> EngineType | None:
    """The type that the column will have in the graph, None where there is none."""
    try:
        source = parse_warehouse_type(text)
        inferred = engine_type(source)
    except (TypeRefusal, ValueError) as error:
        hint = None
        if isinstance(error, TypeRefusal):
            hint = error.hint_for(outcome.item(column.name), identifier(column.name))
        message = error.message if isinstance(error, TypeRefusal) else str(error)
        message = f"{column.name}: {message}"
        at = outcome.place(column.name)
        outcome.errors.append(
            problem(ProblemCode.TYPE_UNSUPPORTED, entity, message, field=column.name, hint=hint, position=at)
        )
        return None
    if declared is None:
        # An edge's end whose node is broken, or a declaration that was already refused.
        return inferred if column.type is None else None
    if not widens(inferred, declared):
        _mismatch(entity, column, text, inferred, declared, outcome)
        return None
    _precision(entity, column, source, inferred, declared, outcome)
    return declared


def _mismatch(
    entity: str, column: Expected, text: str, inferred: EngineType, declared: EngineType, outcome: TypeOutcome
) -> None:
    name = column.name
    cast = outcome.cast(name, cast_name(declared))
    if column.role == "end":
        message = f"{name} is {text} ({inferred}), but the node's key is {declared}"
        code, hint = ProblemCode.KEY_TYPE_MISMATCH, f"write {cast}"
    else:
        message = f"{name} is {text} in the warehouse, which does not become {declared} without loss"
        code, hint = ProblemCode.TYPE_MISMATCH, f"write {cast} in the SQL, or declare {inferred}"
        if column.role == "primary_key" and str(inferred) not in PRIMARY_KEY_TYPES:
            hint = f"write {cast} in the SQL"
    outcome.errors.append(problem(code, entity, message, field=name, hint=hint, position=outcome.place(name)))


def _precision(
    entity: str,
    column: Expected,
    source: WarehouseType,
    inferred: EngineType,
    declared: EngineType,
    outcome: TypeOutcome,
) -> None:
    at = outcome.place(column.name)
    if loses_fractions(source):
        message = f"{column.name} is {source}: only microseconds are kept"
        hint = "cast it to TIMESTAMP(6) to choose how"
        outcome.warnings.append(
            problem(ProblemCode.TYPE_PRECISION, entity, message, field=column.name, hint=hint, position=at)
        )
    if loses_exactness(inferred, declared):
        message = f"{column.name} is {source} and declared {declared}: values are kept to about 15 digits"
        hint = f"declare {inferred} to keep it exact"
        outcome.warnings.append(
            problem(ProblemCode.TYPE_PRECISION, entity, message, field=column.name, hint=hint, position=at)
        )


def _exported(entity: str, name: str, text: str, target: EngineType, outcome: TypeOutcome) -> ResolvedColumn | None:
    try:
        export = export_expression(column_reference(name), text, str(target))
    except TypeRefusal as refusal:
        message = f"{name}: {refusal.message}"
        at = outcome.place(name)
        outcome.errors.append(
            problem(ProblemCode.TYPE_UNSUPPORTED, entity, message, field=name, hint=refusal.hint, position=at)
        )
        return None
    return ResolvedColumn(name, text, export.file_type, str(target), export.sql)
