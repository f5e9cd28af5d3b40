"""What the platform adds to an export: a snapshot of forty small definitions against the same COPY statements."""

from __future__ import annotations

import cProfile
import os
import pstats
import secrets
from pathlib import Path
from urllib.parse import unquote, urlsplit

import duckdb

from benchmarks.measure import Outcome, Silent, pairs
from graph_platform.catalog.embedded import EmbeddedPostgres
from graph_platform.mapping.definition.model import MappingDefinition
from graph_platform.platform import Platform
from graph_platform.progress import Attribution
from graph_platform.proving.requests import CreateMapping
from graph_platform.settings import Settings
from graph_platform.snapshot.requests import CreateSnapshot

DEFINITIONS, ROWS = 40, 1000
BY = Attribution("benchmark")


def _mapping() -> MappingDefinition:
    return MappingDefinition.model_validate(
        {
            "name": "forty",
            "node_definitions": [
                {
                    "label": f"Node{number}",
                    "sql": f"SELECT id, name FROM small_{number}",
                    "primary_key": {"name": "id", "type": "INT64"},
                    "properties": [{"name": "name", "type": "STRING"}],
                }
                for number in range(DEFINITIONS)
            ],
        }
    )


def forty_definitions(folder: Path) -> Outcome:
    """The whole snapshot (validation, catalog, exports, database, manifest) against forty COPY statements by hand."""
    home = folder / "forty"
    home.mkdir()
    settings = Settings.load({**os.environ, "GRAPH_PLATFORM_HOME": str(home)})
    warehouse = Path(unquote(urlsplit(settings.warehouse).path))
    with duckdb.connect(str(warehouse)) as connection:
        for number in range(DEFINITIONS):
            connection.execute(
                f"CREATE TABLE small_{number} AS SELECT i AS id, 'name ' || i AS name FROM range({ROWS}) t(i)"
            )
    by_hand = folder / "by-hand"

    def copies() -> None:
        with duckdb.connect(str(warehouse), read_only=True) as connection:
            for number in range(DEFINITIONS):
                target = by_hand / secrets.token_hex(4) / f"{number}"
                target.mkdir(parents=True)
                connection.execute(
                    f"COPY (SELECT id, name FROM small_{number}) TO '{target}/part-0.parquet' (FORMAT parquet)"
                )

    with Platform.open(settings) as platform:
        platform.mappings.create(CreateMapping(mapping=_mapping()), BY, Silent())

    def snapshot() -> None:
        # Opened and closed each time: one process holds a DuckDB file with one configuration only.
        with Platform.open(settings) as platform:
            platform.snapshots.create(CreateSnapshot(mapping="forty"), BY, Silent())

    ratios, ours, bare = pairs(snapshot, copies, 5)
    profile = cProfile.Profile()
    profile.runcall(snapshot)
    EmbeddedPostgres(home).stop()
    note = "".join(f"\n    {line}" for line in _costliest(profile))
    what = f"a snapshot of {DEFINITIONS} small definitions / the same COPY statements by hand"
    return Outcome("snapshot", what, ratios, ours, bare, note=f"\n    where the time goes:{note}")


def _costliest(profile: cProfile.Profile) -> list[str]:
    """The steps of a snapshot by their share of it, in the main thread."""
    statistics = pstats.Stats(profile)
    steps = {
        "_validate_again": "validating again",
        "_claim": "rows of snapshot and jobs",
        "run_exports": "exports and their rows",
        "awaited": "building and storing the database",
        "_remove_leftovers": "looking for leftovers",
    }
    found: dict[str, float] = {}
    for (path, _, name), figures in statistics.stats.items():  # type: ignore[attr-defined]
        if name in steps and "graph_platform" in path:
            found[steps[name]] = max(found.get(steps[name], 0.0), figures[3])
    return [f"{seconds:6.3f} s  {step}" for step, seconds in sorted(found.items(), key=lambda item: -item[1])]
