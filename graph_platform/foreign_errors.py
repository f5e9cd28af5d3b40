"""What an exception of somebody else's library means for a user, wherever it comes from: a backend is away, or full.

Each adapter tells its own errors better than this can. Here is the last net, for what escapes them, and for Dagster,
whose storage is asked from everywhere in a run. By names, so that nothing is imported to look.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator, Mapping
from types import MappingProxyType

from graph_platform.errors import ErrorCode, PlatformError

_DAGSTER = (
    "Dagster's storage",
    "check that the Postgres of GRAPH_PLATFORM_DAGSTER_STORAGE, or of the catalog, runs; what a run had done is kept: "
    "the same command goes on with it",
)
_CATALOG = ("the catalog", "check GRAPH_PLATFORM_CATALOG and that its server runs")
_STORAGE = ("storage", "check GRAPH_PLATFORM_STORAGE, and that it can be reached from here")
_WAREHOUSE = ("the warehouse", "check GRAPH_PLATFORM_WAREHOUSE, and that it can be reached from here")
_SERVER = ("a server", "check that it runs and can be reached from here")

_AWAY: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        # The class's qualified name, or that of one it derives from: which backend it speaks of, and what to do.
        "psycopg2.OperationalError": _DAGSTER,
        "psycopg2.InterfaceError": _DAGSTER,
        "psycopg.OperationalError": _CATALOG,
        "psycopg.InterfaceError": _CATALOG,
        "sqlalchemy.exc.OperationalError": _DAGSTER,
        "sqlalchemy.exc.InterfaceError": _DAGSTER,
        "sqlalchemy.exc.DisconnectionError": _DAGSTER,
        "sqlalchemy.exc.TimeoutError": _DAGSTER,
        "botocore.exceptions.ConnectionError": _STORAGE,
        "botocore.exceptions.HTTPClientError": _STORAGE,
        "botocore.exceptions.IncompleteReadError": _STORAGE,
        "google.api_core.exceptions.ServerError": _STORAGE,
        "google.api_core.exceptions.RetryError": _STORAGE,
        "google.auth.exceptions.TransportError": _STORAGE,
        "trino.exceptions.TrinoConnectionError": _WAREHOUSE,
        "trino.exceptions.HttpError": _WAREHOUSE,
        "_duckdb.IOException": _WAREHOUSE,
        "_duckdb.ConnectionException": _WAREHOUSE,
        "httpx.TransportError": _SERVER,
        "httpcore.NetworkError": _SERVER,
        "httpcore.TimeoutException": _SERVER,
        "requests.exceptions.ConnectionError": _SERVER,
        "requests.exceptions.Timeout": _SERVER,
        "requests.exceptions.ChunkedEncodingError": _SERVER,
        "urllib3.exceptions.ProtocolError": _SERVER,
        "urllib3.exceptions.MaxRetryError": _SERVER,
        "urllib3.exceptions.TimeoutError": _SERVER,
        "builtins.ConnectionError": _SERVER,
        "socket.gaierror": _SERVER,
    }
)
# What Postgres says when one of its time limits strikes, or two transactions collide: it is there, and busy.
_BUSY = frozenset({"55P03", "57014", "25P03", "40P01", "40001"})
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS})
_UNSAID = 300  # characters of a message are enough


def told(error: BaseException) -> PlatformError | None:
    """The error as a user can act on it; None for what is a defect.

    What it was caused by, or came while it was handled, is looked at too: Dagster wraps what its storage raises.
    """
    for each in _chain(error):
        found = _told(each)
        if found is not None:
            return found
    return None


def _told(error: BaseException) -> PlatformError | None:
    if isinstance(error, PlatformError):
        return error
    cause = getattr(error, "orig", None) or error
    state = getattr(cause, "pgcode", None) or getattr(cause, "sqlstate", None)
    if state in _BUSY:
        return PlatformError(
            ErrorCode.CATALOG_BUSY, f"Postgres ended a transaction of this run: {_said(cause)}", "try again"
        )
    if isinstance(error, OSError) and error.errno in _FULL:
        return PlatformError(
            ErrorCode.STORAGE_ERROR,
            f"{error.filename or 'a file'} could not be written: {error.strerror}",
            "free some space, or move GRAPH_PLATFORM_HOME to a disk that has some",
        )
    for kind in (*type(cause).__mro__, *type(error).__mro__):
        away = _AWAY.get(f"{kind.__module__}.{kind.__qualname__}")
        if away is not None:
            backend, hint = away
            return PlatformError(ErrorCode.BACKEND_UNREACHABLE, f"{backend} did not answer: {_said(cause)}", hint)
    return None


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    following: BaseException | None = error
    while following is not None and id(following) not in seen:
        yield following
        seen.add(id(following))
        following = following.__cause__ or (None if following.__suppress_context__ else following.__context__)


def _said(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:_UNSAID] if lines else type(error).__name__
