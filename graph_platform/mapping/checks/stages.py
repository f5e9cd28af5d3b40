"""The driver of validation: structure, SQL, columns, schema and types of every definition, all problems at once.

It asks the warehouse only through the function that it is given. A stage that needs something broken is skipped for
that definition alone, and the report says so.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass

from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.lives import Grant
from graph_platform.mapping.checks.columns import check_columns, check_types, expected_columns
from graph_platform.mapping.checks.problems import MAX_NAME_SHOWN, ProblemCode, problem, shown
from graph_platform.mapping.checks.report import (
    MOST_PROBLEMS,
    ColumnReport,
    DefinitionReport,
    Problem,
    ValidationReport,
    listed,
)
from graph_platform.mapping.definition.ddl import ddl
from graph_platform.mapping.definition.model import EdgeDefinition, MappingDefinition, NodeDefinition
from graph_platform.mapping.definition.quoting import check_quoting
from graph_platform.mapping.definition.resolved import ResolvedColumn, ResolvedDefinition
from graph_platform.mapping.definition.structure import MAX_PROPERTIES, check_structure
from graph_platform.mapping.sql.gate import CheckedQuery, Review, check_query, identifier, item_positions, item_text
from graph_platform.relational import Column, Refusal
from graph_platform.workers import workers

Describe = Callable[[str], tuple[Column, ...]]
Reviewer = Callable[[CheckedQuery, str], Review]
Progress = Callable[[int, int, str], None]


def _unreviewed(_: CheckedQuery, __: str) -> Review:
    return Review()


_Answer = tuple[Column, ...] | Refusal


@dataclass(frozen=True)
class Validation:
    """The report, and the mapping as it will be exported: nodes first, empty unless the report is valid."""

    report: ValidationReport
    resolved: tuple[ResolvedDefinition, ...] = ()


@dataclass
class _State:
    """What is known of one definition so far."""

    definition: NodeDefinition | EdgeDefinition
    name: str
    errors: list[Problem]
    warnings: list[Problem]
    described: tuple[Column, ...] | None = None
    columns: tuple[ResolvedColumn, ...] = ()
    reported: tuple[ColumnReport, ...] = ()
    skipped: bool = False


def validate(
    mapping: MappingDefinition,
    describe: Describe,
    *,
    review: Reviewer = _unreviewed,
    concurrency: int,
    grant: Grant | None = None,
    progress: Progress | None = None,
) -> Validation:
    """Validate a mapping against a warehouse.

    Args:
        describe: the warehouse's `describe`; called from up to `concurrency` threads, once per different SQL.
        review: the warehouse's `review`, which asks nothing; its errors keep a definition from being described.
        grant: how long a mapping may live; None for one that was kept, for which it was settled then.
        progress: called after each described statement with how many are done, how many there are, and a name.

    Raises:
        PlatformError: BACKEND_UNREACHABLE, when the warehouse did not answer; that says nothing about the mapping.
    """
    structure = check_structure(mapping, grant)
    nodes = [_state(node, node.label) for node in mapping.node_definitions]
    edges = [_state(edge, name) for edge, name in zip(mapping.edge_definitions, _edge_names(mapping), strict=True)]
    states = [*nodes, *edges]
    # Each further stage costs a definition milliseconds: none begins on more than a report can list.
    left = MOST_PROBLEMS - len(structure)
    asked: dict[int, str] = {}
    for state in states:
        state.skipped = left <= 0 or len(state.definition.properties) > MAX_PROPERTIES
        if state.skipped:
            continue
        if _sql(state, review):
            asked[id(state)] = state.definition.sql
        left -= len(state.errors)
    answers = _describe_all(list(dict.fromkeys(asked.values())), describe, concurrency, progress, states, left)
    for state in states:
        if id(state) in asked:
            answer = answers.get(asked[id(state)])
            state.skipped = answer is None
            if answer is not None:
                _take_answer(state, answer)
    for state in nodes:
        _check_node(state)
    keys = {state.name.lower(): _key_of(state) for state in nodes}
    for state in edges:
        _check_edge(state, keys)
    return _validation(structure, nodes, edges)


def _state(definition: NodeDefinition | EdgeDefinition, name: str) -> _State:
    return _State(definition, name, [], list(check_quoting(definition, name)))


def _edge_names(mapping: MappingDefinition) -> Iterator[str]:
    counts = Counter(edge.type for edge in mapping.edge_definitions)
    spelt = {node.label.lower(): node.label for node in mapping.node_definitions}
    for edge in mapping.edge_definitions:
        ends = (spelt.get(label.lower(), label) for label in (edge.from_node, edge.to_node))
        yield edge.type if counts[edge.type] == 1 else "-".join((edge.type, *ends))


def _sql(state: _State, review: Reviewer) -> bool:
    """The second stage as far as it needs no warehouse; whether there is something to ask."""
    checked = check_query(state.definition.sql, state.name)
    state.errors += checked.problems
    if checked.problems:
        return False
    found = review(checked, state.name)
    state.errors += found.errors
    state.warnings += found.warnings
    return not found.errors


def _describe_all(
    statements: Sequence[str],
    describe: Describe,
    concurrency: int,
    progress: Progress | None,
    states: Sequence[_State],
    most_refusals: int,
) -> dict[str, _Answer]:
    """What the warehouse says of each statement; after so many refusals no more are asked, and have no answer."""
    refusals: list[Refusal] = []
    answers: dict[str, _Answer] = {}
    names = {state.definition.sql: state.name for state in reversed(states)}

    def ask(sql: str) -> _Answer | None:
        if len(refusals) >= most_refusals:
            return None
        try:
            return describe(sql)
        except Refusal as refusal:
            refusals.append(refusal)
            return refusal
        except PlatformError as error:
            if error.code is not ErrorCode.STARBURST_ERROR:
                raise
            # It answers, and failed at this one: the table's file, connector or metastore, not the whole mapping.
            failed = Refusal(ProblemCode.SQL_NOT_PROVED, error.message, hint=error.hint)
            refusals.append(failed)
            return failed

    with workers(concurrency, "validate") as pool:
        pending: dict[Future[tuple[Column, ...] | Refusal | None], str] = {
            pool.submit(ask, sql): sql for sql in statements
        }
        waiting = set(pending)
        while waiting:
            done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
            for future in done:
                answer = future.result()
                if answer is None:
                    continue
                answers[pending[future]] = answer
                if progress is not None:
                    progress(len(answers), len(statements), names[pending[future]])
    return answers


def _take_answer(state: _State, answer: _Answer) -> None:
    if not isinstance(answer, Refusal):
        state.described = answer
        return
    hint = answer.hint
    if answer.candidates:
        hint = f"did you mean {' or '.join(_as_written(answer.kind, each) for each in answer.candidates[:3])}?"
    quoted = _quoted(answer, state.definition.sql) if answer.kind == ProblemCode.COLUMN_NOT_FOUND else None
    if quoted is not None:
        text = quoted.replace("'", "''")
        also = f"if it is a text, write '{text}' in single quotes: what stands in double quotes is a name"
        hint = f"{hint} Or, {also}" if answer.candidates else also
    try:
        code = ProblemCode(answer.kind)
    except ValueError:
        code = ProblemCode.SQL_SEMANTICS
    at = (answer.line, answer.column) if answer.line is not None and answer.column is not None else None
    state.errors.append(problem(code, state.name, answer.message, field="sql", hint=hint, position=at))


def _as_written(kind: str, name: str) -> str:
    """A name that was perhaps meant, as SQL has to have it; that of a table may be a path of names."""
    if kind == ProblemCode.COLUMN_NOT_FOUND:
        return identifier(name)
    return ".".join(map(identifier, name.split("."))) if kind == ProblemCode.TABLE_NOT_FOUND else name


def _quoted(refusal: Refusal, sql: str) -> str | None:
    """What stands in double quotes at the place of the refusal, if it is what was not found."""
    lines = sql.split("\n")
    if not (refusal.subject and refusal.line and refusal.column) or refusal.line > len(lines):
        return None
    found = re.match(r'"([^"]+)"', lines[refusal.line - 1][refusal.column - 1 :])
    return found[1] if found and found[1].lower() == refusal.subject.strip('"').lower() else None


def _check_node(state: _State) -> None:
    _check_columns_and_types(state, {})


def _key_of(state: _State) -> str | None:
    """The type of a node's key, None where the node is too broken to tell."""
    return state.columns[0].engine_type if state.columns and not state.errors else None


