"""Which assets a code location declares, so that Dagster plots their numbers."""

from __future__ import annotations

from pathlib import Path

import pytest

from graph_platform.orchestration.assets import declared_assets, remember_asset
from graph_platform.orchestration.home import dagster_home
from graph_platform.settings import Settings


@pytest.fixture
def settings(home: Path) -> Settings:
    found = Settings.load({"GRAPH_PLATFORM_HOME": str(home)})
    dagster_home(found).mkdir()
    return found


def keys(settings: Settings) -> list[tuple[str, ...]]:
    return [tuple(spec.key.path) for spec in declared_assets(settings)]


def test_what_was_exported_is_declared_by_the_next_load_and_once(settings: Settings) -> None:
    before = keys(settings)
    for _ in range(2):
        remember_asset(settings, ["people & co", "nodes", "Person"])
        remember_asset(settings, ["people", "edges", "KNOWS-Person-Person"])
    remember_asset(settings, list(before[0]))
    assert keys(settings) == [*before, ("people & co", "nodes", "Person"), ("people", "edges", "KNOWS-Person-Person")]


def test_a_damaged_memory_costs_only_the_plots(settings: Settings) -> None:
    before = keys(settings)
    (dagster_home(settings) / "exported-assets.jsonl").write_bytes(
        b'{"no": 1}\nnot json\n["a", "b"]\n["m", "nodes", ""]\n'
    )
    assert keys(settings) == before
    (dagster_home(settings) / "exported-assets.jsonl").write_bytes(b"\xff\xfe")
    assert keys(settings) == before
