"""Bring the schema up to date: under locks, so that two processes migrate once, and nobody works in it meanwhile.

Every transaction of the catalog begins by reading its version, and so has a share of the lock on that table until it
ends. Whoever migrates takes the whole lock: it waits until they have ended, and those that come later wait for it, and
then read the new version.
"""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Connection, func, select, text

from graph_platform.catalog.tables import SCHEMA
from graph_platform.errors import ErrorCode, PlatformError

_LOCK = 0x67706C61  # any constant; all of this schema's migrations use the same


def migrate(connection: Connection) -> None:
    """Apply the missing migrations inside the connection's open transaction, whose limits bound the waiting."""
    connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    if connection.scalar(select(func.to_regclass(f"{SCHEMA}.alembic_version"))):
        connection.execute(text(f"LOCK TABLE {SCHEMA}.alembic_version IN ACCESS EXCLUSIVE MODE"))
    connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}"))
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as error:  # a version that none of the migrations has
        raise PlatformError(
            ErrorCode.INVALID_STATE,
            f"the catalog's version is none that this platform has a migration for: {error}",
            "restore it from a backup, or migrate it with the platform that it was made by",
        ) from error
