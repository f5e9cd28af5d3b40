"""The server as a user meets it: real process, real HTTP, both engines."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pyarrow as pa
import pyarrow.ipc
import pytest
from prometheus_client.parser import text_string_to_metric_families

from graph_platform.runtime.local.servers import LocalServers
from graph_platform.runtime.protocol import Presence
from graph_platform.runtime.spec import ServerSpec
from graph_platform.server.app import accepted_form
from graph_platform_tests.services.runtimes import ENGINES, INSTALLATION, server_command, settled
from graph_platform_tests.snapshots import ASKED_MUCH, ATTEMPT, DDL, Snapshot, graph_data, make_snapshot
from graph_platform_tests.waiting import until

PROBLEM = {"type", "title", "status", "detail", "code", "message", "hint", "details"}
SLOW = "UNWIND range(1, 100000) AS x UNWIND range(1, 100000) AS y RETURN sum(x * y % 7)"


@pytest.fixture(scope="module", params=ENGINES)
def server(
    request: pytest.FixtureRequest, snapshots: dict[str, Snapshot], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[httpx.Client]:
    runtime = LocalServers(tmp_path_factory.mktemp("home"), INSTALLATION)
    runtime.start(snapshots[request.param].spec(request.param, limits=ASKED_MUCH))
    assert settled(runtime, "inst-1").presence is Presence.READY
    way = runtime.connect("inst-1")
    with httpx.Client(base_url=way.url, headers={"Authorization": f"Bearer {way.token}"}, timeout=20) as client:
        yield client
    runtime.stop("inst-1", 1, 5)


@pytest.fixture
def local(tmp_path: Path) -> Iterator[LocalServers]:
    made = LocalServers(tmp_path / "home", INSTALLATION)
    yield made
    made.stop("inst-1", 1, 1)


def query(server: httpx.Client, cypher: Any, **fields: Any) -> httpx.Response:
    return server.post("/query", json={"cypher": cypher, **fields})


def test_a_query_is_answered_with_columns_types_and_rows(server: httpx.Client) -> None:
    answer = query(
        server,
        "MATCH (p:Person) WHERE p.id >= $least RETURN p.name AS name, p.balance AS balance ORDER BY p.id",
        parameters={"least": 1},
        row_limit=2,
    )
    assert answer.status_code == 200
    document = answer.json()
    assert document.pop("elapsed_seconds") < 5
    assert [kind.replace(" ", "") for kind in document.pop("types")] == ["STRING", "DECIMAL(10,2)"]
    assert document == {
        "columns": ["name", "balance"],
        "rows": [["Ada", "1.50"], ["it's", None]],
        "row_count": 2,
        "truncated": True,
    }


ARROW = "application/vnd.apache.arrow.stream"


def test_who_asks_for_arrow_gets_a_stream_of_the_same_rows(server: httpx.Client) -> None:
    cypher = "MATCH (p:Person) RETURN p.name AS name, p.balance AS balance ORDER BY p.id"
    answer = server.post("/query", json={"cypher": cypher, "row_limit": 2}, headers={"Accept": ARROW})
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, ARROW)
    with pa.ipc.open_stream(answer.content) as reader:
        batch, _ = reader.read_next_batch_with_custom_metadata()
        assert batch.to_pydict() == {"name": ["Ada", "it's"], "balance": [Decimal("1.50"), None]}
        end, said = reader.read_next_batch_with_custom_metadata()
        assert end.num_rows == 0 and (said[b"row_count"], said[b"truncated"]) == (b"2", b"true")
        assert reader.schema.field("balance").metadata[b"engine_type"].replace(b" ", b"") == b"DECIMAL(10,2)"


def test_a_long_arrow_stream_comes_in_parts_and_a_refusal_is_a_document(server: httpx.Client) -> None:
    long = {"cypher": "UNWIND range(1, 50) AS x RETURN x, lpad('.', 20000, '.') AS text"}
    with server.stream("POST", "/query", json=long, headers={"Accept": ARROW}) as answer:
        assert answer.headers["Transfer-Encoding"] == "chunked" and "Content-Length" not in answer.headers
        content = b"".join(answer.iter_bytes())
    assert pa.ipc.open_stream(content).read_all().column(0).to_pylist() == list(range(1, 51))
    refused = server.post("/query", json={"cypher": "MATCH (n) DELETE n"}, headers={"Accept": ARROW})
    assert (refused.status_code, refused.headers["Content-Type"]) == (403, "application/problem+json")
    assert refused.json()["code"] == "PERMISSION_DENIED"


ACCEPTED = {
    "": "json",
    "*/*": "json",
    "application/json": "json",
    "text/html;q=x, application/*": "json",
    ARROW: "arrow",
    ARROW.upper(): "arrow",
    f"text/plain, {ARROW} ; q=0.5": "arrow",
    f"{ARROW}, application/json;q=0.9": "arrow",
    f"{ARROW};q=0.8, application/json": "json",
    f"{ARROW}, application/json": "json",
    f"{ARROW};q=0": "json",
    f"{ARROW};q=much": "json",
    f",;,{ARROW};;q=1.000,;": "arrow",
}


@pytest.mark.parametrize("accept", ACCEPTED)
def test_an_answers_form_is_what_the_client_would_rather_have(accept: str) -> None:
    assert accepted_form(accept) == ACCEPTED[accept]


def test_edges_of_every_pair_are_there(server: httpx.Client) -> None:
    rows = query(server, "MATCH (a)-[e:NEAR]->(c:City) RETURN label(a), c.code, e.km ORDER BY e.km").json()["rows"]
    assert rows == [["Person", "AMS", 1.5], ["Person", "BER", 2.5], ["City", "BER", 577.0]]


def test_status_schema_ready_and_health(server: httpx.Client) -> None:
    assert server.get("/health").json() == {"status": "alive"}
    assert server.get("/ready").json() == {"ready": True, "phase": "ready", "progress": 1.0}
    status = server.get("/status").json()
    assert (status["installation"], status["instance"], status["attempt"]) == (INSTALLATION, "inst-1", 1)
    assert status["failure"] is None and status["rows"] == 11
    assert set(status["engine"]) == {"name", "version", "storage_version"}
    tables = {table["name"]: table for table in server.get("/schema").json()["tables"]}
    assert tables["Person"]["primary_key"] == "id" and tables["Person"]["rows"] == 3
    assert tables["NEAR"]["pairs"] == [["Person", "City"], ["City", "City"]]


def metrics(server: httpx.Client) -> dict[str, float]:
    answer = server.get("/metrics")
    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    families = text_string_to_metric_families(answer.text)
    found = [sample for family in families for sample in family.samples]
    return {"|".join((each.name, *each.labels.values())): each.value for each in found}


def test_prometheus_is_told_of_every_query_by_what_became_of_it(server: httpx.Client) -> None:
    in_flight = "graph_instance_queries_in_flight"
    until(lambda: metrics(server)[in_flight] == 0, "queries of other tests still run")
    before = metrics(server)
    query(server, "RETURN 1")
    query(server, "RETURN 2", row_limit=1)
    query(server, "UNWIND range(1, 50) AS x RETURN lpad('.', 20000, '.')")
    query(server, "MATCH (n) DELETE n")
    query(server, SLOW, timeout_seconds=0.2)
    server.post("/query", content=b"garbage", headers={"Content-Type": "application/json"})
    after = metrics(server)
    told = {
        name: value - before.get(name, 0)
        for name, value in after.items()
        if name.startswith("graph_instance_queries_total") and value != before.get(name)
    }
    counter = "graph_instance_queries_total|"
    assert told == {
        f"{counter}ANSWERED": 3,
        f"{counter}PERMISSION_DENIED": 1,
        f"{counter}QUERY_TIMEOUT": 1,
        f"{counter}VALIDATION_FAILED": 1,
    }
    count = "graph_instance_query_seconds_count"
    assert after[count] - before[count] == 6
    assert after["graph_instance_query_seconds_sum"] - before["graph_instance_query_seconds_sum"] > 0.2
    assert (after["graph_instance_ready"], after[in_flight]) == (1, 0)
    assert after["graph_instance_workers"] == server.get("/status").json()["workers"]["alive"]
    assert after["graph_instance_idle_seconds"] < 60 and after["process_resident_memory_bytes"] > 2**20


def test_only_queries_move_the_last_activity(server: httpx.Client) -> None:
    query(server, "RETURN 1")
    before = server.get("/status").json()["last_activity"]
    time.sleep(0.01)
    for path in ("/health", "/ready", "/status", "/schema", "/metrics"):
        server.get(path)
    query(server, "MATCH (n) DELETE n")
    server.post("/query", content=b"garbage", headers={"Content-Type": "application/json"})
    assert server.get("/status").json()["last_activity"] == before
    query(server, "RETURN 1")
    assert server.get("/status").json()["last_activity"] > before


PROBES = {"/health": {"status": "alive"}, "/ready": {"status": "ready"}}
"""What a cluster's probes are told, who have no token."""

