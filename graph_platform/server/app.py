"""The server's HTTP: routes, the bearer token, limits on what is sent, errors as documents. Thin over `host.py`."""

from __future__ import annotations

import asyncio
import hmac
import json
import re
import time
import traceback
from collections.abc import Callable, Mapping
from functools import partial

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from graph_platform.engine.explanations import explained
from graph_platform.engine.worker.requests import Form, Question
from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.runtime.tokens import Role, token_of
from graph_platform.server.answers import Answer
from graph_platform.server.connections import break_off, trust
from graph_platform.server.exchange import ROLE, body_of, json_response
from graph_platform.server.host import Host, Query
from graph_platform.server.metrics import ANSWERED, CLIENT_GONE, Metrics
from graph_platform.server.metrics import MEDIA_TYPE as METRICS
from graph_platform.server.openapi import ARROW, JSON, document
from graph_platform.server.operating import operators_routes
from graph_platform.server.problems import MEDIA_TYPE as PROBLEM
from graph_platform.server.problems import problem, status_of
from graph_platform.server.request import BODY_BYTES, WRITER_BODY_BYTES, read_query

SMALL_BYTES = 2048
"""Bodies up to here are read at once, which is sooner done than handed to another thread."""

_MOMENT_SECONDS = 0.03
_WATCHED = ("/health", "/ready", "/status", "/metrics")
"""Pages that are looked at all the time. As long as they say what they are for, the log has no line of that: its
last lines, which tell how a server ended, would be nothing else.
"""
_PAGES = (*_WATCHED, "/schema", "/query", "/openapi.json", "/databases", "/drain")
_OF_A_DATABASE = re.compile(r"/databases/[^/]+(/query|/schema|/checkpoint)?")
_HTTP_ERRORS: Mapping[int, tuple[ErrorCode, str]] = {
    404: (
        ErrorCode.RESOURCE_NOT_FOUND,
        "there is no such page; there are " + " ".join((*_PAGES, "/databases/NAME/query", "/databases/NAME/schema")),
    ),
    405: (ErrorCode.VALIDATION_FAILED, "that page does not take this method"),
}
_MEDIA_TYPES: Mapping[Form, str] = {"json": JSON, "arrow": ARROW}
_WEIGHT = re.compile(r"[01](\.[0-9]{0,3})?")


def application(host: Host, secret: str, log: Callable[[str], None]) -> ASGIApp:
    """The ASGI application of one instance.

    Args:
        secret: what the tokens are made of (`runtime.tokens`).
        log: gets a line per request, without token and query text, but none for those that watch it.
    """
    metrics = Metrics(host)

    async def health(request: Request) -> Response:
        return json_response({"status": "alive"})

    async def ready(request: Request) -> Response:
        is_ready = host.is_ready
        return json_response(
            {"ready": is_ready, "phase": host.phase, "progress": host.progress}, 200 if is_ready else 503
        )

    async def status(request: Request) -> Response:
        return json_response(host.status())

    async def openapi(request: Request) -> Response:
        return Response(await asyncio.to_thread(document), media_type=JSON)

    async def schema(request: Request) -> Response:
        name = request.path_params.get("name")
        return Response(await asyncio.to_thread(host.schema, name), media_type=JSON)

    async def databases(request: Request) -> Response:
        return json_response({"databases": host.databases.access})

    async def exposed(request: Request) -> Response:
        return Response(await asyncio.to_thread(metrics.text), media_type=METRICS)

    async def query(request: Request) -> Response:
        came = time.monotonic()
        try:
            return await answered(request, came)
        except Exception as error:
            metrics.ended(came, error.code if isinstance(error, PlatformError) else ErrorCode.INTERNAL_ERROR)
            raise

    async def answered(request: Request, came: float) -> Response:
        form = accepted_form(request.headers.get("accept", ""))
        role: Role = request.scope[ROLE]
        body = await body_of(request, WRITER_BODY_BYTES if role.writes else BODY_BYTES)
        name = request.path_params.get("name")

        def read() -> tuple[Query, Question]:
            asked = read_query(body, host.spec.limits.query_seconds, host.spec.limits.query_rows, came, form)
            return asked, host.question(asked, role, name)

        # Reading a large body, and looking through it, takes a second: not in the loop that everybody's requests share.
        asked, question = read() if len(body) <= SMALL_BYTES else await asyncio.to_thread(read)
        answer = host.ask(request.client.host if request.client else "", asked, question)
        try:
            return await _answered(request, answer, _MEDIA_TYPES[form], log, partial(metrics.ended, came))
        except PlatformError as error:
            told = explained(error, asked.cypher) if len(body) <= SMALL_BYTES else error
            if told is error:
                raise
            raise told from error

    async def refused(request: Request, error: Exception) -> Response:
        return _problem(error if isinstance(error, PlatformError) else _unexpected(error))

    async def http_error(request: Request, error: Exception) -> Response:
        code = error.status_code if isinstance(error, HTTPException) else 500
        kind, message = _HTTP_ERRORS.get(code, (ErrorCode.VALIDATION_FAILED, f"HTTP {code}"))
        headers = dict(error.headers or {}) if isinstance(error, HTTPException) else {}
        return _problem(PlatformError(kind, message), code, headers)

    def _unexpected(error: Exception) -> PlatformError:
        last = traceback.extract_tb(error.__traceback__)[-1]  # the place, not the values: those are a user's
        log(f"defect: {type(error).__name__} at {last.filename}:{last.lineno}, in {last.name}")
        return PlatformError(ErrorCode.INTERNAL_ERROR, f"a defect of the server: {type(error).__name__}")

    app = Starlette(
        routes=[  # looked through in this order
            Route("/query", query, methods=["POST"]),
            Route("/databases/{name}/query", query, methods=["POST"]),
            Route("/databases/{name}/schema", schema),
            Route("/databases", databases),
            *operators_routes(host),
            Route("/health", health),
            Route("/ready", ready),
            Route("/status", status),
            Route("/schema", schema),
            Route("/metrics", exposed),
            Route("/openapi.json", openapi),
        ],
        exception_handlers={PlatformError: refused, HTTPException: http_error, Exception: refused},
    )
    return _guarded(app, secret, host, log)


