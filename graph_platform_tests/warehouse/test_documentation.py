"""The page about Trino's functions on DuckDB says what the table says."""

from pathlib import Path

from graph_platform.warehouse.duckdb.signatures.documentation import page


def test_the_page_is_the_one_that_the_table_makes() -> None:
    written = Path(__file__).parents[2] / "docs/duckdb.md"
    assert written.read_text(encoding="utf-8") == page(), "run `make docs`"
