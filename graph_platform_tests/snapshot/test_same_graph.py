"""One mapping file, two warehouses: the demo's graph from DuckDB and from Trino answers the demo's questions alike."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import quote

from graph_platform.demo.mapping import DEMO_MAPPING
from graph_platform.demo.questions import QUESTIONS
from graph_platform.instance.requests import LaunchInstance, QueryInstance, TerminateInstance
from graph_platform.mapping.definition.document import read_mapping
from graph_platform.platform import Platform
from graph_platform.proving.requests import CreateMapping
from graph_platform.settings import Settings
from graph_platform.snapshot.requests import CreateSnapshot
from graph_platform_tests.services.flights import FLIGHTS_SCHEMA
from graph_platform_tests.services.trino import TrinoServer
from graph_platform_tests.worlds import BY, Recorder, make_settings


def _made(settings: Settings, name: str) -> tuple[dict[str, int], list[Any]]:
    """The rows of each definition, and the answers to the questions."""
    told = Recorder()
    definition = read_mapping(DEMO_MAPPING.read_text(encoding="utf-8")).model_copy(update={"name": name})
    with Platform.open(settings) as platform:
        platform.mappings.create(CreateMapping(mapping=definition, data_checks="enforced"), BY, told)
        snapshot = platform.snapshots.create(CreateSnapshot(mapping=name), BY, told)
        instance = platform.instances.launch(LaunchInstance(snapshot=snapshot.id), BY, told)
        answers = [
            platform.instances.query(QueryInstance(instance=instance.id, cypher=question.cypher))
            for question in QUESTIONS
        ]
        platform.instances.terminate(TerminateInstance(instance=instance.id), BY, told)
    return {each.name: each.rows for each in told.exports}, [(each["columns"], each["rows"]) for each in answers]


def test_the_demos_graph_is_the_same_from_both_warehouses(
    home: Path, catalog_url: str, flights_file: Path, flights_server: TrinoServer
) -> None:
    storage = flights_server.data / "the same graph"
    storage.mkdir()
    flights_server.run("CREATE SCHEMA IF NOT EXISTS hive.exports")
    duckdb = make_settings(home, catalog_url, warehouse=f"duckdb://{flights_file}")
    trino = make_settings(
        home,
        catalog_url,
        warehouse=f"trino://tester@127.0.0.1:{flights_server.port}/{FLIGHTS_SCHEMA.replace('.', '/')}",
        storage=f"file://{quote(str(storage))}",
        export_schema="hive.exports",
        export_location=f"local:///{storage.name}",
    )
    rows, answers = _made(duckdb, "flights-from-duckdb")
    assert sum(rows.values()) == 375_708
    assert _made(trino, "flights-from-trino") == (rows, answers)
