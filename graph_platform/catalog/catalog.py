"""The catalog as its callers hold it: where it is, its transactions, its clock, its installation."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import cached_property
from typing import Any

from sqlalchemy import Engine, create_engine, func, make_url, select, text
from sqlalchemy.exc import ArgumentError, DataError, DBAPIError, InterfaceError, OperationalError, ProgrammingError

from graph_platform.catalog.address import FORM, check_postgres_url
from graph_platform.catalog.tables import installation
from graph_platform.catalog.transition import Session
from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.redaction import masked
from graph_platform.settings import Settings

CATALOG_VARIABLE = "GRAPH_PLATFORM_CATALOG"
HEAD = "0001"
"""The newest migration. A constant, because asking Alembic takes longer than a whole `mapping list`."""


def clock() -> Any:
    """The one clock, as an SQL expression. Use it in statements instead of `now()`."""
    return func.graph_platform.clock()


class Catalog:
    """A migrated catalog.

    Args:
        url: an SQLAlchemy URL of a Postgres database.
        patience_seconds: how long a server that has answered before is waited for.
    """

    def __init__(self, url: str, patience_seconds: float = 30.0) -> None:
        self._engine = _engine(url)
        self._patience_seconds = patience_seconds
        self._has_answered = False

    @classmethod
    def open(cls, settings: Settings) -> Catalog:
        """The catalog of the settings, started if it is the embedded one and migrated if it is behind.

        Raises:
            PlatformError: BACKEND_UNREACHABLE, or INVALID_STATE for a catalog of a newer platform.
        """
        catalog = cls(catalog_url(settings), settings.catalog_patience_seconds)
        catalog.migrate()
        return catalog

    def migrate(self) -> None:
        """Apply what is missing; nothing if the schema is at `HEAD`."""
        with self.transaction() as session:
            exists = session.scalar(select(func.to_regclass("graph_platform.alembic_version")))
            version = exists and session.scalar(text("SELECT version_num FROM graph_platform.alembic_version"))
            if version == HEAD:
                return
            if version and version > HEAD:
                raise PlatformError(
                    ErrorCode.INVALID_STATE,
                    f"the catalog is at migration {version}, and this platform knows only {HEAD}",
                    "update the platform on this machine",
                )
            from graph_platform.catalog.migrate import migrate  # noqa: PLC0415 - Alembic costs 0.3 s, needed once

            migrate(session)

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """A transaction: committed at the end of the block, rolled back by an exception.

        A server that goes away between two transactions is waited for, once it has answered before: an operation that
        took an hour does not fail for a restart of Postgres. Inside a transaction its loss is an error.

        Raises:
            PlatformError: BACKEND_UNREACHABLE; VALIDATION_FAILED for a text that Postgres cannot keep.
        """
        deadline = time.monotonic() + (self._patience_seconds if self._has_answered else 0)
        while True:
            try:
                connection = self._engine.connect()
                break
            except (OperationalError, InterfaceError) as error:
                if time.monotonic() >= deadline:
                    raise self._unreachable(error) from error
                time.sleep(0.25)
            except ProgrammingError:  # the driver knows no such parameter, or cannot read the value of one
                raise _wrong_url() from None
        self._has_answered = True
        try:
            with connection, connection.begin():
                yield connection
        except DataError as error:
            if "NUL" not in str(error.orig) and "\\u0000" not in str(error.orig):
                raise
            raise PlatformError(
                ErrorCode.VALIDATION_FAILED,
                "a name or a text has a NUL character, which nothing that is kept can have",
                "write it without the character U+0000",
            ) from None
        except DBAPIError as error:
            if error.connection_invalidated or isinstance(error, OperationalError):
                raise self._unreachable(error) from error
            raise

    def now(self) -> datetime:
        """The time, from the one clock, with its zone."""
        with self.transaction() as session:
            moment: datetime = session.execute(select(clock())).scalar_one()
            return moment

    @cached_property
    def installation(self) -> str:
        """The id of this installation, which everything that belongs to it carries."""
        with self.transaction() as session:
            return str(session.execute(select(installation.c.id)).scalar_one())

    def close(self) -> None:
        """Let go of every connection."""
        self._engine.dispose()

    def _unreachable(self, error: Exception) -> PlatformError:
        cause = str(getattr(error, "orig", error)).strip().splitlines()
        where = masked(self._engine.url.render_as_string(hide_password=True))
        return PlatformError(
            ErrorCode.BACKEND_UNREACHABLE,
            f"the catalog at {where} could not be reached: {cause[0] if cause else error}",
            "check GRAPH_PLATFORM_CATALOG and that the server runs; `graph-platform doctor` looks at it more closely",
        )


def catalog_url(settings: Settings) -> str:
    """The SQLAlchemy URL of the catalog; the embedded server is started for it.

    Raises:
        PlatformError: BACKEND_UNREACHABLE, or VALIDATION_FAILED for a URL of another kind.
    """
    if settings.catalog == "embedded:":
        from graph_platform.catalog.embedded import EmbeddedPostgres  # noqa: PLC0415 - only this kind needs it

        return EmbeddedPostgres(settings.home).ensure()
    check_postgres_url(settings.catalog, CATALOG_VARIABLE)
    return settings.catalog


def _engine(url: str) -> Engine:
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise _wrong_url() from None  # the cause may quote the password
    if parsed.get_backend_name() != "postgresql":
        raise _wrong_url()
    return create_engine(
        parsed.set(drivername="postgresql+psycopg"),
        pool_pre_ping=True,
        pool_size=4,
        max_overflow=16,
        connect_args={"connect_timeout": 5, "application_name": "graph_platform"},
    )


def _wrong_url() -> PlatformError:
    return PlatformError(
        ErrorCode.VALIDATION_FAILED,
        f"{CATALOG_VARIABLE} is neither `embedded:` nor the URL of a Postgres database",
        f"e.g. {CATALOG_VARIABLE}={FORM}",
    )
