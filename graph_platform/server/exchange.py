"""What the pages of a server have in common: whose token a request came with, its body, and documents as answers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from graph_platform.server.openapi import JSON
from graph_platform.server.problems import HttpProblem

ROLE = "graph_platform.role"
"""In a request's scope: the `Role` of the token that it came with."""


def json_response(document: Mapping[str, Any], status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A document as it is answered."""
    return Response(json.dumps(document), status, headers, JSON)


async def body_of(request: Request, most: int) -> bytes:
    """The body of a request, of so many bytes at most.

    Raises:
        PlatformError: VALIDATION_FAILED, as an `HttpProblem` where HTTP has a status for it.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != JSON:
        raise HttpProblem(415, f"the Content-Type has to be {JSON}")
    too_large = HttpProblem(413, f"the body is larger than {most} bytes")
    declared = request.headers.get("content-length", "0")
    if not declared.isdecimal() or int(declared[:20]) > most:
        raise too_large
    content = bytearray()
    try:
        async for chunk in request.stream():
            content += chunk
            if len(content) > most:
                raise too_large
    except ClientDisconnect as error:
        raise HttpProblem(400, "the client went away before the request was whole") from error
    return bytes(content)
