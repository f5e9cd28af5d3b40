"""The list of instances as they are: the catalog's rows, corrected by one cheap look at the runtime.

It writes nothing, and imports no more than it needs: a list must come at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from graph_platform.catalog import instances
from graph_platform.catalog.catalog import Catalog
from graph_platform.catalog.records import InstanceRecord
from graph_platform.catalog.selection import EVERY, Selection
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


def list_as_seen(settings: Settings, catalog: Catalog, selection: Selection = EVERY) -> Listing:
    """The instances that are not terminated, or what is selected of all, each as the runtime of the settings sees it.

    Of states, that which is seen is the one that counts: an instance that died is failed, and does not run.

    No server is asked, but for one that looks idle: it may know of queries that did not come through the platform.
    Instances of another runtime are as their rows say.
    """
    wanted = selection
    if InstanceStatus.FAILED in selection.statuses:
        # Those that are seen to have failed are among those that run, and how many of these it is shows only then.
        wanted = replace(selection, statuses=(*selection.statuses, InstanceStatus.RUNNING), limit=None)
    listing = _list(settings, catalog, wanted)
    if not selection.statuses:
        return listing
    found = [each for each in listing.instances if each.status in selection.statuses]
    return Listing(found[: selection.limit], listing.unseen)


def _list(settings: Settings, catalog: Catalog, selection: Selection) -> Listing:
    with catalog.transaction() as session:
        records = instances.list_instances(session, selection=selection)
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
            records = instances.list_instances(session, used, selection)
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