def accepted_form(accept: str) -> Form:
    """What a client wants its answer in, by its `Accept` header: Arrow if it would rather have that than JSON."""
    if ARROW not in accept.lower():
        return "json"
    weights = {JSON: 0.0, ARROW: 0.0}
    for each in accept.lower().split(","):
        kind, *parameters = (part.strip() for part in each.split(";"))
        weight = next((part[2:] for part in parameters if part.startswith("q=")), "1")
        weights[kind] = float(weight) if _WEIGHT.fullmatch(weight) else 0.0
    return "arrow" if weights[ARROW] > weights[JSON] else "json"


async def _answered(
    request: Request, answer: Answer, media_type: str, log: Callable[[str], None], ended: Callable[[str], None]
) -> Response:
    """The response once its beginning is there. Its query is stopped when nobody waits for it any more.

    Args:
        ended: told what became of an answer that has begun.
    """
    whole = answer.whole_already()
    if whole is not None:
        ended(ANSWERED)
        return Response(whole, media_type=media_type)
    watch = _Watch(request, answer)
    try:
        whole = await answer.begun()
    except BaseException:
        answer.give_up()
        watch.cancel()
        raise
    if whole is not None:
        watch.cancel()
        ended(ANSWERED)
        return Response(whole, media_type=media_type)
    return _InPieces(answer, watch, media_type, log, ended)


class _Watch:
    """Gives an answer up when its client goes away. A query that is answered in a moment is not watched: nothing of it
    would be saved.
    """

    def __init__(self, request: Request, answer: Answer) -> None:
        self._request, self._answer = request, answer
        self._task: asyncio.Task[None] | None = None
        self._begins = asyncio.get_running_loop().call_later(_MOMENT_SECONDS, self._begin)

    def cancel(self) -> None:
        """Watch no more."""
        self._begins.cancel()
        if self._task:
            self._task.cancel()

    def _begin(self) -> None:
        self._task = asyncio.create_task(self._gone())

    async def _gone(self) -> None:
        """The body has been read, so that what the client does next is to go away."""
        while (await self._request.receive())["type"] != "http.disconnect":
            pass
        self._answer.give_up()


class _InPieces(Response):
    """An answer that is sent as it comes, chunked. If the rest does not come the connection is broken off: what was
    sent must not look like all of it.
    """

    def __init__(
        self,
        answer: Answer,
        watch: _Watch,
        media_type: str,
        log: Callable[[str], None],
        ended: Callable[[str], None],
    ) -> None:
        super().__init__(media_type=media_type)
        del self.headers["content-length"]
        self._answer, self._watch, self._log, self._ended = answer, watch, log, ended

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        outcome: str = CLIENT_GONE
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        try:
            async for piece in self._answer.pieces():
                await send({"type": "http.response.body", "body": piece, "more_body": True})
            outcome = ANSWERED
        except PlatformError as error:
            outcome = error.code
            self._log(f"an answer was broken off in its midst: {error}")
            break_off(scope)
            return
        finally:
            self._answer.give_up()
            self._watch.cancel()
            self._ended(outcome)
        await send({"type": "http.response.body"})


def _problem(error: PlatformError, status: int | None = None, headers: Mapping[str, str] | None = None) -> Response:
    status = status or status_of(error)
    return Response(json.dumps(problem(error, status)), status, headers, PROBLEM)


def _guarded(app: ASGIApp, secret: str, host: Host, log: Callable[[str], None]) -> ASGIApp:
    """Ask every request for a token before anything else looks at it, and log what became of it.

    Without one there is only an answer for the probes of a cluster: that the server lives, and whether it is ready.
    """
    probes: Mapping[str, Callable[[], tuple[str, int]]] = {
        "/health": lambda: ("alive", 200),
        "/ready": lambda: ("ready", 200) if host.is_ready else ("not ready", 503),
    }
    expected = [(role, f"Bearer {token_of(secret, role)}".encode()) for role in Role]
    unauthorized = PlatformError(
        ErrorCode.PERMISSION_DENIED,
        "the instance's bearer token is missing or wrong",
        "`graph-platform instance connect INSTANCE` says how to ask it",
    )

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
        role = next((role for role, token in expected if hmac.compare_digest(given[0], token)), None) if given else None
        if role is not None and len(given) == 1:
            scope[ROLE] = role
            trust(scope)
            await app(scope, receive, noting)
        elif not given and scope["method"] == "GET" and scope["path"] in probes:
            word, code = probes[scope["path"]]()
            await json_response({"status": word}, code, {"Connection": "close"})(scope, receive, noting)
        else:
            refusal = _problem(unauthorized, 401, {"WWW-Authenticate": "Bearer", "Connection": "close"})
            await refusal(scope, receive, noting)
        path = scope["path"] if scope["path"] in _PAGES else _one_of_many(scope["path"])
        if path not in _WATCHED or status not in (200, 503):
            log(f"{scope['method']} {path} {status} {(time.monotonic() - begun) * 1000:.1f}ms")

    return guarded


def _one_of_many(path: str) -> str:
    """What the log has of a path that somebody made up."""
    page = _OF_A_DATABASE.fullmatch(path)
    return f"/databases/NAME{page[1] or ''}" if page else "(other)"
