"""Validation as the platform runs it: the pure driver of `graph_platform.mapping`, asked of a real warehouse."""

from __future__ import annotations

from collections.abc import Callable

from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.mapping.data_checks import DataChecks
from graph_platform.mapping.duration import parse_duration
from graph_platform.mapping.model import MappingDefinition
from graph_platform.mapping.validation import Validation, validate
from graph_platform.settings import Settings
from graph_platform.warehouse.data_checks import check_data
from graph_platform.warehouse.protocol import Warehouse

_TOLD_FROM = 10  # statements: fewer are over before a person could read about them


def validate_on(
    warehouse: Warehouse,
    definition: MappingDefinition,
    settings: Settings,
    progress: Callable[[str], None],
    mode: DataChecks = DataChecks.TRUSTED,
) -> Validation:
    """Validate a mapping against this warehouse, with the bound and the ceilings of the settings.

    Args:
        mode: how much of the data is looked at, once the mapping itself holds.

    Raises:
        PlatformError: BACKEND_UNREACHABLE, when the warehouse did not answer; QUERY_TIMEOUT of a data check.
    """

    def tell(done: int, of: int, name: str) -> None:
        if of >= _TOLD_FROM:
            progress(f"validated {name} ({done} of {of})")

    validation = validate(
        definition,
        warehouse.describe,
        dialect=warehouse.dialect,
        concurrency=settings.validation_concurrency,
        ceilings={
            "ttl": parse_duration(settings.mapping_ttl_ceiling),
            "inactivity_timeout": parse_duration(settings.mapping_ttl_ceiling),
        },
        progress=tell,
    )
    return check_data(warehouse, validation, mode, settings, progress)


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
