"""Bring the schema up to date: under an advisory lock, so that two processes that start together migrate once."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text

from graph_platform.catalog.tables import SCHEMA

_LOCK = 0x67706C61  # any constant; all of this schema's migrations use the same


def migrate(connection: Connection) -> None:
    """Apply the missing migrations inside the connection's open transaction."""
    connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}"))
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
