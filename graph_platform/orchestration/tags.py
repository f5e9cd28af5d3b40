"""The tags of a run: what it is about, who asked for it, and what it excludes. No import of Dagster: the command line
uses it as well.

Two things, and so two kinds of tag. `mapping`, `snapshot` and `instance` say what a run is about, so that it is found;
they hold nobody up. The one tag `graph_platform/excludes` lets Dagster's queue keep two runs apart that would only wait
for each other, and `dagster.yaml` limits that one alone. It saves wasted work and protects nothing: what protects the
catalog is the catalog's own leases. So a run from the Launchpad, whose tags can't depend on its config, simply is not
held back, nor is one that names the same thing otherwise (an instance by its id).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

USER_TAG = "graph_platform/user"
"""Who submitted the run, when that is another than the user of the Dagster that executes it."""

EXCLUDES_TAG = "graph_platform/excludes"
"""What the run must not share with another: of those with one value, the queue lets one go at a time."""


@dataclass(frozen=True)
class _Tags:
    """A job's tags, as paths inside its config.

    Args:
        about: the reference of what it is about; the path's first step is the kind of thing.
        kind: the kind of what two runs must not share, of this job or of others.
        named: the references that say which one. Where one of them is not given, the run excludes nothing.
    """

    about: str = ""
    kind: str = ""
    named: tuple[str, ...] = ()


_JOBS: Mapping[str, _Tags] = {
    "validate_mapping": _Tags("mapping.name"),
    "create_mapping": _Tags("mapping.name", "mapping", ("mapping.name",)),
    "update_mapping": _Tags("mapping.name", "mapping", ("mapping.name",)),
    "delete_mapping": _Tags("mapping", "mapping", ("mapping",)),
    "list_mappings": _Tags(),
    "show_mapping": _Tags("mapping"),
    "diff_mapping": _Tags("mapping"),
    "refresh_schema_cache": _Tags(),
    "suggest_mapping": _Tags(),  # it asks about the warehouse, and no mapping is there yet
    # Without a name two exports of one mapping are two snapshots; with one they are the same.
    "create_snapshot": _Tags("mapping", "snapshot", ("mapping", "name")),
    "delete_snapshot": _Tags("snapshot", "snapshot", ("snapshot",)),
    "launch_instance": _Tags("snapshot", "instance", ("name",)),
    "suspend_instance": _Tags("instance", "instance", ("instance",)),
    "resume_instance": _Tags("instance", "instance", ("instance",)),
    # These two wait for nothing: the one is a single statement, the other ends whatever goes on.
    "extend_instance": _Tags("instance"),
    "terminate_instance": _Tags("instance"),
}


def run_tags(job: str, config: Mapping[str, Any], user: str) -> dict[str, str]:
    """The tags that a run's config gives away before it starts; the op adds the rest when it knows them."""
    row = _JOBS[job]
    tags = {USER_TAG: user}
    kind, reference = row.about.partition(".")[0], _reference(config, row.about)
    if reference:
        tags[kind] = reference.partition("@")[0] if kind == "mapping" else reference
    if job == "launch_instance" and config.get("name"):
        tags["instance"] = config["name"]
    named = [_reference(config, path) for path in row.named]
    if named and all(named):
        tags[EXCLUDES_TAG] = f"{row.kind}:{'/'.join(map(str, named))}"
    return tags


def _reference(config: Mapping[str, Any], path: str) -> str | None:
    found: Any = config
    for step in path.split("."):
        found = found.get(step) if isinstance(found, Mapping) else None
    return found if isinstance(found, str) and found else None
