"""Building a database: the child process, on both engines, with data that is right and wrong in every known way."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from graph_platform.engine.build import BuildProgress, BuildRequest
from graph_platform.engine.connect import load_engine
from graph_platform.engine.files import file_sha256
from graph_platform.engine.load import copy_statement
from graph_platform.engine.process import build_database
from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.processes.identity import process_identity
from graph_platform.storage.connect import open_storage
from graph_platform.storage.protocol import Storage
from graph_platform.stored.manifest import Manifest, ManifestColumn, ManifestTable
from graph_platform_tests.snapshots import ATTEMPT, build_request, graph_data, write_snapshot
from graph_platform_tests.waiting import until

ENGINES = ("ladybug", "ryugraph")


@pytest.fixture(params=ENGINES)
def wheel(request: pytest.FixtureRequest) -> str:
    """An engine's name; unlike `engine_name`, the test itself stays in this process."""
    return str(request.param)


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    return open_storage(f"file://{tmp_path}/it's a [root] *")


def build(request: BuildRequest, **options: Any) -> Any:
    return build_database(request, **options)


def refused(request: BuildRequest) -> PlatformError:
    with pytest.raises(PlatformError) as error:
        build(request)
    assert not request.output.exists()
    assert list(request.scratch.iterdir()) == []
    return error.value


def test_a_database_is_built_counted_and_described(wheel: str, storage: Storage, tmp_path: Path) -> None:
    manifest = write_snapshot(storage, graph_data(), checksums=False)
    storage.write(f"{ATTEMPT}/nodes/City/stray", b"a file that the manifest does not have")
    request = build_request(storage, manifest, wheel, tmp_path)
    seen: list[BuildProgress] = []
    result = build(request, on_progress=seen.append)
    assert (result.engine, result.sha256) == (wheel, file_sha256(request.output))
    assert result.bytes == request.output.stat().st_size
    assert result.files == {
        file.key: file_sha256(storage.local_path(f"{ATTEMPT}/{file.key}") or Path())
        for table in manifest.tables
        for file in table.files
    }
    assert [step.table for step in seen if step.phase == "loading"][:5] == [table.name for table in manifest.tables]
    assert {"fetching", "schema", "loading", "writing", "checking"} <= {step.phase for step in seen}
    assert sorted(item.name for item in tmp_path.iterdir()) == ["graph.db", "it's a [root] *", "scratch"]
    whole = result.completed(manifest, "databases/x.db")
    assert all(file.sha256 for table in whole.tables for file in table.files)
    assert [database.key for database in whole.databases] == ["databases/x.db"]
    assert Manifest.from_json(whole.to_json()) == whole
    assert result.completed(whole, "databases/y.db").databases[0].key == "databases/y.db"
    again = build(replace(request, manifest=whole))
    assert again.files == {}


def test_a_table_without_rows_or_without_files_is_empty(wheel: str, storage: Storage, tmp_path: Path) -> None:
    data = graph_data()
    data["KNOWS"] = [{"a": [], "b": [], "since": []}]
    data["NEAR_CITY"] = []
    assert build(build_request(storage, write_snapshot(storage, data), wheel, tmp_path)).bytes > 0


def _duplicate(data: dict[str, Any]) -> None:
    data["Person"][1]["id"] = [2]


def _null_key(data: dict[str, Any]) -> None:
    data["Person"][0]["id"][0] = None


def _null_end(data: dict[str, Any]) -> None:
    data["KNOWS"][0]["b"][1] = None


def _missing(data: dict[str, Any]) -> None:
    data["KNOWS"][0]["b"][1] = 77


def _missing_to(data: dict[str, Any]) -> None:
    data["NEAR_PERSON"][0]["city"][1] = "PAR"


def _missing_from(data: dict[str, Any]) -> None:
    data["NEAR_PERSON"][0]["person"][0] = 5


def _text_for_number(data: dict[str, Any]) -> None:
    data["Person"][0]["balance"][0] = "many"


LOAD_PROBLEMS: list[tuple[Callable[[dict[str, Any]], None], str, str, str]] = [
    (_duplicate, "node Person: duplicate primary key value '2' in id", "SELECT DISTINCT", "duplicate_key"),
    (_null_key, "node Person: NULL in id", "WHERE id IS NOT NULL", "null_key"),
    (_null_end, "edge KNOWS: NULL in a or b", "a IS NOT NULL AND b IS NOT NULL", "null_key"),
    (_missing, "edge KNOWS: edge end '77' (a or b) is not in node table Person", "JOIN", "missing_end"),
    (_missing_to, "edge NEAR_PERSON: edge end 'PAR' (city) is not in node table City", "key of City", "missing_end"),
    (
        _missing_from,
        "edge NEAR_PERSON: edge end '5' (person) is not in node table Person",
        "key of Person",
        "missing_end",
    ),
    (_text_for_number, "node Person: ", "", "refused"),
]


