"""A small world of real parts: a DuckDB warehouse, a mapping over its tables, and the platform around both."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import duckdb

from graph_platform.mapping.definition.model import MappingDefinition
from graph_platform.progress import Attribution, DefinitionExported
from graph_platform.settings import Settings

BY = Attribution("tester")

TABLES = """
CREATE TABLE person AS
    SELECT i AS id, 'person ' || i AS name, DATE '2000-01-01' + CAST(i AS INTEGER) AS born,
        CAST(i / 7.0 AS DECIMAL(12, 4)) AS score
    FROM range(200) t(i);
CREATE TABLE city AS SELECT 'c' || i AS code, TIMESTAMP '2020-01-01 00:00:00' + INTERVAL (i) MINUTE AS founded
    FROM range(20) t(i);
CREATE TABLE lives AS SELECT i AS person, 'c' || (i % 20) AS city FROM range(200) t(i);
CREATE TABLE knows AS SELECT i AS one, (i * 7 + 1) % 200 AS other, i % 5 AS years FROM range(200) t(i);
"""

MAPPING = {
    "name": "people",
    "description": "People, where they live and whom they know",
    "node_definitions": [
        {
            "label": "Person",
            "sql": "SELECT id, name, born, score FROM person",
            "primary_key": {"name": "id", "type": "INT64"},
            "properties": [
                {"name": "name", "type": "STRING"},
                {"name": "born", "type": "DATE"},
                {"name": "score", "type": "DECIMAL(12,4)"},
            ],
        },
        {
            "label": "City",
            "sql": "SELECT code, founded FROM city",
            "primary_key": {"name": "code", "type": "STRING"},
            "properties": [{"name": "founded", "type": "TIMESTAMP"}],
        },
    ],
    "edge_definitions": [
        {
            "type": "LIVES_IN",
            "from_node": "Person",
            "to_node": "City",
            "sql": "SELECT person, city FROM lives",
            "from_key": "person",
            "to_key": "city",
        },
        {
            "type": "KNOWS",
            "from_node": "Person",
            "to_node": "Person",
            "sql": "SELECT one, other, years FROM knows",
            "from_key": "one",
            "to_key": "other",
            "properties": [{"name": "years", "type": "INT64"}],
        },
    ],
}


def people() -> MappingDefinition:
    """The mapping over `TABLES`: two kinds of node, two of edge, 620 rows in all."""
    return MappingDefinition.model_validate(MAPPING)


def make_warehouse(path: Path, statements: str = TABLES) -> None:
    """A DuckDB file with these tables."""
    with duckdb.connect(str(path)) as connection:
        connection.execute(statements)


def make_settings(home: Path, catalog_url: str, **changes: object) -> Settings:
    """Settings of a world below `home`: everything local, and a catalog of the test's own."""
    warehouse = home / "warehouse.duckdb"
    if not warehouse.exists():
        make_warehouse(warehouse)
    environment = {
        "GRAPH_PLATFORM_HOME": str(home),
        "GRAPH_PLATFORM_CATALOG": catalog_url,
        "GRAPH_PLATFORM_USER": "tester",
        "GRAPH_PLATFORM_ENGINE_MEMORY_BYTES": str(256 * 1024**2),
        "GRAPH_PLATFORM_ENGINE_WORKERS": "1",
        **{f"GRAPH_PLATFORM_{name.upper()}": str(value) for name, value in changes.items()},
    }
    return Settings.load(environment)


@dataclass
class Recorder:
    """A reporter that remembers what it was told."""

    lines: list[str] = field(default_factory=list)
    exports: list[DefinitionExported] = field(default_factory=list)
    touches: list[tuple[str, str]] = field(default_factory=list)

    def progress(self, message: str) -> None:
        self.lines.append(message)

    def exported(self, event: DefinitionExported) -> None:
        self.exports.append(event)

    def touched(self, kind: str, identifier: str) -> None:
        self.touches.append((kind, identifier))


def files_below(folder: Path) -> set[str]:
    """Every file below a folder, as relative paths."""
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
