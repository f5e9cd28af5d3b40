"""A graph's server: who may write, databases that come and go, draining, and copies that are made while it serves."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

import httpx
import pytest

from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.runtime.tokens import Role
from graph_platform.storage.connect import open_storage
from graph_platform_tests.graphs import GRAPH, GraphServer, ask, graph_spec, rows, rows_of_file
from graph_platform_tests.server.durability import Load
from graph_platform_tests.waiting import until

COUNT = "MATCH (t:T) RETURN count(*)"
CREATE = "CREATE (:T {id: $id, v: $v})"
SLOW_WRITE = "UNWIND range(1, 200000) AS i CREATE (:T {id: 1000000 + i, v: lpad('.', 100, '.')})"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[GraphServer]:
    made = GraphServer(tmp_path / "home", query_seconds=30.0)
    made.start()
    yield made
    made.stop()


@pytest.fixture
def writer(server: GraphServer) -> Iterator[httpx.Client]:
    with server.as_role(Role.WRITER) as client:
        rows(client, "CREATE NODE TABLE T(id INT64 PRIMARY KEY, v STRING)")
        yield client


@pytest.fixture
def reader(server: GraphServer) -> Iterator[httpx.Client]:
    with server.as_role(Role.READER) as client:
        yield client


@pytest.fixture
def operator(server: GraphServer) -> Iterator[httpx.Client]:
    with server.as_role(Role.OPERATOR) as client:
        yield client


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def test_who_has_the_writers_token_writes_and_a_reader_sees_it(writer: httpx.Client, reader: httpx.Client) -> None:
    rows(writer, "CREATE (:T {id: 1, v: $v})", parameters={"v": "one"})
    assert rows(reader, "MATCH (t:T) RETURN t.id, t.v") == [[1, "one"]]
    refused = ask(reader, "MATCH (t:T) SET t.v = 'mine'")
    assert code(refused) == (403, "PERMISSION_DENIED")
    assert refused.json()["hint"] == "the writer's token may"
    assert code(ask(reader, "LOAD FROM '/etc/passwd' RETURN *")) == (403, "PERMISSION_DENIED")
    assert code(ask(writer, "COPY T FROM '/etc/passwd'")) == (403, "PERMISSION_DENIED")
    assert rows(reader, "MATCH (t:T) RETURN t.v") == [["one"]]


OPERATORS_PAGES = [
    ("POST", "/drain"),
    ("DELETE", "/drain"),
    ("PUT", "/databases/sub"),
    ("DELETE", "/databases/sub"),
    ("POST", f"/databases/{GRAPH}/checkpoint"),
]


def test_what_is_the_operators_is_refused_to_readers_and_writers(writer: httpx.Client, reader: httpx.Client) -> None:
    for client in (reader, writer):
        for method, path in OPERATORS_PAGES:
            assert code(client.request(method, path)) == (403, "PERMISSION_DENIED")


def test_a_subgraph_is_made_asked_by_name_and_taken_away_with_its_file(
    server: GraphServer, operator: httpx.Client, writer: httpx.Client, reader: httpx.Client
) -> None:
    made = [operator.put("/databases/kg-1_sub") for _ in range(2)]
    assert [answer.status_code for answer in made] == [201, 200]
    rows(writer, "CREATE NODE TABLE S(id INT64 PRIMARY KEY)", "kg-1_sub")
    rows(writer, "CREATE (:S {id: 7})", "kg-1_sub")
    assert rows(reader, "MATCH (s:S) RETURN s.id", "kg-1_sub") == [[7]]
    assert [table["name"] for table in reader.get("/databases/kg-1_sub/schema").json()["tables"]] == ["S"]
    assert [table["name"] for table in reader.get("/schema").json()["tables"]] == ["T"]
    assert reader.get("/databases").json() == {"databases": {"kg-1": "write", "kg-1_sub": "write"}}

    assert operator.delete("/databases/kg-1_sub").status_code == 200
    assert not (server.folder / "kg-1_sub").exists()
    assert code(operator.delete("/databases/kg-1_sub")) == (404, "RESOURCE_NOT_FOUND")
    assert code(ask(reader, "RETURN 1", "kg-1_sub")) == (404, "RESOURCE_NOT_FOUND")
    assert not (server.folder / "kg-1_sub").exists()
    assert operator.put("/databases/kg-1_sub").status_code == 201
    assert reader.get("/databases/kg-1_sub/schema").json() == {"tables": []}


@pytest.mark.parametrize("name", ["..", ".", "a%2Fb", "-a", "a b", "é", "a" * 129])
def test_what_is_no_name_makes_no_database(server: GraphServer, operator: httpx.Client, name: str) -> None:
    assert operator.put(f"/databases/{name}").status_code in (400, 404, 405)
    assert [path.name for path in server.folder.iterdir()] == [GRAPH]


def test_the_main_database_is_not_taken_away(operator: httpx.Client, writer: httpx.Client) -> None:
    assert code(operator.delete(f"/databases/{GRAPH}")) == (400, "VALIDATION_FAILED")
    assert rows(writer, COUNT) == [[0]]


def test_more_databases_than_may_be_open_are_written_to_in_turn(
    server: GraphServer, operator: httpx.Client, writer: httpx.Client
) -> None:
    names = [f"kg-1_{number}" for number in range(3)]  # one is open at a time
    for name in names:
        operator.put(f"/databases/{name}")
        rows(writer, "CREATE NODE TABLE T(id INT64 PRIMARY KEY)", name)
    for number in range(4):
        for name in names:
            rows(writer, f"CREATE (:T {{id: {number}}})", name)
    assert [rows(writer, COUNT, name) for name in names] == [[[4]]] * 3


def test_a_database_that_was_made_is_there_for_the_worker_after_the_one_that_made_it(
    server: GraphServer, operator: httpx.Client, writer: httpx.Client
) -> None:
    operator.put("/databases/kg-1_sub")
    rows(writer, "CREATE NODE TABLE S(id INT64 PRIMARY KEY)", "kg-1_sub")
    hungry = ask(writer, "RETURN size(range(1, CAST('400000000' AS INT64)))")
    assert code(hungry) == (400, "QUERY_ERROR")
    assert operator.get("/status").json()["workers"]["replaced"] == 1
    assert rows(writer, "MATCH (s:S) RETURN count(*)", "kg-1_sub") == [[0]]


def test_a_drained_server_refuses_what_it_was_told_to_and_takes_it_again(
    operator: httpx.Client, writer: httpx.Client, reader: httpx.Client
) -> None:
    rows(writer, "CREATE (:T {id: 1, v: 'one'})")
    drained = operator.post("/drain", json={"refuse": "writes"}).json()
    assert drained.pop("last_activity") is not None
    assert drained == {"refuses": "writes", "queries_in_flight": 0, "writes_in_flight": 0}
    refused = ask(writer, "CREATE (:T {id: 2, v: 'two'})")
    assert code(refused) == (503, "INVALID_STATE") and refused.json()["hint"].endswith("DELETE /drain")
    assert rows(writer, COUNT) == rows(reader, COUNT) == [[1]]

    operator.post("/drain", json={"refuse": "everything"})
    assert code(ask(reader, "RETURN 1")) == (503, "INVALID_STATE")
    assert reader.get("/ready").status_code == 503
    assert operator.get("/status").json()["phase"] == "ready"

    assert operator.delete("/drain").json()["refuses"] == "nothing"
    rows(writer, "CREATE (:T {id: 2, v: 'two'})")
    assert rows(reader, COUNT) == [[2]]


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"refuse": "nothing"}', b'{"refuse": "writes", "also": 1}'])
def test_a_drain_of_something_else_is_refused(operator: httpx.Client, body: bytes) -> None:
    answer = operator.post("/drain", content=body, headers={"Content-Type": "application/json"})
    assert code(answer) == (400, "VALIDATION_FAILED")
    assert operator.get("/status").json()["refuses"] == "nothing"


def test_a_drain_says_how_many_writes_still_run_and_none_of_them_is_lost(
    operator: httpx.Client, writer: httpx.Client
) -> None:
    with ThreadPoolExecutor(1) as pool:
        written = pool.submit(ask, writer, SLOW_WRITE)
        until(lambda: operator.get("/status").json()["writes_in_flight"], "the write does not begin")
        assert operator.post("/drain", json={"refuse": "writes"}).json()["writes_in_flight"] == 1
        assert written.result().status_code == 200
    until(lambda: not operator.get("/status").json()["writes_in_flight"], "the write does not end")
    assert rows(writer, COUNT) == [[200000]]


def test_a_copy_has_every_write_that_was_answered_before_and_is_a_database_of_its_own(
    operator: httpx.Client, writer: httpx.Client, tmp_path: Path
) -> None:
    for number in range(50):
        rows(writer, "CREATE (:T {id: $id, v: $v})", parameters={"id": number, "v": "x" * number * 100})
    storage = open_storage(f"file://{tmp_path}/storage")
    to = {"storage_url": storage.url, "key": "backups/one.db"}
    told = operator.post(f"/databases/{GRAPH}/checkpoint", json=to).json()
    file = storage.local_path("backups/one.db")
    assert file is not None and told.pop("bytes") == file.stat().st_size
    assert told.keys() == {"sha256", "engine", "storage_version", "writers_waited_seconds"}
    rows(writer, "MATCH (t:T) DELETE t")
    assert rows_of_file(file, "MATCH (t:T) RETURN count(*), sum(size(t.v))") == "((50, '122500'),)"


def test_readers_and_writers_are_answered_while_copies_are_made(
    server: GraphServer, operator: httpx.Client, tmp_path: Path
) -> None:
    to = {"storage_url": open_storage(f"file://{tmp_path}/storage").url}
    ended, answered = threading.Event(), {"read": 0, "written": 0}

    def write() -> None:
        with server.as_role(Role.WRITER) as client:
            rows(client, "CREATE NODE TABLE T(id INT64 PRIMARY KEY, v STRING)")
            while not ended.is_set():
                rows(client, "CREATE (:T {id: $id, v: 'x'})", parameters={"id": answered["written"]})
                answered["written"] += 1

    def read() -> None:
        with server.as_role(Role.READER) as client:
            while not ended.is_set():
                rows(client, "MATCH (n) RETURN count(*)")
                answered["read"] += 1

    with ThreadPoolExecutor(2) as pool:
        running = [pool.submit(each) for each in (write, read)]
        try:
            until(lambda: answered["written"] and answered["read"], "nothing is answered")
            for number in range(10):
                before = dict(answered)
                copied = operator.post(f"/databases/{GRAPH}/checkpoint", json={**to, "key": f"{number}.db"})
                assert copied.status_code == 200
                until(partial(_all_more, answered, before), "nobody is answered any more")
        finally:
            ended.set()
        for each in running:
            each.result()
    last = open_storage(to["storage_url"]).local_path("9.db")
    assert last is not None and before["written"] <= int(rows_of_file(last, COUNT).strip("(),")) <= answered["written"]


def _all_more(now: dict[str, int], before: dict[str, int]) -> bool:
    return all(now[kind] > before[kind] for kind in now)


def test_a_copy_that_cannot_be_stored_leaves_nothing_and_writers_go_on(
    server: GraphServer, operator: httpx.Client, writer: httpx.Client
) -> None:
    to = {"storage_url": "file:///proc/nowhere", "key": "one.db"}
    assert operator.post(f"/databases/{GRAPH}/checkpoint", json=to).json()["code"] == "STORAGE_ERROR"
    assert code(operator.post("/databases/kg-2/checkpoint", json=to)) == (404, "RESOURCE_NOT_FOUND")
    rows(writer, "CREATE (:T {id: 1, v: 'one'})")
    assert not list(server.folder.rglob("*.copy")) and not (server.folder / "kg-2").exists()


def test_a_log_that_cannot_be_replayed_is_kept_aside_and_told_and_what_can_be_is(server: GraphServer) -> None:
    with server.as_role(Role.WRITER) as client:
        rows(client, "CREATE NODE TABLE T(id INT64 PRIMARY KEY, v STRING)")
        for number in range(10):
            rows(client, "CREATE (:T {id: $id, v: 'x'})", parameters={"id": number})
        process = client.get("/status").json()
    assert process["unreadable_logs"] == []
    kill(server)
    log = server.folder / GRAPH / "graph.db.wal"
    torn = log.read_bytes()[:-5]
    log.write_bytes(torn)

    server.start(create=False)
    with server.as_role(Role.READER) as client:
        assert rows(client, COUNT) == [[9]]
        (told,) = client.get("/status").json()["unreadable_logs"]
        assert (told["database"], told["bytes"]) == (GRAPH, len(torn))
        assert Path(told["file"]).read_bytes() == torn
        assert "graph_instance_unreadable_logs 1.0" in client.get("/metrics").text


def test_a_log_that_is_too_long_for_the_pool_to_be_written_out_is_told_and_no_write_is_told_to_have_failed(
    tmp_path: Path,
) -> None:
    server = GraphServer(tmp_path / "home", query_seconds=60.0)
    server.start()
    try:
        with server.as_role(Role.WRITER) as client:
            rows(client, "CREATE NODE TABLE T(id INT64 PRIMARY KEY, v STRING)")
            written = 0

            def failures() -> dict[str, dict[str, str]]:
                nonlocal written
                given = {"id": written, "v": (f"{written:x}." * 500_000)[:1000_000]}
                answer = ask(client, CREATE, parameters=given)
                assert answer.status_code == 200, (answer.text, client.get("/status").json())
                written += 1
                found: dict[str, dict[str, str]] = client.get("/status").json()["failed_checkpoints"]
                return found

            (failure,) = until(failures, "no checkpoint fails").values()
            assert "buffer pool" in failure["message"] and "GRAPH_PLATFORM_ENGINE_MEMORY_BYTES" in failure["hint"]
            assert rows(client, COUNT) == [[written]]
            log = server.folder / GRAPH / "graph.db.wal"
            assert log.stat().st_size > 16 * 1024**2
        server.stop()
        server.limits["pool_bytes"] = 512 * 1024**2
        server.start(create=False)
        with server.as_role(Role.OPERATOR) as client:
            rows(client, CREATE, parameters={"id": written, "v": "last"})
            until(lambda: not log.exists() or log.stat().st_size == 0, "the log is not written out")
            assert client.get("/status").json()["failed_checkpoints"] == {}
            assert rows(client, COUNT) == [[written + 1]]
    finally:
        server.stop()


def kill(server: GraphServer) -> None:
    """End the server and its worker as a power cut would, as far as a process can tell."""
    with server.as_role(Role.OPERATOR) as client:
        pid = client.get("/status").json()["process"]
    os.kill(pid, signal.SIGKILL)


def test_what_was_answered_is_there_whatever_was_killed(tmp_path: Path) -> None:
    server = GraphServer(tmp_path / "home", query_seconds=60.0, query_rows=10**6)
    load = Load(server, writes=5000, kills=10, seed=20)
    try:
        load.run()
    finally:
        server.stop()
    assert len(load.acknowledged) >= 5000
    assert load.told["killed servers"] == load.told["killed engines"] == 5
    assert load.told["checked"] == 11 and load.told["reads"] and load.told["copies"]


def test_a_graph_on_an_engine_that_loses_writes_is_refused_by_name() -> None:
    with pytest.raises(PlatformError, match="cannot be on ryugraph") as refused:
        replace(graph_spec(), engine="ryugraph")
    assert refused.value.code is ErrorCode.VALIDATION_FAILED
