"""Ryugraph. Importing this module imports its wheel: only `connect.load_engine` may.

Its Python binding cannot read decimals close below zero, which is mended here. The same fault in the engine's own cast
cannot be: `CAST(-0.05 AS STRING)` in Cypher answers `0.-5`.
"""

from __future__ import annotations

import decimal
from decimal import Decimal
from functools import cache
from typing import Any

import ryugraph

from graph_platform.engine.kuzu_family import KuzuFamilyEngine

_WARMING_BYTES = 64 * 1024**2


class _AnyDecimal(type):
    """The binding also asks whether a parameter is an instance of what it kept: every decimal is."""

    def __instancecheck__(cls, value: object) -> bool:
        return isinstance(value, Decimal)


class _Mended(Decimal, metaclass=_AnyDecimal):
    """What the binding is given for `Decimal`; it makes plain ones.

    The engine writes a number between -1 and 0 that has zeros after the point with the sign among them: -0.0005 is
    `0.00-5`, the sign in the place of a zero. It can stand nowhere else in a decimal's text but at the start.
    """

    def __new__(cls, text: Any = "0", *_: Any) -> Decimal:  # type: ignore[misc]
        if isinstance(text, str) and text.startswith("0.") and "-" in text:
            text = "-" + text.replace("-", "0")
        return Decimal(text)


def engine() -> KuzuFamilyEngine:
    """Ryugraph in this process."""
    _mend_decimals()
    return KuzuFamilyEngine("ryugraph", ryugraph, ryugraph.Connection)


@cache
def _mend_decimals() -> None:
    """Have the binding keep `_Mended`: it looks `decimal.Decimal` up at the first decimal, and never again."""
    database = ryugraph.Database(":memory:", buffer_pool_size=_WARMING_BYTES, max_num_threads=1)
    connection = ryugraph.Connection(database)
    decimal.Decimal = _Mended  # type: ignore[assignment,misc]
    try:
        for _ in connection.execute("RETURN CAST('0.1' AS DECIMAL(2, 1))"):
            pass
    finally:
        decimal.Decimal = Decimal  # type: ignore[misc]
        connection.close()
        database.close()
