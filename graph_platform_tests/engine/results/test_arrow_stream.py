"""An answer as an Arrow stream, on the real engines: of every type the values that its JSON has, with rows or none."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.ipc
import pytest

from graph_platform.engine.connect import load_engine
from graph_platform.engine.protocol import Database
from graph_platform.engine.results.arrow_stream import arrow_pieces
from graph_platform.engine.results.json_text import texts
from graph_platform_tests.engine.results.values import SCALARS, some_kind, some_value

TABLES = (
    "CREATE NODE TABLE P(id INT64 PRIMARY KEY, name STRING, d DECIMAL(5, 2))",
    "CREATE REL TABLE K(FROM P TO P, w DOUBLE)",
    "CREATE (:P {id: 1, name: 'one', d: CAST('-1.50' AS DECIMAL(5, 2))})",
    "CREATE (:P {id: 2})",
    "MATCH (a:P {id: 1}), (b:P {id: 2}) CREATE (a)-[:K {w: 0.5}]->(b)",
)
OF_A_GRAPH = "MATCH path = (a:P)-[k:K]->(b:P) WHERE a.id < {below} RETURN path, a, k, b.d, [a.d, b.d] AS d"


def opened(engine_name: str, path: Path) -> Database:
    return load_engine(engine_name).open(path, read_only=False, memory_bytes=256 * 1024**2, threads=1)


def streamed(database: Database, cypher: str, row_limit: int = 100_000) -> tuple[pa.Table, dict[str, Any]]:
    """The rows, and what the last batch says of them."""
    with database.stream(cypher, timeout_seconds=60, row_limit=row_limit) as batches:
        content = b"".join(arrow_pieces(batches, lambda: 0.5))
    found = []
    with pa.ipc.open_stream(content) as reader:
        schema = reader.schema
        while True:
            try:
                batch, metadata = reader.read_next_batch_with_custom_metadata()
            except StopIteration:
                break
            batch.validate(full=True)
            found.append((batch, metadata))
    assert [metadata for _, metadata in found[:-1]] == [None] * (len(found) - 1)
    last, metadata = found[-1]
    assert last.num_rows == 0
    said = {name.decode(): json.loads(value) for name, value in metadata.items()}
    return pa.Table.from_batches([batch for batch, _ in found], schema), said


def column(table: pa.Table) -> list[Any]:
    return [json.loads(text) for chunk in table.column(0).chunks for text in texts(chunk).to_pylist()]


@pytest.mark.parametrize("kind", SCALARS)
def test_each_type_has_the_values_that_its_json_has(engine_name: str, tmp_path: Path, kind: str) -> None:
    database = opened(engine_name, tmp_path / "graph.db")
    for text, expected in SCALARS[kind]:
        table, _ = streamed(database, f"UNWIND range(1, 3) AS i RETURN {text}")
        assert list(map(repr, column(table))) == [repr(expected)] * 3, text
        [field] = table.schema
        assert field.metadata[b"engine_type"], text
    database.close()


@pytest.mark.parametrize("seed", range(4))
def test_nested_values_have_the_parts_that_their_json_has(engine_name: str, tmp_path: Path, seed: int) -> None:
    database = opened(engine_name, tmp_path / "graph.db")
    chance = random.Random(seed)
    for _ in range(12):
        kind = some_kind(chance, 3)
        values = [some_value(chance, kind) for _ in range(6)]
        listed = f"CAST([{', '.join(text for text, _ in values)}] AS {kind.name}[])"
        table, _ = streamed(database, f"UNWIND {listed} AS x RETURN x")
        assert column(table) == [value for _, value in values], kind.name
        none, said = streamed(database, f"UNWIND {listed} AS x WITH x, 1 AS i WHERE i > 1 RETURN x")
        assert (none.num_rows, none.schema) == (0, table.schema), kind.name
        assert said["row_count"] == 0
    database.close()


def test_nodes_edges_and_paths_keep_their_types_without_a_row(engine_name: str, tmp_path: Path) -> None:
    database = opened(engine_name, tmp_path / "graph.db")
    for statement in TABLES:
        database.query(statement, timeout_seconds=60, row_limit=1)
    table, _ = streamed(database, OF_A_GRAPH.format(below=9))
    [row] = table.to_pylist()
    assert (row["a"]["_LABEL"], row["a"]["name"], str(row["a"]["d"])) == ("P", "one", "-1.50")
    assert (row["k"]["_SRC"], row["k"]["_DST"]) == (row["a"]["_ID"], row["path"]["_NODES"][1]["_ID"])
    assert row["k"]["w"] == 0.5 and row["b.d"] is None
    none, _ = streamed(database, OF_A_GRAPH.format(below=0))
    assert (none.num_rows, none.schema) == (0, table.schema)
    database.close()


def test_the_last_batch_says_whether_it_was_all(engine_name: str, tmp_path: Path) -> None:
    database = opened(engine_name, tmp_path / "graph.db")
    numbers = "UNWIND range(1, 50000) AS x RETURN x, -x AS again, x + 1 AS again"
    table, said = streamed(database, numbers)
    assert table.column_names == ["x", "again", "again"] and table.column(2).to_pylist() == list(range(2, 50_002))
    assert said == {"row_count": 50_000, "truncated": False, "elapsed_seconds": 0.5}
    table, said = streamed(database, numbers, row_limit=700)
    assert table.num_rows == said["row_count"] == 700 and said["truncated"] is True
    database.close()
