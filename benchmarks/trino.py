"""What the platform costs on a real Trino: describing, exporting, streaming and checking, against Trino by itself.

The server is the one of the tests. It and the clients share this machine's processors.
"""

from __future__ import annotations

import json
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from trino.dbapi import connect

from benchmarks.measure import Outcome, Silent, pairs, seconds
from graph_platform.catalog import mappings, snapshots
from graph_platform.catalog.catalog import Catalog
from graph_platform.catalog.embedded import EmbeddedPostgres
from graph_platform.catalog.export_jobs import ExportDefinition
from graph_platform.catalog.keeper import Keeper
from graph_platform.catalog.snapshots import SnapshotRequest
from graph_platform.lives import Lives
from graph_platform.mapping.checks.data import DataChecks
from graph_platform.mapping.definition.model import MappingDefinition
from graph_platform.mapping.definition.resolved import export_statement
from graph_platform.platform import Platform
from graph_platform.processes.owner import this_process
from graph_platform.progress import Attribution
from graph_platform.proving.data_checks import check_data
from graph_platform.proving.requests import CreateMapping
from graph_platform.proving.validation import validate_on
from graph_platform.settings import Settings
from graph_platform.snapshot.export import ExportRun, run_exports
from graph_platform.storage.connect import open_storage
from graph_platform.stored.layout import mapping_folder
from graph_platform.warehouse.connect import open_warehouse
from graph_platform.warehouse.protocol import Warehouse
from graph_platform.warehouse.trino.refusals import AFTER, BEFORE
from graph_platform_tests.services.proxy import Proxy
from graph_platform_tests.services.trino import VERSION, TrinoServer, fetched, java

BY = Attribution("benchmark")
DELAY_SECONDS = 0.15
DEFINITIONS = 60
_COLUMNS = (
    *(("orderkey", "INT64"), ("partkey", "INT64"), ("linenumber", "INT32"), ("extendedprice", "DOUBLE")),
    *(("shipdate", "DATE"), ("comment", "STRING")),
)
_LINES = f"SELECT {', '.join(name for name, _ in _COLUMNS)} FROM lineitem"


def _node(label: str, sql: str, columns: Sequence[tuple[str, str]]) -> dict[str, Any]:
    (key, kind), *others = columns
    properties = [{"name": name, "type": of} for name, of in others]
    return {"label": label, "sql": sql, "primary_key": {"name": key, "type": kind}, "properties": properties}


def _edge(kind: str, ends: str, sql: str, keys: str, *columns: tuple[str, str]) -> dict[str, Any]:
    (start, end), (source, target) = ends.split(), keys.split()
    properties = [{"name": name, "type": of} for name, of in columns]
    return {
        **{"type": kind, "from_node": start, "to_node": end, "sql": sql, "from_key": source, "to_key": target},
        "properties": properties,
    }


def _mapping(name: str, nodes: list[dict[str, Any]], edges: list[dict[str, Any]] | None = None) -> MappingDefinition:
    content = {"name": name, "node_definitions": nodes, "edge_definitions": edges or []}
    return MappingDefinition.model_validate(content)