def _check_edge(state: _State, keys: Mapping[str, str | None]) -> None:
    if state.skipped:
        return
    edge = state.definition
    assert isinstance(edge, EdgeDefinition)  # noqa: S101
    wanted: dict[str, str] = {}
    for column, label in ((edge.from_key, edge.from_node), (edge.to_key, edge.to_node)):
        known = label.lower() in keys
        key = keys.get(label.lower())
        if key is not None:
            wanted[column.lower()] = key
            continue
        message = (
            f"the type of {column} was not compared, because the node {label} has errors"
            if known
            else f"the type of {column} was not checked, because there is no node {label}"
        )
        state.warnings.append(problem(ProblemCode.DEPENDENCY_BROKEN, state.name, message, field=column))
    _check_columns_and_types(state, wanted)


def _check_columns_and_types(state: _State, key_types: Mapping[str, str]) -> None:
    if state.skipped:
        return
    expected = expected_columns(state.definition, key_types)
    if state.described is None:
        # What the mapping declares can be judged without the warehouse.
        state.errors += check_types(state.name, expected, {}).errors
        return
    sql, count = state.definition.sql, len(state.described)
    written = item_positions(sql, count)
    state.errors += check_columns(state.name, expected, state.described, written)
    found = {column.name.lower(): column.type for column in state.described if column.name}
    places = {column.name.lower(): place for column, place in zip(state.described, written, strict=True)}
    indices = {column.name.lower(): index for index, column in enumerate(state.described)}

    def text_of(name: str) -> str | None:
        index = indices.get(name.lower())
        return None if index is None else item_text(sql, count, index)

    outcome = check_types(state.name, expected, found, places, text_of)
    state.errors += outcome.errors
    state.warnings += outcome.warnings
    state.reported = outcome.reported
    state.columns = outcome.columns


