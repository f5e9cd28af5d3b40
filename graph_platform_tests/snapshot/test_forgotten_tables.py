"""Tables that runs left on the cluster that died for good: gone with the next attempt, or with the snapshot."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import select

from graph_platform.catalog.tables import export_jobs
from graph_platform.failpoints import Failpoint
from graph_platform.mapping.definition.model import MappingDefinition
from graph_platform.platform import Platform
from graph_platform.proving.requests import CreateMapping
from graph_platform.snapshot.requests import CreateSnapshot, DeleteSnapshot
from graph_platform_tests.killing import Killing
from graph_platform_tests.services.trino import TrinoServer
from graph_platform_tests.snapshot.test_trino import TPCH, trino_settings
from graph_platform_tests.waiting import until
from graph_platform_tests.worlds import BY, Recorder

NEIGHBOUR = "graph_platform_exp_of_somebody_else_1"


def leave_tables(server: TrinoServer, platform: Platform) -> None:
    """A table of an attempt that is long over for each export job, and one of another installation's."""
    with platform.catalog.transaction() as session:
        jobs = list(session.scalars(select(export_jobs.c.id)))
    assert jobs
    for name in (*(f"graph_platform_{job.replace('-', '_')}_77" for job in jobs), NEIGHBOUR):
        server.run(f"CREATE TABLE hive.exports.{name} AS SELECT 1 AS x")


def left(server: TrinoServer) -> list[str]:
    names = [str(row[0]) for row in server.run("SHOW TABLES FROM hive.exports")]
    server.run(f"DROP TABLE hive.exports.{NEIGHBOUR}")
    return names


def test_a_deleted_snapshot_takes_its_forgotten_tables_along_and_no_others(
    home: Path, catalog_url: str, trino_server: TrinoServer
) -> None:
    with Platform.open(trino_settings(home, catalog_url, trino_server)) as platform:
        platform.mappings.create(CreateMapping(mapping=MappingDefinition.model_validate(TPCH)), BY, Recorder())
        snapshot = platform.snapshots.create(CreateSnapshot(mapping="trade"), BY, Recorder())
        leave_tables(trino_server, platform)
        assert platform.snapshots.delete(DeleteSnapshot(snapshot=snapshot.id), BY).status == "deleted"
    assert left(trino_server) == [NEIGHBOUR]


def running(server: TrinoServer, snapshot: str) -> list[list[object]]:
    return server.run(
        "SELECT query_id FROM system.runtime.queries WHERE query LIKE 'CREATE TABLE%' "
        f"AND strpos(query, '/{snapshot}/') > 0 AND state NOT IN ('FINISHED', 'FAILED')"
    )


def test_deleting_a_snapshot_whose_run_died_ends_the_queries_that_it_left(
    home: Path, catalog_url: str, trino_server: TrinoServer
) -> None:
    killing = Killing(home, catalog_url, trino_settings(home, catalog_url, trino_server))
    try:
        long = "SELECT orderkey * 10 + linenumber AS id, comment AS name FROM tpch.sf100.lineitem"
        line = {
            "label": "Line",
            "sql": long,
            "primary_key": {"name": "id", "type": "INT64"},
            "properties": [{"name": "name", "type": "STRING"}],
        }
        definition = {"name": "people", "node_definitions": [line]}
        killing.platform.mappings.create(
            CreateMapping(mapping=MappingDefinition.model_validate(definition)), BY, Recorder()
        )
        assert killing.order("snapshot", "s", kill_after=8)["status"] == -9
        (snapshot,) = killing.platform.snapshots.list()
        until(lambda: running(trino_server, snapshot.id), "no query was left")
        assert killing.platform.snapshots.delete(DeleteSnapshot(snapshot=snapshot.id), BY).status == "deleted"
        assert running(trino_server, snapshot.id) == []
        assert list(killing.platform.storage.list(snapshot.folder)) == []
    finally:
        killing.close()


def test_the_next_attempt_drops_what_the_one_before_it_left(
    home: Path, catalog_url: str, trino_server: TrinoServer
) -> None:
    killing = Killing(home, catalog_url, trino_settings(home, catalog_url, trino_server))
    try:
        mapping = MappingDefinition.model_validate({**TPCH, "name": "people"})
        killing.platform.mappings.create(CreateMapping(mapping=mapping), BY, Recorder())
        assert killing.order("snapshot", "s", failpoint=Failpoint.JOB_SUBMITTED.value)["status"] == -9
        leave_tables(trino_server, killing.platform)
        assert killing.order("snapshot", "s")["status"] == 0
        (snapshot,) = killing.platform.snapshots.list()
        assert (snapshot.status, snapshot.rows) == ("ready", 3025)
    finally:
        killing.close()
    assert left(trino_server) == [NEIGHBOUR]
