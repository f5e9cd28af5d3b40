"""LadybugDB. Importing this module imports its wheel: only `connect.load_engine` may."""

from __future__ import annotations

import ladybug

from graph_platform.engine.kuzu_family import KuzuFamilyEngine


def engine() -> KuzuFamilyEngine:
    """LadybugDB in this process."""
    return KuzuFamilyEngine("ladybug", ladybug)
