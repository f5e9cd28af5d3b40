"""Exports that a real Trino writes: what is in the files, and what is left when a process, a query or a server ends."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest

from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.storage.file import FileStorage
from graph_platform.warehouse.protocol import ExportProgress, ExportState, Refusal
from graph_platform.warehouse.trino.address import TrinoAddress
from graph_platform.warehouse.trino.export import location_of
from graph_platform.warehouse.trino.warehouse import TrinoWarehouse
from graph_platform_tests.services.proxy import Proxy
from graph_platform_tests.services.trino import TrinoServer
from graph_platform_tests.warehouse import trino_submitter

# A minute and more on any machine of tests.
LONG = "SELECT orderkey, linenumber, comment FROM tpch.sf10.lineitem"
# Some seconds, and a number of rows that is known.
SHORT = "SELECT orderkey, orderdate, comment FROM tpch.sf1.orders"
SHORT_ROWS = 1_500_000


@dataclass
class Exporter:
    """A server, and a folder that both sides name in their own way."""

    server: TrinoServer
    root: Path
    location: str
    opened: list[TrinoWarehouse] = field(default_factory=list)

    def open(self, port: int = 0, **options: Any) -> TrinoWarehouse:
        warehouse = TrinoWarehouse(
            TrinoAddress("127.0.0.1", port or self.server.port, "http", "tester", "tpch", "tiny"),
            **{
                "export_schema": "hive.exports",
                "storage": FileStorage(self.root.as_uri()),
                "location_root": self.location,
                **options,
            },
        )
        self.opened.append(warehouse)
        return warehouse

    def uri(self, name: str) -> str:
        return (self.root / name).as_uri() + "/"

    def files(self, name: str) -> list[Path]:
        return sorted((self.root / name).iterdir()) if (self.root / name).is_dir() else []

    def values(self, name: str) -> list[tuple[Any, ...]]:
        """The rows as tuples, by their first column from the largest, NULL last; NaN as text, to be equal to itself."""
        with duckdb.connect() as reader:
            rows = reader.execute(
                "SELECT * FROM read_parquet(?) ORDER BY 1 DESC NULLS LAST", [[str(path) for path in self.files(name)]]
            ).fetchall()
        return [tuple("NaN" if str(value) == "nan" else value for value in row) for row in rows]

    def rows(self, name: str) -> int:
        return sum(pq.ParquetFile(path).metadata.num_rows for path in self.files(name))

    def tables(self) -> list[list[Any]]:
        return self.server.run("SHOW TABLES FROM hive.exports")

    def state(self, trino_query: str) -> list[list[Any]]:
        return self.server.run(f"SELECT state, error_code FROM system.runtime.queries WHERE query_id = '{trino_query}'")


@pytest.fixture
def exporter(trino_server: TrinoServer, tmp_path: Path) -> Iterator[Exporter]:
    trino_server.run("CREATE SCHEMA IF NOT EXISTS hive.exports")
    root = trino_server.data / tmp_path.name / "a storage"
    made = Exporter(trino_server, root, f"local:///{tmp_path.name}/a storage")
    yield made
    for warehouse in made.opened:
        warehouse.close()
    assert made.tables() == []


def _ended(warehouse: TrinoWarehouse, query_id: str, seconds: float = 120) -> ExportProgress:
    deadline = time.monotonic() + seconds
    while (progress := warehouse.poll_export(query_id, 1)).state is ExportState.RUNNING:
        assert time.monotonic() < deadline, "the export did not end"
    return progress


def _written(warehouse: TrinoWarehouse, exporter: Exporter, query_id: str) -> None:
    """Wait until the export has begun to write files."""
    deadline = time.monotonic() + 60
    while not exporter.files(query_id):
        assert warehouse.poll_export(query_id, 0.3).state is ExportState.RUNNING
        assert time.monotonic() < deadline, "nothing is written"


def _at(*numbers: int) -> datetime:
    return datetime(*numbers)  # type: ignore[arg-type]  # noqa: DTZ001 - a timestamp of Trino has no zone


def _nothing(_: str) -> None:
    return


@pytest.mark.parametrize("schema", ["hive.exports", ""], ids=["written by the cluster", "streamed"])
def test_values_come_back_as_they_were(exporter: Exporter, schema: str) -> None:
    sql = """SELECT * FROM (VALUES
        (BIGINT '9223372036854775807', 'é😀', TIMESTAMP '0001-01-01 00:00:00.000001', DATE '9999-12-31', nan(),
         ARRAY[CAST(ROW(1, 'a') AS row(a integer, b varchar))], MAP(ARRAY['k'], ARRAY[X'00ff'])),
        (BIGINT '-9223372036854775808', '', TIMESTAMP '9999-12-31 23:59:59.999999', DATE '0001-01-01', infinity(),
         ARRAY[], MAP()),
        (NULL, NULL, NULL, NULL, NULL, NULL, NULL)) AS t(id, "Text", at, day, number, nested, m);"""
    warehouse = exporter.open(export_schema=schema)
    warehouse.submit_export("values-1", sql, exporter.uri("values-1"), _nothing)
    assert _ended(warehouse, "values-1") == ExportProgress(ExportState.FINISHED, rows=3)
    rows = exporter.values("values-1")
    assert rows[0][:4] == (2**63 - 1, "é😀", _at(1, 1, 1, 0, 0, 0, 1), date(9999, 12, 31))
    assert rows[0][4] == "NaN"
    assert list(rows[0][5][0].values()) == [1, "a"]
    assert rows[0][6] == {"k": b"\x00\xff"}
    assert rows[1] == (-(2**63), "", _at(9999, 12, 31, 23, 59, 59, 999999), date(1, 1, 1),
                       float("inf"), [], {})  # fmt: skip
    assert rows[2] == (None,) * 7


def test_every_next_uri_is_remembered_before_it_is_asked_for(exporter: Exporter) -> None:
    with Proxy(exporter.server.port) as proxy:
        warehouse = exporter.open(proxy.port)
        remembered: list[tuple[str, int]] = []

        def remember(state: str) -> None:
            remembered.append((json.loads(state)["next"].partition(str(proxy.port))[2], len(proxy.requests)))

        warehouse.submit_export("remembered-1", SHORT, exporter.uri("remembered-1"), remember)
        assert _ended(warehouse, "remembered-1").rows == SHORT_ROWS
        asked = [request.split()[1].partition("?maxWait")[0] for request in proxy.requests]
    # What was asked for while the export ran: not the table's drop, which has another query's id.
    query = remembered[0][0].split("/")[4]
    own = [(path, at) for at, path in enumerate(asked) if query in path]
    assert len({path for path, _ in own}) == len(remembered) > 2
    for path, at in own:
        assert any(path == uri and told <= at for uri, told in remembered), path


def test_what_could_not_be_remembered_is_not_begun(exporter: Exporter) -> None:
    warehouse = exporter.open()
    states = []

    def fail(state: str) -> None:
        states.append(state)
        raise RuntimeError("the catalog is away")

    with pytest.raises(RuntimeError, match="the catalog is away"):
        warehouse.submit_export("unremembered-1", SHORT, exporter.uri("unremembered-1"), fail)
    time.sleep(1)
    assert exporter.state(json.loads(states[0])["query"]) == []
    assert exporter.files("unremembered-1") == []


def _submitter(exporter: Exporter, query_id: str, sql: str, what: str = "") -> subprocess.Popen[str]:
    arguments = [str(exporter.server.port), str(exporter.root), exporter.location, query_id, sql, what]
    return subprocess.Popen(
        [sys.executable, "-m", trino_submitter.__name__, *arguments],
        stdout=subprocess.PIPE,
        stdin=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("states", [1, 2, 4])
def test_another_process_goes_on_with_the_query_of_one_that_was_killed(exporter: Exporter, states: int) -> None:
    name = f"adopted-{states}"
    with _submitter(exporter, name, SHORT) as process:
        assert process.stdout is not None
        kept = [process.stdout.readline() for _ in range(states)][-1]
        process.kill()
        # More may have been remembered before the kill came; the last is what a catalog would have.
        kept = (process.stdout.read().splitlines() or [kept])[-1]
    warehouse = exporter.open()
    warehouse.adopt_export(name, kept, _nothing)
    assert _ended(warehouse, name) == ExportProgress(ExportState.FINISHED, rows=SHORT_ROWS)
    assert exporter.rows(name) == SHORT_ROWS
    query = json.loads(kept)["query"]
    ctas = exporter.server.run(
        f"SELECT query_id FROM system.runtime.queries WHERE query LIKE 'CREATE TABLE%adopted!_{states}%' ESCAPE '!'"
    )
    assert ctas == [[query]], "the same query, not another one"


def test_a_process_killed_between_submission_and_its_memory_leaves_nothing_that_runs(exporter: Exporter) -> None:
    with _submitter(exporter, "forgotten-1", SHORT, trino_submitter.DIES_FIRST) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "asked to remember\n"
        process.kill()
    time.sleep(1)
    found = exporter.server.run(
        "SELECT count(*) FROM system.runtime.queries WHERE query LIKE 'CREATE%forgotten!_1%' ESCAPE '!'"
    )
    assert found == [[0]]
    assert exporter.files("forgotten-1") == []


def test_a_finished_export_is_told_again_to_who_adopts_it_late(exporter: Exporter) -> None:
    first = exporter.open()
    kept: list[str] = []
    first.submit_export("late-1", "SELECT name FROM region", exporter.uri("late-1"), kept.append)
    assert _ended(first, "late-1").rows == 5
    second = exporter.open()
    second.adopt_export("late-1", kept[-1], _nothing)
    assert second.poll_export("late-1", 5) == ExportProgress(ExportState.FINISHED, rows=5)
    assert exporter.rows("late-1") == 5


@pytest.mark.parametrize("state", ["", "{}", "not json", '{"sql": "", "uri": "", "table": "x", "query": "y"}', "[]"])
def test_a_state_that_cannot_be_read_is_an_unknown_export(exporter: Exporter, state: str) -> None:
    warehouse = exporter.open()
    warehouse.adopt_export("unreadable-1", state, _nothing)
    assert warehouse.poll_export("unreadable-1", 0).state is ExportState.UNKNOWN


def test_a_cancelled_export_leaves_no_file_and_no_table(exporter: Exporter) -> None:
    warehouse = exporter.open()
    warehouse.submit_export("cancelled-1", LONG, exporter.uri("cancelled-1"), _nothing)
    _written(warehouse, exporter, "cancelled-1")
    warehouse.cancel_export("cancelled-1")
    assert exporter.files("cancelled-1") == []
    assert exporter.tables() == []
    assert warehouse.poll_export("cancelled-1", 0).state is ExportState.FAILED
    time.sleep(1)
    assert exporter.files("cancelled-1") == []


def test_closing_cancels_the_queries_of_the_cluster(exporter: Exporter) -> None:
    warehouse = exporter.open()
    kept: list[str] = []
    warehouse.submit_export("closed-1", LONG, exporter.uri("closed-1"), kept.append)
    _written(warehouse, exporter, "closed-1")
    warehouse.close()
    assert exporter.state(json.loads(kept[0])["query"]) == [["FAILED", "USER_CANCELED"]]
    assert exporter.files("closed-1") == []


def test_an_export_ends_at_its_time_limit(exporter: Exporter) -> None:
    warehouse = exporter.open(export_seconds=2)
    warehouse.submit_export("limited-1", LONG, exporter.uri("limited-1"), _nothing)
    progress = _ended(warehouse, "limited-1", 30)
    assert progress.state is ExportState.FAILED
    assert "exceeded" in (progress.error or "")


def test_an_outage_is_waited_out_while_the_query_goes_on(exporter: Exporter) -> None:
    with Proxy(exporter.server.port) as proxy:
        warehouse = exporter.open(proxy.port)
        warehouse.submit_export("outage-1", SHORT, exporter.uri("outage-1"), _nothing)
        proxy.failures += [503, 0, 502]
        for _ in range(3):
            assert warehouse.poll_export("outage-1", 0).state is ExportState.RUNNING
        assert proxy.failures == []
        assert _ended(warehouse, "outage-1").rows == SHORT_ROWS


def test_streamed_values_of_every_type_are_those_of_the_cluster(exporter: Exporter) -> None:
    sql = """SELECT * FROM (VALUES
        (TINYINT '-128', SMALLINT '32767', INTEGER '-1', REAL '1.5', DECIMAL '99999999999999999999999999999999999999',
         CAST('ab' AS char(4)), true, nan(), X'', MAP(ARRAY[BIGINT '1', 2], ARRAY[ARRAY[1.50], NULL]),
         CAST(ROW(NULL, ARRAY[DATE '2020-02-29', NULL]) AS row(a double, b array(date))),
         MAP(ARRAY[true], ARRAY[TIMESTAMP '1969-12-31 23:59:59.999999'])),
        (TINYINT '127', SMALLINT '-32768', INTEGER '7', REAL '-Infinity', DECIMAL '-5', '', false, -infinity(),
         X'00', MAP(), CAST(ROW(2e0, ARRAY[]) AS row(a double, b array(date))),
         MAP(ARRAY[false], ARRAY[NULL])),
        (NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL))
        AS t(t, s, i, r, d, c, b, f, x, m, n, k)"""
    for name, schema in (("both-1", "hive.exports"), ("both-2", "")):
        warehouse = exporter.open(export_schema=schema)
        warehouse.submit_export(name, sql, exporter.uri(name), _nothing)
        assert _ended(warehouse, name) == ExportProgress(ExportState.FINISHED, rows=3)
    assert exporter.values("both-1") == exporter.values("both-2")


def test_a_streamed_export_may_not_change_anything(exporter: Exporter) -> None:
    exporter.server.run("CREATE TABLE hive.exports.kept AS SELECT 1 AS x")
    warehouse = exporter.open(export_schema="")
    with pytest.raises(Refusal):
        warehouse.submit_export("drop-1", "DROP TABLE hive.exports.kept", exporter.uri("drop-1"), _nothing)
    exporter.server.run("DROP TABLE hive.exports.kept")


def test_a_streamed_export_stops_when_it_is_cancelled(exporter: Exporter) -> None:
    warehouse = exporter.open(export_schema="")
    warehouse.submit_export("stream-1", LONG, exporter.uri("stream-1"), _nothing)
    assert warehouse.poll_export("stream-1", 3).state is ExportState.RUNNING
    started = time.monotonic()
    warehouse.cancel_export("stream-1")
    assert time.monotonic() - started < 10
    assert warehouse.poll_export("stream-1", 0).state is ExportState.FAILED
    still = exporter.server.run(
        "SELECT count(*) FROM system.runtime.queries "
        "WHERE state IN ('RUNNING', 'QUEUED') AND query LIKE '%sf10.line_tem'"
    )
    assert still == [[0]]


def test_a_schema_that_does_not_exist_says_what_to_do(exporter: Exporter) -> None:
    warehouse = exporter.open(export_schema="hive.no_such_schema")
    warehouse.submit_export("schemaless-1", "SELECT name FROM region", exporter.uri("schemaless-1"), _nothing)
    progress = _ended(warehouse, "schemaless-1")
    assert progress.state is ExportState.FAILED
    assert "CREATE SCHEMA" in (progress.error or "")


@pytest.mark.parametrize("schema", ["hive", "hive.", ".x"])
def test_a_schema_without_its_catalog_is_refused_at_once(exporter: Exporter, schema: str) -> None:
    with pytest.raises(PlatformError) as failure:
        exporter.open(export_schema=schema)
    assert failure.value.code is ErrorCode.VALIDATION_FAILED


def test_locations_are_told_as_the_cluster_names_them() -> None:
    storage = FileStorage("file:///data/a%20b")
    assert location_of(storage, "file:///data/a%20b/x/1/", "local:///s") == "local:///s/x/1"
    assert location_of(storage, "file:///data/a%20b/%C3%A9/", "s3://bucket/p/") == "s3://bucket/p/é"
    assert location_of(storage, "s3://bucket/x/", "") == "s3://bucket/x"
    for uri, root in (("file:///data/a%20b/x/", ""), ("file:///elsewhere/x/", "local:///s")):
        with pytest.raises(PlatformError) as failure:
            location_of(storage, uri, root)
        assert failure.value.code is ErrorCode.VALIDATION_FAILED


def test_a_server_that_was_restarted_no_longer_knows_the_export_and_another_attempt_is_whole(
    exporter: Exporter,
) -> None:
    warehouse = exporter.open()
    warehouse.submit_export("restarted-1", LONG, exporter.uri("restarted-1"), _nothing)
    _written(warehouse, exporter, "restarted-1")
    exporter.server.kill()
    assert warehouse.poll_export("restarted-1", 0.2).state is ExportState.RUNNING
    exporter.server.start()
    assert _ended(warehouse, "restarted-1").state is ExportState.UNKNOWN
    warehouse.submit_export("restarted-2", SHORT, exporter.uri("restarted-2"), _nothing)
    assert _ended(warehouse, "restarted-2").rows == SHORT_ROWS == exporter.rows("restarted-2")