_SHOP = _mapping(
    "shop",
    [
        _node("Region", "SELECT regionkey, name FROM region", (("regionkey", "INT64"), ("name", "STRING"))),
        _node("Nation", "SELECT nationkey, name FROM nation", (("nationkey", "INT64"), ("name", "STRING"))),
        _node(
            "Customer",
            "SELECT custkey, name, acctbal, mktsegment FROM customer",
            (("custkey", "INT64"), ("name", "STRING"), ("acctbal", "DOUBLE"), ("mktsegment", "STRING")),
        ),
        _node("Supplier", "SELECT suppkey, name FROM supplier", (("suppkey", "INT64"), ("name", "STRING"))),
        _node(
            "Part",
            "SELECT partkey, name, retailprice FROM part",
            (("partkey", "INT64"), ("name", "STRING"), ("retailprice", "DOUBLE")),
        ),
        _node(
            "Purchase",
            "SELECT orderkey, totalprice, orderdate FROM orders",
            (("orderkey", "INT64"), ("totalprice", "DOUBLE"), ("orderdate", "DATE")),
        ),
    ],
    [
        _edge("LIES_IN", "Nation Region", "SELECT nationkey, regionkey FROM nation", "nationkey regionkey"),
        _edge("LIVES_IN", "Customer Nation", "SELECT custkey, nationkey FROM customer", "custkey nationkey"),
        _edge("BASED_IN", "Supplier Nation", "SELECT suppkey, nationkey FROM supplier", "suppkey nationkey"),
        _edge(
            *("SUPPLIES", "Supplier Part", "SELECT suppkey, partkey, supplycost FROM partsupp", "suppkey partkey"),
            ("supplycost", "DOUBLE"),
        ),
        _edge("PLACED", "Customer Purchase", "SELECT custkey, orderkey FROM orders", "custkey orderkey"),
        _edge(
            *("CONTAINS", "Purchase Part", "SELECT orderkey, partkey, quantity FROM lineitem", "orderkey partkey"),
            ("quantity", "DOUBLE"),
        ),
    ],
)


@dataclass(frozen=True)
class _Cluster:
    server: TrinoServer
    home: Path

    def settings(self, schema: str, *, port: int | None = None, export_schema: str = "") -> Settings:
        """With `export_schema` the cluster writes the exports, else they are streamed."""
        return Settings.load(
            {
                "GRAPH_PLATFORM_HOME": str(self.home),
                "GRAPH_PLATFORM_WAREHOUSE": f"trino://tester@127.0.0.1:{port or self.server.port}/tpch/{schema}",
                "GRAPH_PLATFORM_STORAGE": (self.server.data / "storage").as_uri(),
                "GRAPH_PLATFORM_EXPORT_SCHEMA": export_schema,
                "GRAPH_PLATFORM_EXPORT_LOCATION": "local:///storage",
            }
        )

    def cursor(self, schema: str, *, port: int | None = None) -> Any:
        """Of the public client, for Trino by itself."""
        properties = {"hive.timestamp_precision": "MICROSECONDS"}
        opened: Any = connect(  # type: ignore[no-untyped-call]
            host="127.0.0.1",
            port=port or self.server.port,
            user="tester",
            catalog="tpch",
            schema=schema,
            session_properties=properties,
        )
        return opened.cursor()


@contextmanager
def _cluster(folder: Path) -> Iterator[_Cluster]:
    home = folder / "cluster"
    home.mkdir()
    with Proxy(1) as nowhere:  # no benchmark asks the catalog that needs an S3 server
        server = TrinoServer(home / "trino", nowhere)
        server.start()
        try:
            yield _Cluster(server, home)
        finally:
            server.stop()
            EmbeddedPostgres(home).stop()
            shutil.rmtree(home)


def validation(folder: Path) -> Outcome:
    """A mapping of sixty definitions behind a slow network: the public client one by one, against ours."""
    columns = (("id", "INT64"), ("name", "STRING"), ("balance", "DOUBLE"))
    mapping = _mapping(
        "sixty",
        [
            _node(f"Customer{n}", f"SELECT custkey AS id, name, acctbal + {n} AS balance FROM customer", columns)
            for n in range(DEFINITIONS)
        ],
    )
    with _cluster(folder) as cluster, Proxy(cluster.server.port, DELAY_SECONDS) as proxy:
        settings = cluster.settings("tiny", port=proxy.port)

        def one_by_one() -> None:
            cursor = cluster.cursor("tiny", port=proxy.port)
            for each in mapping.node_definitions:
                cursor.execute(BEFORE + each.sql + AFTER)
                cursor.fetchall()

        def ours() -> None:
            with closing(open_warehouse(settings)) as warehouse:
                assert validate_on(warehouse, mapping, settings, lambda _: None).report.valid

        ratios, theirs, mine = pairs(one_by_one, ours, 3)
    what = f"{DEFINITIONS} statements one by one / ours, {settings.validation_concurrency} at once, "
    what += f"{DELAY_SECONDS * 1000:g} ms added to each request"
    return Outcome("validation", what, ratios, theirs, mine, at_least=8)


