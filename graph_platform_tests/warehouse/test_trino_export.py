"""Exports that a real Trino writes: what is in the files, and what is left when a process, a query or a server ends."""

from __future__ import annotations

import io
import json
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

import duckdb
import httpx
import pyarrow.parquet as pq
import pytest

from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.relational import Refusal
from graph_platform.storage.connect import open_storage
from graph_platform.storage.file import FileStorage
from graph_platform.storage.protocol import Storage
from graph_platform.warehouse.protocol import ExportProgress, ExportState
from graph_platform.warehouse.trino.address import TrinoAddress
from graph_platform.warehouse.trino.export import location_of
from graph_platform.warehouse.trino.warehouse import TrinoWarehouse
from graph_platform_tests.services.buckets import unfinished_uploads
from graph_platform_tests.services.proxy import Proxy
from graph_platform_tests.services.trino import TrinoServer
from graph_platform_tests.waiting import until
from graph_platform_tests.warehouse import trino_submitter

# A minute and more on any machine of tests.
LONG = "SELECT orderkey, linenumber, comment FROM tpch.sf10.lineitem"
# Some seconds, and a number of rows that is known.
SHORT = "SELECT orderkey, orderdate, comment FROM tpch.sf1.orders"
SHORT_ROWS = 1_500_000
# Fails on one of its last rows.
FAILING = "SELECT orderkey, comment, 1 / (orderkey - 5900000) AS one FROM tpch.sf1.orders"
# Trino's own default: the rows of many seconds are then in memory, and nothing of them in the bucket.
LARGE_BLOCKS = {"hive_s3.parquet_writer_block_size": "128MB"}
NO_PROPERTIES: Mapping[str, str] = MappingProxyType({})
STREAMED: dict[str, Any] = {"export_schema": ""}


@dataclass
class Exporter:
    """A server, a schema of it, and a storage that both sides name in their own way."""

    server: TrinoServer
    schema: str
    storage: Storage
    location: str
    scratch: Path
    opened: list[TrinoWarehouse] = field(default_factory=list)

    def open(self, port: int = 0, session: Mapping[str, str] = NO_PROPERTIES, **options: Any) -> TrinoWarehouse:
        port = port or self.server.port
        warehouse = TrinoWarehouse(
            TrinoAddress("127.0.0.1", port, "http", "tester", "tpch", "tiny", properties=session),
            **{
                "export_schema": self.schema,
                "storage": self.storage,
                "location_root": self.location,
                "scratch": self.scratch / "streamed",
                **options,
            },
        )
        self.opened.append(warehouse)
        return warehouse

    def uri(self, name: str) -> str:
        return self.storage.uri(name) + "/"

    def files(self, name: str) -> list[str]:
        return [found.key for found in self.storage.list(name)]

    def left(self, name: str) -> list[str]:
        """The files, and what was begun to be one: an object of a bucket has its name only when it is whole."""
        begun = unfinished_uploads(self.storage.uri(name)) if self.storage.url.startswith("s3:") else []
        return [*self.files(name), *begun]

    def values(self, name: str) -> list[tuple[Any, ...]]:
        """The rows as tuples, by their first column from the largest, NULL last; NaN as text, to be equal to itself."""
        paths = []
        for number, key in enumerate(self.files(name)):
            paths.append(str(self.scratch / f"{number}"))
            self.storage.fetch(key, Path(paths[-1]))
        with duckdb.connect() as reader:
            rows = reader.execute("SELECT * FROM read_parquet(?) ORDER BY 1 DESC NULLS LAST", [paths]).fetchall()
        return [tuple("NaN" if str(value) == "nan" else value for value in row) for row in rows]

    def rows(self, name: str) -> int:
        return sum(pq.ParquetFile(io.BytesIO(self.storage.read(key))).metadata.num_rows for key in self.files(name))

    def tables(self) -> list[list[Any]]:
        return self.server.run(f"SHOW TABLES FROM {self.schema}")

    def state(self, trino_query: str) -> list[list[Any]]:
        return self.server.run(f"SELECT state, error_code FROM system.runtime.queries WHERE query_id = '{trino_query}'")


@contextmanager
def _exporter(server: TrinoServer, schema: str, url: str, location: str, scratch: Path) -> Iterator[Exporter]:
    server.run(f"CREATE SCHEMA IF NOT EXISTS {schema}")
    made = Exporter(server, schema, open_storage(url), location, scratch)
    yield made
    for warehouse in made.opened:
        warehouse.close()
    assert made.tables() == []


