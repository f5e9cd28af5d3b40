"""Exports that run in threads of this process and end with it: which there are, and how each stands.

How one is written and how it is interrupted is the adapter's. An export that the cluster runs outlives its process, and
does not belong here.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.warehouse.protocol import ExportProgress, ExportState


@dataclass
class OwnExport:
    """One export: `stop` asks it to end, `done` says that its threads have let go of everything."""

    stop: threading.Event = field(default_factory=threading.Event)
    done: threading.Event = field(default_factory=threading.Event)
    outcome: ExportProgress = ExportProgress(ExportState.RUNNING)


E = TypeVar("E", bound=OwnExport)


class OwnExports(Generic[E]):
    """The exports of one warehouse by their query ids. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._exports: dict[str, E] = {}

    def add(self, query_id: str, export: E) -> None:
        """Remember an export that is about to begin.

        Raises:
            PlatformError: ALREADY_EXISTS.
        """
        with self._lock:
            if query_id in self._exports:
                raise PlatformError(ErrorCode.ALREADY_EXISTS, f"the export {query_id} was already submitted")
            self._exports[query_id] = export

    def find(self, query_id: str) -> E | None:
        """The export, None for one of another process."""
        with self._lock:
            return self._exports.get(query_id)

    def all(self) -> dict[str, E]:
        """Every export that was submitted here, by its query id."""
        with self._lock:
            return dict(self._exports)

    def poll(self, query_id: str, wait_seconds: float) -> ExportProgress:
        """The outcome, if there is one by then; UNKNOWN for an export of another process, which ended with it."""
        export = self.find(query_id)
        if export is None:
            return ExportProgress(ExportState.UNKNOWN)
        export.done.wait(max(0.0, wait_seconds))
        return export.outcome
