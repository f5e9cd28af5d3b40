"""The server's HTTP: routes, the bearer token, limits on what is sent, errors as documents. Thin over `host.py`."""

from __future__ import annotations

import asyncio
import hmac
import json
import re
import time
from collections.abc import Callable, Mapping
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from graph_platform.engine.parameters import Unreadable, check_json, read_json
from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.server.connections import trust
from graph_platform.server.host import Host, Query, RunningQuery

BODY_BYTES = 1024**2
WATCH_SECONDS = 0.05
OVERTIME_SECONDS = 5.0
"""How long past its time limit a query is waited for, once it was told to stop."""

STATUS: Mapping[ErrorCode, int] = {
    ErrorCode.VALIDATION_FAILED: 400,
    ErrorCode.QUERY_ERROR: 400,
    ErrorCode.PERMISSION_DENIED: 403,
    ErrorCode.RESOURCE_NOT_FOUND: 404,
    ErrorCode.CONCURRENCY_LIMIT_EXCEEDED: 429,
    ErrorCode.INVALID_STATE: 503,
    ErrorCode.QUERY_TIMEOUT: 504,
}
_HTTP_ERRORS: Mapping[int, tuple[ErrorCode, str]] = {
    404: (ErrorCode.RESOURCE_NOT_FOUND, "there is no such page; there are /health /ready /status /schema /query"),
    405: (ErrorCode.VALIDATION_FAILED, "that page does not take this method"),
}
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*|[0-9]+")
_FIELDS = ("cypher", "parameters", "timeout_seconds", "row_limit")


def application(host: Host, token: str, log: Callable[[str], None]) -> ASGIApp:
    """The ASGI application of one instance. `log` gets a line per request, without token and query text."""

    async def health(request: Request) -> Response:
        return _json({"status": "alive"})

    async def ready(request: Request) -> Response:
        is_ready = host.phase == "ready" and not host.draining
        return _json({"ready": is_ready, "phase": host.phase, "progress": host.progress}, 200 if is_ready else 503)

    async def status(request: Request) -> Response:
        return _json(host.status())

    async def schema(request: Request) -> Response:
        return Response(await asyncio.to_thread(host.schema), media_type="application/json")

    async def query(request: Request) -> Response:
        body = await _body(request)
        # Reading a large body, and looking through it, takes a second: not in the loop that everybody's requests share.
        limits = host.spec.limits
        asked = await asyncio.to_thread(read_query, body, limits.query_seconds, limits.query_rows)
        running = await asyncio.to_thread(host.submit, asked)
        return Response(await _answer(request, running, asked.timeout_seconds), media_type="application/json")

    async def refused(request: Request, error: Exception) -> Response:
        return _error(error) if isinstance(error, PlatformError) else _error(_unexpected(error))

    async def http_error(request: Request, error: Exception) -> Response:
        code = error.status_code if isinstance(error, HTTPException) else 500
        kind, message = _HTTP_ERRORS.get(code, (ErrorCode.VALIDATION_FAILED, f"HTTP {code}"))
        headers = dict(error.headers or {}) if isinstance(error, HTTPException) else {}
        return _json(PlatformError(kind, message).document(), code, headers)

    def _unexpected(error: Exception) -> PlatformError:
        log(f"defect: {type(error).__name__}")
        return PlatformError(ErrorCode.INTERNAL_ERROR, f"a defect of the server: {type(error).__name__}")

    app = Starlette(
        routes=[
            Route("/health", health),
            Route("/ready", ready),
            Route("/status", status),
            Route("/schema", schema),
            Route("/query", query, methods=["POST"]),
        ],
        exception_handlers={PlatformError: refused, HTTPException: http_error, Exception: refused},
    )
    return _guarded(app, token, log)


