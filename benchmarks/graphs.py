"""A graph of a million nodes and five million edges: loading it, and starting an instance of it."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import duckdb

from benchmarks.measure import Outcome, pairs
from graph_platform.engine.build import BuildRequest
from graph_platform.engine.load import copy_statement
from graph_platform.engine.process import build_database
from graph_platform.runtime.local.servers import LocalServers
from graph_platform.runtime.protocol import Connection, Presence
from graph_platform.runtime.spec import (
    Access,
    DatabaseSpec,
    Served,
    ServedKind,
    ServerLimits,
    ServerSpec,
    StoredSnapshot,
)
from graph_platform.storage.connect import open_storage
from graph_platform.storage.protocol import Storage
from graph_platform.stored.manifest import Manifest, ManifestColumn, ManifestFile, ManifestTable

NODES, EDGES = 1_000_000, 5_000_000
MEMORY = 4 * 1024**3
SNAPSHOT = "bench/snapshot"

_DDL = (
    "CREATE NODE TABLE `Account` (`id` INT64, `name` STRING, `balance` DOUBLE, PRIMARY KEY (`id`))",
    "CREATE REL TABLE `PAID` (FROM `Account` TO `Account`, `amount` DOUBLE, `at` TIMESTAMP)",
)
_QUERIES = {
    (
        "node",
        "Account",
    ): f"SELECT i AS id, 'account ' || i AS name, i / 7.0::DOUBLE AS balance FROM range({NODES}) t(i)",
    ("edge", "PAID"): f"SELECT (i * 7919) % {NODES} AS payer, (i * 104729 + 1) % {NODES} AS payee, "
    f"i / 3.0::DOUBLE AS amount, TIMESTAMP '2020-01-01' + INTERVAL (i) SECOND AS at FROM range({EDGES}) t(i)",
}
_COLUMNS = {
    "Account": [("id", "bigint", "INT64"), ("name", "varchar", "STRING"), ("balance", "double", "DOUBLE")],
    "PAID": [
        ("payer", "bigint", "INT64"),
        ("payee", "bigint", "INT64"),
        ("amount", "double", "DOUBLE"),
        ("at", "timestamp(6)", "TIMESTAMP"),
    ],
}

_BARE_COPY = """
import json, sys
import ladybug
order = json.load(sys.stdin)
database = ladybug.Database(order["path"], buffer_pool_size=order["memory"])
connection = ladybug.Connection(database)
for statement in order["statements"]:
    connection.execute(statement)
connection.execute("CHECKPOINT")
connection.close()
database.close()
"""


def _parquet(root: Path) -> Manifest:
    """The Parquet files under `root`, made once, and their manifest draft."""
    tables = []
    for (kind, name), query in _QUERIES.items():
        key = f"1/{kind}s/{name}/part-0.parquet"
        path = root / SNAPSHOT / key
        if not path.exists():
            path.parent.mkdir(parents=True)
            duckdb.connect().execute(f"COPY ({query}) TO '{path}' (FORMAT parquet, COMPRESSION zstd)")
        rows, size = (NODES if kind == "node" else EDGES), path.stat().st_size
        columns = tuple(ManifestColumn(column, trino, trino, engine) for column, trino, engine in _COLUMNS[name])
        ends = {"primary_key": "id"} if kind == "node" else {"from_node": "Account", "to_node": "Account"}
        tables.append(
            ManifestTable(kind, name, name, columns, rows, size, (ManifestFile(key, rows, size, ""),), **ends)
        )
    return Manifest("snap-bench", "map-bench", "bench", 1, 1, "2026-01-01T00:00:00+00:00", _DDL, tuple(tables))


def _request(folder: Path, root: Path, manifest: Manifest) -> BuildRequest:
    work = folder / "build"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    return BuildRequest("ladybug", f"file://{root}", SNAPSHOT, manifest, work / "graph.db", work, MEMORY, 0)


def load(folder: Path) -> Outcome:
    """The engine's own COPY of the same files, in a process of its own, against our build with all its checks."""
    root = folder / "graph"
    manifest = _parquet(root)
    bare = folder / "bare"

    def engines_own() -> None:
        shutil.rmtree(bare, ignore_errors=True)
        bare.mkdir()
        copies = [copy_statement(table, (root / SNAPSHOT / table.files[0].key).parent) for table in manifest.tables]
        order = {"path": str(bare / "graph.db"), "memory": MEMORY, "statements": [*_DDL, *copies]}
        subprocess.run([sys.executable, "-c", _BARE_COPY], input=json.dumps(order), text=True, check=True)

    def ours() -> None:
        build_database(_request(folder, root, manifest))

    ratios, copy, build = pairs(engines_own, ours, 11)
    what = f"the engine's own COPY / ours ({NODES:,} nodes, {EDGES:,} edges)"
    return Outcome("load", what, ratios, copy, build, at_least=0.95)


def _stored(folder: Path) -> Storage:
    """The graph as a snapshot in storage, once with its database (`stored`) and once without (`parquet`)."""
    root = folder / "graph"
    storage = open_storage(f"file://{root}")
    draft = _parquet(root)
    request = _request(folder, root, draft)
    result = build_database(request)
    key = f"1/database/{result.engine}-{result.storage_version}.db"
    storage.put(request.output, f"{SNAPSHOT}/{key}")
    whole = result.completed(draft, key)
    for name, manifest in (("stored", whole), ("parquet", replace(whole, databases=()))):
        storage.write(f"{SNAPSHOT}/1/{name}/manifest.json", manifest.to_json())
    return storage


def _spec(storage: Storage, name: str, attempt: int, workers: int) -> ServerSpec:
    source = StoredSnapshot(storage.url, SNAPSHOT, f"{SNAPSHOT}/1/{name}/manifest.json")
    return ServerSpec(
        installation="gp-bench",
        instance=f"inst-{name}",
        attempt=attempt,
        serves=Served(ServedKind.SNAPSHOT, "snap-bench"),
        engine="ladybug",
        databases=(DatabaseSpec("snap-bench", Access.READ, source),),
        limits=ServerLimits(MEMORY, 0, 60.0, NODES, max_databases=1, workers=workers, worker_allowance_bytes=2**29),
    )


def _launch(runtime: LocalServers, spec: ServerSpec) -> None:
    runtime.start(spec)
    while (seen := runtime.observe(spec.instance)).presence != Presence.READY:
        if seen.presence == Presence.ENDED:
            raise RuntimeError(seen.failure)
        os.sched_yield()


@contextmanager
def served(folder: Path, workers: int) -> Iterator[Connection]:
    """The way to an instance of the graph."""
    storage = _stored(folder)
    runtime = LocalServers(folder / "home", "gp-bench")
    spec = _spec(storage, "stored", 1, workers)
    _launch(runtime, spec)
    try:
        yield runtime.connect(spec.instance)
    finally:
        runtime.stop(spec.instance, spec.attempt, 5)
        shutil.rmtree(folder / "home")  # the next one begins with its first attempt again


def start(folder: Path) -> Outcome:
    """An instance that has to load the Parquet files again against one that finds the stored database file."""
    storage = _stored(folder)
    runtime = LocalServers(folder / "home", "gp-bench")
    attempts = itertools.count(1)

    def launched(name: str) -> None:
        spec = _spec(storage, name, next(attempts), workers=1)
        _launch(runtime, spec)
        runtime.stop(spec.instance, spec.attempt, 5)

    ratios, again, stored = pairs(lambda: launched("parquet"), lambda: launched("stored"), 3)
    what = "start by loading the Parquet files / start from the stored database"
    return Outcome("start", what, ratios, again, stored, at_least=10)
