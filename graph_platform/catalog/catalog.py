"""The catalog as its callers hold it: where it is, its transactions, its clock, its installation."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from functools import cached_property
from typing import Any

import psycopg
from sqlalchemy import Connection, Engine, create_engine, event, func, make_url, select
from sqlalchemy.exc import ArgumentError, DBAPIError, InterfaceError, OperationalError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from graph_platform.catalog.address import FORM, check_postgres_url
from graph_platform.catalog.failures import platform_error, silent
from graph_platform.catalog.intervals import STYLE, adapt
from graph_platform.catalog.limits import LIMITS, Limits, Work, limits_of, parameters
from graph_platform.catalog.tables import installation
from graph_platform.catalog.transition import Session
from graph_platform.catalog.version import HEAD, QUESTION, CatalogVersion
from graph_platform.catalog.waits import Watch, application_name
from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.polling import SYSTEM, Clock
from graph_platform.redaction import masked
from graph_platform.settings import Settings

CATALOG_VARIABLE = "GRAPH_PLATFORM_CATALOG"
EMBEDDED = "embedded:"

_RECONNECT_SECONDS = 0.25


def clock() -> Any:
    """The one clock, as an SQL expression. Use it in statements instead of `now()`.

    It is volatile, so no index is searched with it: who looks for what is due asks for the moment first, and hands it
    in as a value, which also tells the planner how few rows that are.
    """
    return func.graph_platform.clock()


class Catalog:
    """A catalog, held to its version and to its time limits in every transaction.

    Args:
        url: an SQLAlchemy URL of a Postgres database.
        patience_seconds: how long a server that has answered before is waited for.
        limits: how long its transactions may wait, work and stand still.
        name: what others see of this process in Postgres.
        own: whether it is nobody else's: then it is migrated when that is needed, and not refused.
        tell: where a word about a long wait goes; None for nowhere.
        clock: what passes while this process waits; what time it is, the catalog says (`now`).
    """

    def __init__(
        self,
        url: str,
        patience_seconds: float = 30.0,
        *,
        limits: Mapping[Work, Limits] = LIMITS,
        name: str = "graph_platform",
        own: bool = False,
        tell: Callable[[str], None] | None = None,
        clock: Clock = SYSTEM,
    ) -> None:
        self._clock = clock
        self._engine = _engine(url, name)
        self._patience_seconds = patience_seconds
        self._limits = limits
        self._own = own
        self._watch = Watch(self._engine, tell, clock)
        self._has_answered = False

    @classmethod
    def open(
        cls,
        settings: Settings,
        *,
        run_id: str | None = None,
        tell: Callable[[str], None] | None = None,
        clock: Clock = SYSTEM,
    ) -> Catalog:
        """The catalog of the settings, started if it is the embedded one; nothing is asked of it yet.

        Args:
            run_id: the Dagster run in which it is used, which those see who wait for it.
            tell: where a word about a long wait goes.
            clock: what passes while this process waits.

        Raises:
            PlatformError: BACKEND_UNREACHABLE, or VALIDATION_FAILED for a URL of another kind.
        """
        return cls(
            catalog_url(settings, clock, tell),
            settings.catalog_patience_seconds,
            limits=limits_of(settings),
            name=application_name(settings.user, run_id),
            own=settings.catalog == EMBEDDED,
            tell=tell,
            clock=clock,
        )

    def migrate(self) -> tuple[CatalogVersion, CatalogVersion]:
        """Apply what is missing; nothing to a catalog that this code can use. Of two at once the second finds it done.

        Returns:
            The version before, and the one after.

        Raises:
            PlatformError: INVALID_STATE for a catalog that only newer code may use, CATALOG_BUSY if somebody works in
                it for too long, BACKEND_UNREACHABLE.
        """
        before = after = self.version()
        if before.migratable:
            from graph_platform.catalog.migrate import migrate  # noqa: PLC0415 - Alembic costs 0.3 s, needed once

            with self._transaction(Work.MIGRATING) as (session, _):
                migrate(session)
            after = self.version()
        if not after.usable:
            raise after.refusal(self.where)
        return before, after

    def version(self) -> CatalogVersion:
        """What it says of its version, whether this code can use it or not.

        Raises:
            PlatformError: BACKEND_UNREACHABLE, CATALOG_BUSY.
        """
        with self._transaction(Work.READING) as (_, version):
            return version

    @contextmanager
    def transaction(self, work: Work = Work.CHANGING) -> Iterator[Session]:
        """A transaction: committed at the end of the block, rolled back by an exception.

        A server that goes away between two transactions is waited for, once it has answered before: an operation that
        took an hour does not fail for a restart of Postgres. Inside a transaction its loss is an error.

        Raises:
            PlatformError: BACKEND_UNREACHABLE; CATALOG_BUSY when a time limit strikes, with who held what was waited
                for; INVALID_STATE for a catalog whose version this code cannot work with; VALIDATION_FAILED for a text
                that Postgres cannot keep.
        """
        while True:
            with self._transaction(work) as (session, version):
                if version.usable:
                    yield session
                    return
            if not (self._own and version.migratable):
                raise version.refusal(self.where)
            self.migrate()

    @property
    def where(self) -> str:
        """Its URL as it may be shown."""
        return masked(self._engine.url.render_as_string(hide_password=True))

    @contextmanager
    def _transaction(self, work: Work) -> Iterator[tuple[Session, CatalogVersion]]:
        """A transaction with its limits, on a catalog of any version."""
        limits = self._limits[work]
        deadline = self._clock.monotonic() + (self._patience_seconds if self._has_answered else 0)
        opened = stale = False
        while not opened:
            connection = self._connect(deadline)
            driver: Any = connection.connection.driver_connection
            with self._watch.over(connection, limits) as wait:
                try:
                    with connection, connection.begin():  # only SQLAlchemy's own view: `_opened` begins it
                        version = _opened(connection, work, limits)
                        opened = self._has_answered = True
                        yield connection, version
                except (DBAPIError, psycopg.Error) as error:
                    if not opened and not stale and driver.closed and not wait.unanswered:
                        # A connection of the pool whose server went away meanwhile: so did those of the others.
                        stale = True
                        self._engine.dispose()
                        continue
                    if wait.unanswered:
                        raise silent(self.where, wait.pid, limits) from error
                    known = _unkeepable(error) or platform_error(error, self.where, limits, wait.holders)
                    if known is None:
                        raise
                    raise known from error

    def _connect(self, deadline: float) -> Connection:
        while True:
            try:
                return self._engine.connect()
            except (OperationalError, InterfaceError) as error:
                if self._clock.monotonic() >= deadline:
                    raise platform_error(error, self.where) or error from error
                self._clock.sleep(_RECONNECT_SECONDS)
            except PoolTimeoutError as error:
                raise PlatformError(
                    ErrorCode.CATALOG_BUSY, "all connections of this process to the catalog are in use", "try again"
                ) from error
            except ProgrammingError:  # the driver knows no such parameter, or cannot read the value of one
                raise _wrong_url() from None

    def now(self) -> datetime:
        """The time, from the one clock, with its zone."""
        with self.transaction(Work.READING) as session:
            moment: datetime = session.execute(select(clock())).scalar_one()
            return moment

    @cached_property
    def installation(self) -> str:
        """The id of this installation, which everything that belongs to it carries."""
        with self.transaction(Work.READING) as session:
            return str(session.execute(select(installation.c.id)).scalar_one())

    def close(self) -> None:
        """Let go of every connection."""
        self._watch.end()
        self._engine.dispose()


def catalog_url(settings: Settings, clock: Clock = SYSTEM, tell: Callable[[str], None] | None = None) -> str:
    """The SQLAlchemy URL of the catalog; the embedded server is started for it.

    Raises:
        PlatformError: BACKEND_UNREACHABLE, or VALIDATION_FAILED for a URL of another kind.
    """
    if settings.catalog == EMBEDDED:
        from graph_platform.catalog.embedded import EmbeddedPostgres  # noqa: PLC0415 - only this kind needs it

        return EmbeddedPostgres(settings.home, clock, tell).ensure()
    check_postgres_url(settings.catalog, CATALOG_VARIABLE)
    return settings.catalog


def _engine(url: str, name: str) -> Engine:
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise _wrong_url() from None  # the cause may quote the password
    if parsed.get_backend_name() != "postgresql":
        raise _wrong_url()
    engine = create_engine(
        parsed.set(drivername="postgresql+psycopg"),
        pool_size=4,
        max_overflow=16,
        use_native_hstore=False,  # which costs a question for each engine
        connect_args={key: value for key, value in _connection(name).items() if key not in parsed.query},
    )
    event.listen(engine, "connect", lambda driver, _: adapt(driver))
    return engine


def _connection(name: str) -> Mapping[str, Any]:
    """How a connection is made; what the URL says of it goes first.

    `autocommit` leaves it to the platform to say BEGIN, which then brings more along in its round trip. A peer that is
    gone without a word is noticed within a minute and a half, by the kernel, whatever is waited for.
    """
    return {
        "autocommit": True,
        "connect_timeout": 5,
        "application_name": name,
        "keepalives_idle": 30,
        "keepalives_interval": 10,
        "keepalives_count": 6,
        "tcp_user_timeout": 90_000,
    }


def _opened(connection: Connection, work: Work, limits: Limits) -> CatalogVersion:
    """Begin the transaction on the server, with its limits, and ask for the catalog's version: one round trip.

    It is the driver's own call, because SQLAlchemy sends one statement at a time; and it is the first on a connection
    of the pool, so it tells as well whether that still lives.
    """
    words = ["BEGIN", *(f"SET LOCAL {name} = '{value}'" for name, value in {**parameters(limits), **STYLE}.items())]
    if work is not Work.MIGRATING:  # who migrates takes the lock that this question would hold
        words.append(QUESTION)
    driver: Any = connection.connection.driver_connection
    try:
        answer = driver.execute("; ".join(words))
        while answer.nextset():
            pass
        row = answer.fetchone() if work is not Work.MIGRATING else None
    except psycopg.errors.UndefinedTable as error:
        # Without Alembic's table there is no catalog; without ours it is one that nobody else than we ever had.
        row = None if "alembic_version" in (error.diag.message_primary or "") else (HEAD, None)
    except psycopg.Error as error:
        if driver.closed:
            connection.invalidate(error)
        raise
    return CatalogVersion(*row) if row else CatalogVersion()


def _unkeepable(error: Exception) -> PlatformError | None:
    cause = getattr(error, "orig", None) or error
    if not isinstance(cause, psycopg.DataError) or ("NUL" not in str(cause) and "\\u0000" not in str(cause)):
        return None
    return PlatformError(
        ErrorCode.VALIDATION_FAILED,
        "a name or a text has a NUL character, which nothing that is kept can have",
        "write it without the character U+0000",
    )


def _wrong_url() -> PlatformError:
    return PlatformError(
        ErrorCode.VALIDATION_FAILED,
        f"{CATALOG_VARIABLE} is neither `embedded:` nor the URL of a Postgres database",
        f"e.g. {CATALOG_VARIABLE}={FORM}",
    )