WRONG_TOKENS = ["", "Bearer", "Bearer wrong", "Basic {token}", "bearer {token}", "Bearer {token}x", "{token}"]


@pytest.mark.parametrize("given", WRONG_TOKENS)
def test_nothing_is_answered_without_the_token(server: httpx.Client, given: str) -> None:
    token = server.headers["Authorization"].removeprefix("Bearer ")
    headers = {"Authorization": given.format(token=token)} if given else {}
    for path in ("/health", "/ready", "/status", "/schema", "/metrics", "/query", "/", "/nothing"):
        for method in ("GET", "POST", "OPTIONS"):
            answer = httpx.request(method, server.base_url.join(path), headers=headers)
            if not given and method == "GET" and path in PROBES:
                assert (answer.status_code, answer.json()) == (200, PROBES[path])
                continue
            assert answer.status_code == 401
            assert answer.headers["WWW-Authenticate"] == "Bearer"
            assert answer.json()["code"] == "PERMISSION_DENIED"
            assert token not in answer.text


def test_two_tokens_at_once_are_refused(server: httpx.Client) -> None:
    right = server.headers["Authorization"]
    answer = httpx.get(
        server.base_url.join("/health"), headers=[("Authorization", right), ("Authorization", "Bearer x")]
    )
    assert answer.status_code == 401


