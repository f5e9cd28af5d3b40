"""The tags of a run: what it touches and who asked for it. No import of Dagster: the command line uses it as well.

Tags at the launch let Dagster's queue keep two runs off the same thing. That only saves wasted work; what protects the
catalog is the catalog's own leases.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

USER_TAG = "graph_platform/user"
"""Who submitted the run, when that is another than the user of the Dagster that executes it."""

_SUBJECT: Mapping[str, tuple[str, ...]] = {
    # job: the path of the reference inside its config; the kind of thing is the path's first step
    "validate_mapping": ("mapping", "name"),
    "create_mapping": ("mapping", "name"),
    "update_mapping": ("mapping", "name"),
    "delete_mapping": ("mapping",),
    "list_mappings": (),
    "show_mapping": ("mapping",),
    "diff_mapping": ("mapping",),
    "refresh_schema_cache": (),
    "suggest_mapping": (),  # it asks about the warehouse, and no mapping is there yet
    "create_snapshot": ("mapping",),
    "delete_snapshot": ("snapshot",),
    "launch_instance": ("snapshot",),
    "terminate_instance": ("instance",),
    "suspend_instance": ("instance",),
    "resume_instance": ("instance",),
    "extend_instance": ("instance",),
}


def run_tags(job: str, config: Mapping[str, Any], user: str) -> dict[str, str]:
    """The tags that a run's config gives away before it starts; the op adds the rest when it knows them."""
    path = _SUBJECT[job]
    reference: Any = config if path else None
    for step in path:
        reference = reference.get(step) if isinstance(reference, Mapping) else None
    tags = {USER_TAG: user}
    if isinstance(reference, str) and reference:
        tags[path[0]] = reference.partition("@")[0] if path[0] == "mapping" else reference
    if job == "launch_instance" and config.get("name"):
        tags["instance"] = config["name"]
    return tags
