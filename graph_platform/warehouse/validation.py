"""Validation as the platform runs it: the pure driver of `graph_platform.mapping`, asked of a real warehouse."""

from __future__ import annotations

from collections.abc import Callable

from graph_platform.mapping.duration import parse_duration
from graph_platform.mapping.model import MappingDefinition
from graph_platform.mapping.validation import Validation, validate
from graph_platform.settings import Settings
from graph_platform.warehouse.protocol import Warehouse

_TOLD_FROM = 10  # statements: fewer are over before a person could read about them


def validate_on(
    warehouse: Warehouse, definition: MappingDefinition, settings: Settings, progress: Callable[[str], None]
) -> Validation:
    """Validate a mapping against this warehouse, with the bound and the ceilings of the settings.

    Raises:
        PlatformError: BACKEND_UNREACHABLE, when the warehouse did not answer.
    """

    def tell(done: int, of: int, name: str) -> None:
        if of >= _TOLD_FROM:
            progress(f"validated {name} ({done} of {of})")

    return validate(
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
