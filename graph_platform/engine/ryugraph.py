"""Ryugraph. Importing this module imports its wheel: only `connect.load_engine` may."""

from __future__ import annotations

import ryugraph

from graph_platform.engine.kuzu_family import KuzuFamilyEngine


def engine() -> KuzuFamilyEngine:
    """Ryugraph in this process."""
    return KuzuFamilyEngine("ryugraph", ryugraph, ryugraph.Connection)
