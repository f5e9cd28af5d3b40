"""Where Dagster keeps its own state: its home folder, its database, and the variables that plain `dagster` needs.

Nothing here imports Dagster. Without DAGSTER_HOME, Dagster quietly uses an instance that is forgotten afterwards: that
is why every way into it goes through `prepare`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit

from graph_platform.catalog.address import FORM, check_postgres_url
from graph_platform.catalog.limits import DAGSTER_LIMITS, database_limits, parameters
from graph_platform.catalog.version import MIGRATE
from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.private import own_folder, write_private
from graph_platform.settings import Settings

if TYPE_CHECKING:
    import psycopg

POSTGRES_VARIABLE = "GRAPH_PLATFORM_DAGSTER_POSTGRES_URL"
LOCATION = "graph_platform"
MODULE = "graph_platform.definitions"

_DRIVER = "postgresql+psycopg2"
_CONFIGURATION = Path(__file__).with_name("dagster.yaml")
_OWN_DEFAULTS = """
    SELECT 1 FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase
    WHERE d.datname = %s AND s.setrole = 0
"""


def dagster_home(settings: Settings) -> Path:
    """The folder that DAGSTER_HOME names."""
    return settings.home / "dagster"


def prepare(settings: Settings) -> dict[str, str]:
    """Make Dagster's home if it is absent; start the embedded Postgres if it is the one.

    A database on a server of your own is made by `graph-platform catalog migrate`, and only looked for here.

    Returns:
        The variables that a process needs to use them, beside the settings' own.

    Raises:
        PlatformError: BACKEND_UNREACHABLE if the database's server or the folder cannot be had; INVALID_STATE if the
            database has not been made.
    """
    url = _storage_url(settings)
    home = dagster_home(settings)
    try:
        own_folder(home)
        _write_configuration(home)
    except OSError as error:
        raise PlatformError(
            ErrorCode.BACKEND_UNREACHABLE,
            f"the folder {home} cannot be used: {error.strerror or error}",
            "set GRAPH_PLATFORM_HOME to a folder that you may write",
        ) from error
    return {"GRAPH_PLATFORM_HOME": str(settings.home), "DAGSTER_HOME": str(home), POSTGRES_VARIABLE: url}


def _write_configuration(home: Path) -> None:
    target, wanted = home / "dagster.yaml", _CONFIGURATION.read_bytes()
    if target.exists() and target.read_bytes() == wanted:
        return
    write_private(target, wanted.decode())


def _storage_url(settings: Settings) -> str:
    """The URL of Dagster's database, with the driver named.

    A bare `postgresql://` means psycopg 3 since SQLAlchemy 2.1, and Dagster's NOTIFY only works with psycopg2.
    """
    if settings.dagster_storage:
        return _with_driver(settings.dagster_storage, "GRAPH_PLATFORM_DAGSTER_STORAGE")
    if settings.catalog == "embedded:":
        from graph_platform.catalog.embedded import DAGSTER_DATABASE, EmbeddedPostgres  # noqa: PLC0415

        server = EmbeddedPostgres(settings.home)
        server.ensure()
        return server.url(DAGSTER_DATABASE, _DRIVER)
    url, path = _catalog_database(settings)
    name = f"{unquote(path)}_dagster"
    with _server(url) as connection:
        there = _exists(connection, name)
    if not there:
        raise PlatformError(
            ErrorCode.INVALID_STATE,
            f"the database {name} for Dagster's runs has not been made yet",
            f"`{MIGRATE}` makes it, with the catalog; or name another one in GRAPH_PLATFORM_DAGSTER_STORAGE",
        )
    return urlunsplit(url._replace(path=f"/{path}_dagster"))


def dagster_database(settings: Settings) -> str | None:
    """The name of Dagster's database beside the catalog; None where a setting names another one."""
    if settings.dagster_storage:
        return None
    if settings.catalog == "embedded:":
        from graph_platform.catalog.embedded import DAGSTER_DATABASE  # noqa: PLC0415

        return DAGSTER_DATABASE
    return f"{unquote(_catalog_database(settings)[1])}_dagster"


def create_database(settings: Settings) -> bool:
    """Make Dagster's database beside a catalog on a server of your own, if it is the platform's to make and absent.

    Dagster's tables are called `runs` and `snapshots`: they get a database of their own. They are made by Dagster when
    it first uses an empty one, and migrated by `dagster instance migrate`. The limits on waiting are the database's,
    because Dagster's sessions are not the platform's to open.

    Returns:
        Whether it was made.

    Raises:
        PlatformError: BACKEND_UNREACHABLE, PERMISSION_DENIED.
    """
    from psycopg import errors, sql  # noqa: PLC0415

    if settings.dagster_storage or settings.catalog == "embedded:":
        return False
    url, path = _catalog_database(settings)
    name = f"{unquote(path)}_dagster"
    with _server(url) as connection:
        connection.execute("; ".join(f"SET {key} = '{value}'" for key, value in parameters(DAGSTER_LIMITS).items()))
        made = not _exists(connection, name)
        if made:
            try:
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
            except (errors.DuplicateDatabase, errors.UniqueViolation):
                made = False  # another process was faster
            except errors.InsufficientPrivilege as error:
                raise PlatformError(
                    ErrorCode.PERMISSION_DENIED,
                    f"the database {name} for Dagster's runs does not exist, and this user may not create it",
                    f'have it created (CREATE DATABASE "{name}"), or name another in GRAPH_PLATFORM_DAGSTER_STORAGE',
                ) from error
        if not connection.execute(_OWN_DEFAULTS, (name,)).fetchone():
            with suppress(errors.InsufficientPrivilege):  # whoever made it for us may set them
                for statement in database_limits(name):
                    connection.execute(sql.SQL(statement))
    return made


def _catalog_database(settings: Settings) -> tuple[SplitResult, str]:
    """The catalog's URL for SQLAlchemy and psycopg2, and the name of its database as it stands in it."""
    url = urlsplit(_with_driver(settings.catalog, "GRAPH_PLATFORM_CATALOG"))
    return url, url.path.lstrip("/") or "postgres"


def _with_driver(url: str, variable: str) -> str:
    check_postgres_url(url, variable)
    return f"{_DRIVER}://{url.partition('://')[2]}"


def _exists(connection: psycopg.Connection, name: str) -> bool:
    return connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,)).fetchone() is not None


@contextmanager
def _server(url: SplitResult) -> Iterator[psycopg.Connection]:
    """The catalog's server, without a transaction.

    Raises:
        PlatformError: BACKEND_UNREACHABLE, or VALIDATION_FAILED for a URL that libpq cannot read.
    """
    import psycopg  # noqa: PLC0415  not for the embedded server, whose databases are made with it

    try:
        with psycopg.connect(
            urlunsplit(url._replace(scheme="postgresql")), autocommit=True, connect_timeout=5
        ) as connection:
            yield connection
    except psycopg.ProgrammingError:  # libpq cannot read the URL, and may quote the password to say so
        raise PlatformError(
            ErrorCode.VALIDATION_FAILED,
            "GRAPH_PLATFORM_CATALOG is not a URL that Postgres can read",
            f"write GRAPH_PLATFORM_CATALOG={FORM}, signs like @ : / % # ? of the password percent-encoded",
        ) from None
    except psycopg.Error as error:
        said = str(error).strip().splitlines()
        raise PlatformError(
            ErrorCode.BACKEND_UNREACHABLE,
            f"the catalog's Postgres did not answer: {said[0] if said else type(error).__name__}",
            "check GRAPH_PLATFORM_CATALOG, and that the server runs and can be reached from here",
        ) from error
