"""Proving a kept mapping version once more before it is exported: against today's schema, then on today's data."""

from __future__ import annotations

from contextlib import suppress

from graph_platform.catalog.records import MappingRecord, MappingVersion
from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.mapping.change.drift import drift
from graph_platform.mapping.checks.data import DataChecks, is_data
from graph_platform.mapping.checks.problems import ProblemCode
from graph_platform.mapping.definition.model import MappingDefinition
from graph_platform.mapping.definition.resolved import ResolvedDefinition
from graph_platform.progress import Reporter
from graph_platform.proving.data_checks import check_data
from graph_platform.proving.validation import validate_on
from graph_platform.relational import Relation
from graph_platform.settings import Settings
from graph_platform.warehouse.protocol import Warehouse

_SHOWN = 5


def prove_again(
    warehouse: Warehouse,
    settings: Settings,
    mapping: MappingRecord,
    version: MappingVersion,
    mode: DataChecks,
    report: Reporter,
) -> tuple[ResolvedDefinition, ...]:
    """The version as it will be exported.

    Raises:
        PlatformError: STARBURST_ERROR if the mapping no longer holds, with what changed in `details["changes"]`, or if
            the warehouse failed at it;
            VALIDATION_FAILED for its data where the checks are enforced; BACKEND_UNREACHABLE.
    """
    definition = MappingDefinition.model_validate(version.definition)
    name = f"{mapping.name}@{version.version}"
    validation = validate_on(warehouse, definition, settings, report.progress, kept=True)
    failed = [p for p in validation.report.errors if p.code == ProblemCode.SQL_NOT_PROVED]
    if failed and len(failed) == len(validation.report.errors):
        raise PlatformError(
            ErrorCode.STARBURST_ERROR,
            f"{name} could not be proved: {'; '.join(f'{p.entity}: {p.message}' for p in failed[:_SHOWN])}",
            "see whether the warehouse can read these tables; nothing was exported",
            {"report": validation.report.model_dump(mode="json")},
        )
    if not validation.report.valid:
        changes = drift(definition, version.columns, validation.report, relations_of(warehouse))
        told = [change.message for change in changes if change.breaks]
        more = f"; and {len(told) - _SHOWN} more" if len(told) > _SHOWN else ""
        raise PlatformError(
            ErrorCode.STARBURST_ERROR,
            f"Schema has changed since mapping was created: {name} no longer holds: {'; '.join(told[:_SHOWN])}{more}",
            "bring it up to date with `graph-platform mapping update FILE`",
            {
                "changes": [change.document() for change in changes],
                "report": validation.report.model_dump(mode="json"),
            },
        )
    checked = check_data(warehouse, validation, mode, settings, report.progress).report
    problems = [f"{p.entity}: {p.message}" for p in (*checked.errors, *checked.warnings) if is_data(p)]
    if not checked.valid:
        raise PlatformError(
            ErrorCode.VALIDATION_FAILED,
            f"the data of {name} cannot be loaded: {'; '.join(problems)}",
            "each problem comes with the SQL that mends it; nothing was exported",
            {"report": checked.model_dump(mode="json")},
        )
    for problem in problems:
        report.progress(f"warning: {problem}")
    return validation.resolved


def relations_of(warehouse: Warehouse) -> tuple[Relation, ...]:
    """The tables to look for a lost one among; none where the warehouse names no schema of its own."""
    with suppress(PlatformError):
        return warehouse.relations()
    return ()
