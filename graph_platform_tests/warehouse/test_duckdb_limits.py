"""Memory and time of a statement on DuckDB, kept by the kernel and a clock whatever the statement is.

Each statement that asks for too much is told as its own definition's problem, and no other one notices.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import duckdb
import pytest

from graph_platform.confined.process import Stopped
from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.mapping.checks.data import DataChecks
from graph_platform.mapping.checks.problems import ProblemCode
from graph_platform.mapping.definition.model import MappingDefinition
from graph_platform.proving.suggestion import suggest_from_query
from graph_platform.proving.validation import validate_on
from graph_platform.relational import Refusal
from graph_platform.settings import Settings
from graph_platform.warehouse.connect import open_warehouse
from graph_platform.warehouse.duckdb.warehouse import DuckDBWarehouse
from graph_platform.warehouse.protocol import ExportProgress, ExportState
from graph_platform_tests.confined.test_process import exists
from graph_platform_tests.waiting import until

MEMORY = 200_000_000
BEFORE = 150_000_000  # more than a process has when it is ready

_HUGE = "UNNEST(sequence(1, 100000)) AS a(x), UNNEST(sequence(1, 100000)) AS b(x)"
HUNGRY = {
    "a list": "SELECT sequence(1, 1000000000) AS v",
    "a list that nobody sees": "SELECT cardinality(sequence(1, 900000000)) AS v",
    "a list of rows": "SELECT x FROM UNNEST(sequence(1, 1000000000)) AS t(x) ORDER BY x DESC",
    "a list of lists": "SELECT flatten(transform(sequence(1, 100000), x -> sequence(1, 100000))) AS v",
    "a sorted list": "SELECT array_sort(sequence(1, 100000000)) AS v",
    "a joined list": "SELECT array_join(sequence(1, 300000000), ',') AS v",
    "a collected list": f"SELECT array_agg(a.x + b.x) AS v FROM {_HUGE}",
    "a collected text": f"SELECT listagg(CAST(a.x AS varchar), ',') WITHIN GROUP (ORDER BY a.x) AS v FROM {_HUGE}",
    "a map": "SELECT map(sequence(1, 20000000), sequence(1, 20000000)) AS v",
    "a histogram": f"SELECT histogram(a.x * 100000 + b.x) AS v FROM {_HUGE}",
    "a text that doubles": "SELECT reduce(sequence(1, 60), 'ab', (s, x) -> s || s, s -> s) AS v",
    "a text that grows": "SELECT replace(rpad('a', 100000, 'a'), 'a', rpad('b', 100000, 'b')) AS v",
    "a recursion that doubles": (
        "WITH RECURSIVE r(n) AS (SELECT rpad('a', 1000, 'a') UNION ALL SELECT n || n FROM r) "
        "SELECT count(n) AS v FROM r"
    ),
    "groups": "SELECT a.name, count(*) AS n FROM t a, t b, t c GROUP BY a.name, b.name, c.name",
    "a window": "SELECT a.id, row_number() OVER (ORDER BY b.name, c.name) AS n FROM t a, t b, t c",
}
ENDLESS = {
    "a text to its left": "SELECT lpad('a', 2000000000, 'b') AS v",
    "a text to its right": "SELECT rpad('a', 2000000000, 'b') AS v",
    "parts of a text": "SELECT split(rpad('a,', 200000000, 'a,'), ',') AS v",
    "a recursion": "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT count(*) AS v FROM r",
    "a cross join": "SELECT count(*) AS v FROM t a, t b, t c, t d WHERE a.id + b.id + c.id < d.id",
    "a pattern": (
        "SELECT count(*) AS v FROM t a, t b, t c, t d "
        "WHERE regexp_like(a.name || b.name || c.name || d.name, '(n+1+)+(2+3+)+x')"
    ),
}
# Of one request only: what reads a table asks for its columns before, and a kill might find that question's process.
ENDLESS_OF_NO_TABLE = (
    "SELECT sum(a.x * b.x + c.x) AS v "
    "FROM UNNEST(sequence(1, 9999)) AS a(x), UNNEST(sequence(1, 9999)) AS b(x), UNNEST(sequence(1, 9999)) AS c(x)"
)
HUNGRY_BY_THE_ROW = (
    "SELECT length(replace(rpad('a', 100000, 'a'), 'a', rpad('b', CAST(id * 100 AS integer), 'b'))) AS v FROM t"
)
DEEP = {
    "parentheses": "SELECT " + "(" * 20000 + "1" + ")" * 20000 + " AS v",
    "calls": "SELECT " + "abs(" * 5000 + "1" + ")" * 5000 + " AS v",
    "cases": "SELECT " + "CASE WHEN true THEN " * 2000 + "1" + " END" * 2000 + " AS v",
    "lists": "SELECT " + "ARRAY[" * 5000 + "1" + "]" * 5000 + " AS v",
    "queries": "SELECT * FROM " + "(SELECT * FROM " * 1000 + "t" + ")" * 1000,
    "negations": "SELECT " + "NOT " * 5000 + "true AS v",
    "types": "SELECT CAST(NULL AS " + "ARRAY(" * 3000 + "bigint" + ")" * 3000 + ") AS v",
    "sums": "SELECT " + "+".join(["1"] * 5000) + " AS v",
    "texts": "SELECT " + "||".join(["'a'"] * 5000) + " AS v",
}
# Found out while the statement is only described: constants are folded then.
HUNGRY_TO_DESCRIBE = HUNGRY["a list of rows"]
_LONG = f"replace(replace('{'a' * 1000}', 'a', '{'b' * 1000}'), 'b', '{'c' * 100}')"  # 100 million letters
ENDLESS_TO_DESCRIBE = f"SELECT {'upper(lower(' * 4}{_LONG}{'))' * 4} AS v"  # over half a minute


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "w.duckdb"
    with duckdb.connect(str(file)) as connection:
        connection.execute("CREATE TABLE t AS SELECT i AS id, 'n' || i AS name FROM range(1000) r(i)")
    return file


@pytest.fixture
def warehouse(path: Path, tmp_path: Path) -> Iterator[DuckDBWarehouse]:
    opened = DuckDBWarehouse(path, storage=tmp_path / "storage", memory_bytes=MEMORY, threads=2)
    yield opened
    opened.close()


def pids(warehouse: DuckDBWarehouse) -> set[int]:
    return {process.pid for process in warehouse._pool.processes}


@pytest.mark.parametrize("what", HUNGRY)
def test_a_statement_that_wants_too_much_memory_is_refused_and_has_not_had_it(
    warehouse: DuckDBWarehouse, what: str
) -> None:
    (before,) = pids(warehouse)
    with pytest.raises(Refusal) as refused:
        warehouse.fetch(HUNGRY[what], 1, 300)
    assert refused.value.kind is ProblemCode.SQL_OUT_OF_MEMORY
    assert "200 MB" in refused.value.message
    assert "GRAPH_PLATFORM_WAREHOUSE_MEMORY_BYTES" in (refused.value.hint or "")
    assert isinstance(refused.value.__cause__, Stopped)
    assert (refused.value.__cause__.ending.peak_bytes or 0) < MEMORY + BEFORE
    assert not exists(before), "a process that came to the end of its memory is used again"
    assert warehouse.fetch("SELECT count(*) AS n FROM t", 1, 60) == ((1000,),)


@pytest.mark.parametrize("what", ENDLESS)
def test_a_statement_that_takes_too_long_is_stopped_or_its_process_is_killed(
    warehouse: DuckDBWarehouse, what: str
) -> None:
    with pytest.raises(PlatformError) as failure:
        warehouse.fetch(ENDLESS[what], 1, 0.3)
    assert failure.value.code is ErrorCode.QUERY_TIMEOUT
    assert "0.3 s" in failure.value.message
    assert warehouse.fetch("SELECT count(*) AS n FROM t", 1, 60) == ((1000,),)


@pytest.mark.parametrize("what", DEEP)
def test_what_is_nested_deeply_is_refused_as_too_complex(warehouse: DuckDBWarehouse, what: str) -> None:
    with pytest.raises(Refusal) as refused:
        warehouse.describe(DEEP[what])
    assert refused.value.kind == ProblemCode.SQL_TOO_COMPLEX
    assert "SET " not in refused.value.message


def test_a_description_has_limits_too(path: Path) -> None:
    with closing(DuckDBWarehouse(path, memory_bytes=MEMORY)) as warehouse, pytest.raises(Refusal) as hungry:
        warehouse.describe(HUNGRY_TO_DESCRIBE)
    with closing(DuckDBWarehouse(path, statement_seconds=0.5)) as warehouse, pytest.raises(Refusal) as endless:
        warehouse.describe(ENDLESS_TO_DESCRIBE)
    assert hungry.value.kind is ProblemCode.SQL_OUT_OF_MEMORY
    assert endless.value.kind is ProblemCode.SQL_TIMEOUT


def test_an_export_has_the_limit_of_memory_and_the_one_beside_it_goes_on(
    warehouse: DuckDBWarehouse, tmp_path: Path
) -> None:
    uri = (tmp_path / "storage").as_uri()
    for number, what in enumerate(("a list", "groups", "a text that doubles")):
        warehouse.submit_export(f"bad {number}", HUNGRY[what], f"{uri}/bad{number}/", lambda _: None)
        warehouse.submit_export(f"good {number}", "SELECT id, name FROM t", f"{uri}/good{number}/", lambda _: None)
    for number in range(3):
        failed = warehouse.poll_export(f"bad {number}", 120)
        assert failed.state is ExportState.FAILED
        assert "needs more memory than the 200 MB" in (failed.error or "")
        assert warehouse.poll_export(f"good {number}", 120) == ExportProgress(ExportState.FINISHED, rows=1000)


def test_an_export_whose_process_is_killed_may_be_begun_again(warehouse: DuckDBWarehouse, tmp_path: Path) -> None:
    warehouse.submit_export("x", ENDLESS_OF_NO_TABLE, (tmp_path / "storage").as_uri() + "/x/", lambda _: None)
    (process,) = until(lambda: warehouse._pool.busy, "the export does not start")
    os.kill(process.pid, signal.SIGKILL)
    progress = warehouse.poll_export("x", 60)
    assert progress.state is ExportState.UNKNOWN
    assert "killed from outside" in (progress.error or "")


def node(label: str, sql: str) -> dict[str, object]:
    return {"label": label, "sql": sql, "primary_key": {"name": "v", "type": "INT64"}}


def mapping(**sqls: str) -> MappingDefinition:
    nodes = [node(label, sql) for label, sql in sqls.items()]
    return MappingDefinition.model_validate({"name": "m", "node_definitions": nodes, "edge_definitions": []})


def test_every_definition_of_a_mapping_has_its_own_outcome(path: Path) -> None:
    definition = mapping(
        First="SELECT id AS v FROM t",
        Hungry=HUNGRY_TO_DESCRIBE,
        Second="SELECT id + 1 AS v FROM t",
        Endless=ENDLESS_TO_DESCRIBE,
        Deep=DEEP["sums"],
        Wrong="SELECT id AS v FROM tt",
        Third="SELECT id + 2 AS v FROM t",
    )
    with closing(DuckDBWarehouse(path, memory_bytes=MEMORY, statement_seconds=4)) as warehouse:
        report = validate_on(warehouse, definition, Settings.load({}), lambda _: None).report
    assert [(found.code, found.entity, found.field) for found in report.errors] == [
        ("SQL_OUT_OF_MEMORY", "Hungry", "sql"),
        ("SQL_TIMEOUT", "Endless", "sql"),
        ("SQL_TOO_COMPLEX", "Deep", "sql"),
        ("TABLE_NOT_FOUND", "Wrong", "sql"),
    ]
    assert all(found.hint for found in report.errors)
    assert [found.name for found in report.node_results if found.valid] == ["First", "Second", "Third"]


def test_data_that_cannot_be_looked_at_is_told_of_its_definition_alone(path: Path) -> None:
    definition = mapping(
        First="SELECT id AS v FROM t",
        Hungry=HUNGRY_BY_THE_ROW,
        Endless="SELECT length(lpad('a', CAST(id * 1000000 AS integer), 'b')) AS v FROM t",
        Second="SELECT id AS v FROM t WHERE id < 7",
    )
    settings = Settings.load({"GRAPH_PLATFORM_DATA_CHECK_SECONDS": "3"})
    with closing(DuckDBWarehouse(path, memory_bytes=MEMORY)) as warehouse:
        told: list[str] = []
        report = validate_on(warehouse, definition, settings, told.append, DataChecks.ENFORCED).report
    assert {(found.code, found.entity) for found in report.errors} == {
        ("DATA_NOT_CHECKED", "Hungry"),
        ("DATA_NOT_CHECKED", "Endless"),
    }
    assert {line.partition(" (")[0] + line.rpartition(":")[2] for line in told if "rows" in line} == {
        "checked the data of First 1,000 rows",
        "checked the data of Second 7 rows",
    }
    assert all(found.hint for found in report.errors)


def test_a_suggestion_from_such_a_query_is_refused(warehouse: DuckDBWarehouse) -> None:
    with pytest.raises(PlatformError) as failure:
        suggest_from_query(warehouse, "X", HUNGRY_BY_THE_ROW, False, Settings.load({}))
    assert failure.value.code is ErrorCode.VALIDATION_FAILED
    assert "memory" in failure.value.message


def test_a_statement_whose_process_is_killed_is_run_once_more(warehouse: DuckDBWarehouse) -> None:
    outcomes: list[PlatformError] = []

    def fetch(limit_seconds: float) -> None:
        try:
            warehouse.fetch(ENDLESS_OF_NO_TABLE, 1, limit_seconds)
        except PlatformError as error:
            outcomes.append(error)

    for kills, limit_seconds in ((1, 2), (2, 600)):
        fetching = threading.Thread(target=fetch, args=(limit_seconds,))
        fetching.start()
        seen: set[int] = set()
        for _ in range(kills):
            (process,) = until(
                lambda seen=seen: [p for p in warehouse._pool.busy if p.pid not in seen],  # type: ignore[misc]
                "the statement does not run",
            )
            seen.add(process.pid)
            os.kill(process.pid, signal.SIGKILL)
        fetching.join(60)
    assert [error.code for error in outcomes] == [ErrorCode.QUERY_TIMEOUT, ErrorCode.STARBURST_ERROR]
    assert "killed from outside" in outcomes[1].message


LARGE = (
    "SELECT to_hex(md5(to_utf8(CAST(a.id * 1000 + b.id AS varchar)))) AS h, a.name || b.name AS n "
    "FROM t a, t b, UNNEST(sequence(1, 3)) AS u(x) ORDER BY h"
)


def test_what_does_not_fit_into_memory_goes_to_the_scratch_folder_and_is_gone_at_the_end(
    path: Path, tmp_path: Path
) -> None:
    scratch, uri = tmp_path / "scratch", (tmp_path / "storage").as_uri()
    with closing(DuckDBWarehouse(path, storage=tmp_path / "storage", memory_bytes=MEMORY, threads=2)) as warehouse:
        warehouse.submit_export("without", LARGE, f"{uri}/without/", lambda _: None)
        assert "memory" in (warehouse.poll_export("without", 120).error or "")
    with closing(
        DuckDBWarehouse(path, storage=tmp_path / "storage", scratch=scratch, memory_bytes=MEMORY, threads=2)
    ) as warehouse:
        for number in range(2):
            warehouse.submit_export(str(number), LARGE, f"{uri}/{number}/", lambda _: None)
        until(lambda: len({file.parent for file in scratch.glob("*/*")}) == 2, "two processes have not a folder each")
        for number in range(2):
            assert warehouse.poll_export(str(number), 120) == ExportProgress(ExportState.FINISHED, rows=3_000_000)
    assert list(scratch.iterdir()) == []


def test_the_settings_say_how_much_it_is_and_the_kernel_knows(path: Path, tmp_path: Path) -> None:
    def limit(**settings: str) -> int:
        named = {"home": str(tmp_path), "warehouse": f"duckdb://{path}", **settings}
        warehouse = open_warehouse(Settings.load({f"GRAPH_PLATFORM_{name.upper()}": v for name, v in named.items()}))
        assert isinstance(warehouse, DuckDBWarehouse)
        with closing(warehouse):
            (pid,) = pids(warehouse)
            return int(re.findall(r"^Max data size\s+(\d+)", Path(f"/proc/{pid}/limits").read_text(), re.MULTILINE)[0])

    assert MEMORY < limit(warehouse_memory_bytes=str(MEMORY)) < MEMORY + BEFORE
    one, four = limit(export_concurrency="1"), limit(export_concurrency="4")
    assert 3 < one / four < 5
    assert one < os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def test_an_export_ends_with_the_process_that_asked_for_it(path: Path, tmp_path: Path) -> None:
    script = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from graph_platform.warehouse.duckdb.warehouse import DuckDBWarehouse\n"
        "warehouse = DuckDBWarehouse(Path(sys.argv[1]), storage=Path(sys.argv[2]))\n"
        f"warehouse.submit_export('x', {ENDLESS['a cross join']!r}, Path(sys.argv[2]).as_uri() + '/x/', print)\n"
        "while not warehouse._pool.busy:\n"
        "    time.sleep(0.01)\n"
        "print(warehouse._pool.busy[0].pid, flush=True)\n"
        "warehouse.poll_export('x', 600)\n"
    )
    command = [sys.executable, "-c", script, str(path), str(tmp_path / "storage")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as asking:
        assert asking.stdout is not None
        pid = int(asking.stdout.readline())
        assert exists(pid)
        asking.kill()
    until(lambda: not exists(pid), "the export goes on for nobody")


def test_whoever_asks_never_has_duckdb_in_its_own_process(path: Path) -> None:
    script = (
        "import sys\n"
        "from pathlib import Path\n"
        "from graph_platform.warehouse.connect import DuckDBWarehouse\n"
        "warehouse = DuckDBWarehouse(Path(sys.argv[1]))\n"
        "print(warehouse.describe('SELECT id FROM t'), warehouse.relations())\n"
        "warehouse.close()\n"
        "assert 'duckdb' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", script, str(path)], check=True)
