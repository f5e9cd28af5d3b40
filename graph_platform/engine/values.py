"""Values as an engine returns them, made ready for JSON. One table of rules, the same for the server and the files.

| engine value | JSON |
|---|---|
| NULL, BOOL, STRING, integers to 64 bits | the same |
| DECIMAL, INT128 | string, exact, never with an exponent |
| DOUBLE, FLOAT | number; `"NaN"`, `"Infinity"`, `"-Infinity"` for those that JSON lacks |
| DATE, TIMESTAMP, TIMESTAMP_TZ | ISO 8601 string; `+10000-01-01` after the year 9999, `-0001-01-01` before 0 |
| INTERVAL | ISO 8601 duration, `P1DT2H` |
| UUID | string |
| BLOB | base64 string; the column's type tells it from a STRING |
| list, STRUCT | array, object |
| MAP | object; a key that is not a string becomes its JSON text |
| node | `{"_label", "_id", "properties"}`, the id as `table:offset` |
| edge | `{"_label", "_id", "_from", "_to", "properties"}` |
| path | `{"_nodes", "_edges"}` |
"""

from __future__ import annotations

import base64
import datetime
import json
import math
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID


def json_rows(rows: Sequence[Sequence[Any]]) -> list[list[Any]]:
    """The rows of a result, JSON-ready."""
    return [[json_value(value) for value in row] for row in rows]


def json_value(value: Any) -> Any:
    """One value, JSON-ready; a value of an unknown kind becomes its text rather than an error."""
    if value is None or isinstance(value, (str, bool, int)):
        return value
    for kind, convert in _CONVERSIONS:
        if isinstance(value, kind):
            return convert(value)
    return str(value)


def _number(value: float) -> float | str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return value


def _duration(value: datetime.timedelta) -> str:
    sign = "-" if value < datetime.timedelta(0) else ""
    value = abs(value)
    seconds = Decimal(value.seconds) + Decimal(value.microseconds) / 1_000_000
    days = f"{value.days}D" if value.days else ""
    clock = f"T{format(seconds.normalize(), 'f')}S" if seconds else ""
    return f"{sign}P{days}{clock}" if days or clock else "PT0S"


def _id(value: Any) -> str | None:
    return f"{value['table']}:{value['offset']}" if isinstance(value, Mapping) and "offset" in value else None


def _properties(value: Mapping[str, Any]) -> dict[str, Any]:
    return {name: json_value(item) for name, item in value.items() if name not in ("_ID", "_LABEL", "_SRC", "_DST")}


def _object(value: Mapping[Any, Any]) -> dict[str, Any]:
    names = value.keys()
    if names == {"_NODES", "_RELS"}:
        return {
            "_nodes": [json_value(node) for node in value["_NODES"]],
            "_edges": [json_value(edge) for edge in value["_RELS"]],
        }
    if {"_ID", "_LABEL", "_SRC", "_DST"} <= names:
        return {
            "_label": value["_LABEL"],
            "_id": _id(value["_ID"]),
            "_from": _id(value["_SRC"]),
            "_to": _id(value["_DST"]),
            "properties": _properties(value),
        }
    if {"_ID", "_LABEL"} <= names:
        return {"_label": value["_LABEL"], "_id": _id(value["_ID"]), "properties": _properties(value)}
    return {_key(name): json_value(item) for name, item in value.items()}


def _key(name: Any) -> str:
    ready = json_value(name)
    return ready if isinstance(ready, str) else json.dumps(ready)


_CONVERSIONS: tuple[tuple[type | tuple[type, ...], Callable[[Any], Any]], ...] = (
    (float, _number),
    (Decimal, lambda value: format(value, "f")),
    ((datetime.datetime, datetime.date, datetime.time), lambda value: value.isoformat()),
    (datetime.timedelta, _duration),
    (UUID, str),
    ((bytes, bytearray, memoryview), lambda value: base64.b64encode(value).decode()),
    (Mapping, _object),
    ((list, tuple, set, frozenset), lambda value: [json_value(item) for item in value]),
)
