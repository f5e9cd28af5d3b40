"""LadybugDB. Importing this module imports its wheel: only `connect.load_engine` may."""

from __future__ import annotations

from typing import Any

import ladybug

from graph_platform.engine.kuzu_family import KuzuFamilyEngine


class _Verbatim(ladybug.Connection):
    """A connection that sends the statement that it was given.

    The package would put the value of `$a` into the text wherever `to_json($a)` stands, inside quotes and comments too,
    so that a value became Cypher after the gate had looked; and read Python objects that a scan names.
    """

    def _as_it_is(self, query: str, parameters: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        return query, parameters

    _normalize_parameters_for_pybind = _as_it_is
    _normalize_parameters_for_capi = _as_it_is
    _rewrite_local_scan_object = _as_it_is
    _rewrite_capi_python_scan = _as_it_is


def engine() -> KuzuFamilyEngine:
    """LadybugDB in this process."""
    return KuzuFamilyEngine("ladybug", ladybug, _Verbatim)
