"""The requests by the names of their jobs."""

from __future__ import annotations

from graph_platform.definitions import definitions
from graph_platform.requests import Request

JOBS = list(definitions.jobs or ())


def _below(kind: type[Request]) -> list[type[Request]]:
    return [each for child in kind.__subclasses__() for each in (child, *_below(child))]


REQUESTS = {kind.job: kind for kind in _below(Request) if "job" in vars(kind)}
