"""Statements over Trino's HTTP protocol: submit, ask on, cancel; retried where the network failed and nowhere else.

What an error of Trino means for a mapping is `refusals`; here it only becomes a `TrinoFailure`, or a `PlatformError`
where it is not the statement's fault.
"""

from __future__ import annotations

import random
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from typing import Any, Self

import requests
from requests.adapters import HTTPAdapter
from trino.client import ClientSession, TrinoRequest
from trino.exceptions import TrinoConnectionError, TrinoQueryError

from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.polling import SYSTEM, Clock
from graph_platform.warehouse.trino.address import Credentials, TrinoAddress

SOURCE = "graph-platform"
_CONNECT_SECONDS, _READ_SECONDS = 10.0, 30.0
_RETRIED_STATUS = frozenset({502, 503, 504})
_PAUSES_SECONDS = (0.2, 0.4, 0.8, 1.6)
_GRACE_SECONDS = 10.0  # the server enforces the limit of a statement; this long after it we give up on the server
_CONNECTIONS = 64

# What a query may fail with though neither it nor the data is wrong: the same statement may succeed later.
TRANSIENT = frozenset(
    {
        *("ABANDONED_QUERY", "SERVER_SHUTTING_DOWN", "SERVER_STARTING_UP", "NO_NODES_AVAILABLE", "REMOTE_TASK_ERROR"),
        *("TOO_MANY_REQUESTS_FAILED", "PAGE_TRANSPORT_ERROR", "PAGE_TRANSPORT_TIMEOUT", "REMOTE_HOST_GONE"),
        *("REMOTE_TASK_MISMATCH", "REMOTE_TASK_FAILED", "CLUSTER_OUT_OF_MEMORY", "ADMINISTRATIVELY_PREEMPTED"),
    }
)
_CHEAPER = "make it cheaper, or raise the limit in the settings"
# What is told of a failure by its name, where the statement is not to blame.
_NOT_THE_STATEMENTS = {
    "EXCEEDED_TIME_LIMIT": (ErrorCode.QUERY_TIMEOUT, "the warehouse ended a statement at its time limit", _CHEAPER),
    "QUERY_QUEUE_FULL": (
        ErrorCode.CONCURRENCY_LIMIT_EXCEEDED,
        "the warehouse takes no more queries now",
        "try again later",
    ),
    "INVALID_SESSION_PROPERTY": (
        ErrorCode.VALIDATION_FAILED,
        "the warehouse refuses a session property",
        "check the session.… parameters of GRAPH_PLATFORM_WAREHOUSE",
    ),
}
# A denial of this kind is about who asks; any other is about the tables of the one statement.
_ABOUT_THE_USER = re.compile(
    r"Access Denied: (?:.* cannot (?:impersonate|become) user |Cannot (?:execute query|set \w+ session|set role))"
)
_CHECK_USER = "check the user of GRAPH_PLATFORM_WAREHOUSE and its password, token, certificate or roles"


@dataclass(eq=False)
class TrinoFailure(Exception):
    """What Trino said of a statement: its name of the error, its kind, and the place in the text that was sent."""

    name: str
    kind: str
    message: str
    line: int | None = None
    column: int | None = None

    def __str__(self) -> str:
        return self.message


class QueryLost(Exception):
    """The server does not know the query: it was restarted, or forgot a query that ended long ago."""


@dataclass(frozen=True)
class Answer:
    """One response: where to ask next (None once it is over), and what the query has given so far."""

    query: str
    state: str
    next_uri: str | None
    columns: tuple[tuple[str, str], ...]
    rows: Sequence[Sequence[Any]]
    update_count: int | None


class _Session(requests.Session):
    """Settings of the environment step back: REQUESTS_CA_BUNDLE behind the URL's `verify`, ~/.netrc altogether."""

    def __init__(self) -> None:
        super().__init__()
        self.auth = _as_it_is

    def merge_environment_settings(self, url: Any, proxies: Any, stream: Any, verify: Any, cert: Any) -> Any:
        settings = super().merge_environment_settings(url, proxies, stream, verify, cert)
        return settings if self.verify is True else {**settings, "verify": self.verify}


