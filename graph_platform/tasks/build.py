"""Builds a snapshot's graph database from its Parquet files in storage, and puts it beside them.

The draft of the manifest, which may be large, lies in storage too. The database is built on this machine, and goes to
storage without a copy where that is on the same disk.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from graph_platform.engine.build import BuildRequest, build
from graph_platform.runtime.spec import from_document
from graph_platform.storage.connect import open_storage
from graph_platform.stored.layout import database_key
from graph_platform.stored.manifest import Manifest
from graph_platform.tasks.program import Task

PROGRAM = "graph_platform.tasks.build"


@dataclass(frozen=True)
class BuildOrder:
    """What to build. `folder` is the key of the snapshot's folder, `draft` that of its manifest without checksums and
    without a database; `pool_bytes` and `threads` are the engine's, 0 threads for as many as there are cores.
    """

    engine: str
    storage_url: str
    folder: str
    draft: str
    pool_bytes: int
    threads: int


def run(order: Mapping[str, Any], task: Task) -> Mapping[str, Any]:
    """The `BuildResult` of a database that is in storage now, under the `database_key` of its engine.

    Args:
        order: a `BuildOrder`.

    Raises:
        PlatformError: what `build` raises, and what storage does.
    """
    wanted = from_document(BuildOrder, order)
    storage = open_storage(wanted.storage_url)
    draft = Manifest.from_json(storage.read(wanted.draft))
    request = BuildRequest(
        wanted.engine,
        wanted.storage_url,
        wanted.folder,
        draft,
        task.work / "graph.db",
        task.work,
        wanted.pool_bytes,
        wanted.threads,
    )
    result = build(request, task.step)
    key = database_key(draft.attempt, result.engine, result.storage_version)
    storage.take(request.output, f"{wanted.folder}/{key}")
    return asdict(result)
