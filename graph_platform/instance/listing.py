"""The list of instances as they are: the catalog's rows, corrected by one cheap look at the runtime.

It writes nothing, and imports no more than it needs: a list must come at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from graph_platform.catalog import instances
from graph_platform.catalog.catalog import Catalog
from graph_platform.catalog.records import InstanceRecord
from graph_platform.catalog.states import InstanceStatus
from graph_platform.errors import PlatformError
from graph_platform.instance.sight import all_are_here, as_seen, death, is_idle
from graph_platform.runtime.connect import open_runtime
from graph_platform.runtime.protocol import Observation, Presence, Servers
from graph_platform.settings import Settings


@dataclass(frozen=True)
class Listing:
    """Instances, newest first. `unseen` is why the runtime could not be looked at: then they are as their rows say."""

    instances: Sequence[InstanceRecord]
    unseen: PlatformError | None = None


def list_as_seen(settings: Settings, catalog: Catalog) -> Listing:
    """The instances that are not terminated, each as the runtime of the settings sees it.

    No server is asked, but for one that looks idle: it may know of queries that did not come through the platform.
    Instances of another runtime are as their rows say.
    """
    with catalog.transaction() as session:
        records = instances.list_instances(session)
    here = [each for each in records if each.status == InstanceStatus.RUNNING and each.runtime == settings.runtime]
    if not here:
        return Listing(records)
    tells = all_are_here(settings)
    try:
        servers = open_runtime(settings, catalog.installation).servers
        listed = {seen.instance: seen for seen in servers.list()}
        looks = {each.id: listed.get(each.id) or Observation(each.id, 0, Presence.ABSENT) for each in here}
        used = _used(here, looks, servers)
    except PlatformError as error:
        return Listing(records, error)
    if used or any(death(each, looks[each.id], absence_tells=tells) for each in here):
        # A server is ended after its row has moved on: only a row that still says running is one whose server died.
        with catalog.transaction() as session:
            records = instances.list_instances(session, used)
    looked_at = {(each.id, each.attempt) for each in here}
    return Listing(
        [
            as_seen(each, looks[each.id], absence_tells=tells) if (each.id, each.attempt) in looked_at else each
            for each in records
        ]
    )


def _used(here: Sequence[InstanceRecord], looks: dict[str, Observation], servers: Servers) -> dict[str, str]:
    """By id, when those that look idle were used last, as their servers say."""
    idle = [each.id for each in here if is_idle(each) and looks[each.id].presence != Presence.ENDED]
    found = {identifier: servers.observe(identifier).last_activity for identifier in idle}
    return {identifier: seen for identifier, seen in found.items() if seen}