@pytest.mark.parametrize(("spoil", "message", "hint", "cause"), LOAD_PROBLEMS)
def test_what_the_engine_refuses_is_named_with_its_mend(
    wheel: str, storage: Storage, tmp_path: Path, spoil: Any, message: str, hint: str, cause: str
) -> None:
    data = graph_data()
    spoil(data)
    error = refused(build_request(storage, write_snapshot(storage, data), wheel, tmp_path))
    assert error.code is ErrorCode.DATA_LOAD_ERROR
    assert error.message.startswith(message)
    assert hint in (error.hint or "")
    assert error.details["errors"][0]["cause"] == cause


def test_everything_that_is_wrong_is_told_at_once(wheel: str, storage: Storage, tmp_path: Path) -> None:
    data = graph_data()
    _duplicate(data)
    data["City"][0]["code"][0] = None
    error = refused(build_request(storage, write_snapshot(storage, data), wheel, tmp_path))
    assert error.message.endswith("(and 1 more)")
    assert [(item["definition"], item["cause"]) for item in error.details["errors"]] == [
        ("Person", "duplicate_key"),
        ("City", "null_key"),
        ("KNOWS", "skipped"),
        ("NEAR_PERSON", "skipped"),
        ("NEAR_CITY", "skipped"),
    ]


def _swap_columns(manifest: Manifest) -> Manifest:
    tables = list(manifest.tables)
    tables[2] = replace(tables[2], columns=(tables[2].columns[1], tables[2].columns[0], tables[2].columns[2]))
    return replace(manifest, tables=tuple(tables))


def _file(manifest: Manifest, **changes: Any) -> Manifest:
    table = manifest.tables[1]
    changed = replace(table, files=(replace(table.files[0], **changes),))
    return replace(manifest, tables=(manifest.tables[0], changed, *manifest.tables[2:]))


@pytest.mark.parametrize(
    ("spoil", "word"),
    [
        (_swap_columns, "has the columns a, b, since, not b, a, since"),
        (lambda manifest: _file(manifest, rows=3), "rows"),
        (lambda manifest: _file(manifest, bytes=3), "bytes, not 3"),
        (lambda manifest: _file(manifest, sha256="0" * 64), "SHA-256"),
        (lambda manifest: _file(manifest, key="nodes/City/other"), "missing"),
    ],
)
def test_files_that_are_not_the_manifests_are_refused(
    storage: Storage, tmp_path: Path, spoil: Callable[[Manifest], Manifest], word: str
) -> None:
    manifest = spoil(write_snapshot(storage, graph_data()))
    error = refused(build_request(storage, manifest, "ladybug", tmp_path))
    assert error.code is ErrorCode.SNAPSHOT_FETCH_ERROR
    assert word in error.message


def test_a_file_that_is_not_parquet_is_refused(storage: Storage, tmp_path: Path) -> None:
    manifest = write_snapshot(storage, graph_data(), checksums=False)
    file = manifest.tables[1].files[0]
    storage.write(f"{ATTEMPT}/{file.key}", b"x" * file.bytes)
    error = refused(build_request(storage, manifest, "ladybug", tmp_path))
    assert (error.code, "not a Parquet file" in error.message) == (ErrorCode.SNAPSHOT_FETCH_ERROR, True)


def test_refused_ddl_names_the_statement(wheel: str, storage: Storage, tmp_path: Path) -> None:
    manifest = replace(write_snapshot(storage, graph_data()), ddl=("CREATE NODE TABLE X(a LIST, PRIMARY KEY(a))",))
    error = refused(build_request(storage, manifest, wheel, tmp_path))
    assert error.code is ErrorCode.SCHEMA_CREATE_ERROR
    assert "CREATE NODE TABLE X" in error.message


