"""What escapes an adapter is told by what it says of a backend; what says nothing of one is a defect."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable

import botocore.exceptions
import duckdb
import google.api_core.exceptions
import google.auth.exceptions
import httpx
import psycopg
import psycopg2
import pytest
import requests
import sqlalchemy
import trino.exceptions
import urllib3.exceptions

from graph_platform.cli.failures import report
from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.foreign_errors import told

AWAY: list[Exception] = [
    psycopg.OperationalError("server closed the connection unexpectedly"),
    psycopg.errors.AdminShutdown("terminating connection"),
    psycopg2.InterfaceError("connection already closed"),
    sqlalchemy.exc.OperationalError("SELECT 1", {}, psycopg2.OperationalError("connection refused")),
    sqlalchemy.exc.TimeoutError("QueuePool limit"),
    botocore.exceptions.EndpointConnectionError(endpoint_url="http://127.0.0.1:9"),
    botocore.exceptions.ReadTimeoutError(endpoint_url="http://127.0.0.1:9"),
    google.api_core.exceptions.ServiceUnavailable("503"),  # type: ignore[no-untyped-call]
    google.auth.exceptions.TransportError("no route"),  # type: ignore[no-untyped-call]
    trino.exceptions.Http503Error("503"),
    trino.exceptions.TrinoConnectionError("refused"),
    duckdb.IOException("Could not set lock on file"),
    httpx.ConnectError("refused"),
    httpx.ReadTimeout("timed out"),
    requests.exceptions.ConnectTimeout("timed out"),
    urllib3.exceptions.ProtocolError("Connection aborted."),
    ConnectionResetError(errno.ECONNRESET, "Connection reset by peer"),
    socket.gaierror(-2, "Name or service not known"),
]


def _wrapped(error: Exception) -> Exception:
    """As Dagster raises what its storage met: another error, from it or while it was handled."""
    try:
        try:
            raise error
        except Exception as cause:
            raise RuntimeError("the event could not be stored") from cause
    except RuntimeError as wrapper:
        return wrapper


@pytest.mark.parametrize("wrap", [lambda error: error, _wrapped], ids=["bare", "wrapped"])
@pytest.mark.parametrize("error", AWAY, ids=lambda error: f"{type(error).__module__}.{type(error).__name__}")
def test_a_backend_that_is_away_is_told_as_such(error: Exception, wrap: Callable[[Exception], Exception]) -> None:
    found = told(wrap(error))
    assert found is not None
    assert (found.code, found.exit_status) == (ErrorCode.BACKEND_UNREACHABLE, 3)
    assert report(wrap(error), ["mapping", "list", "-o", "json"]) == 3


@pytest.mark.parametrize(
    "error",
    [ValueError("no"), KeyError("x"), psycopg.ProgrammingError("syntax"), duckdb.BinderException("no"), OSError()],
)
def test_anything_else_stays_a_defect(error: Exception) -> None:
    assert told(error) is None


def test_a_full_disk_is_storage_and_a_platforms_own_error_stays_itself() -> None:
    full = told(_wrapped(OSError(errno.ENOSPC, "No space left on device", "/home/x/runs.log")))
    assert full is not None
    assert (full.code, "/home/x/runs.log" in full.message) == (ErrorCode.STORAGE_ERROR, True)
    own = PlatformError(ErrorCode.INVALID_STATE, "no")
    assert told(_wrapped(own)) is own


def test_a_limit_of_dagsters_storage_is_no_backend_that_is_away(postgres_url: str) -> None:
    engine = sqlalchemy.create_engine(postgres_url.replace("+psycopg", "+psycopg2"))
    with pytest.raises(sqlalchemy.exc.DBAPIError) as slow, engine.connect() as connection:
        connection.exec_driver_sql("SET statement_timeout = 50")
        connection.exec_driver_sql("SELECT pg_sleep(60)")
    engine.dispose()
    found = told(slow.value)
    assert found is not None
    assert found.code == ErrorCode.CATALOG_BUSY
