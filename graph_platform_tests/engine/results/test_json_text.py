"""What a value of an engine is in JSON, on the real engines: every type, alone, nested and NULL, in many batches."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from graph_platform.engine.connect import load_engine
from graph_platform.engine.protocol import Database
from graph_platform.engine.results.json_text import json_pieces
from graph_platform_tests.engine.results.values import SCALARS, some_kind, some_value

REPEATED = 60
MANY = 64


def opened(engine_name: str, path: Path) -> Database:
    return load_engine(engine_name).open(path, read_only=False, memory_bytes=256 * 1024**2, threads=1)


def column(database: Database, cypher: str) -> list[object]:
    with database.stream(cypher, timeout_seconds=60, row_limit=100_000) as batches:
        document = json.loads(b"".join(json_pieces(batches, lambda: 0.5)))
    assert document["row_count"] == len(document["rows"])
    return [value for (value,) in document["rows"]]


@pytest.mark.parametrize("kind", SCALARS)
def test_each_type_is_what_the_table_says(engine_name: str, tmp_path: Path, kind: str) -> None:
    database = opened(engine_name, tmp_path / "graph.db")
    for text, expected in SCALARS[kind]:
        [found] = column(database, f"RETURN {text}")
        assert (found, type(found)) == (expected, type(expected)), text
        assert repr(found) == repr(expected), text  # -0.0 is equal to 0.0
        many = column(database, f"UNWIND range(1, {REPEATED + MANY}) AS i RETURN {text}")  # few are made another way
        assert list(map(repr, many)) == [repr(expected)] * (REPEATED + MANY), text
    database.close()


@pytest.mark.parametrize("seed", range(12))
def test_nested_values_are_what_their_parts_are(engine_name: str, tmp_path: Path, seed: int) -> None:
    database = opened(engine_name, tmp_path / "graph.db")
    chance = random.Random(seed)
    for _ in range(12):
        kind = some_kind(chance, 3)
        values = [some_value(chance, kind) for _ in range(6)]
        listed = f"CAST([{', '.join(text for text, _ in values)}] AS {kind.name}[])"
        found = column(database, f"UNWIND range(1, {REPEATED}) AS i UNWIND {listed} AS x RETURN x")
        assert found == [value for _, value in values] * REPEATED, kind.name
    database.close()