@pytest.fixture
def files_exporter(trino_server: TrinoServer, tmp_path: Path) -> Iterator[Exporter]:
    """Into a folder of this machine, which the cluster names otherwise."""
    url = (trino_server.data / tmp_path.name / "a storage").as_uri()
    with _exporter(trino_server, "hive.exported", url, f"local:///{tmp_path.name}/a storage", tmp_path) as made:
        yield made


@pytest.fixture
def s3_exporter(trino_server: TrinoServer, s3_url: str, tmp_path: Path) -> Iterator[Exporter]:
    """Into a bucket, which has one name for everybody."""
    with _exporter(trino_server, "hive_s3.exported", s3_url, "", tmp_path) as made:
        yield made


@pytest.fixture(params=["files", "s3"])
def exporter(request: pytest.FixtureRequest) -> Exporter:
    """Each kind of storage that a cluster writes to."""
    made: Exporter = request.getfixturevalue(f"{request.param}_exporter")
    return made


def _ended(warehouse: TrinoWarehouse, query_id: str, seconds: float = 120) -> ExportProgress:
    deadline = time.monotonic() + seconds
    while (progress := warehouse.poll_export(query_id, 1)).state is ExportState.RUNNING:
        assert time.monotonic() < deadline, "the export did not end"
    return progress


def _written(warehouse: TrinoWarehouse, exporter: Exporter, query_id: str) -> None:
    """Wait until the export has begun to write files."""

    def look() -> bool:
        assert warehouse.poll_export(query_id, 0.3).state is ExportState.RUNNING
        return bool(exporter.left(query_id))

    until(look, "nothing is written")


def _at(*numbers: int) -> datetime:
    return datetime(*numbers)  # type: ignore[arg-type]  # noqa: DTZ001 - a timestamp of Trino has no zone


def _nothing(_: str) -> None:
    return


WAYS = pytest.mark.parametrize("streamed", [False, True], ids=["written by the cluster", "streamed"])


@WAYS
def test_values_come_back_as_they_were(exporter: Exporter, streamed: bool) -> None:
    sql = """SELECT * FROM (VALUES
        (BIGINT '9223372036854775807', 'é😀', TIMESTAMP '0001-01-01 00:00:00.000001', DATE '9999-12-31', nan(),
         ARRAY[CAST(ROW(1, 'a') AS row(a integer, b varchar))], MAP(ARRAY['k'], ARRAY[X'00ff'])),
        (BIGINT '-9223372036854775808', '', TIMESTAMP '9999-12-31 23:59:59.999999', DATE '0001-01-01', infinity(),
         ARRAY[], MAP()),
        (NULL, NULL, NULL, NULL, NULL, NULL, NULL)) AS t(id, "Text", at, day, number, nested, m);"""
    warehouse = exporter.open(**(STREAMED if streamed else {}))
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


def test_every_next_uri_is_remembered_before_it_is_asked_for(files_exporter: Exporter) -> None:
    with Proxy(files_exporter.server.port) as proxy:
        warehouse = files_exporter.open(proxy.port)
        remembered: list[tuple[str, int]] = []

        def remember(state: str) -> None:
            remembered.append((json.loads(state)["next"].partition(str(proxy.port))[2], len(proxy.requests)))

        warehouse.submit_export("remembered-1", SHORT, files_exporter.uri("remembered-1"), remember)
        assert _ended(warehouse, "remembered-1").rows == SHORT_ROWS
        asked = [request.split()[1].partition("?maxWait")[0] for request in proxy.requests]
    # What was asked for while the export ran: not the table's drop, which has another query's id.
    query = remembered[0][0].split("/")[4]
    own = [(path, at) for at, path in enumerate(asked) if query in path]
    assert len({path for path, _ in own}) == len(remembered) > 2
    for path, at in own:
        assert any(path == uri and told <= at for uri, told in remembered), path


def _one_that_came_later_is_done(exporter: Exporter) -> None:
    """So that whatever the one before would still have done has been seen."""
    assert exporter.server.run("SELECT count(*) FROM tpch.tiny.lineitem") == [[60_175]]


