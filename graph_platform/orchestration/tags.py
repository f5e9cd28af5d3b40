"""The tags of a run: what it is about, who asked for it, and what it excludes. No import of Dagster: the command line
uses it as well.

Two things, and so two kinds of tag. `mapping`, `snapshot` and `instance` say what a run is about, so that it is found;
they hold nobody up. The one tag `graph_platform/excludes` lets Dagster's queue keep two runs apart that would only wait
for each other, and `dagster.yaml` limits that one alone. It saves wasted work and protects nothing: what protects the
catalog is the catalog's own leases. So a run from the Launchpad, whose tags can't depend on its config, simply is not
held back, nor is one that names the same thing otherwise (an instance by its id).

What a run of an operation is about, and what it excludes, is said in the operation's request.
"""

from __future__ import annotations

from graph_platform.requests import Request

USER_TAG = "graph_platform/user"
"""Who submitted the run, when that is another than the user of the Dagster that executes it."""

EXCLUDES_TAG = "graph_platform/excludes"
"""What the run must not share with another: of those with one value, the queue lets one go at a time."""


def run_tags(request: Request, user: str) -> dict[str, str]:
    """The tags that a request gives away before its run starts; the op adds the rest when it knows them."""
    tags = {USER_TAG: user, **{kind: name for kind, name in request.about().items() if name}}
    excludes = request.excludes()
    named = excludes is not None and not excludes.endswith(":")  # what names nothing is refused, and need not wait
    return {**tags, EXCLUDES_TAG: excludes} if excludes and named else tags
