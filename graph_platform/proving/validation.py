"""Validation as the platform runs it: the pure driver of `graph_platform.mapping`, asked of a real warehouse."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.lives import Lived, granted
from graph_platform.mapping.change.drift import missing_table, queries_by_name
from graph_platform.mapping.checks.data import DataChecks
from graph_platform.mapping.checks.problems import ProblemCode
from graph_platform.mapping.checks.report import Problem
from graph_platform.mapping.checks.stages import Validation, validate
from graph_platform.mapping.definition.model import MappingDefinition
from graph_platform.mapping.definition.structure import suggestion
from graph_platform.mapping.sql.gate import check_query
from graph_platform.proving.data_checks import check_data
from graph_platform.relational import Relation
from graph_platform.settings import Settings
from graph_platform.warehouse.protocol import Warehouse

_TOLD_FROM = 10  # statements: fewer are over before a person could read about them


def validate_on(
    warehouse: Warehouse,
    definition: MappingDefinition,
    settings: Settings,
    progress: Callable[[str], None],
    mode: DataChecks = DataChecks.TRUSTED,
    known: Sequence[Relation] = (),
    kept: bool = False,
) -> Validation:
    """Validate a mapping against this warehouse, with the bound and the ceiling of the settings.

    Args:
        mode: how much of the data is looked at, once the mapping itself holds.
        known: tables that may have been meant where one does not exist and the warehouse itself has no idea.
        kept: whether it is a version that was kept; how long it may live was settled then.

    Raises:
        PlatformError: BACKEND_UNREACHABLE, when the warehouse did not answer; QUERY_TIMEOUT of a description;
            VALIDATION_FAILED for settings that contradict each other.
    """
    grant = None if kept else granted(settings, Lived.MAPPING)

    def tell(done: int, of: int, name: str) -> None:
        if of >= _TOLD_FROM:
            progress(f"validated {name} ({done} of {of})")

    validation = validate(
        definition,
        warehouse.describe,
        review=warehouse.review,
        concurrency=settings.validation_concurrency,
        grant=grant,
        progress=tell,
    )
    if not validation.report.valid:
        queries = queries_by_name(definition, validation.report)
        references = {relation.name: relation.reference for relation in known}
        errors = tuple(_with_nearest(found, queries, references) for found in validation.report.errors)
        return Validation(validation.report.model_copy(update={"errors": errors}))
    return check_data(warehouse, validation, mode, settings, progress)


def _with_nearest(found: Problem, queries: Mapping[str, str], references: Mapping[str, str]) -> Problem:
    """The problem with the nearest known table as its hint, where a table is missing and the warehouse had no idea.

    Args:
        queries: the SQL of each definition, of which only the failing one's is read.
        references: how a query names each known table, by its name.
    """
    if found.code != ProblemCode.TABLE_NOT_FOUND or found.hint is not None or not references:
        return found
    table = missing_table(found, check_query(queries.get(found.entity, "")).tree)
    meant = suggestion(table.name, references) if table is not None else None
    return found if meant is None else found.model_copy(update={"hint": f"did you mean {references[meant]}?"})


def data_checks_mode(text: str) -> DataChecks:
    """The mode of that name.

    Raises:
        PlatformError: VALIDATION_FAILED, for any other.
    """
    try:
        return DataChecks(text)
    except ValueError as error:
        message = f"data_checks is {text!r}, which is no such mode"
        raise PlatformError(ErrorCode.VALIDATION_FAILED, message, f"one of {', '.join(DataChecks)}") from error
