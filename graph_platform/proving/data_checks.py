"""Data checks as the platform runs them: the queries of `graph_platform.mapping.checks.data`, side by side."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import as_completed

from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.mapping.checks.data import DataCheck, DataChecks, DataFindings, data_checks, findings
from graph_platform.mapping.checks.problems import ProblemCode, problem
from graph_platform.mapping.checks.report import Estimate, Problem, listed
from graph_platform.mapping.checks.sizes import total
from graph_platform.mapping.checks.stages import Validation
from graph_platform.relational import Refusal
from graph_platform.settings import Settings
from graph_platform.warehouse.protocol import Warehouse
from graph_platform.workers import workers

# The warehouse answers, and failed at this one, or did not end it in time.
_OF_ONE_DEFINITION = frozenset({ErrorCode.STARBURST_ERROR, ErrorCode.QUERY_TIMEOUT})


def check_data(
    warehouse: Warehouse, validation: Validation, mode: DataChecks, settings: Settings, progress: Callable[[str], None]
) -> Validation:
    """A valid mapping's validation with what its data shows: problems, rows and the estimate.

    What is found makes the mapping invalid only where the checks are enforced. Nothing is asked about a mapping that is
    invalid already, nor about data that is trusted.

    Raises:
        PlatformError: BACKEND_UNREACHABLE, PERMISSION_DENIED.
    """
    checks = data_checks(validation.resolved, mode)
    if not checks:
        return validation
    outcomes = _asked(warehouse, checks, settings, progress)
    problems = tuple(p for each in outcomes for p in (each.problems if isinstance(each, DataFindings) else (each,)))
    known = [each for each in outcomes if isinstance(each, DataFindings)]
    # Half an estimate would be taken for a whole one.
    complete = len(known) == len(outcomes)
    estimate = total((each.rows for each in known), (each.size for each in known)) if complete else None
    return _completed(validation, problems, mode, estimate)


def _asked(
    warehouse: Warehouse, checks: tuple[DataCheck, ...], settings: Settings, progress: Callable[[str], None]
) -> list[DataFindings | Problem]:
    def ask(check: DataCheck) -> DataFindings | Problem:
        try:
            (row,) = warehouse.fetch(check.sql, 1, settings.data_check_seconds)
        except (Refusal, PlatformError) as failure:
            if isinstance(failure, PlatformError) and failure.code not in _OF_ONE_DEFINITION:
                raise
            # The query was valid a moment ago, so it is the data that some expression of it cannot take.
            message = f"its data cannot be read: {failure.message}"
            hint = failure.hint
            return problem(ProblemCode.DATA_NOT_CHECKED, check.definition.name, message, field="sql", hint=hint)
        return findings(check, row)

    with workers(settings.export_concurrency, "data-check") as pool:
        pending = {pool.submit(ask, check): check for check in checks}
        for number, future in enumerate(as_completed(pending), start=1):
            outcome = future.result()
            told = f"{outcome.rows:,} rows" if isinstance(outcome, DataFindings) else outcome.message
            progress(f"checked the data of {pending[future].definition.name} ({number} of {len(checks)}): {told}")
        return [future.result() for future in pending]


def _completed(
    validation: Validation, problems: tuple[Problem, ...], mode: DataChecks, estimate: Estimate | None
) -> Validation:
    report = validation.report.model_copy(update={"estimate": estimate})
    if mode is not DataChecks.ENFORCED:
        warnings, more = listed((*report.warnings, *problems))
        update = {"warnings": warnings, "more_warnings": report.more_warnings + more}
        return Validation(report.model_copy(update=update), validation.resolved)
    broken = {found.entity for found in problems}
    errors, more = listed((*report.errors, *problems))
    updated = report.model_copy(
        update={
            "valid": report.valid and not problems,
            "errors": errors,
            "more_errors": report.more_errors + more,
            **{
                key: tuple(
                    each.model_copy(update={"valid": each.valid and each.name not in broken})
                    for each in getattr(report, key)
                )
                for key in ("node_results", "edge_results")
            },
        }
    )
    return Validation(updated, validation.resolved if not problems else ())