def test_what_could_not_be_remembered_is_not_begun(files_exporter: Exporter) -> None:
    warehouse = files_exporter.open()
    states = []

    def fail(state: str) -> None:
        states.append(state)
        raise RuntimeError("the catalog is away")

    with pytest.raises(RuntimeError, match="the catalog is away"):
        warehouse.submit_export("unremembered-1", SHORT, files_exporter.uri("unremembered-1"), fail)
    _one_that_came_later_is_done(files_exporter)
    assert files_exporter.state(json.loads(states[0])["query"]) == []
    assert files_exporter.files("unremembered-1") == []


def _submitter(exporter: Exporter, query_id: str, sql: str, what: str = "") -> subprocess.Popen[str]:
    place = (exporter.schema, exporter.storage.url, exporter.location)
    arguments = [str(exporter.server.port), *place, query_id, sql, what]
    return subprocess.Popen(
        [sys.executable, "-m", trino_submitter.__name__, *arguments],
        stdout=subprocess.PIPE,
        stdin=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize(
    ("exporter", "states"), [("files", 1), ("files", 2), ("files", 4), ("s3", 2)], indirect=["exporter"]
)
def test_another_process_goes_on_with_the_query_of_one_that_was_killed(exporter: Exporter, states: int) -> None:
    name = f"adopted-{secrets.token_hex(4)}"
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
        f"SELECT query_id FROM system.runtime.queries WHERE query LIKE 'CREATE TABLE%{name.replace('-', '!_')}%' "
        "ESCAPE '!'"
    )
    assert ctas == [[query]], "the same query, not another one"


def test_a_process_killed_between_submission_and_its_memory_leaves_nothing_that_runs(files_exporter: Exporter) -> None:
    with _submitter(files_exporter, "forgotten-1", SHORT, trino_submitter.DIES_FIRST) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "asked to remember\n"
        process.kill()
    _one_that_came_later_is_done(files_exporter)
    found = files_exporter.server.run(
        "SELECT count(*) FROM system.runtime.queries WHERE query LIKE 'CREATE%forgotten!_1%' ESCAPE '!'"
    )
    assert found == [[0]]
    assert files_exporter.files("forgotten-1") == []


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
def test_a_state_that_cannot_be_read_is_an_unknown_export(files_exporter: Exporter, state: str) -> None:
    warehouse = files_exporter.open()
    warehouse.adopt_export("unreadable-1", state, _nothing)
    assert warehouse.poll_export("unreadable-1", 0).state is ExportState.UNKNOWN


def test_an_export_that_an_operator_killed_is_not_begun_again(files_exporter: Exporter) -> None:
    warehouse = files_exporter.open()
    kept: list[str] = []
    warehouse.submit_export("killed-1", LONG, files_exporter.uri("killed-1"), kept.append)
    _written(warehouse, files_exporter, "killed-1")
    query = json.loads(kept[-1])["query"]
    url = f"http://127.0.0.1:{files_exporter.server.port}/v1/query/{query}/killed"
    httpx.put(url, content="too dear", headers={"X-Trino-User": "tester"}, trust_env=False).raise_for_status()
    ended = _ended(warehouse, "killed-1")
    assert ended.state is ExportState.FAILED
    assert "too dear" in (ended.error or "")


def test_a_cancelled_export_leaves_no_file_and_no_table(files_exporter: Exporter) -> None:
    warehouse = files_exporter.open()
    warehouse.submit_export("cancelled-1", LONG, files_exporter.uri("cancelled-1"), _nothing)
    _written(warehouse, files_exporter, "cancelled-1")
    warehouse.cancel_export("cancelled-1")
    assert files_exporter.left("cancelled-1") == []
    assert files_exporter.tables() == []
    assert warehouse.poll_export("cancelled-1", 0).state is ExportState.FAILED
    _one_that_came_later_is_done(files_exporter)
    assert files_exporter.left("cancelled-1") == []


@contextmanager
def _slow(proxy: Proxy) -> Iterator[None]:
    proxy.delay_seconds = 0.7
    try:
        yield
    finally:
        proxy.delay_seconds = 0


def _stays_empty(exporter: Exporter, name: str) -> None:
    for _ in range(10):
        assert exporter.left(name) == [], "a writer lives, and writes what it held"
        time.sleep(0.3)


def test_a_writer_that_held_much_has_let_go_of_it_when_a_cancellation_returns(s3_exporter: Exporter) -> None:
    warehouse = s3_exporter.open(session=LARGE_BLOCKS)
    warehouse.submit_export("cancelled-2", LONG, s3_exporter.uri("cancelled-2"), _nothing)
    assert warehouse.poll_export("cancelled-2", 5).state is ExportState.RUNNING
    with _slow(s3_exporter.server.s3):
        warehouse.cancel_export("cancelled-2")
        _stays_empty(s3_exporter, "cancelled-2")


