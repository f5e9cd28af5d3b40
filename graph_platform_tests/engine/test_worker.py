"""An engine in its worker: what it may reach, take and cost, on both engines, with the gate's lines out of the way."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from graph_platform.confined.kernel import kept
from graph_platform.confined.process import ConfinedProcess, NotReady, Refused, Stop, Stopped
from graph_platform.confined.program import memory
from graph_platform.engine.worker.requests import OpenedDatabase, Opening, Question, announced_version, schema_request
from graph_platform.errors import PlatformError
from graph_platform.processes.ending import Cause
from graph_platform_tests.engine.conftest import ENGINES
from graph_platform_tests.engine.costly import HUNGRY, SLOW, star

MEGABYTE = 1024**2
ALLOWANCE = 512 * MEGABYTE
SECONDS = 60.0
ROWS = 1000

# Built in a process of its own: an engine is in no process that tests another one.
BUILD = """
import sys
from pathlib import Path
from graph_platform.engine.connect import load_engine
database = load_engine(sys.argv[1]).open(Path(sys.argv[2]), read_only=False, memory_bytes=2**27, threads=1)
database.execute("CREATE NODE TABLE P(id INT64, name STRING, PRIMARY KEY(id))")
database.execute("CREATE REL TABLE K(FROM P TO P)")
for text in (
    "UNWIND range(1, 1000) AS x CREATE (:P {id: x, name: 'n' + CAST(x AS STRING)})",
    "MATCH (a:P), (b:P) WHERE b.id = a.id + 1 CREATE (a)-[:K]->(b)",
):
    database.query(text, timeout_seconds=60, row_limit=1)
database.close()
"""

needs_landlock = pytest.mark.skipif(not kept().landlock, reason="a kernel with Landlock: boot with lsm=landlock,…")


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def databases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    made = {}
    for engine in ENGINES:
        path = tmp_path_factory.mktemp(engine) / "graph.db"
        subprocess.run([sys.executable, "-c", BUILD, engine, str(path)], check=True)
        made[engine] = path.read_bytes()
    return made


class Worker:
    """A worker with databases in a folder of its own, started again when it has ended."""

    def __init__(self, engine: str, opening: Opening, ungated: tuple[str, ...] | None, allowance: int) -> None:
        self._start: Callable[[], ConfinedProcess] = lambda: ConfinedProcess(
            "graph_platform.engine.worker.program" if ungated is None else "graph_platform_tests.engine.ungated",
            opening.to_json(),
            memory_bytes=allowance,
            arguments=(engine, *(ungated or ())),
        )
        self.process = self._start()

    def query(self, text: str, access: str = "read", database: str = "g", seconds: float = SECONDS, **more: Any) -> Any:
        """The answer's rows, or the message of its refusal."""
        if not self.process.alive:
            self.process = self._start()
        question = Question(database, text, text, access, more.pop("parameters", {}), ROWS)  # type: ignore[arg-type]
        try:
            return json.loads(self.process.ask(question.to_json(), seconds, grace_seconds=0.5, **more))["rows"]
        except Refused as refused:
            return PlatformError.from_document(json.loads(refused.content)).message


@pytest.fixture
def worker(engine: str, databases: dict[str, bytes], tmp_path: Path) -> Iterator[Callable[..., Worker]]:
    started: list[Worker] = []

    def one(
        access: str = "read",
        names: tuple[str, ...] = ("g",),
        most: int = 4,
        ungated: tuple[str, ...] | None = None,
        allowance: int = ALLOWANCE,
    ) -> Worker:
        opened = {}
        for name in names:
            path = tmp_path / name / "graph.db"
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(databases[engine])
            opened[name] = OpenedDatabase(str(path), access)  # type: ignore[arg-type]
        started.append(Worker(engine, Opening(opened, most, 128 * MEGABYTE, 1), ungated, allowance))
        return started[-1]

    yield one
    for each in started:
        each.process.end()