def read_query(content: bytes, longest_seconds: float, most_rows: int) -> Query:
    """The query in a request's body; its limits default to the instance's own, and are capped by them.

    Raises:
        PlatformError: VALIDATION_FAILED that names the field.
    """
    try:
        body = read_json(content.decode("utf-8"))
    except ValueError as error:
        raise _invalid(f"the body is not JSON: {error}") from error
    if not isinstance(body, dict):
        raise _invalid("the body has to be a JSON object")
    unknown = sorted(body.keys() - set(_FIELDS))
    if unknown:
        raise _invalid(f"unknown fields: {', '.join(map(repr, unknown))}", f"there are: {', '.join(_FIELDS)}")
    for field, value in body.items():
        if isinstance(value, Unreadable):
            raise _invalid(f"`{field}`: {value.problem}")
    cypher = body.get("cypher")
    if not isinstance(cypher, str) or not cypher.strip():
        raise _invalid("`cypher` has to be a string with a statement")
    parameters = body.get("parameters")
    parameters = {} if parameters is None else parameters
    if not isinstance(parameters, dict):
        raise _invalid("`parameters` has to be an object")
    for name, value in parameters.items():
        if not _NAME.fullmatch(name):
            raise _invalid(f"`parameters`: {name!r} is not a name of letters, digits and `_`")
        check_json(name, value)
    timeout, rows = body.get("timeout_seconds"), body.get("row_limit")
    if timeout is not None and (isinstance(timeout, bool) or not isinstance(timeout, (int, float)) or timeout <= 0):
        raise _invalid("`timeout_seconds` has to be a number above 0")
    if rows is not None and (isinstance(rows, bool) or not isinstance(rows, int) or rows < 1):
        raise _invalid("`row_limit` has to be a whole number above 0")
    return Query(
        cypher,
        parameters,
        float(min(longest_seconds, longest_seconds if timeout is None else timeout)),
        min(most_rows, most_rows if rows is None else rows),
    )


def _invalid(message: str, hint: str | None = None) -> PlatformError:
    return PlatformError(ErrorCode.VALIDATION_FAILED, message, hint)


async def _body(request: Request) -> bytes:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise _HttpError(415, "the Content-Type has to be application/json")
    too_large = _HttpError(413, f"the body is larger than {BODY_BYTES} bytes")
    declared = request.headers.get("content-length", "0")
    if not declared.isdecimal() or int(declared[:20]) > BODY_BYTES:
        raise too_large
    content = bytearray()
    try:
        async for chunk in request.stream():
            content += chunk
            if len(content) > BODY_BYTES:
                raise too_large
    except ClientDisconnect as error:
        raise _HttpError(400, "the client went away before the request was whole") from error
    return bytes(content)


class _HttpError(PlatformError):
    """A request that HTTP has a status of its own for."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(ErrorCode.VALIDATION_FAILED, message)
        self.status = status


async def _answer(request: Request, running: RunningQuery, timeout_seconds: float) -> bytes:
    """Wait for a query, and stop it when its time is over or nobody waits for it any more."""
    future = asyncio.wrap_future(running.answer)
    deadline: float | None = None
    while not (await asyncio.wait({future}, timeout=WATCH_SECONDS))[0]:
        if deadline is None and running.has_started:
            deadline = time.monotonic() + timeout_seconds
        overtime = time.monotonic() - deadline if deadline else 0.0
        if overtime > 0 or await request.is_disconnected():
            running.stop()
        if overtime > OVERTIME_SECONDS:
            raise PlatformError(
                ErrorCode.QUERY_TIMEOUT, f"the query was told to stop after {timeout_seconds:g} seconds and has not yet"
            )
    return future.result()


def _json(document: Mapping[str, Any], status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(json.dumps(document), status, headers, "application/json")


def _error(error: PlatformError) -> Response:
    status = error.status if isinstance(error, _HttpError) else STATUS.get(error.code, 500)
    return _json(error.document(), status)


def _guarded(app: ASGIApp, token: str, log: Callable[[str], None]) -> ASGIApp:
    """Ask every request for the token before anything else looks at it, and log what became of it."""
    expected = f"Bearer {token}".encode()
    unauthorized = PlatformError(ErrorCode.PERMISSION_DENIED, "the instance's bearer token is missing or wrong")

    async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        begun, status = time.monotonic(), 0

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        given = [value for name, value in scope["headers"] if name == b"authorization"]
        if len(given) == 1 and hmac.compare_digest(given[0], expected):
            trust(scope)
            await app(scope, receive, noting)
        else:
            refusal = _json(unauthorized.document(), 401, {"WWW-Authenticate": "Bearer", "Connection": "close"})
            await refusal(scope, receive, noting)
        path = scope["path"] if scope["path"] in ("/health", "/ready", "/status", "/schema", "/query") else "(other)"
        log(f"{scope['method']} {path} {status} {(time.monotonic() - begun) * 1000:.1f}ms")

    return guarded
