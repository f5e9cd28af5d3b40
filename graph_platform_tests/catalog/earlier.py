"""Catalogs of earlier versions, as the migrations of then left them, for tests of an upgrade."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine, text

from graph_platform.catalog import migrations


def make_catalog(url: str, revision: str) -> None:
    """Make an empty database a catalog of that version."""
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("CREATE SCHEMA graph_platform"))
        config = Config()
        config.set_main_option("script_location", str(Path(migrations.__path__[0])).replace("%", "%%"))
        config.set_main_option("path_separator", "os")
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
    engine.dispose()


def insert_instance(url: str, identifier: str, status: str) -> None:
    """A row of a catalog of version 0001, with the mapping and the snapshot that it needs and all their events.

    It was born in that state, which the audit and the transitions of an earlier version would not have: the triggers
    are off meanwhile.
    """
    engine = create_engine(url)
    with engine.begin() as connection:
        for statement in (
            "SET LOCAL session_replication_role = replica",
            "INSERT INTO graph_platform.mappings (id, name, owner, status, revision, current_version) "
            "VALUES ('map-1', 'flights', 'ada', 'active', 1, 1) ON CONFLICT DO NOTHING",
            "INSERT INTO graph_platform.mapping_versions "
            "(mapping_id, version, definition, columns, change_description, created_by) "
            "VALUES ('map-1', 1, '{}', '[]', '', 'ada') ON CONFLICT DO NOTHING",
            "INSERT INTO graph_platform.snapshots (id, mapping_id, mapping_version, owner, status, revision, attempt, "
            "export_round, storage_url, folder, manifest_key, engine, data_checks, ready_at) "
            "VALUES ('snap-1', 'map-1', 1, 'ada', 'ready', 3, 1, 1, 'file:///x', 'f', 'k', 'ladybug', 'trusted', now())"
            " ON CONFLICT DO NOTHING",
        ):
            connection.execute(text(statement))
        connection.execute(
            text(
                "INSERT INTO graph_platform.instances (id, snapshot_id, owner, status, revision, attempt, engine, "
                "runtime, url, started_at, ttl, inactivity_timeout, expires_at) VALUES (:id, 'snap-1', 'ada', :status, "
                "1, 1, 'ladybug', 'local:', 'http://127.0.0.1:1', now(), '24 h', '4 h', now() + interval '24 h')"
            ),
            {"id": identifier, "status": status},
        )
    engine.dispose()