def test_a_full_disk_is_named_with_its_folder_and_bytes(storage: Storage, tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(small)], check=False).returncode:
        pytest.skip("needs the right to mount a small tmpfs: run as root")
    try:
        request = build_request(storage, write_snapshot(storage, graph_data()), "ladybug", tmp_path)
        with pytest.raises(PlatformError) as error:
            build(replace(request, output=small / "graph.db"))
    finally:
        subprocess.run(["umount", str(small)], check=True)
    assert error.value.code is ErrorCode.STORAGE_ERROR
    assert str(small) in error.value.message


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGKILL, ErrorCode.OOM_KILLED), (signal.SIGSEGV, ErrorCode.UNEXPECTED_TERMINATION)],
)
def test_a_build_that_is_killed_has_a_code(
    storage: Storage, tmp_path: Path, number: signal.Signals, code: ErrorCode
) -> None:
    request = build_request(storage, write_snapshot(storage, graph_data()), "ladybug", tmp_path)

    def kill(step: BuildProgress) -> None:
        for pid in children():
            os.kill(pid, number)

    with pytest.raises(PlatformError) as error:
        build(request, on_progress=kill)
    assert error.value.code is code
    if number is signal.SIGSEGV:
        assert "Segmentation fault" in error.value.message


def test_what_the_caller_raises_ends_the_build(storage: Storage, tmp_path: Path) -> None:
    request = build_request(storage, write_snapshot(storage, graph_data()), "ladybug", tmp_path)

    def cancel(step: BuildProgress) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build(request, on_progress=cancel)
    assert children() == []


def children() -> list[int]:
    """The build processes of this process."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            arguments = (folder / "cmdline").read_bytes()
        except (OSError, IndexError):
            continue
        if parent == os.getpid() and b"graph_platform.engine.build" in arguments:
            found.append(int(folder.name))
    return found


def test_a_build_dies_with_its_parent(storage: Storage, tmp_path: Path) -> None:
    request = build_request(storage, write_snapshot(storage, graph_data()), "ladybug", tmp_path)
    pid_file = tmp_path / "pid"
    program = (
        "import os, sys, time; from pathlib import Path; from graph_platform.engine import process\n"
        "from graph_platform.engine.build import BuildRequest\n"
        "started = process.subprocess.Popen\n"
        "def note(*a, **k):\n"
        "    child = started(*a, **k); Path(sys.argv[1]).write_text(str(child.pid)); return child\n"
        "process.subprocess.Popen = note\n"
        "def die(step):  # a child that is stopped notices nothing itself: the kernel has to end it\n"
        "    os.kill(int(Path(sys.argv[1]).read_text()), 19); os.kill(os.getpid(), 9)\n"
        "process.build_database(BuildRequest.from_json(sys.stdin.read()), on_progress=die)"
    )
    command = [sys.executable, "-c", program, str(pid_file)]
    done = subprocess.run(command, check=False, input=request.to_json(), text=True)
    assert done.returncode == -signal.SIGKILL
    child = Path(f"/proc/{pid_file.read_text()}")
    try:
        until(lambda: process_identity(int(child.name)) is None, "the build outlives who asked for it", 20)
    finally:
        if process_identity(int(child.name)) is not None:
            os.kill(int(child.name), signal.SIGKILL)


def test_a_column_that_copy_can_cast_is_copied_directly(storage: Storage) -> None:
    table = write_snapshot(storage, graph_data()).tables[2]
    statement = copy_statement(table, Path("/a b/it's"))
    assert statement == "COPY `KNOWS` FROM '/a b/it\\'s/*' (file_format='parquet', from='Person', to='Person')"


def test_a_column_that_copy_cannot_cast_is_converted_on_the_way(engine_name: str, tmp_path: Path) -> None:
    parts = pa.struct([("k", pa.list_(pa.string())), ("v", pa.string())])
    rows = [{"k": ["a", "b"], "v": "[1.50,NULL]"}, None]
    (tmp_path / "files").mkdir()
    pq.write_table(pa.table({"id": [1, 2], "prices": pa.array(rows, parts)}), tmp_path / "files" / "part")
    columns = (
        ManifestColumn("id", "bigint", "bigint", "INT64"),
        ManifestColumn("prices", "", "row(k array(varchar), v varchar)", "MAP(STRING, DECIMAL(9, 2))"),
    )
    table = ManifestTable("node", "Item", "Item", columns, 2, 1, (), primary_key="id")
    statement = copy_statement(table, tmp_path / "files")
    assert statement.startswith("COPY `Item` FROM (LOAD FROM ")
    database = load_engine(engine_name).open(tmp_path / "graph.db", read_only=False, memory_bytes=2**27, threads=1)
    database.execute("CREATE NODE TABLE Item(id INT64, prices MAP(STRING, DECIMAL(9, 2)), PRIMARY KEY(id))")
    database.execute(statement)
    result = database.query("MATCH (i:Item) RETURN i.prices ORDER BY i.id", timeout_seconds=5, row_limit=5)
    assert result.rows == (({"a": "1.50", "b": None},), (None,))
    database.close()