def test_a_writer_that_held_much_has_let_go_of_it_when_a_failure_is_told(s3_exporter: Exporter) -> None:
    warehouse = s3_exporter.open(session=LARGE_BLOCKS)
    warehouse.submit_export("failing-1", FAILING, s3_exporter.uri("failing-1"), _nothing)
    with _slow(s3_exporter.server.s3):
        progress = _ended(warehouse, "failing-1")
        assert (progress.state, progress.error) == (ExportState.FAILED, "Division by zero")
        _stays_empty(s3_exporter, "failing-1")


@WAYS
@pytest.mark.parametrize("rows", [0, 25])
def test_a_folder_is_the_same_to_both_sides_whatever_it_is_called(
    exporter: Exporter, streamed: bool, rows: int
) -> None:
    # As the snapshots of somebody who is called by an e-mail address, and some characters more.
    folder = "ada%40example.com/it's 100% \"é+#&=~/1"
    warehouse = exporter.open(**(STREAMED if streamed else {}))
    sql = f"SELECT nationkey, name FROM nation WHERE nationkey < {rows}"
    warehouse.submit_export("odd-1", sql, exporter.uri(folder), _nothing)
    assert _ended(warehouse, "odd-1") == ExportProgress(ExportState.FINISHED, rows=rows)
    assert exporter.rows(folder) == rows
    assert len(exporter.files("")) == len(exporter.files(folder)) > 0


def test_a_catalog_that_does_not_know_buckets_is_told_at_once(s3_exporter: Exporter) -> None:
    warehouse = s3_exporter.open(export_schema="hive.exported")
    warehouse.submit_export("bucketless-1", "SELECT name FROM region", s3_exporter.uri("bucketless-1"), _nothing)
    progress = _ended(warehouse, "bucketless-1", 10)
    assert progress.state is ExportState.FAILED, "another attempt would end alike"
    assert f"the catalog hive cannot write to {s3_exporter.storage.url}" in (progress.error or "")


def test_closing_cancels_the_queries_of_the_cluster(files_exporter: Exporter) -> None:
    warehouse = files_exporter.open()
    kept: list[str] = []
    warehouse.submit_export("closed-1", LONG, files_exporter.uri("closed-1"), kept.append)
    _written(warehouse, files_exporter, "closed-1")
    warehouse.close()
    assert files_exporter.state(json.loads(kept[0])["query"]) == [["FAILED", "USER_CANCELED"]]
    assert files_exporter.left("closed-1") == []


def test_an_export_ends_at_its_time_limit(files_exporter: Exporter) -> None:
    warehouse = files_exporter.open(export_seconds=2)
    warehouse.submit_export("limited-1", LONG, files_exporter.uri("limited-1"), _nothing)
    progress = _ended(warehouse, "limited-1", 30)
    assert progress.state is ExportState.FAILED
    assert "exceeded" in (progress.error or "")


def test_an_outage_is_waited_out_while_the_query_goes_on(files_exporter: Exporter) -> None:
    with Proxy(files_exporter.server.port) as proxy:
        warehouse = files_exporter.open(proxy.port)
        warehouse.submit_export("outage-1", SHORT, files_exporter.uri("outage-1"), _nothing)
        proxy.failures += [503, 0, 502]
        for _ in range(3):
            assert warehouse.poll_export("outage-1", 0).state is ExportState.RUNNING
        assert proxy.failures == []
        assert _ended(warehouse, "outage-1").rows == SHORT_ROWS


def test_streamed_values_of_every_type_are_those_of_the_cluster(files_exporter: Exporter) -> None:
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
    for name, schema in (("both-1", "hive.exported"), ("both-2", "")):
        warehouse = files_exporter.open(export_schema=schema)
        warehouse.submit_export(name, sql, files_exporter.uri(name), _nothing)
        assert _ended(warehouse, name) == ExportProgress(ExportState.FINISHED, rows=3)
    assert files_exporter.values("both-1") == files_exporter.values("both-2")