def export(folder: Path) -> Outcome:
    """An export as a snapshot makes it, with its rows in the catalog, against the bare CREATE TABLE AS."""
    with _cluster(folder) as cluster:
        cluster.server.run("CREATE SCHEMA hive.exports")
        settings = cluster.settings("sf1", export_schema="hive.exports")
        large = _mapping("lines", [_node("Line", _LINES, _COLUMNS)])
        small = _mapping("few-lines", [_node("Line", f"{_LINES} WHERE orderkey < 1000000", _COLUMNS)])
        cursor = cluster.cursor("sf1")

        def bare() -> None:
            name = f"bare_{secrets.token_hex(4)}"
            options = f"external_location = 'local:///storage/{name}', format = 'PARQUET'"
            cursor.execute(f"CREATE TABLE hive.exports.{name} WITH ({options}) AS {statement}")
            cursor.fetchall()
            cursor.execute(f"DROP TABLE hive.exports.{name}")
            cursor.fetchall()

        with Platform.open(settings) as platform:
            for mapping in (large, small):
                platform.mappings.create(CreateMapping(mapping=mapping), BY, Silent())
        with closing(Catalog.open(settings)) as catalog, closing(open_warehouse(settings)) as warehouse:
            statement = export_statement(validate_on(warehouse, large, settings, lambda _: None).resolved[0])
            rows, processor = [], []
            for mapping in (small, large):
                started = time.process_time()
                rows.append(_exported(settings, catalog, warehouse, mapping))
                processor.append(time.process_time() - started)
            ratios, mine, theirs = pairs(lambda: _exported(settings, catalog, warehouse, large), bare, 5)
    note = "; ".join(
        f"our process took {taken:.2f} s of processor for {count:,} rows"
        for count, taken in zip(rows, processor, strict=True)
    )
    what = f"ours / the bare CREATE TABLE AS ({rows[-1]:,} rows of {len(_COLUMNS)} columns)"
    return Outcome("export", what, ratios, mine, theirs, at_most=1.05, note=f"\n    {note}")


def _exported(settings: Settings, catalog: Catalog, warehouse: Warehouse, mapping: MappingDefinition) -> int:
    resolved = validate_on(warehouse, mapping, settings, lambda _: None).resolved
    definitions = [ExportDefinition(each.kind, each.name, export_statement(each)) for each in resolved]
    lease, owner = timedelta(seconds=settings.lease_seconds), this_process(secrets.token_hex(4))
    with catalog.transaction() as session:
        kept = mappings.get_mapping(session, mapping.name)
        folder = mapping_folder(BY.user, kept.id, 1)
        request = SnapshotRequest(kept.id, 1, None, settings.storage, folder, settings.engine, Lives(None, None))
        identifier = snapshots.insert_snapshot(session, request, definitions, by=BY)
        claim = snapshots.claim_snapshot(session, identifier, owner, lease, by=BY)
    storage = open_storage(settings.storage)

    def renew() -> bool:
        with catalog.transaction() as session:
            return snapshots.renew_snapshot(session, claim, lease)

    with Keeper(claim, renew, lease) as keeper:
        run = ExportRun(
            *(catalog, warehouse, storage, claim, lease, settings.export_seconds),
            *(f"{folder}/{identifier}", mapping.name, BY, Silent()),
        )
        (job,) = run_exports(run, keeper, settings.export_concurrency)
    storage.delete(f"{folder}/{identifier}")
    return job.rows or 0


