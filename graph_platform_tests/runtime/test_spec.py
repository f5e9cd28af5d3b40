"""Specs as they are written and read again: strictly, since what is read is what is served."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.runtime.spec import (
    Access,
    DatabaseSpec,
    OwnFile,
    Served,
    ServedKind,
    ServerSpec,
    StoredSnapshot,
    read_spec,
    spec_document,
)
from graph_platform_tests.snapshots import server_spec

STORED = StoredSnapshot("file:///root", "a", "a/manifest.json")
SNAPSHOT = server_spec("ladybug", STORED)
GRAPH = replace(
    SNAPSHOT,
    serves=Served(ServedKind.GRAPH, "kg-1"),
    databases=(
        DatabaseSpec("kg-1", Access.WRITE, OwnFile(create=True)),
        DatabaseSpec("kg-1_people", Access.READ, OwnFile(create=False)),
        DatabaseSpec("base", Access.READ, STORED),
    ),
)


def written(folder: Path, document: object) -> Path:
    path = folder / "spec.json"
    path.write_text(json.dumps(document))
    return path


@pytest.mark.parametrize("spec", [SNAPSHOT, GRAPH], ids=["snapshot", "graph"])
def test_a_spec_is_read_as_it_was_written(spec: ServerSpec, tmp_path: Path) -> None:
    assert read_spec(ServerSpec, written(tmp_path, spec_document(spec))) == spec
    assert spec.main.name == spec.serves.id


def _set(*path: Any) -> Callable[[dict[str, Any]], None]:
    *way, last, value = path

    def change(document: Any) -> None:
        for step in way:
            document = document[step]
        document[last] = value

    return change


@pytest.mark.parametrize(
    ("spoil", "word"),
    [
        (lambda document: document.pop("engine"), "it lacks engine"),
        (lambda document: document["limits"].pop("threads"), "limits lacks threads"),
        (_set("token", "x"), "it has token"),
        (_set("attempt", "1"), "attempt has to be of type int"),
        (_set("attempt", True), "attempt has to be of type int"),
        (_set("limits", "threads", 1.0), "limits.threads has to be of type int"),
        (_set("limits", "query_seconds", "1"), "limits.query_seconds has to be of type float"),
        (_set("serves", "snap-1"), "serves has to be an object"),
        (_set("serves", "kind", "mapping"), "serves.kind has to be of type ServedKind"),
        (_set("serves", "kind", ["snapshot"]), "serves.kind has to be of type ServedKind"),
        (_set("databases", {}), "databases has to be"),
        (_set("databases", 0, "access", "all"), "databases[0].access has to be of type Access"),
        (_set("databases", 0, "source", {"path": "/"}), "databases[0].source has to be one of StoredSnapshot, OwnFile"),
        (_set("databases", 0, "access", "write"), "a snapshot is only read"),
        (_set("databases", 0, "name", "../kg-1"), "is not a database's name"),
        (_set("databases", 0, "name", "another"), "no database snap-1"),
        (_set("databases", []), "no database snap-1"),
    ],
)
def test_what_is_no_spec_is_refused_with_its_place(
    spoil: Callable[[dict[str, Any]], None], word: str, tmp_path: Path
) -> None:
    document = json.loads(json.dumps(spec_document(SNAPSHOT)))
    spoil(document)
    with pytest.raises(PlatformError) as refused:
        read_spec(ServerSpec, written(tmp_path, document))
    assert refused.value.code is ErrorCode.VALIDATION_FAILED
    assert word in refused.value.message


@pytest.mark.parametrize("content", ["", "{", "[]", "1", "null"])
def test_a_file_without_a_spec_is_refused(content: str, tmp_path: Path) -> None:
    path = tmp_path / "spec.json"
    with pytest.raises(PlatformError, match="not there"):
        read_spec(ServerSpec, path)
    path.write_text(content)
    with pytest.raises(PlatformError, match=r"spec\.json"):
        read_spec(ServerSpec, path)


def test_a_snapshot_has_one_database_and_no_graph_has_two_of_one_name() -> None:
    with pytest.raises(PlatformError, match="has one database"):
        replace(SNAPSHOT, databases=(*SNAPSHOT.databases, DatabaseSpec("b", Access.READ, STORED)))
    with pytest.raises(PlatformError, match="two databases of one name"):
        replace(GRAPH, databases=(*GRAPH.databases, GRAPH.databases[1]))
