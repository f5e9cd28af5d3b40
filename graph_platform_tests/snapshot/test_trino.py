"""A mapping on a real Trino: proved by it, exported by it, served, and answered in Cypher."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from urllib.parse import quote

import pytest

from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.failpoints import Failpoint
from graph_platform.instance.requests import LaunchInstance, QueryInstance, TerminateInstance
from graph_platform.mapping.definition.model import MappingDefinition
from graph_platform.platform import Platform
from graph_platform.progress import DefinitionExported
from graph_platform.proving.requests import CreateMapping
from graph_platform.settings import Settings
from graph_platform.snapshot.requests import CreateSnapshot
from graph_platform.stored.manifest import Manifest
from graph_platform_tests.killing import Killing
from graph_platform_tests.services.buckets import SECRET
from graph_platform_tests.services.trino import TrinoServer
from graph_platform_tests.worlds import BY, Recorder, make_settings

TPCH = {
    "name": "trade",
    "node_definitions": [
        {
            "label": "Nation",
            "sql": "SELECT nationkey, name FROM tpch.tiny.nation",
            "primary_key": {"name": "nationkey", "type": "INT64"},
            "properties": [{"name": "name", "type": "STRING"}],
        },
        {
            "label": "Customer",
            "sql": "SELECT custkey, name, CAST(acctbal AS DECIMAL(12,2)) AS balance FROM tpch.tiny.customer",
            "primary_key": {"name": "custkey", "type": "INT64"},
            "properties": [{"name": "name", "type": "STRING"}, {"name": "balance", "type": "DECIMAL(12,2)"}],
        },
        {
            "label": "Nobody",
            "sql": "SELECT custkey, name FROM tpch.tiny.customer WHERE custkey < 0",
            "primary_key": {"name": "custkey", "type": "INT64"},
            "properties": [{"name": "name", "type": "STRING"}],
        },
    ],
    "edge_definitions": [
        {
            "type": "LIVES_IN",
            "from_node": "Customer",
            "to_node": "Nation",
            "sql": "SELECT custkey, nationkey FROM tpch.tiny.customer",
            "from_key": "custkey",
            "to_key": "nationkey",
        }
    ],
}


def trino_settings(home: Path, catalog_url: str, server: TrinoServer, bucket: str = "") -> Settings:
    """A world whose warehouse is the server, which writes into the world's own storage.

    Args:
        bucket: the storage's URL, empty for a folder of the server's.
    """
    schema = "hive_s3.exports" if bucket else "hive.exports"
    server.run(f"CREATE SCHEMA IF NOT EXISTS {schema}")
    folder = server.data / home.parent.name
    folder.mkdir(exist_ok=True)
    return make_settings(
        home,
        catalog_url,
        warehouse=f"trino://tester@127.0.0.1:{server.port}/tpch/tiny",
        storage=bucket or f"file://{quote(str(folder))}",
        export_schema=schema,
        export_location="" if bucket else f"local:///{quote(folder.name)}",
    )


@pytest.fixture(params=["files", "s3"])
def settings(request: pytest.FixtureRequest, home: Path, catalog_url: str, trino_server: TrinoServer) -> Settings:
    """Worlds with each kind of storage that a cluster writes to."""
    bucket = request.getfixturevalue("s3_url") if request.param == "s3" else ""
    return trino_settings(home, catalog_url, trino_server, bucket)


@pytest.fixture
def platform(settings: Settings) -> Iterator[Platform]:
    with Platform.open(settings) as opened:
        opened.mappings.create(CreateMapping(mapping=MappingDefinition.model_validate(TPCH)), BY, Recorder())
        yield opened


def test_a_mapping_on_trino_is_exported_by_the_cluster_and_answers_in_cypher(
    platform: Platform, trino_server: TrinoServer, home: Path
) -> None:
    report = Recorder()
    snapshot = platform.snapshots.create(CreateSnapshot(mapping="trade"), BY, report)
    assert (snapshot.status, snapshot.rows) == ("ready", 25 + 1500 + 0 + 1500)
    (written,) = platform.storage.list(f"{snapshot.folder}/1/nodes/Nation")
    assert written.key.rpartition("/")[2][:8].isdigit(), "the cluster names its files by the day of their query"
    instance = platform.instances.launch(LaunchInstance(snapshot=snapshot.id), BY, Recorder())
    answer = platform.instances.query(
        QueryInstance(
            instance=instance.id,
            cypher="MATCH (c:Customer)-[:LIVES_IN]->(n:Nation {name: 'FRANCE'}) RETURN c.name, c.balance "
            "ORDER BY c.balance DESC LIMIT 3",
        )
    )
    expected = trino_server.run(
        "SELECT c.name, acctbal FROM tpch.tiny.customer c JOIN tpch.tiny.nation n ON c.nationkey = n.nationkey "
        "WHERE n.name = 'FRANCE' ORDER BY acctbal DESC LIMIT 3"
    )
    assert [[name, float(balance)] for name, balance in answer["rows"]] == expected
    platform.instances.terminate(TerminateInstance(instance=instance.id), BY, Recorder())
    left = trino_server.run(f"SHOW TABLES FROM {platform.settings.export_schema}")
    assert left == [], "the external tables are dropped, the files stay"
    shown = [str(platform.snapshots.show(snapshot.id).document()), str(report)]
    shown += [path.read_text(errors="replace") for path in home.rglob("*") if path.is_file()]
    shown += [platform.storage.read(found.key).decode(errors="replace") for found in platform.storage.list("")]
    assert not [text for text in shown if SECRET in text]


@pytest.mark.parametrize("settings", ["files"], indirect=True)
def test_a_failed_validation_on_trino_keeps_nothing_and_a_mapping_that_no_longer_holds_makes_no_snapshot(
    platform: Platform, trino_server: TrinoServer
) -> None:
    trino_server.run("CREATE SCHEMA IF NOT EXISTS hive.drift")
    trino_server.run("CREATE TABLE hive.drift.fruit AS SELECT 1 AS id, 'apple' AS name")
    definition = MappingDefinition.model_validate(
        {
            "name": "fruit",
            "node_definitions": [
                {
                    "label": "Fruit",
                    "sql": "SELECT id, name FROM hive.drift.fruit",
                    "primary_key": {"name": "id", "type": "INT64"},
                    "properties": [{"name": "name", "type": "STRING"}],
                }
            ],
        }
    )
    platform.mappings.create(CreateMapping(mapping=definition), BY, Recorder())
    trino_server.run("DROP TABLE hive.drift.fruit")
    trino_server.run("CREATE TABLE hive.drift.fruit AS SELECT 1 AS id")
    with pytest.raises(PlatformError, match="Schema has changed since mapping was created") as changed:
        platform.snapshots.create(CreateSnapshot(mapping="fruit"), BY, Recorder())
    assert changed.value.code == ErrorCode.STARBURST_ERROR
    assert platform.snapshots.list() == []
    trino_server.run("DROP TABLE hive.drift.fruit")


@pytest.mark.parametrize(
    ("settings", "point"),
    [
        ("files", Failpoint.JOB_SUBMITTED),
        ("s3", Failpoint.JOB_SUBMITTED),
        ("files", Failpoint.JOB_WRITTEN),
        ("files", Failpoint.MANIFEST_WRITTEN),
    ],
    indirect=["settings"],
)
def test_a_run_killed_while_trino_exports_is_gone_on_with_and_nothing_is_doubled_or_left(
    settings: Settings, home: Path, catalog_url: str, trino_server: TrinoServer, point: Failpoint
) -> None:
    killing = Killing(home, catalog_url, settings)
    try:
        killing.platform.mappings.create(
            CreateMapping(mapping=MappingDefinition.model_validate({**TPCH, "name": "people"})), BY, Recorder()
        )
        assert killing.order("snapshot", "s", failpoint=point.value)["status"] == -9
        assert killing.order("snapshot", "s")["status"] == 0
        (snapshot,) = killing.platform.snapshots.list()
        assert (snapshot.status, snapshot.rows) == ("ready", 3025)
        storage = killing.platform.storage
        assert snapshot.manifest_key is not None
        manifest = Manifest.from_json(storage.read(snapshot.manifest_key))
        named = {f"{snapshot.folder}/{file.key}" for table in manifest.tables for file in table.files}
        named |= {f"{snapshot.folder}/{database.key}" for database in manifest.databases}
        assert {found.key for found in storage.list(snapshot.folder)} == named | {snapshot.manifest_key}
        assert trino_server.run(f"SHOW TABLES FROM {settings.export_schema}") == []
        begun = trino_server.run(
            "SELECT count(*) FROM system.runtime.queries "
            f"WHERE query LIKE 'CREATE TABLE%' AND strpos(query, '/{snapshot.id}/') > 0"
        )
        assert begun == [[snapshot.definitions]], "gone on with, not begun again"
    finally:
        killing.close()


class Waiting(Recorder):
    """Waits, when the first definition is exported, until the server was restarted."""

    def __init__(self) -> None:
        super().__init__()
        self.first = Event()
        self.restarted = Event()

    def exported(self, event: DefinitionExported) -> None:
        super().exported(event)
        self.first.set()
        assert self.restarted.wait(180)


def test_a_trino_restarted_in_the_middle_costs_another_try_and_no_row(
    home: Path, catalog_url: str, trino_server: TrinoServer
) -> None:
    settings = trino_settings(home, catalog_url, trino_server)
    with Platform.open(settings) as platform:
        platform.mappings.create(CreateMapping(mapping=MappingDefinition.model_validate(TPCH)), BY, Recorder())
        report = Waiting()
        # The server is restarted by this thread: the kernel ends it with the thread that started it.
        with ThreadPoolExecutor(1) as pool:
            made = pool.submit(platform.snapshots.create, CreateSnapshot(mapping="trade", name="s"), BY, report)
            assert report.first.wait(120)
            trino_server.restart()
            report.restarted.set()
            snapshot = made.result()
    assert (snapshot.status, snapshot.rows) == ("ready", 3025)
    assert trino_server.run(f"SHOW TABLES FROM {settings.export_schema}") == [], "that of the lost query is dropped too"