def _deep(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


BAD_BODIES: list[tuple[bytes, int]] = [
    (b"", 400),
    (b"garbage", 400),
    (b"[]", 400),
    (b"null", 400),
    (b'"text"', 400),
    (b"{}", 400),
    (b"\xff\xfe", 400),
    (b"[" * 100_000, 400),
    (b'{"cypher": ' + b"9" * 5000 + b"}", 400),
    (b'{"cypher": NaN}', 400),
    (b'{"cypher": "RETURN 1", "cypher": "RETURN 2"}', 400),
    (b'{"cypher": "RETURN $p", "parameters": {"p": 1e999}}', 400),
    (b'{"cypher": "RETURN $p", "parameters": {"p": [-Infinity]}}', 400),
    (b'{"cypher": "RETURN $p", "parameters": {"p": {"x": 1, "x": 2}}}', 400),
    (b'{"cypher": "RETURN $p", "parameters": {"p": 1, "p": 2}}', 400),
    (b'{"cypher": "RETURN 1 IN $p", "parameters": {"p": null}}', 400),
    (b'{"cypher": "RETURN id($p)", "parameters": {"p": null}}', 400),
    (b'{"cypher": "RETURN 1", "timeout_seconds": 1e999}', 400),
    *(
        (json.dumps(body).encode(), 400)
        for body in (
            {"cypher": None},
            {"cypher": 1},
            {"cypher": ["RETURN 1"]},
            {"cypher": ""},
            {"cypher": "  "},
            {"cypher": "RETURN"},
            {"cypher": "RETURN 1; RETURN 2"},
            {"cypher": "RETURN '\ud800'"},
            {"cypher": "RETURN 1\0"},
            {"cypher": "RETURN " + "[" * 5000 + "]" * 5000},
            {"cypher": "MATCH (n:Nowhere) RETURN n"},
            {"cypher": "RETURN $p"},
            {"cypher": "RETURN $p", "parameters": [1]},
            {"cypher": "RETURN $p", "parameters": "p"},
            {"cypher": "RETURN $p", "parameters": {"p": 2**64}},
            {"cypher": "RETURN $p", "parameters": {"p": "\ud800"}},
            {"cypher": "RETURN $p", "parameters": {"p": "a\0"}},
            {"cypher": "RETURN $p", "parameters": {"p": _deep(60)}},
            {"cypher": "RETURN $p", "parameters": {"p`": 1}},
            {"cypher": "RETURN $p", "parameters": {"p": [{"x": 1}, {"y": 2}]}},
            {"cypher": "RETURN $p", "parameters": {"p": [1, "a"]}},
            {"cypher": "RETURN $p", "parameters": {"p": []}},
            {"cypher": "RETURN $p", "parameters": {"p": {"x": None}}},
            {"cypher": "RETURN 1", "timeout_seconds": "1"},
            {"cypher": "RETURN 1", "timeout_seconds": 0},
            {"cypher": "RETURN 1", "timeout_seconds": -1},
            {"cypher": "RETURN 1", "timeout_seconds": True},
            {"cypher": "RETURN 1", "timeout_seconds": {}},
            {"cypher": "RETURN 1", "row_limit": 0},
            {"cypher": "RETURN 1", "row_limit": 1.5},
            {"cypher": "RETURN 1", "row_limit": "9"},
            {"cypher": "RETURN 1", "row_limit": False},
            {"cypher": "RETURN 1", "limit": 1},
        )
    ),
    (json.dumps({"cypher": "LOAD FROM '/etc/passwd' RETURN *"}).encode(), 403),
    (json.dumps({"cypher": "CREATE (:City {code: 'X'})"}).encode(), 403),
    (json.dumps({"cypher": "RETURN 1 // " + "x" * 2_000_000}).encode(), 413),
]


@pytest.mark.parametrize(("body", "status"), BAD_BODIES, ids=lambda value: repr(value)[:40])
def test_garbage_gets_a_clear_refusal_and_never_a_defect(server: httpx.Client, body: bytes, status: int) -> None:
    answer = server.post("/query", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["status"] == status and answer.json()["message"] == answer.json()["detail"]
    assert query(server, "RETURN 1").status_code == 200


def test_a_parameter_that_cannot_be_kept_is_named_with_its_place(server: httpx.Client) -> None:
    for sent, place in (
        ('[{"x": 1}, {"y": 2}]', "$p[1]"),
        ('{"a": [[1], [2, "x"]]}', "$p.a[1][1]"),
        ('{"a": {"b": 1e999}}', "$p.a.b"),
        ("[]", "$p"),
    ):
        body = f'{{"cypher": "RETURN $p", "parameters": {{"p": {sent}}}}}'.encode()
        refused = server.post("/query", content=body, headers={"Content-Type": "application/json"}).json()
        assert refused["code"] == ("QUERY_ERROR" if sent == "[]" else "VALIDATION_FAILED")
        assert refused["details"] == {"parameter": place}
        assert place in refused["message"]
    kept = [{"x": 1, "y": "a"}, {"y": None, "x": 2}]
    assert query(server, "RETURN $p", parameters={"p": kept}).json()["rows"] == [[kept]]


def test_odd_but_right_values_are_taken(server: httpx.Client) -> None:
    for fields in (
        {"timeout_seconds": 1e300, "row_limit": 10**30},
        {"timeout_seconds": 1e-9},
        {"timeout_seconds": None, "row_limit": None, "parameters": None},
        {"parameters": {"unused": [1, "a", {}]}},
    ):
        assert query(server, "RETURN 1", **fields).status_code in (200, 504)
    assert query(server, "RETURN $a, $1", parameters={"a": "ü'\\", "1": 2}).json()["rows"] == [["ü'\\", 2]]


def test_methods_pages_and_types_of_content(server: httpx.Client) -> None:
    assert server.get("/query").status_code == 405
    assert server.post("/status").status_code == 405
    assert server.get("/nothing").status_code == 404
    assert server.post("/query", content=b"{}", headers={"Content-Type": "text/plain"}).status_code == 415
    for answer in (server.get("/query"), server.get("/nothing")):
        assert answer.json().keys() == PROBLEM


def test_a_query_over_its_time_is_stopped_and_rows_are_capped(server: httpx.Client) -> None:
    answer = query(server, SLOW, timeout_seconds=0.3)
    assert (answer.status_code, answer.json()["code"]) == (504, "QUERY_TIMEOUT")
    limit = re.search(r"stopped after ([\d.]+) seconds", answer.json()["message"])
    assert limit and float(limit[1]) < 4, "the server's own limit of 5 s ended it"
    capped = query(server, "UNWIND range(1, 1000) AS x RETURN x", row_limit=999_999).json()
    assert (capped["row_count"], capped["truncated"]) == (100, True)


def in_flight(server: httpx.Client) -> int:
    return int(server.get("/status").json()["queries_in_flight"])


def test_a_client_that_goes_away_stops_its_query(local: LocalServers, snapshots: dict[str, Snapshot]) -> None:
    local.start(snapshots["ladybug"].spec("ladybug", query_seconds=600.0))
    settled(local, "inst-1")
    way = local.connect("inst-1")
    with httpx.Client(base_url=way.url, headers={"Authorization": f"Bearer {way.token}"}) as server:
        with pytest.raises(httpx.ReadTimeout):
            server.post("/query", json={"cypher": SLOW}, timeout=0.5)
        until(lambda: in_flight(server) == 0, "the query goes on", 30)


def test_queries_run_beside_each_other_and_too_many_are_refused(server: httpx.Client) -> None:
    statuses: list[int] = []

    def run(seconds: float) -> None:
        statuses.append(query(server, SLOW, timeout_seconds=seconds).status_code)

    threads = [threading.Thread(target=run, args=(3 if number < 4 else 0.3,)) for number in range(60)]
    for thread in threads[:4]:
        thread.start()
    until(lambda: in_flight(server) == 4, "four queries do not run at once")
    assert query(server, "RETURN 1").status_code == 200
    for thread in threads[4:]:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(statuses) == {504, 429}
    assert statuses.count(429) >= 1
    assert query(server, "RETURN 1").status_code == 200


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("damage", ["missing", "truncated", "changed", "other version"])
def test_a_database_file_that_is_not_right_is_replaced_by_loading_again(
    local: LocalServers, tmp_path: Path, engine: str, damage: str
) -> None:
    snapshot = make_snapshot(tmp_path, engine)
    [stored] = snapshot.manifest.databases
    path = snapshot.storage.local_path(f"{ATTEMPT}/{stored.key}")
    assert path is not None
    if damage == "missing":
        path.unlink()
    elif damage == "truncated":
        os.truncate(path, stored.bytes // 2)
    elif damage == "changed":
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
    else:
        document = json.loads(snapshot.manifest.to_json())
        document["databases"][0] |= {"engine_version": "0.1", "storage_version": "1"}
        snapshot.storage.write(snapshot.manifest_key, json.dumps(document).encode())
    before = {item.key for item in snapshot.storage.list("")}
    local.start(snapshot.spec(engine))
    assert settled(local, "inst-1").presence is Presence.READY
    way = local.connect("inst-1")
    headers = {"Authorization": f"Bearer {way.token}"}
    answer = httpx.post(f"{way.url}/query", json={"cypher": "MATCH ()-[e]->() RETURN count(*)"}, headers=headers)
    assert answer.json()["rows"] == [[6]]
    assert "loading" in (tmp_path / "home/instances/inst-1/server.log").read_text()
    local.stop("inst-1", 1, 5)
    assert {item.key for item in snapshot.storage.list("")} == before


def broken(kind: str, snapshot: Snapshot) -> None:
    """Damage a snapshot that has no database, so that its start has to fail."""
    document = json.loads(snapshot.manifest.to_json())
    if kind == "ddl":
        document["ddl"] = [*DDL, "CREATE NODE TABLE X(a LIST, PRIMARY KEY(a))"]
    elif kind == "file":
        snapshot.storage.delete(f"{ATTEMPT}/nodes/City")
    elif kind == "swapped":
        document["tables"][2]["columns"].reverse()
    elif kind == "manifest":
        snapshot.storage.write(snapshot.manifest_key, b"{}")
        return
    snapshot.storage.write(snapshot.manifest_key, json.dumps(document).encode())


@pytest.mark.parametrize("engine", ENGINES)
def test_the_file_of_another_version_of_the_engine_with_the_same_storage_version_is_used(
    local: LocalServers, tmp_path: Path, engine: str
) -> None:
    snapshot = make_snapshot(tmp_path, engine)
    document = json.loads(snapshot.manifest.to_json())
    document["databases"][0]["engine_version"] = "0.1"
    snapshot.storage.write(snapshot.manifest_key, json.dumps(document).encode())
    local.start(snapshot.spec(engine))
    assert settled(local, "inst-1").presence is Presence.READY
    assert "loading" not in (tmp_path / "home/instances/inst-1/server.log").read_text()


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ("manifest", "SNAPSHOT_FETCH_ERROR"),
        ("file", "SNAPSHOT_FETCH_ERROR"),
        ("swapped", "SNAPSHOT_FETCH_ERROR"),
        ("ddl", "SCHEMA_CREATE_ERROR"),
        ("data", "DATA_LOAD_ERROR"),
        ("engine", "VALIDATION_FAILED"),
    ],
)
def test_a_failed_start_has_a_code_a_file_and_a_status(tmp_path: Path, kind: str, code: str) -> None:
    data = graph_data()
    if kind == "data":
        data["KNOWS"][0]["b"][0] = 99
    snapshot = make_snapshot(tmp_path, None, data)
    broken(kind, snapshot)
    spec = snapshot.spec("neo4j" if kind == "engine" else "ladybug")
    status, _ = run_server(tmp_path, spec)
    assert status == 1
    failure = json.loads((tmp_path / "failure.json").read_text())
    assert failure["code"] == code, failure
    assert not list(tmp_path.glob("parquet"))


def run_server(folder: Path, spec: ServerSpec, bind: str = "127.0.0.1:0") -> tuple[int, str]:
    (folder / "spec.json").write_text(json.dumps(asdict(spec)))
    (folder / "token").write_text("t" * 43)
    done = subprocess.run(server_command(folder, bind), check=False, capture_output=True, text=True, timeout=30)
    return done.returncode, done.stderr


def test_a_port_in_use_is_named(tmp_path: Path, snapshots: dict[str, Snapshot]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        status, log = run_server(tmp_path, snapshots["ladybug"].spec("ladybug"), bind=f"127.0.0.1:{port}")
    assert status == 1
    assert f"port {port} is already in use" in log
    assert json.loads((tmp_path / "failure.json").read_text())["code"] == "INVALID_STATE"


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"instance": 1}'])
def test_a_spec_that_is_none_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "spec.json").write_text(content)
    done = subprocess.run(server_command(tmp_path), check=False, capture_output=True, text=True, timeout=30)
    assert done.returncode == 1
    assert "VALIDATION_FAILED" in done.stderr and "Traceback" not in done.stderr


def test_the_end_comes_within_its_grace_although_a_query_runs(
    local: LocalServers, snapshots: dict[str, Snapshot]
) -> None:
    local.start(snapshots["ladybug"].spec("ladybug", query_seconds=60.0))
    settled(local, "inst-1")
    way = local.connect("inst-1")
    headers = {"Authorization": f"Bearer {way.token}"}
    ended: list[Any] = []

    def run() -> None:
        try:
            ended.append(httpx.post(f"{way.url}/query", json={"cypher": SLOW}, headers=headers, timeout=30).status_code)
        except httpx.TransportError as error:
            ended.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    with httpx.Client(base_url=way.url, headers=headers) as server:
        until(lambda: in_flight(server) == 1, "the query does not run")
    begun = time.monotonic()
    local.stop("inst-1", 1, 30)
    assert time.monotonic() - begun < 30, "it did not end by itself"
    thread.join()
    assert ended


def test_the_server_imports_little() -> None:
    program = (
        "import sys, graph_platform.server.program\n"
        "heavy = {'pydantic', 'sqlalchemy', 'dagster', 'pyarrow', 'numpy', 'httpx', 'psutil'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
