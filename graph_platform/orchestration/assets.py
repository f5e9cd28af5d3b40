"""The assets that Dagster knows: the demo's definitions, and every definition that this home has exported.

Dagster plots the numbers of declared assets only, and a code location must load without the catalog. So each export is
remembered in a file beside dagster.yaml, which the next load of the code location reads.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from dagster import AssetKey, AssetSpec

from graph_platform.demo.mapping import demo_mapping
from graph_platform.orchestration.home import dagster_home
from graph_platform.private import own_folder
from graph_platform.settings import Settings

_REMEMBERED = "exported-assets.jsonl"
_GROUP = re.compile(r"[A-Za-z0-9_]+")


def declared_assets(settings: Settings) -> Iterator[AssetSpec]:
    """The demo's assets, then the remembered ones that are not among them."""
    known = set()
    for spec in mapping_assets():
        known.add(spec.key)
        yield spec
    for path in _remembered(settings):
        key = AssetKey(path)
        if key in known:
            continue
        known.add(key)
        mapping, kind, name = path
        yield AssetSpec(
            key=key,
            description=f"{name} {kind} of the graph {mapping}.",
            group_name=mapping if _GROUP.fullmatch(mapping) else None,
            kinds={"parquet"},
        )


def remember_asset(settings: Settings, path: Sequence[str]) -> None:
    """Have the next load of the code location declare the asset `[mapping, nodes or edges, name]`."""
    if tuple(path) in {tuple(known) for known in _remembered(settings)}:
        return
    line = json.dumps(list(path), ensure_ascii=False) + "\n"
    with contextlib.suppress(OSError):  # a run on a machine without this home does its work all the same
        own_folder(_file(settings).parent)
        descriptor = os.open(_file(settings), os.O_CREAT | os.O_APPEND | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "ab") as file:
            file.write(line.encode())  # one write of one line: two runs at once do not mix theirs


def _file(settings: Settings) -> Path:
    return dagster_home(settings) / _REMEMBERED


def _remembered(settings: Settings) -> Iterator[tuple[str, str, str]]:
    try:
        lines = _file(settings).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):  # nothing was exported yet, or the file is not ours: a convenience only
        return
    for line in lines:
        try:
            path = json.loads(line)
        except ValueError:
            continue
        if isinstance(path, list) and len(path) == 3 and all(isinstance(part, str) and part for part in path):
            yield path[0], path[1], path[2]


def mapping_assets() -> Iterator[AssetSpec]:
    """One asset per node and edge definition, an edge below the nodes that it connects."""
    mapping = demo_mapping()
    name = mapping["name"]
    for node in mapping["node_definitions"]:
        yield AssetSpec(
            key=[name, "nodes", node["label"]],
            description=f"{node['label']} nodes of the graph {name}. {mapping['description']}.",
            group_name=name,
            kinds={"parquet"},
        )
    for edge in mapping["edge_definitions"]:
        ends = dict.fromkeys((edge["from_node"], edge["to_node"]))
        yield AssetSpec(
            key=[name, "edges", edge["type"]],
            deps=[[name, "nodes", label] for label in ends],
            description=f"{edge['type']} edges of the graph {name}, from {edge['from_node']} to {edge['to_node']}.",
            group_name=name,
            kinds={"parquet"},
        )
