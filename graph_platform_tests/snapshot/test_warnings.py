"""What a person is told while a mapping is kept and frozen, though nothing is wrong: on DuckDB and on Trino."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from graph_platform.instance.requests import LaunchInstance, QueryInstance, TerminateInstance
from graph_platform.mapping.definition.model import MappingDefinition
from graph_platform.platform import Platform
from graph_platform.proving.requests import CreateMapping
from graph_platform.settings import Settings
from graph_platform.snapshot.requests import CreateSnapshot
from graph_platform_tests.services.trino import TrinoServer
from graph_platform_tests.snapshot.test_trino import trino_settings
from graph_platform_tests.worlds import BY, Recorder, make_settings

# One row after 1970 and one before, both finer than a microsecond.
MOMENTS = MappingDefinition.model_validate(
    {
        "name": "moments",
        "node_definitions": [
            {
                "label": "Moment",
                "sql": "SELECT id, seen FROM (VALUES (BIGINT '1', TIMESTAMP '2020-01-01 00:00:00.123456789'), "
                "(BIGINT '2', TIMESTAMP '1950-01-01 00:00:00.999999999')) AS t(id, seen)",
                "primary_key": {"name": "id", "type": "INT64"},
                "properties": [{"name": "seen", "type": "TIMESTAMP"}],
            }
        ],
    }
)
STREAMED = "every row is streamed through this machine"


@pytest.fixture(params=["duckdb", "trino", "trino-streaming"])
def world(request: pytest.FixtureRequest, home: Path, catalog_url: str) -> Iterator[tuple[str, Platform]]:
    settings = make_settings(home, catalog_url)
    if request.param != "duckdb":
        server: TrinoServer = request.getfixturevalue("trino_server")
        environment = trino_settings(home, catalog_url, server).environment()
        if request.param == "trino-streaming":
            del environment["GRAPH_PLATFORM_EXPORT_SCHEMA"]
        settings = Settings.load(environment)
    with Platform.open(settings) as platform:
        yield request.param, platform


def test_fine_timestamps_are_cut_as_the_warning_said_and_streaming_is_told_once(world: tuple[str, Platform]) -> None:
    name, platform = world
    report = Recorder()
    platform.mappings.create(CreateMapping(mapping=MOMENTS), BY, report)
    assert report.lines == [
        "warning: Moment: seen is timestamp(9): only microseconds are kept; cast it to TIMESTAMP(6) to choose how"
    ]
    report = Recorder()
    snapshot = platform.snapshots.create(CreateSnapshot(mapping="moments"), BY, report)
    told = [line for line in report.lines if STREAMED in line]
    assert len(told) == (name == "trino-streaming")
    assert all("GRAPH_PLATFORM_EXPORT_SCHEMA" in line for line in told)
    instance = platform.instances.launch(LaunchInstance(snapshot=snapshot.id), BY, Recorder())
    answer = platform.instances.query(
        QueryInstance(instance=instance.id, cypher="MATCH (m:Moment) RETURN m.seen ORDER BY m.id")
    )
    platform.instances.terminate(TerminateInstance(instance=instance.id), BY, Recorder())
    assert answer["rows"] == [["2020-01-01T00:00:00.123456"], ["1950-01-01T00:00:00.999999"]]
