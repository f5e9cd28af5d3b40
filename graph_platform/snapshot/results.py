"""What operations on snapshots answer, beside the record of one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from graph_platform.catalog.records import AuditEvent, ExportJobRecord, SnapshotRecord


@dataclass(frozen=True)
class SnapshotDetails(SnapshotRecord):
    """A snapshot with its exports and events."""

    exports: tuple[ExportJobRecord, ...]
    events: tuple[AuditEvent, ...]


RESULTS: Mapping[str, Any] = MappingProxyType({"snapshot": SnapshotRecord, "snapshot_details": SnapshotDetails})
"""By the names under which their JSON Schemas are published."""
