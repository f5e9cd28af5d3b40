"""Descriptions and connections of the Trino adapter on a real server.

What it refuses is in `test_trino_refusals`, exports are in `test_trino_export`.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest
import requests

from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.mapping.checks.problems import ProblemCode
from graph_platform.relational import Column, Refusal
from graph_platform.settings import Settings, redacted
from graph_platform.warehouse.trino.address import Credentials, TrinoAddress
from graph_platform.warehouse.trino.warehouse import TrinoWarehouse, open_trino
from graph_platform_tests.services.proxy import Proxy
from graph_platform_tests.services.trino import PASSWORD, TrinoServer
from graph_platform_tests.waiting import until


@pytest.fixture
def warehouse(trino_server: TrinoServer) -> Iterator[TrinoWarehouse]:
    with closing(_at(trino_server.port)) as opened:
        yield opened


@pytest.fixture
def proxy(trino_server: TrinoServer) -> Iterator[Proxy]:
    with Proxy(trino_server.port) as opened:
        yield opened


def _at(port: int) -> TrinoWarehouse:
    return TrinoWarehouse(TrinoAddress("127.0.0.1", port, "http", "tester", "tpch", "tiny"))


@pytest.mark.parametrize(
    ("expression", "told"),
    [
        ("CAST('a' AS varchar)", "varchar"),
        ("'abc'", "varchar(3)"),
        ("CAST('a' AS char(3))", "char(3)"),
        ("CAST(1.5 AS decimal(38, 10))", "decimal(38,10)"),
        ("TIMESTAMP '2020-01-01 00:00:00.123456789'", "timestamp(9)"),
        ("TIMESTAMP '2020-01-01 00:00:00.123 UTC'", "timestamp(3) with time zone"),
        ("TIME '10:00:00.1 +01:00'", "time(1) with time zone"),
        ("INTERVAL '1' DAY", "interval day to second"),
        ("INTERVAL '1' YEAR", "interval year to month"),
        ("JSON '1'", "json"),
        ("uuid()", "uuid"),
        ("X'00'", "varbinary"),
        ("IPADDRESS '1.1.1.1'", "ipaddress"),
        ("ST_Point(1, 2)", "geometry"),
        ("NULL", "unknown"),
        ("CAST(NULL AS map(decimal(10, 2), array(row(a timestamp(6), b map(varchar, real)))))",
         "map(decimal(10,2), array(row(a timestamp(6), b map(varchar, real))))"),
        ('CAST(ROW(1, 2, 3) AS row("a b" bigint, "Cd" tinyint, "select" smallint))',
         'row("a b" bigint, "Cd" tinyint, select smallint)'),
        ("ROW(1, ROW(DATE '2020-01-01'))", "row(integer, row(date))"),
    ],
)  # fmt: skip
def test_types_are_told_in_full(warehouse: TrinoWarehouse, expression: str, told: str) -> None:
    assert warehouse.describe(f"SELECT {expression} AS x") == (Column("x", told),)


@pytest.mark.parametrize(
    ("sql", "names"),
    [
        ("SELECT 1, name, (regionkey), upper(name) FROM region", ["", "name", "regionkey", ""]),
        ('SELECT 1 AS "_col0", 2', ["_col0", ""]),
        ("SELECT name, NAME, name AS Name FROM region", ["name", "NAME", "Name"]),
        ("SELECT * FROM (SELECT 1, name FROM region)", ["", "name"]),
        ("SELECT r.*, 1, name FROM region r", ["regionkey", "name", "comment", "", "name"]),
        ("VALUES (1, 'a')", ["", ""]),
        ("SELECT 1 UNION SELECT 2 AS b", [""]),
        ("TABLE region", ["regionkey", "name", "comment"]),
        ("WITH a AS (SELECT 1 x) SELECT x FROM a ORDER BY x LIMIT 1", ["x"]),
    ],
)
def test_a_column_that_trino_named_itself_has_no_name(warehouse: TrinoWarehouse, sql: str, names: list[str]) -> None:
    assert [column.name for column in warehouse.describe(sql)] == names


def test_a_table_with_a_column_of_such_a_name_keeps_it(trino_server: TrinoServer) -> None:
    trino_server.run("CREATE SCHEMA IF NOT EXISTS hive.odd")
    trino_server.run('CREATE TABLE IF NOT EXISTS hive.odd.named AS SELECT 1 AS "_col0"')
    address = TrinoAddress("127.0.0.1", trino_server.port, "http", "tester", "hive", "odd")
    with closing(TrinoWarehouse(address)) as warehouse:
        assert warehouse.describe("SELECT _col0 FROM named") == (Column("_col0", "integer"),)


def test_a_description_takes_one_statement_of_a_few_requests(proxy: Proxy) -> None:
    with closing(_at(proxy.port)) as warehouse:
        warehouse.describe("SELECT custkey, count(*) AS orders FROM orders GROUP BY custkey")
    words = [request.split()[0] for request in proxy.requests]
    assert words.count("POST") == 1
    # Queued (twice now and then, on a busy machine), the columns, and in the background the end in one to three steps.
    assert words.count("GET") <= 7


def test_a_description_leaves_no_query_behind(warehouse: TrinoWarehouse, trino_server: TrinoServer) -> None:
    warehouse.describe("SELECT custkey AS left_behind FROM customer")
    warehouse.close()
    rows = trino_server.run(
        "SELECT state FROM system.runtime.queries WHERE query LIKE '%AS left%behind FROM customer%' "
        "AND source = 'graph-platform'"
    )
    assert rows in ([["FINISHED"]], [["FAILED"]])  # cancelled, where Trino had not ended it by itself


def test_tables_are_those_of_the_urls_schema(trino_server: TrinoServer, warehouse: TrinoWarehouse) -> None:
    assert {"customer", "lineitem", "nation"} <= set(warehouse.tables())
    with closing(TrinoWarehouse(TrinoAddress("127.0.0.1", trino_server.port, "http", "tester", "tpch"))) as bare:
        assert bare.tables() == ()
        with pytest.raises(Refusal, match="no schema") as refused:
            bare.describe("SELECT name FROM region")
        assert (refused.value.kind, refused.value.subject) == (ProblemCode.TABLE_NOT_FOUND, "region")


def test_a_catalog_that_is_not_there_is_named_with_what_was_meant_or_there_is(warehouse: TrinoWarehouse) -> None:
    for schema, hint in (("tpcg.tiny", "did you mean tpch?"), ("nocatalog.x", "there are: hive, ")):
        with pytest.raises(PlatformError) as failure:
            warehouse.relations(schema)
        assert failure.value.code is ErrorCode.RESOURCE_NOT_FOUND
        assert f"no catalog '{schema.partition('.')[0]}'" in failure.value.message
        assert hint in (failure.value.hint or "")


def test_the_cluster_sees_source_tags_and_the_time_limit(trino_server: TrinoServer) -> None:
    address = TrinoAddress("127.0.0.1", trino_server.port, "http", "tester", "tpch", "tiny")
    with closing(TrinoWarehouse(address, statement_seconds=77)) as warehouse:
        warehouse.tagged(run="r1").tagged(mapping="a,b").describe("SELECT regionkey AS seen_by_the_cluster FROM region")
    (found,) = trino_server.run(
        "SELECT query_id FROM system.runtime.queries WHERE query LIKE '%seen%by%cluster FROM%' "
        "AND source = 'graph-platform'"
    )
    url = f"http://127.0.0.1:{trino_server.port}/v1/query/{found[0]}"
    session = httpx.get(url, headers={"X-Trino-User": "tester"}).json()["session"]
    assert session["clientTags"] == ["run=r1", "mapping=a_b"]
    assert session["systemProperties"]["query_max_run_time"] == "77.000s"


# --- connections -------------------------------------------------------------------------------------------------


def test_a_server_that_is_down_could_not_be_reached_and_is_no_fault_of_the_mapping() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    with closing(_at(port)) as warehouse, pytest.raises(PlatformError) as failure:
        warehouse.describe("SELECT 1 AS x")
    assert (failure.value.code, failure.value.exit_status) == (ErrorCode.BACKEND_UNREACHABLE, 3)
    assert "could not be reached: Connection refused" in failure.value.message


def test_a_host_that_does_not_exist_is_told_so() -> None:
    with (
        closing(TrinoWarehouse(TrinoAddress("no-such-host.invalid", 8080, "http", "tester"))) as warehouse,
        pytest.raises(PlatformError) as failure,
    ):
        warehouse.describe("SELECT 1 AS x")
    assert failure.value.code is ErrorCode.BACKEND_UNREACHABLE
    assert "0x" not in failure.value.message


@pytest.mark.parametrize("failures", [[503], [502, 504], [0], [0, 503, 0]])
def test_a_busy_gateway_or_a_lost_connection_is_tried_again(proxy: Proxy, failures: list[int]) -> None:
    with closing(_at(proxy.port)) as warehouse:
        proxy.failures += failures
        assert warehouse.describe("SELECT 1 AS x") == (Column("x", "integer"),)
        proxy.failures += failures  # and in the middle of a statement
        assert warehouse.describe("SELECT 2 AS x") == (Column("x", "integer"),)


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (500, ErrorCode.BACKEND_UNREACHABLE),
        (404, ErrorCode.BACKEND_UNREACHABLE),
        (429, ErrorCode.CONCURRENCY_LIMIT_EXCEEDED),
        (401, ErrorCode.PERMISSION_DENIED),
        (403, ErrorCode.PERMISSION_DENIED),
    ],
)
def test_any_other_status_is_told_at_once(proxy: Proxy, status: int, code: ErrorCode) -> None:
    proxy.failures.append(status)
    with closing(_at(proxy.port)) as warehouse, pytest.raises(PlatformError) as failure:
        warehouse.describe("SELECT 1 AS x")
    assert failure.value.code is code
    assert len(proxy.requests) == 1


def test_what_answers_and_is_not_trino_is_told_so() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            client, _ = listener.accept()
            with client:
                client.recv(65536)
                client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello")

        threading.Thread(target=answer, daemon=True).start()
        with closing(_at(listener.getsockname()[1])) as warehouse, pytest.raises(PlatformError) as failure:
            warehouse.describe("SELECT 1 AS x")
    assert "not Trino" in failure.value.message


def test_closing_ends_a_description_that_waits(proxy: Proxy) -> None:
    proxy.delay_seconds = 0.4
    warehouse = _at(proxy.port)
    failures: list[PlatformError] = []

    def describe() -> None:
        try:
            warehouse.describe("SELECT custkey FROM customer")
        except PlatformError as error:
            failures.append(error)

    thread = threading.Thread(target=describe)
    thread.start()
    until(lambda: len(proxy.requests) >= 2, "the description does not wait")
    warehouse.close()
    thread.join(10)
    assert [failure.code for failure in failures] == [ErrorCode.BACKEND_UNREACHABLE]
    assert proxy.requests[-1].startswith("DELETE")


# --- who asks ----------------------------------------------------------------------------------------------------


def _settings(server: TrinoServer, user: str = "tester", **values: str) -> Settings:
    url = f"trino://{user}@127.0.0.1:{server.secure_port}/tpch/tiny?verify={server.credentials.authority}"
    return Settings.load({"GRAPH_PLATFORM_WAREHOUSE": url, **{f"GRAPH_PLATFORM_{k}": v for k, v in values.items()}})


def _asks(settings: Settings) -> None:
    with closing(open_trino(settings)) as warehouse:
        assert warehouse.describe("SELECT regionkey FROM region") == (Column("regionkey", "bigint"),)


def test_a_password_lets_in_from_the_url_the_environment_or_a_file(trino_server: TrinoServer, tmp_path: Path) -> None:
    kept = tmp_path / "password"
    kept.write_text(PASSWORD + "\n")
    _asks(_settings(trino_server, WAREHOUSE_PASSWORD=PASSWORD))
    _asks(_settings(trino_server, WAREHOUSE_PASSWORD_FILE=str(kept)))
    _asks(_settings(trino_server, user="tester:a%20pass%3Aword%40with%2Feverything"))


def test_a_token_lets_in_and_is_read_anew_for_each_statement(trino_server: TrinoServer, tmp_path: Path) -> None:
    _asks(_settings(trino_server, WAREHOUSE_JWT=trino_server.credentials.token("tester")))
    kept = tmp_path / "token"
    kept.write_text(trino_server.credentials.token("tester", lifetime_seconds=-100))
    with closing(open_trino(_settings(trino_server, WAREHOUSE_JWT_FILE=str(kept)))) as warehouse:
        with pytest.raises(PlatformError) as failure:
            warehouse.describe("SELECT 1 AS x")
        assert failure.value.code is ErrorCode.PERMISSION_DENIED
        kept.write_text(trino_server.credentials.token("tester"))
        assert warehouse.describe("SELECT 1 AS x")


def test_a_token_that_is_renewed_counts_for_a_statement_under_way(tmp_path: Path) -> None:
    kept = tmp_path / "token"
    kept.write_text("first")
    proof = Credentials(token_file=str(kept)).authentication("tester")
    assert proof is not None
    with requests.Session() as session:
        proof.set_http_session(session)
        asked = requests.Request("GET", "https://trino.example/v1/statement/executing/1")
        assert session.prepare_request(asked).headers["Authorization"] == "Bearer first"
        kept.write_text("second")
        assert session.prepare_request(asked).headers["Authorization"] == "Bearer second"


def test_a_session_property_that_there_is_not_is_no_fault_of_the_mapping(trino_server: TrinoServer) -> None:
    url = f"trino://tester@127.0.0.1:{trino_server.port}/tpch/tiny?session.nonsense=1"
    with (
        closing(open_trino(Settings.load({"GRAPH_PLATFORM_WAREHOUSE": url}))) as warehouse,
        pytest.raises(PlatformError) as failure,
    ):
        warehouse.describe("SELECT 1 AS x")
    assert failure.value.code is ErrorCode.VALIDATION_FAILED
    assert "session" in (failure.value.hint or "")


def test_a_certificate_lets_in(trino_server: TrinoServer) -> None:
    keys = trino_server.credentials
    _asks(_settings(trino_server, WAREHOUSE_CERTIFICATE=str(keys.certificate), WAREHOUSE_KEY=str(keys.key)))


def test_nobody_gets_in_without_a_proof_over_https(trino_server: TrinoServer) -> None:
    settings = _settings(trino_server)
    url = settings.warehouse + "&http_scheme=https"
    with (
        closing(open_trino(Settings.load({"GRAPH_PLATFORM_WAREHOUSE": url}))) as warehouse,
        pytest.raises(PlatformError) as failure,
    ):
        warehouse.describe("SELECT 1 AS x")
    assert failure.value.code is ErrorCode.PERMISSION_DENIED


def test_a_server_with_an_unknown_certificate_gets_no_password(trino_server: TrinoServer) -> None:
    url = f"trino://tester:secret@127.0.0.1:{trino_server.secure_port}/tpch/tiny"
    with (
        closing(open_trino(Settings.load({"GRAPH_PLATFORM_WAREHOUSE": url}))) as warehouse,
        pytest.raises(PlatformError) as failure,
    ):
        warehouse.describe("SELECT 1 AS x")
    assert failure.value.code is ErrorCode.BACKEND_UNREACHABLE
    assert "certificate" in failure.value.message
    assert "verify=" in (failure.value.hint or "")


def test_a_secret_is_in_no_error_and_no_repr(trino_server: TrinoServer) -> None:
    secret = "s3cret@with:signs"
    broken = [
        _settings(trino_server, WAREHOUSE_PASSWORD=secret),
        _settings(trino_server, WAREHOUSE_JWT=secret),
        _settings(trino_server, WAREHOUSE_JWT=f"{secret}\nx"),
        _settings(trino_server, user=f"tester:{secret}"),
        Settings.load({"GRAPH_PLATFORM_WAREHOUSE": f"trino://tester:{secret}@h:port/tpch"}),
        Settings.load({"GRAPH_PLATFORM_WAREHOUSE": f"trino://tester:{secret}@h:80/a/b/c"}),
        Settings.load({"GRAPH_PLATFORM_WAREHOUSE": f"trino://tester:{secret}@h:80/tpch?http_scheme=http"}),
        Settings.load({"GRAPH_PLATFORM_WAREHOUSE": f"trino://tester:{secret}@h:443/tpch?colour=red"}),
        Settings.load({"GRAPH_PLATFORM_WAREHOUSE": f"trino://tester:{secret}@[h/tpch"}),
        Settings.load({"GRAPH_PLATFORM_WAREHOUSE": f"trino://tester@h:443/tpch?verify=true&password={secret}"}),
        Settings.load({"GRAPH_PLATFORM_WAREHOUSE": f"trino://tester@h:443/tpch?access_token={secret}&x=y"}),
    ]
    for settings in broken:
        with pytest.raises(PlatformError) as failure, closing(open_trino(settings)) as warehouse:
            assert "s3cret" not in repr(vars(warehouse))
            warehouse.describe("SELECT 1 AS x")
        error: BaseException | None = failure.value
        while error is not None:
            assert "s3cret" not in f"{error!r} {error}"
            error = error.__cause__
        assert "s3cret" not in repr(settings)
        assert "s3cret" not in redacted(settings, "warehouse")


@pytest.mark.parametrize(
    ("url", "part"),
    [
        ("trino://", "no host"),
        ("trino://h:80/tpch?http_scheme=ftp", "ftp"),
        ("trino://u:p@h:80/tpch?http_scheme=http", "unencrypted"),
        ("trino://h:80/tpch?colour=red", "colour"),
        ("trino://h:80/tpch?roles=hive:", "incomplete"),
    ],
)
def test_a_url_that_cannot_be_used_says_why(url: str, part: str) -> None:
    with pytest.raises(PlatformError) as failure:
        open_trino(Settings.load({"GRAPH_PLATFORM_WAREHOUSE": url}))
    assert failure.value.code is ErrorCode.VALIDATION_FAILED
    assert part in failure.value.message


def test_session_properties_and_roles_of_the_url_are_the_sessions(trino_server: TrinoServer) -> None:
    url = f"{trino_server.url}?session.join_distribution_type=BROADCAST&roles=hive:admin"
    with closing(open_trino(Settings.load({"GRAPH_PLATFORM_WAREHOUSE": url}))) as warehouse:
        warehouse.describe("SELECT regionkey AS with_properties FROM region")
    (found,) = trino_server.run(
        "SELECT query_id FROM system.runtime.queries WHERE query LIKE '%AS with%properties FROM region%' "
        "AND source = 'graph-platform'"
    )
    url = f"http://127.0.0.1:{trino_server.port}/v1/query/{found[0]}"
    session = httpx.get(url, headers={"X-Trino-User": "tester"}).json()["session"]
    assert session["systemProperties"]["join_distribution_type"] == "BROADCAST"
    assert session["catalogRoles"]["hive"]["role"] == "admin"
