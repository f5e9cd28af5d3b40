"""A small real snapshot: Parquet files written with pyarrow, their manifest, and the database built from them."""

from __future__ import annotations

import datetime
import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from graph_platform.engine.build import BuildRequest, BuildResult
from graph_platform.engine.process import build_database
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

ATTEMPT = "ada/map-1/v1/snap-1/1"
MEMORY_BYTES = 128 * 1024**2
LIMITS = ServerLimits(
    pool_bytes=MEMORY_BYTES,
    threads=1,
    query_seconds=5.0,
    query_rows=100,
    max_databases=1,
    workers=1,  # each costs half a second of processor
    worker_allowance_bytes=256 * 1024**2,
)
ASKED_MUCH = replace(LIMITS, workers=3)
"""For a server that is asked several things at once."""

DDL = (
    "CREATE NODE TABLE `Person`(`id` INT64, `name` STRING, `balance` DECIMAL(10, 2), PRIMARY KEY(`id`))",
    "CREATE NODE TABLE `City`(`code` STRING, PRIMARY KEY(`code`))",
    "CREATE REL TABLE `KNOWS`(FROM `Person` TO `Person`, `since` DATE)",
    "CREATE REL TABLE `NEAR`(FROM `Person` TO `City`, FROM `City` TO `City`, `km` DOUBLE)",
)
COLUMNS: Mapping[str, tuple[tuple[str, str, str], ...]] = {
    "Person": (("id", "bigint", "INT64"), ("name", "varchar", "STRING"), ("balance", "varchar", "DECIMAL(10, 2)")),
    "City": (("code", "varchar", "STRING"),),
    "KNOWS": (("a", "bigint", "INT64"), ("b", "bigint", "INT64"), ("since", "date", "DATE")),
    "NEAR_PERSON": (("person", "bigint", "INT64"), ("city", "varchar", "STRING"), ("km", "double", "DOUBLE")),
    "NEAR_CITY": (("one", "varchar", "STRING"), ("other", "varchar", "STRING"), ("km", "double", "DOUBLE")),
}
PLACES: Mapping[str, Mapping[str, Any]] = {
    "Person": {"kind": "node", "table": "Person", "primary_key": "id"},
    "City": {"kind": "node", "table": "City", "primary_key": "code"},
    "KNOWS": {"kind": "edge", "table": "KNOWS", "from_node": "Person", "to_node": "Person"},
    "NEAR_PERSON": {"kind": "edge", "table": "NEAR", "from_node": "Person", "to_node": "City"},
    "NEAR_CITY": {"kind": "edge", "table": "NEAR", "from_node": "City", "to_node": "City"},
}


def graph_data() -> dict[str, list[dict[str, Any]]]:
    """The rows of a graph of three people and two cities, by definition and file; change a copy to break it."""
    day = datetime.date(2020, 2, 29)
    return {
        "Person": [
            {"id": [1, 2], "name": ["Ada", "it's"], "balance": ["1.50", None]},
            {"id": [3], "name": ["Zoë"], "balance": ["-0.01"]},
        ],
        "City": [{"code": ["AMS", "BER"]}],
        "KNOWS": [{"a": [1, 2, 3], "b": [2, 3, 1], "since": [day, None, day]}],
        "NEAR_PERSON": [{"person": [1, 2], "city": ["AMS", "BER"], "km": [1.5, 2.5]}],
        "NEAR_CITY": [{"one": ["AMS"], "other": ["BER"], "km": [577.0]}],
    }


_ARROW = {"bigint": pa.int64(), "varchar": pa.string(), "date": pa.date32(), "double": pa.float64()}


def write_snapshot(storage: Storage, data: Mapping[str, list[dict[str, Any]]], *, checksums: bool = True) -> Manifest:
    """Write the files of `data` under `ATTEMPT`, and return their manifest, without a database."""
    tables = []
    for name, place in PLACES.items():
        files = []
        for index, columns in enumerate(data[name]):
            types = {column: _ARROW[file_type] for column, file_type, _ in COLUMNS[name]}
            arrow = pa.table({column: pa.array(values, types.get(column)) for column, values in columns.items()})
            buffer = io.BytesIO()
            pq.write_table(arrow, buffer)
            content = buffer.getvalue()
            key = f"{place['kind']}s/{name}/part-{index}"
            storage.write(f"{ATTEMPT}/{key}", content)
            digest = hashlib.sha256(content).hexdigest() if checksums else ""
            files.append(ManifestFile(key, arrow.num_rows, len(content), digest))
        columns_of = tuple(ManifestColumn(column, file, file, kind) for column, file, kind in COLUMNS[name])
        tables.append(
            ManifestTable(
                name=name,
                columns=columns_of,
                rows=sum(file.rows for file in files),
                bytes=sum(file.bytes for file in files),
                files=tuple(files),
                **place,
            )
        )
    return Manifest("snap-1", "map-1", "people", 1, 1, "2026-01-01T00:00:00Z", DDL, tuple(tables))


@dataclass(frozen=True)
class Snapshot:
    """A snapshot in storage: its manifest is written, with or without a database."""

    storage: Storage
    manifest: Manifest
    manifest_key: str = f"{ATTEMPT}/manifest.json"

    def spec(
        self, engine: str, *, manifest_key: str | None = None, query_seconds: float = 5.0, **changes: Any
    ) -> ServerSpec:
        """The spec of an instance that serves it."""
        stored = StoredSnapshot(self.storage.url, ATTEMPT, manifest_key or self.manifest_key)
        return server_spec(engine, stored, query_seconds=query_seconds, **changes)


def server_spec(engine: str, source: StoredSnapshot, *, query_seconds: float = 5.0, **changes: Any) -> ServerSpec:
    """The spec of an instance that serves a snapshot."""
    spec = ServerSpec(
        installation="test-installation",
        instance="inst-1",
        attempt=1,
        serves=Served(ServedKind.SNAPSHOT, "snap-1"),
        engine=engine,
        databases=(DatabaseSpec("snap-1", Access.READ, source),),
        limits=replace(LIMITS, query_seconds=query_seconds),
    )
    return replace(spec, **changes)


def build_request(storage: Storage, manifest: Manifest, engine: str, folder: Path) -> BuildRequest:
    """A request to build the manifest's database in `folder`."""
    return BuildRequest(
        engine, storage.url, ATTEMPT, manifest, folder / "graph.db", folder / "scratch", MEMORY_BYTES, threads=1
    )


def make_snapshot(
    folder: Path,
    engine: str | None,
    data: Mapping[str, list[dict[str, Any]]] | None = None,
    url: str | None = None,
) -> Snapshot:
    """A whole snapshot in `folder`, or at a storage URL, with a database of the engine unless it is None."""
    storage = open_storage(url or f"file://{folder}/storage root")
    manifest = write_snapshot(storage, data or graph_data())
    if engine:
        request = build_request(storage, manifest, engine, folder / "build")
        result: BuildResult = build_database(request)
        key = f"databases/{engine}-{result.storage_version}.db"
        storage.put(request.output, f"{ATTEMPT}/{key}")
        manifest = result.completed(manifest, key)
    snapshot = Snapshot(storage, manifest)
    storage.write(snapshot.manifest_key, manifest.to_json())
    return snapshot
