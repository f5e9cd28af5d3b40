"""Where Dagster keeps its own state: its home folder, its database, and the variables that plain `dagster` needs.

Nothing here imports Dagster. Without DAGSTER_HOME, Dagster quietly uses an instance that is forgotten afterwards: that
is why every way into it goes through `prepare`.
"""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit

from graph_platform.catalog.address import FORM, check_postgres_url
from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.private import private_folder
from graph_platform.settings import Settings

POSTGRES_VARIABLE = "GRAPH_PLATFORM_DAGSTER_POSTGRES_URL"
LOCATION = "graph_platform"
MODULE = "graph_platform.definitions"

_DRIVER = "postgresql+psycopg2"
_CONFIGURATION = Path(__file__).with_name("dagster.yaml")


def dagster_home(settings: Settings) -> Path:
    """The folder that DAGSTER_HOME names."""
    return settings.home / "dagster"


def prepare(settings: Settings) -> dict[str, str]:
    """Make Dagster's home and database if they are absent; start the embedded Postgres if it is the one.

    Returns:
        The variables that a process needs to use them, beside the settings' own.

    Raises:
        PlatformError: BACKEND_UNREACHABLE if the database or the folder cannot be had.
    """
    url = _storage_url(settings)
    home = dagster_home(settings)
    try:
        private_folder(home)
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
    unfinished = home / f"dagster.yaml.{os.getpid()}"
    unfinished.write_bytes(wanted)
    unfinished.replace(target)


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
    catalog = urlsplit(_with_driver(settings.catalog, "GRAPH_PLATFORM_CATALOG"))
    path = catalog.path.lstrip("/") or "postgres"
    _create_database(urlunsplit(catalog._replace(scheme="postgresql")), f"{unquote(path)}_dagster")
    return urlunsplit(catalog._replace(path=f"/{path}_dagster"))


def _with_driver(url: str, variable: str) -> str:
    check_postgres_url(url, variable)
    return f"{_DRIVER}://{url.partition('://')[2]}"


def _create_database(url: str, name: str) -> None:
    """Dagster's tables are called `runs` and `snapshots`: they get a database of their own beside the catalog's."""
    import psycopg  # noqa: PLC0415  not for the embedded server, whose databases are made with it
    from psycopg import sql  # noqa: PLC0415

    try:
        with psycopg.connect(url, autocommit=True, connect_timeout=5) as connection:
            if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,)).fetchone():
                return
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    except psycopg.errors.DuplicateDatabase:
        return  # another process was faster
    except psycopg.errors.InsufficientPrivilege as error:
        raise PlatformError(
            ErrorCode.BACKEND_UNREACHABLE,
            f"the database {name} for Dagster's runs does not exist, and this user may not create it",
            f'have it created (CREATE DATABASE "{name}"), or name another in GRAPH_PLATFORM_DAGSTER_STORAGE',
        ) from error
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
