"""A statement that was let through, made to ask the engine for no more rows than will be given."""

from __future__ import annotations


def with_row_limit(text: str, rows: int) -> str:
    """The statement with `LIMIT rows` where that changes nothing but the number of rows; else as it is.

    Args:
        text: as `check_statement` gives it.
        rows: the row limit and one, so that it shows whether there were more.
    """
    raise NotImplementedError