def test_it_says_which_engine_it_has_before_it_is_told_what_to_open(engine: str) -> None:
    told: list[str] = []

    def opening(announcement: bytes) -> bytes:
        told.append(announced_version(announcement).name)
        return Opening({"g": OpenedDatabase("/nowhere/graph.db", "read")}, 1, 128 * MEGABYTE, 1).to_json()

    with pytest.raises(NotReady) as refused:
        ConfinedProcess("graph_platform.engine.worker.program", opening, memory_bytes=ALLOWANCE, arguments=(engine,))
    assert told == [engine]
    assert json.loads(refused.value.content)["code"] == "DATABASE_ERROR"


def test_it_has_not_imported_what_makes_its_start_slow(worker: Callable[..., Worker]) -> None:
    one = worker()
    assert one.query("RETURN 1.5, 'a', [1]") == [[1.5, "a", [1]]]
    mapped = Path(f"/proc/{one.process.pid}/maps").read_text(encoding="utf-8")
    assert "pyarrow" in mapped
    assert "pandas" not in mapped


def test_it_answers_queries_and_the_schema(worker: Callable[..., Worker]) -> None:
    one = worker()
    assert one.query("MATCH (p:P {id: $id}) RETURN p.name", parameters={"id": 7}) == [["n7"]]
    assert {table["name"]: table["rows"] for table in json.loads(one.process.ask(schema_request("g")))} == {
        "P": 1000,
        "K": 999,
    }
    assert "no database" in one.query("RETURN 1", database="other")
    assert one.process.alive


def test_a_plan_that_is_not_allowed_is_refused_before_it_runs(worker: Callable[..., Worker]) -> None:
    one = worker("write")
    assert "not allowed here: DELETE" in one.query("MATCH (p:P {id: 1}) DETACH DELETE p")
    assert one.query("MATCH (p:P) RETURN count(*)") == [[1000]]


FILES = (
    "LOAD FROM '{outside}/secret.csv' RETURN *",
    "LOAD FROM '/etc/passwd' (file_format='csv') RETURN *",
    "COPY (RETURN 1) TO '{outside}/out.csv'",
    "EXPORT DATABASE '{outside}/exported'",
)


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    made = tmp_path / "outside"
    made.mkdir()
    (made / "secret.csv").write_text("a,b\n1,2\n")
    (made / "nodes_t.parquet").write_text("not Parquet, and not to be known")
    return made


@needs_landlock
@pytest.mark.parametrize("access", ["read", "write"])
def test_a_statement_that_got_past_the_gate_reaches_no_file(
    worker: Callable[..., Worker], outside: Path, access: str
) -> None:
    one = worker(access, ungated=())
    for text in FILES:
        told = one.query(text.format(outside=outside), access)
        assert "ermission denied" in told or "cannot be created" in told, (text, told)
    assert sorted(path.name for path in outside.iterdir()) == ["nodes_t.parquet", "secret.csv"]
    assert one.query("MATCH (p:P) RETURN count(*)", access) == [[1000]]


def test_the_same_statements_do_reach_files_where_the_kernel_is_left_out(
    worker: Callable[..., Worker], outside: Path
) -> None:
    one = worker(ungated=("unconfined",))
    assert one.query(FILES[0].format(outside=outside)) == [[1, 2]]
    one.query(FILES[2].format(outside=outside))
    assert (outside / "out.csv").exists()


@needs_landlock
def test_no_database_and_no_storage_is_attached_and_no_extension_comes_in(
    engine: str, worker: Callable[..., Worker], databases: dict[str, bytes], outside: Path
) -> None:
    (outside / "other.db").write_bytes(databases[engine])
    one = worker("write", ungated=())
    kinds = {"ladybug": "lbug", "ryugraph": "ryu"}
    for text in (
        "INSTALL httpfs",
        f"ATTACH '{outside}/other.db' AS other (dbtype {kinds[engine]})",
        f"CREATE NODE TABLE t(id INT64 PRIMARY KEY) WITH (storage='{outside}', format='icebug-disk')",
    ):
        told = one.query(text, "write")
        refusals = ("ermission denied", "Failed to download", "Failed to create directory")
        not_there = "Parser exception"  # Ryugraph has no storage of others
        assert any(word in told for word in (*refusals, not_there)), (text, told)


