"""What operations on mappings answer, beside the validation report and the record of a mapping."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from typing_extensions import TypedDict

from graph_platform.catalog.records import AuditEvent, MappingRecord, VersionLine
from graph_platform.mapping.change.diff import Change
from graph_platform.mapping.checks.report import ValidationReport


@dataclass(frozen=True)
class MappingDetails(MappingRecord):
    """A mapping with one version's definition and columns, and a line for every version and event."""

    shown_version: int
    definition: dict[str, Any]
    columns: list[dict[str, Any]]
    versions: tuple[VersionLine, ...]
    events: tuple[AuditEvent, ...]


# `from` is a word of Python's, so no class can have it as a field.
Drift = TypedDict(
    "Drift",
    {
        "from": str,
        "to": str,
        "holds": bool,
        "changed": bool,
        "changes": list[dict[str, Any]],
        "text": list[str],
        "report": dict[str, Any],
    },
)
"""What changed in the warehouse since a version was kept: each change, `text` for a person, and today's report."""


class Suggestion(TypedDict):
    """A mapping that was made: its definition, the same as YAML with a comment on every guess, and what was left."""

    name: str
    mapping: dict[str, Any]
    notes: list[str]
    yaml: str


class RefreshedSchema(TypedDict):
    """How many tables and columns a schema has; `schema` is None for the one that unqualified names mean."""

    schema: str | None
    relations: int
    columns: int


RESULTS: Mapping[str, Any] = MappingProxyType(
    {
        "validation_report": ValidationReport,
        "mapping": MappingRecord,
        "mapping_details": MappingDetails,
        "drift": Drift,
        "change": Change,
        "suggestion": Suggestion,
        "refreshed_schema": RefreshedSchema,
    }
)
"""By the names under which their JSON Schemas are published."""
