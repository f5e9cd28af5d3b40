"""From a database of a spec to a file that its engine can open: nothing is opened here, and no engine imported."""

from __future__ import annotations

import pickle
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from graph_platform.engine.protocol import EngineVersion
from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.runtime.local.servers import LocalServers
from graph_platform.runtime.protocol import Presence
from graph_platform.runtime.spec import Access, DatabaseSpec, OwnFile, Served, ServedKind, ServerSpec, StoredSnapshot
from graph_platform.server.startup import Folders, prepared
from graph_platform_tests.services.runtimes import INSTALLATION, settled
from graph_platform_tests.snapshots import ATTEMPT, Snapshot, make_snapshot, server_spec


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    (tmp_path / "work").mkdir()
    return Folders(tmp_path / "work", tmp_path / "graphs" / "kg-1")


def graph(*databases: DatabaseSpec, instance: str = "inst-1") -> ServerSpec:
    spec = server_spec("ladybug", StoredSnapshot("file:///nowhere", "a", "a/manifest.json"), instance=instance)
    return replace(spec, serves=Served(ServedKind.GRAPH, "kg-1"), databases=databases)


def version(spec: ServerSpec) -> EngineVersion:
    """What the engine of the spec says of itself, where it is imported."""
    program = "import pickle, sys; from graph_platform.engine.connect import load_engine\n"
    program += "sys.stdout.buffer.write(pickle.dumps(load_engine(sys.argv[1]).version))"
    told = subprocess.run([sys.executable, "-c", program, spec.engine], capture_output=True, check=True).stdout
    found: EngineVersion = pickle.loads(told)  # noqa: S301 - our own
    return found


def own(name: str, *, create: bool) -> DatabaseSpec:
    return DatabaseSpec(name, Access.WRITE, OwnFile(create=create))


def test_a_stored_file_is_used_where_it_is_and_the_work_folder_stays_empty(
    snapshots: dict[str, Snapshot], folders: Folders
) -> None:
    snapshot = snapshots["ladybug"]
    spec, told = snapshot.spec("ladybug"), list[str]()
    path = prepared(spec, spec.main, version(spec), folders, lambda phase, progress: None, told.append)
    assert path == snapshot.storage.local_path(f"{ATTEMPT}/{snapshot.manifest.databases[0].key}")
    assert list(folders.work.iterdir()) == [] and told == []


def test_what_has_no_stored_file_is_loaded_in_a_process_of_its_own_and_told_by_phases(
    tmp_path: Path, folders: Folders
) -> None:
    snapshot, phases = make_snapshot(tmp_path, None), list[tuple[str, float]]()
    spec = snapshot.spec("ryugraph")
    path = prepared(spec, spec.main, version(spec), folders, lambda *phase: phases.append(phase), lambda line: None)
    assert path == folders.work / "snap-1" / "graph.db"
    assert [item.name for item in path.parent.iterdir()] == ["graph.db"]
    assert phases[0][0] == "fetching"
    assert {"schema", "loading"} <= {phase for phase, _ in phases}
    assert all(0 <= progress <= 1 for _, progress in phases)


def test_no_engine_is_imported_on_the_way(snapshots: dict[str, Snapshot], tmp_path: Path) -> None:
    program = (
        "import pickle, sys; from pathlib import Path\n"
        "from graph_platform.server.startup import Folders, prepared\n"
        "spec, version = pickle.load(sys.stdin.buffer)\n"
        "prepared(spec, spec.main, version, Folders(Path(sys.argv[1]), Path(sys.argv[1])), lambda *_: None, print)\n"
        "assert not {'ladybug', 'ryugraph'} & set(sys.modules)"
    )
    for snapshot in (snapshots["ladybug"], make_snapshot(tmp_path, None)):
        spec = snapshot.spec("ladybug")
        given = pickle.dumps((spec, version(spec)))
        subprocess.run([sys.executable, "-c", program, str(tmp_path)], input=given, check=True)


def test_a_graphs_file_is_made_only_where_the_spec_says_so(folders: Folders) -> None:
    def path(database: DatabaseSpec) -> Path:
        spec = graph(own("kg-1", create=True))
        return prepared(spec, database, version(spec), folders, lambda *_: None, lambda line: None)

    with pytest.raises(PlatformError, match="kg-1 is gone") as gone:
        path(own("kg-1", create=False))
    assert gone.value.code is ErrorCode.DATABASE_ERROR
    assert not folders.data.exists()
    made = path(own("kg-1", create=True))
    assert made == folders.data / "kg-1" / "graph.db"
    assert [folder.stat().st_mode & 0o777 for folder in (folders.data, made.parent)] == [0o700, 0o700]
    made.write_bytes(b"LBUG")
    assert path(own("kg-1", create=False)) == path(own("kg-1", create=True)) == made


def test_a_graphs_database_outlives_its_server_and_another_attempt_finds_it(tmp_path: Path) -> None:
    servers = LocalServers(tmp_path / "home", INSTALLATION)
    servers.start(graph(own("kg-1", create=True)))
    try:
        assert settled(servers, "inst-1").presence is Presence.READY
        servers.stop("inst-1", 1, 5)
        file = tmp_path / "home/graphs/kg-1/kg-1/graph.db"
        assert file.stat().st_size > 0
        servers.start(graph(own("kg-1", create=False), instance="inst-2"))
        assert settled(servers, "inst-2").presence is Presence.READY
        servers.stop("inst-2", 1, 5)
        file.unlink()
        servers.start(graph(own("kg-1", create=False), instance="inst-3"))
        failure = settled(servers, "inst-3").failure
        assert failure is not None and failure["code"] == "DATABASE_ERROR"
    finally:
        for seen in servers.list():
            servers.stop(seen.instance, seen.attempt, 1)