@needs_landlock
def test_a_reader_s_own_file_cannot_be_written_and_a_writer_s_can(worker: Callable[..., Worker]) -> None:
    reader = worker(ungated=())
    assert "read-only" in reader.query("CREATE (:P {id: 5000})")
    reader.process.end()
    one = worker("write")
    assert one.query("CREATE (p:P {id: 5000}) RETURN p.id", "write") == [[5000]]
    one.process.end()
    assert one.query("MATCH (p:P) RETURN count(*)", "write") == [[1001]]


def test_databases_are_opened_when_asked_for_and_the_longest_unused_is_closed(worker: Callable[..., Worker]) -> None:
    names = ("a", "b", "c")
    one = worker(names=names, most=2)

    def opened() -> set[str]:
        links = (link for link in Path(f"/proc/{one.process.pid}/fd").iterdir())
        return {path.parent.name for link in links if (path := link.readlink()).name == "graph.db"}

    assert opened() == {"a"}
    for asked, then in (("b", {"a", "b"}), ("a", {"a", "b"}), ("c", {"a", "c"}), ("b", {"b", "c"})):
        assert one.query("MATCH (p:P) RETURN count(*)", database=asked) == [[1000]]
        assert opened() == then, asked


def test_however_many_databases_were_opened_a_query_may_take_as_much(worker: Callable[..., Worker]) -> None:
    """The address space that each of them reserves is not counted, and not left over when it is closed."""
    names = tuple(f"d{number}" for number in range(6))
    one = worker(names=names, most=3)
    for name in names * 2:
        one.query("RETURN 1", database=name)
    enough = "RETURN size(range(1, CAST('1000000' AS INT64)))"
    assert one.query(enough, database=name) == [[1_000_000]]
    with pytest.raises(Stopped) as stopped:
        one.query(enough.replace("1000000", "400000000"), database=name)
    assert stopped.value.ending.cause is Cause.MEMORY


@pytest.mark.parametrize("what", HUNGRY)
def test_what_takes_too_much_memory_ends_its_worker_at_the_limit(worker: Callable[..., Worker], what: str) -> None:
    one = worker()
    text, parameters = HUNGRY[what]
    first = one.process
    peaks: list[int] = []
    with pytest.raises(Stopped) as stopped:
        peaks.append(len(one.query(text, parameters=parameters)))
    assert peaks == []
    ending = stopped.value.ending
    assert ending.cause in (Cause.MEMORY, Cause.CRASHED)
    assert ending.peak_bytes is None or ending.peak_bytes < ALLOWANCE + 300 * MEGABYTE
    assert not first.alive
    assert one.query("RETURN 1") == [[1]]
    assert memory(one.process.pid)["VmHWM"] < 300 * MEGABYTE


def test_what_cannot_be_interrupted_is_ended_within_a_second(worker: Callable[..., Worker]) -> None:
    one = worker()
    with pytest.raises(Stopped) as stopped:
        one.query(star("K"), seconds=1)
    assert stopped.value.ending.cause is Cause.TIME
    assert stopped.value.ending.status is not None
    assert one.query("RETURN 1") == [[1]]


def test_what_can_be_interrupted_leaves_its_worker_as_it_was(worker: Callable[..., Worker]) -> None:
    one = worker()
    pid = one.process.pid
    stop = Stop()
    stop.wish()  # before it began, and heard all the same
    with pytest.raises(Stopped) as stopped:
        one.query(SLOW, stop=stop)
    assert stopped.value.ending.cause is Cause.STOPPED
    assert one.query("RETURN 1") == [[1]]
    assert one.process.pid == pid
