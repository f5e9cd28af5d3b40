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


@dataclass(frozen=True)
class Way:
    """How other programs ask an instance.

    Attributes:
        url: its address; `/query` takes questions.
        header_file: a file that only its owner reads, with the header of HTTP that an answer wants.
        until_closed: whether the address is there only as long as the program that asked for it.
    """

    url: str
    header_file: str
    until_closed: bool


RESULTS: Mapping[str, Any] = MappingProxyType(
    {"instance": InstanceRecord, "instance_details": InstanceDetails, "answer": Answer, "way": Way}
)
"""By the names under which their JSON Schemas are published."""
