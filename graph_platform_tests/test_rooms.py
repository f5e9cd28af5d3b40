"""The rooms of the house: none imports one above it, and what is pure imports nothing that reaches outside."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import graph_platform

HOUSE = Path(graph_platform.__file__).parent
FLOORS = (
    "__main__",
    "cli",
    "definitions",
    "orchestration",
    "platform schemas",
    "instance snapshot",
    "server tasks",
    "runtime proving",
    "engine",
    "warehouse stored",
    "catalog confined demo storage",
    "mapping",
    "lives processes",
    "settings private foreign_errors",
    "names",
    "durations errors failpoints polling progress redaction relational requests workers",
)
ROOMS = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms.split()}
OUTSIDE = frozenset(
    (
        *("asyncio", "boto3", "botocore", "dagster", "duckdb", "google", "http", "httpx", "ladybug", "os", "psycopg"),
        *("pyarrow", "requests", "ryugraph", "shutil", "socket", "sqlalchemy", "starlette", "subprocess", "trino"),
        *("urllib", "uvicorn"),
    )
)
MODULES = sorted(HOUSE.rglob("*.py"))


def imported(path: Path) -> Iterator[str]:
    """The dotted names that a module imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            if node.module == "graph_platform":
                yield from (f"graph_platform.{name.name}" for name in node.names)


def room(parts: tuple[str, ...]) -> str:
    return parts[0].removesuffix(".py")


def test_every_room_stands_on_a_floor() -> None:
    found = {room(path.relative_to(HOUSE).parts) for path in MODULES} - {"__init__"}
    assert found == ROOMS.keys()


@pytest.mark.parametrize("name", sorted(ROOMS))
def test_a_room_imports_only_itself_and_rooms_below_it(name: str) -> None:
    above = {
        f"{path.relative_to(HOUSE)} imports {dotted}"
        for path in MODULES
        if room(path.relative_to(HOUSE).parts) == name
        for dotted in imported(path)
        if dotted.startswith("graph_platform.")
        and (other := dotted.split(".")[1]) != name
        and ROOMS.get(other, len(FLOORS)) <= ROOMS[name]
    }
    assert not above


def test_the_rules_of_mappings_reach_nothing_outside() -> None:
    reached = {
        f"{path.relative_to(HOUSE)} imports {dotted}"
        for path in (HOUSE / "mapping").rglob("*.py")
        for dotted in imported(path)
        if dotted.split(".")[0] in OUTSIDE
    }
    assert not reached
