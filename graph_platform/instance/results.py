"""What operations on instances answer, beside the record of one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from typing_extensions import TypedDict

from graph_platform.catalog.records import AuditEvent, InstanceRecord
from graph_platform.runtime.protocol import Observation


@dataclass(frozen=True)
class InstanceDetails(InstanceRecord):
    """An instance as it is, with what the runtime sees of it (None where it is not one to be seen) and its events."""

    observed: Observation | None
    events: tuple[AuditEvent, ...]


class Answer(TypedDict):
    """A query's answer: rows of values in the order of `columns`; `truncated` if a limit of rows cut it."""

    columns: list[str]
    types: list[str]
    rows: list[list[Any]]
    row_count: int
    truncated: bool
    elapsed_seconds: float
    warnings: list[str]


RESULTS: Mapping[str, Any] = MappingProxyType(
    {"instance": InstanceRecord, "instance_details": InstanceDetails, "answer": Answer}
)
"""By the names under which their JSON Schemas are published."""
