"""Values that the engines have and their Python modules stumble over: decimals just below zero, dates outside Python's.

On the real engines, in a process of each; without what mends them the first fails and the second ends the process.
"""

from __future__ import annotations

from pathlib import Path

from graph_platform.engine.connect import load_engine


def answer(engine_name: str, path: Path, *expressions: str) -> list[object]:
    database = load_engine(engine_name).open(path, read_only=False, memory_bytes=128 * 1024**2, threads=1)
    try:
        result = database.query(f"RETURN {', '.join(expressions)}", timeout_seconds=20, row_limit=1)
        return list(result.rows[0])
    finally:
        database.close()


def test_decimals_just_below_zero_are_exact(engine_name: str, tmp_path: Path) -> None:
    found = answer(
        engine_name,
        tmp_path / "graph.db",
        "CAST('-0.05' AS DECIMAL(7, 2))",
        "CAST('[-0.0005,NULL,0.0000,-1.5]' AS DECIMAL(7, 4)[])",
        f"CAST('-0.{'0' * 37}1' AS DECIMAL(38, 38))",
    )
    assert found == ["-0.05", ["-0.0005", None, "0.0000", "-1.5000"], f"-0.{'0' * 37}1"]


def test_dates_outside_the_years_1_to_9999_are_text_and_no_crash(engine_name: str, tmp_path: Path) -> None:
    found = answer(
        engine_name,
        tmp_path / "graph.db",
        "CAST('10000-01-01' AS DATE)",
        "CAST('0001-01-01' AS DATE) - INTERVAL('1 day')",
        "CAST('0001-01-01' AS DATE) - INTERVAL('400 days')",
        "[CAST('9999-12-31 23:00:00.5' AS TIMESTAMP) + INTERVAL('1 day'), NULL]",
        "CAST('10000-01-01 23:00:00+00:00' AS TIMESTAMP_TZ)",
        "CAST('9999-12-31' AS DATE)",
    )
    assert found == [
        "+10000-01-01",
        "0000-12-31",
        "-0001-11-28",
        ["+10000-01-01T23:00:00.500000", None],
        "+10000-01-01T23:00:00+00:00",
        "9999-12-31",
    ]
