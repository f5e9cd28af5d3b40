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
from graph_platform.mapping.model import MappingDefinition
from graph_platform.platform import Platform
from graph_platform.progress import DefinitionExported
from graph_platform.settings import Settings
from graph_platform_tests.killing import Killing
from graph_platform_tests.services.trino import TrinoServer
from graph_platform_tests.worlds import BY, Recorder, files_below, make_settings

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


def trino_settings(home: Path, catalog_url: str, server: TrinoServer) -> Settings:
    """A world whose warehouse is the server, which writes into the world's own storage."""
    server.run("CREATE SCHEMA IF NOT EXISTS hive.exports")
    storage = server.data / home.parent.name
    storage.mkdir(exist_ok=True)
    return make_settings(
        home,
        catalog_url,
        warehouse=f"trino://tester@127.0.0.1:{server.port}/tpch/tiny",
        storage=f"file://{quote(str(storage))}",
        export_schema="hive.exports",
        export_location=f"local:///{quote(storage.name)}",
    )


@pytest.fixture
def platform(home: Path, catalog_url: str, trino_server: TrinoServer) -> Iterator[Platform]:
    with Platform.open(trino_settings(home, catalog_url, trino_server)) as opened:
        opened.create_mapping(MappingDefinition.model_validate(TPCH), BY, Recorder())
        yield opened


def test_a_mapping_on_trino_is_exported_by_the_cluster_and_answers_in_cypher(
    platform: Platform, trino_server: TrinoServer
) -> None:
    snapshot = platform.create_snapshot("trade", None, None, None, BY, Recorder())
    assert (snapshot.status, snapshot.rows) == ("ready", 25 + 1500 + 0 + 1500)
    instance = platform.launch_instance(snapshot.id, None, None, None, BY, Recorder())
    answer = platform.query_instance(
        instance.id,
        "MATCH (c:Customer)-[:LIVES_IN]->(n:Nation {name: 'FRANCE'}) RETURN c.name, c.balance "
        "ORDER BY c.balance DESC LIMIT 3",
    )
    expected = trino_server.run(
        "SELECT c.name, acctbal FROM tpch.tiny.customer c JOIN tpch.tiny.nation n ON c.nationkey = n.nationkey "
        "WHERE n.name = 'FRANCE' ORDER BY acctbal DESC LIMIT 3"
    )
    assert [[name, float(balance)] for name, balance in answer["rows"]] == expected
    platform.terminate_instance(instance.id, BY, Recorder())
    assert trino_server.run("SHOW TABLES FROM hive.exports") == [], "the external tables are dropped, the files stay"


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
    platform.create_mapping(definition, BY, Recorder())
    trino_server.run("DROP TABLE hive.drift.fruit")
    trino_server.run("CREATE TABLE hive.drift.fruit AS SELECT 1 AS id")
    with pytest.raises(PlatformError, match="Schema has changed since mapping was created") as changed:
        platform.create_snapshot("fruit", None, None, None, BY, Recorder())
    assert changed.value.code == ErrorCode.STARBURST_ERROR
    assert platform.list_snapshots() == []
    trino_server.run("DROP TABLE hive.drift.fruit")


@pytest.mark.parametrize("point", [Failpoint.JOB_SUBMITTED, Failpoint.JOB_WRITTEN, Failpoint.MANIFEST_WRITTEN])
def test_a_run_killed_while_trino_exports_is_gone_on_with_and_nothing_is_doubled_or_left(
    home: Path, catalog_url: str, trino_server: TrinoServer, point: Failpoint
) -> None:
    settings = trino_settings(home, catalog_url, trino_server)
    killing = Killing(home, catalog_url, settings)
    try:
        killing.platform.create_mapping(MappingDefinition.model_validate({**TPCH, "name": "people"}), BY, Recorder())
        assert killing.order("snapshot", "s", failpoint=point.value)["status"] == -9
        assert killing.order("snapshot", "s")["status"] == 0
        (snapshot,) = killing.platform.list_snapshots()
        assert (snapshot.status, snapshot.rows) == ("ready", 3025)
        listed = {found.key for found in killing.platform.storage.list(snapshot.folder)}
        root = trino_server.data / home.parent.name
        assert {f"{snapshot.folder}/{name}" for name in files_below(root / snapshot.folder)} == listed
        assert trino_server.run("SHOW TABLES FROM hive.exports") == []
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
        platform.create_mapping(MappingDefinition.model_validate(TPCH), BY, Recorder())
        report = Waiting()
        # The server is restarted by this thread: the kernel ends it with the thread that started it.
        with ThreadPoolExecutor(1) as pool:
            made = pool.submit(platform.create_snapshot, "trade", "s", None, None, BY, report)
            assert report.first.wait(120)
            trino_server.restart()
            report.restarted.set()
            snapshot = made.result()
    assert (snapshot.status, snapshot.rows) == ("ready", 3025)
