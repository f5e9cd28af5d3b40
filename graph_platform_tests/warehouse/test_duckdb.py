"""What is DuckDB's own: the lock-down, its types in Trino's notation, files that cannot be opened, the URL."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest

from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.relational import Refusal
from graph_platform.settings import Settings
from graph_platform.storage.file import FileStorage
from graph_platform.warehouse.connect import open_warehouse
from graph_platform.warehouse.duckdb.export import local_folder
from graph_platform.warehouse.duckdb.warehouse import DuckDBWarehouse
from graph_platform.warehouse.protocol import ExportProgress, ExportState
from graph_platform_tests.waiting import until

TYPES = [
    ("true", "boolean"),
    ("1::TINYINT", "tinyint"),
    ("1::SMALLINT", "smallint"),
    ("1::INTEGER", "integer"),
    ("1::BIGINT", "bigint"),
    ("1::HUGEINT", "bigint"),
    ("1::UTINYINT", "smallint"),
    ("1::USMALLINT", "integer"),
    ("1::UINTEGER", "bigint"),
    ("1::UBIGINT", "decimal(20,0)"),
    ("1::FLOAT", "real"),
    ("1::DOUBLE", "double"),
    ("1::DECIMAL(38,5)", "decimal(38,5)"),
    ("'a'", "varchar"),
    ("'a'::ENUM('a', 'b')", "varchar"),
    ("'\\x01'::BLOB", "varbinary"),
    ("uuid()", "uuid"),
    ("'{}'::JSON", "json"),
    ("DATE '2020-01-01'", "date"),
    ("TIME '10:00:00'", "time(6)"),
    ("INTERVAL 1 DAY", "interval day to second"),
    ("TIMESTAMP '2020-01-01'", "timestamp(6)"),
    ("'2020-01-01'::TIMESTAMP_S", "timestamp(0)"),
    ("'2020-01-01'::TIMESTAMP_MS", "timestamp(3)"),
    ("'2020-01-01'::TIMESTAMP_NS", "timestamp(9)"),
    ("TIMESTAMPTZ '2020-01-01'", "timestamp(6) with time zone"),
    ("[1::HUGEINT]", "array(bigint)"),
    ("[1, 2]::INTEGER[2]", "array(integer)"),
    ("MAP {'a': [1.5::DECIMAL(4,1)]}", "map(varchar, array(decimal(4,1)))"),
    ("{'a b': 1::INTEGER, 'C': {'d': 'x'}}", 'row("a b" integer, "C" row(d varchar))'),
    ("row(1::INTEGER, 'x')", "row(integer, varchar)"),
    ("'101'::BIT", "bit"),
    ("union_value(n := 1)", "union"),
]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "types.duckdb"
    with duckdb.connect(str(file)) as connection:
        for number, (value, _) in enumerate(TYPES):
            connection.execute(f"CREATE TABLE t{number} AS SELECT {value} AS v")
        connection.execute("CREATE SCHEMA other; CREATE TABLE other.thing (a INTEGER)")
    return file


@pytest.fixture
def warehouse(path: Path, tmp_path: Path) -> Iterator[DuckDBWarehouse]:
    opened = DuckDBWarehouse(path, storage=tmp_path / "storage")
    yield opened
    opened.close()


def test_every_type_is_told_in_trinos_notation(warehouse: DuckDBWarehouse) -> None:
    told = [warehouse.describe(f"SELECT v FROM t{number}")[0].type for number in range(len(TYPES))]
    assert told == [expected for _, expected in TYPES]


def test_a_type_that_parquet_would_change_is_cast_on_export(warehouse: DuckDBWarehouse, tmp_path: Path) -> None:
    for value in ("1::HUGEINT", "1::UINTEGER", "[1::HUGEINT]", "'2020-01-01'::TIMESTAMP_NS", "'a'::ENUM('a', 'b')"):
        number = [v for v, _ in TYPES].index(value)
        folder = tmp_path / "storage" / str(number)
        warehouse.submit_export(str(number), f"SELECT v FROM t{number}", folder.as_uri() + "/", lambda _: None)
        assert warehouse.poll_export(str(number), 30).state is ExportState.FINISHED
        kind = str(pq.ParquetFile(folder / "part-0.parquet").schema_arrow.field("v").type)
        assert kind in ("int64", "timestamp[us]", "string", "list<element: int64>"), (value, kind)


def test_tables_of_other_schemas_have_their_schema(warehouse: DuckDBWarehouse) -> None:
    assert "other.thing" in warehouse.tables()
    assert [c.name for c in warehouse.describe("SELECT a FROM other.thing")] == ["a"]


def test_the_database_is_locked_down_under_the_gate_too(warehouse: DuckDBWarehouse, tmp_path: Path) -> None:
    (tmp_path / "secret.csv").write_text("a\n1\n")
    for statement in (
        f"SELECT * FROM read_csv('{tmp_path}/secret.csv')",
        f"COPY (SELECT 1) TO '{tmp_path}/out.csv'",
        f"ATTACH '{tmp_path}/new.duckdb'",
        "SET enable_external_access = true",
        "SET allowed_directories = ['/']",
        "INSTALL httpfs",
        "CREATE TABLE x AS SELECT 1",
    ):
        assert "refused" in warehouse._asked({"do": "fetch", "sql": statement, "rows": 1}, 60), statement


def test_a_variable_of_the_program_is_not_a_table(warehouse: DuckDBWarehouse) -> None:
    secret = duckdb.sql("SELECT 1 AS a")
    with pytest.raises(Refusal):
        warehouse.describe("SELECT * FROM secret")
    assert secret is not None


def test_an_export_outside_the_storage_folder_fails(warehouse: DuckDBWarehouse, tmp_path: Path) -> None:
    warehouse.submit_export("x", "SELECT v FROM t0", (tmp_path / "elsewhere").as_uri() + "/", lambda _: None)
    progress = warehouse.poll_export("x", 30)
    assert progress.state is ExportState.FAILED
    assert "elsewhere" in (progress.error or "")


def test_an_export_goes_through_a_link_to_the_storage_folder(path: Path, tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    warehouse = DuckDBWarehouse(path, storage=tmp_path / "link")
    warehouse.submit_export("x", "SELECT v FROM t0", (tmp_path / "link" / "out").as_uri() + "/", lambda _: None)
    assert warehouse.poll_export("x", 30).error is None
    warehouse.close()


def test_a_folder_that_cannot_be_made_is_a_storage_error(warehouse: DuckDBWarehouse, tmp_path: Path) -> None:
    (tmp_path / "storage").write_text("a file")
    with pytest.raises(PlatformError) as failure:
        warehouse.submit_export("x", "SELECT v FROM t0", (tmp_path / "storage" / "out").as_uri() + "/", lambda _: None)
    assert failure.value.code is ErrorCode.STORAGE_ERROR


def test_a_second_one_of_the_same_process_shares_the_file(
    warehouse: DuckDBWarehouse, path: Path, tmp_path: Path
) -> None:
    with (
        closing(DuckDBWarehouse(path, storage=tmp_path / "another")) as second,
        closing(DuckDBWarehouse(path)) as third,
    ):
        assert second.describe("SELECT v FROM t0") == third.describe("SELECT v FROM t0")
    assert warehouse.describe("SELECT v FROM t0")


def test_a_missing_file_is_unreachable_and_says_what_to_set(tmp_path: Path) -> None:
    with pytest.raises(PlatformError) as failure:
        DuckDBWarehouse(tmp_path / "none.duckdb")
    assert failure.value.code is ErrorCode.BACKEND_UNREACHABLE
    assert "none.duckdb" in failure.value.message
    assert "GRAPH_PLATFORM_WAREHOUSE" in (failure.value.hint or "")


@pytest.mark.parametrize("place", ["/", "/dev/null"])
def test_a_folder_or_a_device_is_no_file(place: str) -> None:
    with pytest.raises(PlatformError, match=f"the warehouse {place} is no file") as refused:
        DuckDBWarehouse(Path(place))
    assert refused.value.code == ErrorCode.BACKEND_UNREACHABLE


def test_a_file_that_is_no_database_is_unreachable(tmp_path: Path) -> None:
    (tmp_path / "text.duckdb").write_text("hello " * 1000)
    with pytest.raises(PlatformError) as failure:
        DuckDBWarehouse(tmp_path / "text.duckdb")
    assert failure.value.code is ErrorCode.BACKEND_UNREACHABLE


def test_a_file_that_another_process_writes_is_unreachable_and_says_who(path: Path) -> None:
    script = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print('open', flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", script, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "open\n"
        with pytest.raises(PlatformError) as failure:
            DuckDBWarehouse(path)
        writer.communicate("")
    assert failure.value.code is ErrorCode.BACKEND_UNREACHABLE
    assert str(writer.pid) in failure.value.message


def test_closing_ends_what_another_thread_reads(path: Path) -> None:
    warehouse = DuckDBWarehouse(path)
    failures: list[PlatformError] = []
    endless = (
        "SELECT sum(a.x * b.x) AS x FROM UNNEST(sequence(1, 10000000)) AS a(x), UNNEST(sequence(1, 10000000)) AS b(x)"
    )

    def read() -> None:
        try:
            warehouse.fetch(endless, 1, 600)
        except PlatformError as error:
            failures.append(error)

    thread = threading.Thread(target=read)
    thread.start()
    until(lambda: warehouse._pool.busy, "the statement does not start")
    thread.join(0.5)
    warehouse.close()
    thread.join(60)
    assert [failure.code for failure in failures] == [ErrorCode.BACKEND_UNREACHABLE]


def test_a_second_process_may_read_at_the_same_time(warehouse: DuckDBWarehouse, path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from graph_platform.warehouse.duckdb.warehouse import DuckDBWarehouse; "
        "print(DuckDBWarehouse(Path(sys.argv[1])).describe('SELECT v FROM t0'))"
    )
    done = subprocess.run([sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=True)
    assert "boolean" in done.stdout


@pytest.mark.parametrize(
    ("uri", "folder"),
    [
        ("file:///a/b/", "/a/b"),
        ("file:///a%20b/c%25d/", "/a b/c%d"),
        ("file:///a b/", "/a b"),
        ("file://localhost/a/", "/a"),
        ("file:///%C3%A4/", "/ä"),
    ],
)
def test_a_file_url_is_a_folder(uri: str, folder: str) -> None:
    assert local_folder(uri) == Path(folder)


@pytest.mark.parametrize("uri", ["s3://bucket/key/", "gs://b/", "file://host/a", "/a/b"])
def test_another_url_is_refused(uri: str) -> None:
    with pytest.raises(PlatformError) as failure:
        local_folder(uri)
    assert failure.value.code is ErrorCode.VALIDATION_FAILED


def settings(**values: str) -> Settings:
    return Settings.load({f"GRAPH_PLATFORM_{name.upper()}": value for name, value in values.items()})


def test_the_settings_url_opens_the_file(path: Path, tmp_path: Path) -> None:
    warehouse = open_warehouse(settings(warehouse=f"duckdb:///{path}", home=str(tmp_path)))
    assert isinstance(warehouse, DuckDBWarehouse)
    assert warehouse.describe("SELECT v FROM t0")
    warehouse.close()


@pytest.mark.parametrize(
    "url", ["snow://a:secret@b/c", "postgresql://x", "nonsense", "duckdb", "duckdb://", "duckdb:///"]
)
def test_an_unknown_url_is_refused_and_names_what_there_is(url: str, tmp_path: Path) -> None:
    with pytest.raises(PlatformError) as failure:
        open_warehouse(settings(warehouse=url, home=str(tmp_path)))
    assert failure.value.code is ErrorCode.VALIDATION_FAILED
    assert "duckdb://" in (failure.value.hint or "")
    assert "secret" not in str(failure.value)


class _Held(FileStorage):
    """Stands for a bucket; keeps its first file waiting until the test lets it go."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.began, self.go_on = threading.Event(), threading.Event()

    def put(self, source: Path, key: str) -> None:
        self.began.set()
        assert self.go_on.wait(30)
        super().put(source, key)


def test_a_cancelled_upload_ends_with_the_file_at_hand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("graph_platform.warehouse.duckdb.export.UPLOADED_FILE_BYTES", 100_000)
    path = tmp_path / "w.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE TABLE t AS SELECT random() AS r FROM range(1000000)")
    bucket = _Held((tmp_path / "bucket").as_uri())
    with closing(DuckDBWarehouse(path, storage=tmp_path / "scratch", bucket=bucket)) as warehouse:
        warehouse.submit_export("x", "SELECT r FROM t", bucket.uri("out") + "/", lambda _: None)
        assert bucket.began.wait(30)
        cancelling = threading.Thread(target=warehouse.cancel_export, args=("x",))
        cancelling.start()
        cancelling.join(0.3)
        assert cancelling.is_alive(), "else the caller would delete the folder under the upload"
        bucket.go_on.set()
        cancelling.join(30)
        assert warehouse.poll_export("x", 0) == ExportProgress(ExportState.FAILED, error="the export was cancelled")
    assert len(list(bucket.list("out"))) == 1
    assert list((tmp_path / "scratch").iterdir()) == []