def test_a_streamed_export_may_not_change_anything(files_exporter: Exporter) -> None:
    files_exporter.server.run("CREATE TABLE hive.exported.kept AS SELECT 1 AS x")
    warehouse = files_exporter.open(export_schema="")
    with pytest.raises(Refusal):
        warehouse.submit_export("drop-1", "DROP TABLE hive.exported.kept", files_exporter.uri("drop-1"), _nothing)
    files_exporter.server.run("DROP TABLE hive.exported.kept")


def test_a_streamed_export_stops_when_it_is_cancelled(files_exporter: Exporter) -> None:
    warehouse = files_exporter.open(export_schema="")
    warehouse.submit_export("stream-1", LONG, files_exporter.uri("stream-1"), _nothing)
    assert warehouse.poll_export("stream-1", 3).state is ExportState.RUNNING
    warehouse.cancel_export("stream-1")
    assert warehouse.poll_export("stream-1", 0).state is ExportState.FAILED
    still = files_exporter.server.run(
        "SELECT count(*) FROM system.runtime.queries "
        "WHERE state IN ('RUNNING', 'QUEUED') AND query LIKE '%sf10.line_tem'"
    )
    assert still == [[0]]


def test_a_schema_that_does_not_exist_says_what_to_do(files_exporter: Exporter) -> None:
    warehouse = files_exporter.open(export_schema="hive.no_such_schema")
    warehouse.submit_export("schemaless-1", "SELECT name FROM region", files_exporter.uri("schemaless-1"), _nothing)
    progress = _ended(warehouse, "schemaless-1")
    assert progress.state is ExportState.FAILED
    assert "CREATE SCHEMA" in (progress.error or "")


@pytest.mark.parametrize("schema", ["hive", "hive.", ".x"])
def test_a_schema_without_its_catalog_is_refused_at_once(files_exporter: Exporter, schema: str) -> None:
    with pytest.raises(PlatformError) as failure:
        files_exporter.open(export_schema=schema)
    assert failure.value.code is ErrorCode.VALIDATION_FAILED


def test_a_location_that_is_not_the_storages_is_told_and_not_taken_for_files_that_changed(
    files_exporter: Exporter,
) -> None:
    warehouse = files_exporter.open(location_root=f"{files_exporter.location}-elsewhere")
    warehouse.submit_export("e-1", "SELECT 1 AS id", files_exporter.uri("e-1"), _nothing)
    ended = _ended(warehouse, "e-1")
    assert ended.state is ExportState.FAILED
    assert "GRAPH_PLATFORM_EXPORT_LOCATION" in (ended.error or "")
    assert "-elsewhere/e-1" in (ended.error or "")
    assert not files_exporter.tables()


def test_locations_are_told_as_the_cluster_names_them() -> None:
    storage = FileStorage("file:///data/a%20b")
    assert location_of(storage, "file:///data/a%20b/x/1/", "local:///s") == "local:///s/x/1"
    assert location_of(storage, "file:///data/a%20b/%C3%A9/", "s3://bucket/p/") == "s3://bucket/p/é"
    assert location_of(storage, "s3://bucket/x/", "") == "s3://bucket/x"
    for uri, root in (("file:///data/a%20b/x/", ""), ("file:///elsewhere/x/", "local:///s")):
        with pytest.raises(PlatformError) as failure:
            location_of(storage, uri, root)
        assert failure.value.code is ErrorCode.VALIDATION_FAILED


def test_a_server_that_was_restarted_no_longer_knows_the_exports_and_another_attempt_is_whole(
    files_exporter: Exporter, s3_exporter: Exporter
) -> None:
    both = [(exporter, exporter.open()) for exporter in (files_exporter, s3_exporter)]
    for exporter, warehouse in both:
        warehouse.submit_export("restarted-1", LONG, exporter.uri("restarted-1"), _nothing)
        _written(warehouse, exporter, "restarted-1")
    files_exporter.server.kill()
    for _, warehouse in both:
        assert warehouse.poll_export("restarted-1", 0.2).state is ExportState.RUNNING
    files_exporter.server.start()
    for exporter, warehouse in both:
        assert _ended(warehouse, "restarted-1").state is ExportState.UNKNOWN
        assert exporter.left("restarted-1"), "nobody is left who would remove it"
        exporter.storage.delete("restarted-1")
        assert exporter.left("restarted-1") == []
        warehouse.submit_export("restarted-2", SHORT, exporter.uri("restarted-2"), _nothing)
    for exporter, warehouse in both:
        assert _ended(warehouse, "restarted-2").rows == SHORT_ROWS == exporter.rows("restarted-2")