def _as_it_is(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


class TrinoConnection:
    """A server to send statements to. Safe to use from several threads; connections are kept and shared."""

    def __init__(self, address: TrinoAddress, credentials: Credentials, clock: Clock = SYSTEM) -> None:
        self.address = address
        self.clock = clock
        self._credentials = credentials
        self._tags: Mapping[str, str] = {}
        self._adapter = HTTPAdapter(pool_maxsize=_CONNECTIONS)
        self.closing = threading.Event()

    def tagged(self, tags: Mapping[str, str]) -> Self:
        """The same connection, whose statements carry these tags beside those that they have."""
        other = copy(self)
        other._tags = {**self._tags, **tags}
        return other

    def request(
        self,
        *,
        limit_seconds: float | None = None,
        properties: Mapping[str, str] | None = None,
        tags: Sequence[str] = (),
    ) -> TrinoRequest:
        """The means to send one statement.

        Args:
            limit_seconds: how long the server lets the statement take, queueing included.
            properties: session properties beside those of the URL.
        """
        address = self.address
        limit = {} if limit_seconds is None else {"query_max_run_time": f"{max(limit_seconds, 0.001):.3f}s"}
        session = ClientSession(
            user=address.user,
            catalog=address.catalog,
            schema=address.schema,
            source=SOURCE,
            properties={**limit, **(properties or {}), **address.properties},
            client_tags=[_tag(tag) for tag in (*(f"{name}={value}" for name, value in self._tags.items()), *tags)],
            roles=dict(address.roles) or None,
            timezone="UTC",
        )
        http = _Session()
        # One pool of connections for all: a statement of its own would else pay for a new TLS handshake each time.
        http.mount("https://", self._adapter)
        http.mount("http://", self._adapter)
        http.verify = address.verify
        return TrinoRequest(
            address.host,
            address.port,
            session,
            http_session=http,
            http_scheme=address.scheme,
            auth=self._credentials.authentication(address.user),
            max_attempts=1,
            request_timeout=(_CONNECT_SECONDS, _READ_SECONDS),
        )

    def post(self, request: TrinoRequest, sql: str) -> Answer:
        """Hand a statement over. Trino does not begin it before its first next URI is asked for.

        That is why a lost answer may be followed by another try: the first copy never begins.
        """
        if self.closing.is_set():
            raise PlatformError(ErrorCode.BACKEND_UNREACHABLE, f"the connection to {self.address} was closed")
        return self._answer(request, lambda: request.post(sql))

    def get(
        self,
        request: TrinoRequest,
        uri: str,
        *,
        wait_seconds: float = 1.0,
        patient: bool = True,
        page_bytes: int | None = None,
    ) -> Answer:
        """Ask on. The same URI may be asked again, also by another process, until the one after it was.

        Args:
            wait_seconds: how long the server may hold the answer for news; it does for one second at most.
            patient: whether to try again when the network fails.
            page_bytes: how large an answer the server may make, about; None for its own choice (16 MB).

        Raises:
            QueryLost: the server does not know the query.
        """
        self._check(uri)
        asked = f"{uri}{'&' if '?' in uri else '?'}maxWait={max(0, round(wait_seconds * 1000))}ms"
        if page_bytes is not None:
            asked += f"&targetResultSize={page_bytes}B"
        return self._answer(request, lambda: request.get(asked), patient=patient)

    def cancel(self, request: TrinoRequest, uri: str) -> None:
        """Tell the server to end the query; one that it no longer knows has ended."""
        self._check(uri)
        response = self._send(lambda: request.delete(uri), patient=not self.closing.is_set(), closing=True)
        if response.status_code not in (200, 204, 404, 410):
            raise self._refused(response)

    def rows(self, sql: str, *, limit_seconds: float, properties: Mapping[str, str] | None = None) -> list[list[Any]]:
        """All rows of a small statement.

        Raises:
            TrinoFailure: Trino refused it, or it failed.
            PlatformError: BACKEND_UNREACHABLE, PERMISSION_DENIED (the credentials), QUERY_TIMEOUT.
        """
        request = self.request(limit_seconds=limit_seconds, properties=properties)
        found: list[list[Any]] = []

        def take(answer: Answer) -> bool:
            found.extend(list(row) for row in answer.rows)
            return False

        self.follow(request, self.post(request, sql), limit_seconds, take)
        return found

    def follow(
        self,
        request: TrinoRequest,
        answer: Answer,
        limit_seconds: float,
        enough: Callable[[Answer], bool],
        page_bytes: int | None = None,
    ) -> Answer:
        """Ask on until the query is over or `enough` says so; a query that is left for another reason is cancelled."""
        deadline = self.clock.monotonic() + limit_seconds + _GRACE_SECONDS
        try:
            while not enough(answer) and answer.next_uri is not None:
                if self.closing.is_set():
                    raise PlatformError(ErrorCode.BACKEND_UNREACHABLE, "the connection to the warehouse was closed")
                if self.clock.monotonic() > deadline:
                    raise _timeout(f"the warehouse did not end a statement at its limit of {limit_seconds:g} s")
                answer = self.get(request, answer.next_uri, page_bytes=page_bytes)
        except QueryLost:
            message = f"the warehouse {self.address} lost a running statement; it may have been restarted"
            raise PlatformError(ErrorCode.BACKEND_UNREACHABLE, message, "try again") from None
        except TrinoFailure as failure:
            raise self.reclassified(failure) from None
        except BaseException:
            if answer.next_uri is not None:
                self.abandon(request, answer.next_uri)
            raise
        return answer

    def abandon(self, request: TrinoRequest, uri: str) -> None:
        """Cancel as far as the network lets us; the server ends by itself what nobody asks for."""
        try:
            self.cancel(request, uri)
        except PlatformError:
            return

    def stop(self) -> None:
        """Statements under way in other threads end at their next step, and new ones are refused."""
        self.closing.set()

    def close(self) -> None:
        """Stop, and let go of every connection."""
        self.stop()
        self._adapter.close()

    def reclassified(self, failure: TrinoFailure) -> TrinoFailure | PlatformError:
        """The failure as a `PlatformError` where the statement is not to blame, else itself."""
        if failure.name in _NOT_THE_STATEMENTS:
            code, what, hint = _NOT_THE_STATEMENTS[failure.name]
            return PlatformError(code, f"{what}: {failure.message}", hint)
        if failure.name == "PERMISSION_DENIED" and _ABOUT_THE_USER.match(failure.message):
            message = f"the warehouse {self.address} does not let {self.address.user} ask at all: {failure.message}"
            return PlatformError(ErrorCode.PERMISSION_DENIED, message, _CHECK_USER)
        if failure.name in TRANSIENT:
            message = f"the warehouse {self.address} could not run a statement: {failure.message}"
            return PlatformError(ErrorCode.BACKEND_UNREACHABLE, message, "try again later")
        if failure.kind != "USER_ERROR":
            message = f"the warehouse failed with {failure.name}: {failure.message}"
            return PlatformError(ErrorCode.STARBURST_ERROR, message)
        return failure

    def unreachable(self, cause: str, hint: str | None = None) -> PlatformError:
        """The server did not answer."""
        return PlatformError(
            ErrorCode.BACKEND_UNREACHABLE,
            f"the warehouse {self.address} could not be reached: {cause}",
            hint or "check GRAPH_PLATFORM_WAREHOUSE, and whether the server runs",
        )

    def _check(self, uri: str) -> None:
        if self.address.scheme == "https" and not uri.startswith("https://"):
            message = f"the warehouse {self.address} answers over https with addresses that are not: nothing was sent"
            hint = "let the server know about the proxy in front of it: http-server.process-forwarded=true"
            raise PlatformError(ErrorCode.BACKEND_UNREACHABLE, message, hint)

    def _answer(self, request: TrinoRequest, send: Callable[[], requests.Response], *, patient: bool = True) -> Answer:
        response = self._send(send, patient=patient)
        if response.status_code in (404, 410) and response.request.method == "GET":
            raise QueryLost
        if not response.ok:
            raise self._refused(response)
        try:
            status = request.process(response)
        except TrinoQueryError as error:
            raise _failure(error) from None
        except (TrinoConnectionError, ValueError, KeyError, TypeError):
            raise self.unreachable("what answers there is not Trino") from None
        if status.rows is not None and not isinstance(status.rows, list):
            raise self.unreachable("it answers with spooled rows, which were not asked for")
        return Answer(
            query=status.id,
            state=str(status.stats.get("state")),
            next_uri=status.next_uri,
            columns=tuple((column["name"], column["type"]) for column in status.columns or ()),
            rows=status.rows or (),
            update_count=status.update_count,
        )

    def _send(
        self, send: Callable[[], requests.Response], *, patient: bool, closing: bool = False
    ) -> requests.Response:
        cause = ""
        for pause in (*(_PAUSES_SECONDS if patient else ()), None):
            try:
                response = send()
            except requests.exceptions.SSLError as error:
                hint = "add verify=/path/to/ca.pem to the URL if the server's authority is a private one"
                raise self.unreachable(f"its certificate is not accepted ({_reason(error)})", hint) from None
            except (
                requests.exceptions.ConnectionError,
                requests.exceptions.Timeout,
                requests.exceptions.ChunkedEncodingError,
            ) as error:
                cause = _reason(error)
            except (requests.exceptions.RequestException, ValueError) as error:
                # Not its text: the library quotes a header that it finds wrong, and so perhaps a token.
                raise self.unreachable(f"the request could not be made ({type(error).__name__})") from None
            except OSError as error:
                raise self.unreachable(str(error)) from None  # a file of a certificate that is not there
            else:
                if response.status_code not in _RETRIED_STATUS:
                    return response
                cause = f"it answered {response.status_code} {response.reason}"
            if pause is None or (self.clock.wait(self.closing, pause * random.uniform(0.8, 1.2)) and not closing):  # noqa: S311
                break
        raise self.unreachable(cause)

    def _refused(self, response: requests.Response) -> PlatformError:
        status, address = response.status_code, self.address
        if status in (401, 403):
            message = f"the warehouse {address} does not let the user {address.user} in ({status} {response.reason})"
            return PlatformError(ErrorCode.PERMISSION_DENIED, message, _CHECK_USER)
        if status == 429:
            message = f"the warehouse {address} takes no more requests now"
            return PlatformError(ErrorCode.CONCURRENCY_LIMIT_EXCEEDED, message, "try again later")
        if status == 404:
            return self.unreachable("what answers there is not Trino")
        return self.unreachable(f"it answered {status} {response.reason}")


def _tag(tag: str) -> str:
    """Tags go in a header, separated by commas."""
    return "".join("_" if c == "," or not c.isascii() or not c.isprintable() else c for c in tag)


def _failure(error: TrinoQueryError) -> TrinoFailure:
    line, column = error.error_location or (None, None)
    message = str(error.message or "").removeprefix(f"line {line}:{column}: ")
    return TrinoFailure(str(error.error_name), str(error.error_type), message, line, column)


def _reason(error: BaseException) -> str:
    """The innermost cause, without the addresses of objects that the HTTP library prints."""
    inner: Any = error
    while inner.args and isinstance(inner.args[0], BaseException):
        inner = inner.args[0]
    reason = getattr(inner, "reason", None) or inner
    while isinstance(reason, BaseException) and (reason.__cause__ or reason.__context__) is not None:
        reason = reason.__cause__ or reason.__context__
    if isinstance(reason, OSError) and reason.strerror:
        return reason.strerror
    text = str(reason).rpartition(">: ")[2] or type(reason).__name__
    return text.rstrip(".")


def _timeout(message: str) -> PlatformError:
    return PlatformError(ErrorCode.QUERY_TIMEOUT, message, _CHEAPER)
