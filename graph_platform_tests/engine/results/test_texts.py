"""Values that an engine's own tests do not reach, as Arrow has them: odd ones as JSON texts."""

from __future__ import annotations

import datetime
import json
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from graph_platform.engine.results.json_text import texts

_ID = pa.struct({"offset": pa.int64(), "table": pa.int64()})


@pytest.mark.parametrize(
    ("value", "kind", "expected"),
    [
        (datetime.timedelta(0), pa.duration("us"), "PT0S"),
        (datetime.timedelta(days=-1, seconds=-1), pa.duration("us"), "-P1DT1S"),
        (datetime.timedelta(seconds=1, microseconds=500), pa.duration("us"), "PT1.0005S"),
        (datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC), pa.timestamp("us", "UTC"), "2020-01-01T00:00:00+00:00"),
        (Decimal("1E+3"), pa.decimal128(6, 0), "1000"),
        (Decimal("0E-10"), pa.decimal128(12, 10), "0.0000000000"),
        (Decimal("-1E-38"), pa.decimal128(38, 38), "-0." + "0" * 37 + "1"),
        ([(True, 1), (False, 2)], pa.map_(pa.bool_(), pa.int64()), {"true": 1, "false": 2}),
        (
            {"_ID": {"offset": 4, "table": 2}, "_LABEL": "A", "x": b"\0"},
            pa.struct({"_ID": _ID, "_LABEL": pa.string(), "x": pa.binary()}),
            {"_label": "A", "_id": "2:4", "properties": {"x": "AA=="}},
        ),
        (
            {"_NODES": [], "_RELS": []},
            pa.struct({"_NODES": pa.list_(pa.int64()), "_RELS": pa.list_(pa.int64())}),
            {"_nodes": [], "_edges": []},
        ),
        (float("-inf"), pa.float64(), "-Infinity"),
        (float("nan"), pa.float32(), "NaN"),
        (2**64 - 1, pa.uint64(), 2**64 - 1),
        ('"\\\n\0ä€😀', pa.string(), '"\\\n\0ä€😀'),
    ],
)
def test_an_odd_value_is_its_json_beside_a_null_and_in_a_slice(value: Any, kind: pa.DataType, expected: Any) -> None:
    found = texts(pa.array([None, value, value, None], kind).slice(1, 3)).to_pylist()
    assert [json.loads(text) for text in found] == [expected, expected, None]
