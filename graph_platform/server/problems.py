"""Errors as HTTP tells them: the status of each code, and RFC 9457's document with the error's own fields beside it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graph_platform.errors import ERROR_KINDS, ErrorCode, PlatformError

MEDIA_TYPE = "application/problem+json"

STATUS: Mapping[ErrorCode, int] = {
    ErrorCode.VALIDATION_FAILED: 400,
    ErrorCode.QUERY_ERROR: 400,
    ErrorCode.PERMISSION_DENIED: 403,
    ErrorCode.RESOURCE_NOT_FOUND: 404,
    ErrorCode.CONCURRENCY_LIMIT_EXCEEDED: 429,
    ErrorCode.INTERNAL_ERROR: 500,
    ErrorCode.INVALID_STATE: 503,
    ErrorCode.QUERY_TIMEOUT: 504,
}
"""Of every other code it is 500."""


class HttpProblem(PlatformError):
    """A request that HTTP has a status of its own for."""

    def __init__(self, status: int, message: str, code: ErrorCode = ErrorCode.VALIDATION_FAILED) -> None:
        super().__init__(code, message)
        self.status = status


def status_of(error: PlatformError) -> int:
    """The status that it is answered with."""
    return error.status if isinstance(error, HttpProblem) else STATUS.get(error.code, 500)


def problem(error: PlatformError, status: int) -> dict[str, Any]:
    """The document: `code`, `message`, `hint` and `details` as everywhere, and what RFC 9457 calls them."""
    return {
        "type": f"urn:graph-platform:error:{error.code}",
        "title": ERROR_KINDS[error.code].meaning,
        "status": status,
        "detail": error.message,
        **error.document(),
    }
