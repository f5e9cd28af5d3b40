"""What holds whatever happened: one server for each row that says running, as the row says, and none for any other."""

from __future__ import annotations

import httpx

from graph_platform.catalog import instances
from graph_platform.catalog.records import InstanceRecord
from graph_platform.platform import Platform
from graph_platform.runtime.protocol import Presence
from graph_platform_tests.server_processes import server_processes


def rows(platform: Platform, name: str | None = None) -> list[InstanceRecord]:
    """What the catalog says of the instances (of that name) that are not terminated, whatever runs."""
    with platform.catalog.transaction() as session:
        return [each for each in instances.list_instances(session) if name in (None, each.name)]


def agreed(platform: Platform, *ids: str) -> dict[str, str]:
    """Check it for these instances, all of which are at rest; returns their states."""
    running, states = server_processes(platform.settings.home), {}
    for identifier in ids:
        with platform.catalog.transaction() as session:
            row = instances.get_instance(session, identifier)
        seen = platform.runtime.servers.observe(identifier)
        states[identifier] = row.status
        assert (row.lease_owner, row.lease_expires_at, row.abandoned) == (None, None, False)
        if row.status == "running":
            assert len(running[identifier]) == 1
            assert (seen.presence, seen.attempt) == (Presence.READY, row.attempt)
            way = platform.runtime.servers.connect(identifier)
            assert way.url == row.url
            status = httpx.get(f"{way.url}/status", headers={"Authorization": f"Bearer {way.token}"}, timeout=30).json()
            assert (status["instance"], status["attempt"], status["phase"]) == (identifier, row.attempt, "ready")
        else:
            assert row.status in ("suspended", "terminated", "failed")
            assert row.url is None
            assert identifier not in running
            assert seen.presence is Presence.ABSENT
    return states
