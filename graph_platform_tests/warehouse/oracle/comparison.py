"""One query on Trino and on DuckDB: whether both give the same values and types, and what the platform says of it."""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Iterable
from typing import Any

import duckdb
import httpx

from graph_platform.mapping.sql.gate import check_query
from graph_platform.mapping.types.text import WarehouseType, parse_warehouse_type
from graph_platform.warehouse.duckdb.rewrites import PRELUDE
from graph_platform.warehouse.duckdb.translation import to_duckdb
from graph_platform.warehouse.duckdb.types import trino_type

# Otherwise the server cuts the digits of a second to three.
_HEADERS = {"X-Trino-User": "tester", "X-Trino-Client-Capabilities": "PARAMETRIC_DATETIME"}
OUTCOMES = ("same", "refused", "loud")
"""What is no difference in silence."""
_MOMENT = re.compile(r"(\S+ [\d:]+)(\.\d+)?( .+)?")


_AT_ONCE = 25
_Answer = tuple[list[str], list[list[Any]], str | None]
"""Types, rows, and what Trino refuses it with."""


class Comparison:
    """A Trino and a DuckDB side by side.

    Args:
        port: where Trino answers.
    """

    def __init__(self, port: int) -> None:
        self._url = f"http://127.0.0.1:{port}/v1/statement"
        self._answers: dict[str, _Answer] = {}
        self._http = httpx.Client(trust_env=False, headers=_HEADERS, timeout=60)
        self._duckdb = duckdb.connect()
        for statement in ("LOAD icu", "SET TimeZone = 'UTC'", "SET integer_division = true", PRELUDE):
            self._duckdb.execute(statement)

    def close(self) -> None:
        """Let go of both."""
        self._http.close()
        self._duckdb.close()

    def outcome(self, sql: str) -> str:  # noqa: PLR0911
        """`same`, `refused` by both, `loud` where DuckDB warns, refuses or fails, else what differs in silence."""
        checked = check_query(sql)
        translation = to_duckdb(checked) if checked.tree is not None else None
        types, rows, error = self._on_trino(sql)
        if translation is None or translation.sql is None or translation.warnings:
            return "refused" if error else "loud"
        try:
            relation = self._duckdb.sql(translation.sql)
            ours = relation.fetchall()
        except duckdb.Error:
            return "refused" if error else "loud"
        if any(re.fullmatch(r"timestamp\((?:[7-9]|1\d)\)", each) for each in types):
            return "loud"  # whoever validates a mapping is told that only microseconds are kept
        if error:
            return f"Trino refuses it ({error}), DuckDB answers {ours}"
        kinds = [parse_warehouse_type(each) for each in types]
        theirs = sorted(([_plain(v, k) for v, k in zip(row, kinds, strict=True)] for row in rows), key=repr)
        found = sorted(([_plain(v, k) for v, k in zip(row, kinds, strict=True)] for row in ours), key=repr)
        if theirs != found:
            return f"Trino answers {theirs}, DuckDB {found}: {translation.sql}"
        told = [_without_lengths(str(trino_type(each))) for each in relation.types]
        if [_without_lengths(each) for each in types] != told and not any("row(" in each for each in types):
            return f"Trino's types are {types}, DuckDB's {told}: {translation.sql}"
        return "same"

    def ask_ahead(self, queries: Iterable[str]) -> None:
        """Ask Trino for many expressions at once, as columns of one row: a query costs it more than an expression.

        Args:
            queries: SELECT of one expression and no table. What Trino refuses is asked for again by itself.
        """
        alone = [each for each in queries if not re.search(r"\bfrom\b|^with ", each, re.IGNORECASE)]
        for start in range(0, len(alone), _AT_ONCE):
            batch = alone[start : start + _AT_ONCE]
            whole = "select " + ", ".join(each.removeprefix("select ") for each in batch)
            types, rows, error = self._on_trino(whole)
            if error is None and len(types) == len(batch):
                self._answers |= {
                    each: ([kind], [[value]], None) for each, kind, value in zip(batch, types, rows[0], strict=True)
                }

    def _on_trino(self, sql: str) -> _Answer:
        if sql in self._answers:
            return self._answers[sql]
        answer = self._http.post(self._url, content=sql.encode()).json()
        types: list[str] = []
        rows: list[list[Any]] = []
        while True:
            rows += answer.get("data") or []
            types = [each["type"] for each in answer.get("columns") or ()] or types
            if "error" in answer:
                return [], [], str(answer["error"]["message"])
            if "nextUri" not in answer:
                return types, rows, None
            answer = self._http.get(answer["nextUri"]).json()


def _without_lengths(kind: str) -> str:
    return re.sub(r"(varchar|timestamp)\(\d+\)", r"\1", kind.replace(", ", ","))


def _plain(value: Any, kind: WarehouseType) -> Any:  # noqa: PLR0911
    """A value as both may be compared: DOUBLEs to 13 digits, times as texts without closing zeros."""
    if value is None:
        return None
    if kind.base in ("double", "real"):
        number = float(value)
        return "NaN" if math.isnan(number) else float(f"{number:.{13 if kind.base == 'double' else 6}g}")
    if kind.base == "varbinary":
        return value if isinstance(value, str) else base64.b64encode(value).decode()
    if kind.base.startswith("timestamp"):
        zone = " UTC" if not isinstance(value, str) and value.tzinfo else ""
        text = value if isinstance(value, str) else f"{value.replace(tzinfo=None)}{zone}"
        found = _MOMENT.fullmatch(text)
        return found[1] + (found[2] or "").rstrip("0").rstrip(".") + (found[3] or "") if found else text
    if kind.base == "array":
        return [_plain(each, kind.inner[0]) for each in value]
    if kind.base == "map":
        return {_key(each): _plain(inner, kind.inner[1]) for each, inner in value.items()}
    if kind.base == "row":
        return _fields(value.values() if isinstance(value, dict) else value, kind)
    return value if kind.base in ("boolean", "bigint", "integer", "smallint", "tinyint") else str(value)


def _key(value: Any) -> str:
    """A map's key as JSON has it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _fields(values: Iterable[Any], kind: WarehouseType) -> list[Any]:
    return [_plain(each, inner) for each, inner in zip(values, kind.inner, strict=True)]