def streaming(folder: Path) -> Outcome:
    """A streamed export, in a process of its own, against the command line that writes CSV into a file."""
    program = fetched(f"io.trino:trino-cli:{VERSION}:jar:executable", f"trino-cli-{VERSION}-executable.jar")
    with _cluster(folder) as cluster:
        settings = cluster.settings("sf1")
        target = folder / "rows.csv"

        def command_line() -> None:
            arguments = [str(java()), "-jar", str(program), "--server", f"http://127.0.0.1:{cluster.server.port}"]
            arguments += ["--user", "tester", "--catalog", "tpch", "--schema", "sf1", "--output-format", "CSV"]
            with target.open("wb") as written:
                subprocess.run(
                    [*arguments, "--execute", _lines(1)], stdout=written, stderr=subprocess.DEVNULL, check=True
                )

        ratios, theirs, mine = pairs(command_line, lambda: _streamed(settings, 1), 3)
        peaks = [(count, _streamed(settings, count)) for count in (1, 3)]
    note = ", ".join(f"{peak / 1e6:.0f} MB for {count} M rows" for count, peak in peaks)
    what = "the Trino command line writing CSV / our streaming, 1,000,000 rows"
    return Outcome("streaming", what, ratios, theirs, mine, at_least=1, note=f"\n    our peak memory: {note}")


def _lines(millions: int) -> str:
    return f"{_LINES} LIMIT {millions * 1_000_000}"


_STREAMED = """
import json, resource, sys
from graph_platform.lives import Lives
from graph_platform.settings import Settings
from graph_platform.warehouse.connect import open_warehouse
from graph_platform.warehouse.protocol import ExportState
order = json.load(sys.stdin)
settings = Settings.load(order["environment"])
warehouse = open_warehouse(settings)
warehouse.submit_export("streamed", order["sql"], f"{settings.storage}/streamed/", lambda _: None)
while (progress := warehouse.poll_export("streamed", 0.5)).state is ExportState.RUNNING:
    pass
warehouse.close()
assert progress.rows == order["rows"], progress
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
"""


def _streamed(settings: Settings, millions: int) -> int:
    """Stream that many rows, in millions, and return the peak memory of the process in bytes (on Linux)."""
    environment = {
        "GRAPH_PLATFORM_HOME": str(settings.home),
        "GRAPH_PLATFORM_WAREHOUSE": settings.warehouse,
        "GRAPH_PLATFORM_STORAGE": settings.storage,
    }
    order = {"environment": environment, "sql": _lines(millions), "rows": millions * 1_000_000}
    command = [sys.executable, "-c", _STREAMED]
    done = subprocess.run(command, input=json.dumps(order), text=True, check=True, stdout=subprocess.PIPE)
    open_storage(settings.storage).delete("streamed")
    return int(done.stdout)


def data_checks(folder: Path) -> Outcome:
    """Every row of twelve definitions checked, with the estimate, against counting the same definitions."""
    with _cluster(folder) as cluster:
        settings = cluster.settings("sf1")
        with closing(open_warehouse(settings)) as warehouse:
            valid = validate_on(warehouse, _SHOP, settings, lambda _: None)

            def counts() -> None:
                counted = [f"SELECT count(*) FROM (\n{each.sql}\n) AS rows" for each in valid.resolved]
                with ThreadPoolExecutor(settings.export_concurrency) as pool:
                    list(pool.map(lambda sql: warehouse.fetch(sql, 1, 600), counted))

            def checks(mode: DataChecks = DataChecks.ENFORCED) -> None:
                assert check_data(warehouse, valid, mode, settings, lambda _: None).report.valid

            ratios, mine, theirs = pairs(checks, counts, 5)
            sampled = min(seconds(lambda: checks(DataChecks.SAMPLED)) for _ in range(3)) / min(theirs)
    what = f"enforced data checks with the estimate / count(*) of the same {len(valid.resolved)} definitions"
    note = f"\n    sampled instead of enforced: {sampled:.2f}"
    return Outcome("checks", what, ratios, mine, theirs, at_most=4, note=note)
