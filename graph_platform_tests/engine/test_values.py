"""Values that an engine's own tests do not reach: odd results."""

from __future__ import annotations

import datetime
import json
from decimal import Decimal
from typing import Any

import pytest

from graph_platform.engine.values import json_value


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (datetime.timedelta(0), "PT0S"),
        (datetime.timedelta(days=-1, seconds=-1), "-P1DT1S"),
        (datetime.timedelta(seconds=1, microseconds=500), "PT1.0005S"),
        (datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC), "2020-01-01T00:00:00+00:00"),
        (Decimal("1E+3"), "1000"),
        (Decimal("0E-10"), "0.0000000000"),
        (Decimal("-1E-38"), "-0." + "0" * 37 + "1"),
        ({True: 1, None: 2}, {"true": 1, "null": 2}),
        (
            {"_ID": {"offset": 4, "table": 2}, "_LABEL": "A", "x": b"\0"},
            {"_label": "A", "_id": "2:4", "properties": {"x": "AA=="}},
        ),
        ({"_NODES": [], "_RELS": []}, {"_nodes": [], "_edges": []}),
        (float("-inf"), "-Infinity"),
        (2**64, 2**64),
    ],
)
def test_an_odd_value_is_ready_for_json(value: Any, expected: Any) -> None:
    assert json_value(value) == expected
    json.dumps(json_value(value), allow_nan=False)