def _validation(structure: Sequence[Problem], nodes: Sequence[_State], edges: Sequence[_State]) -> Validation:
    states = [*nodes, *edges]
    errors, more_errors = listed((*structure, *(found for state in states for found in state.errors)))
    warnings, more_warnings = listed((*_skipped(states), *(found for state in states for found in state.warnings)))
    valid = not errors
    resolved = tuple(_resolved(state, nodes) for state in states) if valid else ()
    broken = {found.entity.lower() for found in structure}
    report = ValidationReport(
        valid=valid,
        errors=errors,
        more_errors=more_errors,
        warnings=warnings,
        more_warnings=more_warnings,
        node_results=tuple(_definition_report(state, broken) for state in nodes),
        edge_results=tuple(_definition_report(state, broken) for state in edges),
        ddl=ddl(resolved) if valid else (),
    )
    return Validation(report, resolved)


def _skipped(states: Sequence[_State]) -> Iterator[Problem]:
    skipped = [state for state in states if state.skipped]
    if skipped:
        several = f"the SQL of {len(skipped)} definitions was" if len(skipped) > 1 else "its SQL was"
        message = f"{several} not checked, because there are too many problems without it"
        yield problem(ProblemCode.DEPENDENCY_BROKEN, skipped[0].name, message, field="sql", hint="mend those first")


def _definition_report(state: _State, broken: set[str]) -> DefinitionReport:
    own = state.definition.label if isinstance(state.definition, NodeDefinition) else state.definition.type
    valid = not state.errors and not state.skipped and shown(own, MAX_NAME_SHOWN).lower() not in broken
    return DefinitionReport(name=state.name, valid=valid, columns=state.reported)


def _resolved(state: _State, nodes: Sequence[_State]) -> ResolvedDefinition:
    definition = state.definition
    if isinstance(definition, NodeDefinition):
        key = definition.primary_key.name
        return ResolvedDefinition("node", state.name, definition.label, definition.sql, state.columns, primary_key=key)
    # An edge may spell a label in another case; the engine's table has the node's spelling.
    spelt = {node.name.lower(): node.name for node in nodes}
    return ResolvedDefinition(
        "edge",
        state.name,
        definition.type,
        definition.sql,
        state.columns,
        from_node=spelt[definition.from_node.lower()],
        to_node=spelt[definition.to_node.lower()],
    )
