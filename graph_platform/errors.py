"""What can go wrong, as data: one table of codes for operations, command line and documentation.

Every error that a user can meet is a `PlatformError` with a code of this table. Problems inside a mapping are
`graph_platform.mapping.checks.report.Problem`s; a report that has any becomes one `VALIDATION_FAILED`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any


class ErrorCode(StrEnum):
    """The name of a failure, stable across releases."""

    VALIDATION_FAILED = "VALIDATION_FAILED"
    STARBURST_ERROR = "STARBURST_ERROR"
    RESOURCE_NOT_FOUND = "RESOURCE_NOT_FOUND"
    RESOURCE_HAS_DEPENDENCIES = "RESOURCE_HAS_DEPENDENCIES"
    CONCURRENCY_LIMIT_EXCEEDED = "CONCURRENCY_LIMIT_EXCEEDED"
    INVALID_STATE = "INVALID_STATE"
    ALREADY_EXISTS = "ALREADY_EXISTS"
    PERMISSION_DENIED = "PERMISSION_DENIED"
    BACKEND_UNREACHABLE = "BACKEND_UNREACHABLE"
    CATALOG_BUSY = "CATALOG_BUSY"
    STORAGE_ERROR = "STORAGE_ERROR"
    SNAPSHOT_FETCH_ERROR = "SNAPSHOT_FETCH_ERROR"
    SCHEMA_CREATE_ERROR = "SCHEMA_CREATE_ERROR"
    DATA_LOAD_ERROR = "DATA_LOAD_ERROR"
    DATABASE_ERROR = "DATABASE_ERROR"
    QUERY_ERROR = "QUERY_ERROR"
    QUERY_TIMEOUT = "QUERY_TIMEOUT"
    OOM_KILLED = "OOM_KILLED"
    UNEXPECTED_TERMINATION = "UNEXPECTED_TERMINATION"
    STARTUP_TIMEOUT = "STARTUP_TIMEOUT"
    TASK_TIMEOUT = "TASK_TIMEOUT"
    INTERNAL_ERROR = "INTERNAL_ERROR"


@dataclass(frozen=True)
class ErrorKind:
    """What a code means: the exit status of the command line, whether trying again can help, and a sentence."""

    exit_status: int
    retryable: bool
    meaning: str


ERROR_KINDS: Mapping[ErrorCode, ErrorKind] = MappingProxyType(
    {
        ErrorCode.VALIDATION_FAILED: ErrorKind(1, False, "The input breaks a rule; the details list every problem."),
        ErrorCode.STARBURST_ERROR: ErrorKind(1, False, "The warehouse refused a statement or no longer fits."),
        ErrorCode.RESOURCE_NOT_FOUND: ErrorKind(1, False, "Nothing has that id or name."),
        ErrorCode.RESOURCE_HAS_DEPENDENCIES: ErrorKind(1, False, "Something still depends on it."),
        ErrorCode.CONCURRENCY_LIMIT_EXCEEDED: ErrorKind(1, True, "A limit per user or per installation is reached."),
        ErrorCode.INVALID_STATE: ErrorKind(1, False, "The operation is not allowed in the present state."),
        ErrorCode.ALREADY_EXISTS: ErrorKind(1, False, "The name is taken by something that lives."),
        ErrorCode.PERMISSION_DENIED: ErrorKind(1, False, "The token, the statement or the owner does not allow it."),
        ErrorCode.BACKEND_UNREACHABLE: ErrorKind(3, True, "The catalog, warehouse, storage or runtime did not answer."),
        ErrorCode.CATALOG_BUSY: ErrorKind(1, True, "The catalog ended a transaction at one of its time limits."),
        ErrorCode.STORAGE_ERROR: ErrorKind(1, True, "Storage answered but could not keep the data (a full disk, say)."),
        ErrorCode.SNAPSHOT_FETCH_ERROR: ErrorKind(1, True, "A snapshot's file is missing or not what was stored."),
        ErrorCode.SCHEMA_CREATE_ERROR: ErrorKind(1, False, "The engine refused the graph's DDL."),
        ErrorCode.DATA_LOAD_ERROR: ErrorKind(1, False, "The engine could not load the data."),
        ErrorCode.DATABASE_ERROR: ErrorKind(1, False, "The engine could not open or use the database file."),
        ErrorCode.QUERY_ERROR: ErrorKind(1, False, "The engine refused a query."),
        ErrorCode.QUERY_TIMEOUT: ErrorKind(1, True, "A query was stopped at its time limit."),
        ErrorCode.OOM_KILLED: ErrorKind(1, True, "The process was killed for want of memory."),
        ErrorCode.UNEXPECTED_TERMINATION: ErrorKind(1, True, "A process ended without saying why."),
        ErrorCode.STARTUP_TIMEOUT: ErrorKind(1, True, "An instance was not ready within its time limit."),
        ErrorCode.TASK_TIMEOUT: ErrorKind(1, True, "A task, such as building a database, was ended at its time limit."),
        ErrorCode.INTERNAL_ERROR: ErrorKind(1, False, "A defect of the platform itself."),
    }
)


@dataclass(eq=False)
class PlatformError(Exception):
    """A failure that a user can act on.

    Args:
        code: the row of `ERROR_KINDS` that it belongs to.
        message: one sentence that names the object and the cause.
        hint: what to do about it, or None.
        details: JSON-ready data, a validation report for example.
    """

    code: ErrorCode
    message: str
    hint: str | None = None
    details: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__init__(self.message)

    def __str__(self) -> str:
        return f"{self.code}: {self.message}" + (f" ({self.hint})" if self.hint else "")

    def __reduce__(self) -> tuple[type[PlatformError], tuple[Any, ...]]:
        return type(self), (self.code, self.message, self.hint, dict(self.details))

    @property
    def exit_status(self) -> int:
        """The command line's exit status: 1 refused or failed, 3 a backend could not be reached."""
        return ERROR_KINDS[self.code].exit_status

    @property
    def retryable(self) -> bool:
        """Whether the same call may succeed later without a change of its input."""
        return ERROR_KINDS[self.code].retryable

    def document(self) -> dict[str, Any]:
        """The error as JSON-ready data, the same in a run's failure metadata, over HTTP and with `-o json`."""
        return {"code": str(self.code), "message": self.message, "hint": self.hint, "details": dict(self.details)}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> PlatformError:
        """The error that `document()` described."""
        return cls(
            ErrorCode(document["code"]), document["message"], document.get("hint"), dict(document.get("details") or {})
        )
