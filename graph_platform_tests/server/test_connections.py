"""Clients that open, send and read slowly or not at all: each costs its own connection, and nobody else's answer."""

from __future__ import annotations

import asyncio
import contextlib
import json
import resource
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

import httpx
import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from graph_platform.engine.protocol import EngineVersion
from graph_platform.engine.worker.requests import Opening
from graph_platform.runtime.spec import StoredSnapshot
from graph_platform.server.app import application
from graph_platform.server.connections import (
    BoundedHttp,
    BoundedServer,
    ConnectionLimits,
    Connections,
    trust,
)
from graph_platform.server.host import Host
from graph_platform.server.program import Address, bind
from graph_platform_tests.services.runtimes import server_command
from graph_platform_tests.snapshots import Snapshot, server_spec
from graph_platform_tests.waiting import until

TOKEN = "t" * 43
RIGHT = f"Authorization: Bearer {TOKEN}\r\n"
PATIENT = ConnectionLimits(head_seconds=600, body_seconds=600, idle_seconds=600, rest_seconds=600, answer_seconds=600)


class Served:
    """A server in this process, on a real port."""

    def __init__(self, app: ASGIApp, limits: ConnectionLimits) -> None:
        listening = bind(Address("127.0.0.1", 0))
        self.port: int = listening.getsockname()[1]
        self.server = BoundedServer(Connections(limits).config(app, timeout_graceful_shutdown=1))
        self.thread = threading.Thread(target=self.server.run, args=([listening],))
        self.sockets: list[socket.socket] = []
        self.thread.start()
        until(lambda: self.server.started, "the server does not start")

    def open(self, sent: str = "", **options: int) -> socket.socket:
        """A connection on which so much was sent."""
        client = socket.socket()
        for name, value in options.items():
            client.setsockopt(socket.SOL_SOCKET, getattr(socket, name), value)
        client.settimeout(60)
        client.connect(("127.0.0.1", self.port))
        client.sendall(sent.encode())
        self.sockets.append(client)
        return client

    def connections(self) -> list[BoundedHttp]:
        """Those that the server has."""
        return [each for each in set(self.server.server_state.connections) if isinstance(each, BoundedHttp)]

    def answers(self) -> bool:
        """Whether somebody with the token gets an answer on a new connection."""
        answer = httpx.get(f"http://127.0.0.1:{self.port}/health", headers={"Authorization": f"Bearer {TOKEN}"})
        return bool(answer.json() == {"status": "alive"})

    def close(self) -> None:
        for client in self.sockets:
            client.close()
        self.server.should_exit = True
        self.thread.join()


def never_prepared(version: EngineVersion) -> Opening:
    raise AssertionError("no engine is needed here")


@pytest.fixture
def serve() -> Iterator[Callable[..., Served]]:
    served: list[Served] = []

    def one(limits: ConnectionLimits, app: ASGIApp | None = None) -> Served:
        served.append(Served(app or application(Host(SPEC, never_prepared), TOKEN, lambda line: None), limits))
        return served[-1]

    yield one
    for each in served:
        each.close()


SPEC = server_spec("ladybug", StoredSnapshot("file:///nowhere", "a", "a/manifest.json"))


def everything(client: socket.socket) -> bytes:
    """All that the server sends until it closes."""
    received = b""
    with contextlib.suppress(ConnectionResetError):
        while part := client.recv(65536):
            received += part
    return received


def until_ok(client: socket.socket) -> bytes:
    """What the server sends, up to its `ok`."""
    received = b""
    while not received.endswith(b"ok"):
        part = client.recv(65536)
        assert part, "the connection was closed instead"
        received += part
    return received


def request(method: str, path: str, *headers: str, body: str = "") -> str:
    return f"{method} {path} HTTP/1.1\r\nHost: x\r\n{''.join(headers)}\r\n{body}"


def test_no_answer_waits_for_an_acknowledgement_of_the_one_before(serve: Callable[..., Served]) -> None:
    served = serve(PATIENT)
    served.open("G")
    [connection] = until(served.connections, "the connection was not accepted")
    accepted = connection.transport.get_extra_info("socket")
    assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


HALVES = {
    "nothing": "",
    "half a line": "GET /hea",
    "half of the headers": "GET /health HTTP/1.1\r\nHost: x\r\n",
    "half of the headers and the token": f"GET /health HTTP/1.1\r\nHost: x\r\n{RIGHT}",
    "half a second request": request("GET", "/health", RIGHT) + "GET",
}


@pytest.mark.parametrize("sent", HALVES.values(), ids=HALVES.keys())
def test_a_request_of_which_only_half_comes_is_not_waited_for(serve: Callable[..., Served], sent: str) -> None:
    served = serve(ConnectionLimits(head_seconds=0.3, idle_seconds=600, body_seconds=600))
    received = everything(served.open(sent))
    assert received.count(b"HTTP/1.1 200") == sent.count("\r\n\r\n")
    assert served.answers()


def test_one_byte_now_and_then_does_not_make_the_wait_longer(serve: Callable[..., Served]) -> None:
    served = serve(ConnectionLimits(head_seconds=0.5, idle_seconds=0.2))
    client = served.open("GET /health HTTP/1.1\r\nX: ")
    client.settimeout(0.05)

    def closed() -> bool:
        try:
            client.sendall(b"x")
            return client.recv(1) == b""
        except TimeoutError:
            return False
        except (ConnectionResetError, BrokenPipeError):
            return True

    until(closed, "the connection stays open as long as something is sent")


def test_an_idle_connection_is_closed_in_its_time_and_used_until_then(serve: Callable[..., Served]) -> None:
    served = serve(ConnectionLimits(idle_seconds=1.0, head_seconds=600))
    client = served.open(request("GET", "/health", RIGHT) * 3)
    assert everything(client).count(b"alive") == 3


@pytest.mark.parametrize("how", ["Content-Length: 100\r\n", "Transfer-Encoding: chunked\r\n"])
def test_a_body_that_does_not_come_is_not_waited_for(serve: Callable[..., Served], how: str) -> None:
    served = serve(ConnectionLimits(body_seconds=0.3, head_seconds=600, idle_seconds=600))
    head = request("POST", "/query", RIGHT, "Content-Type: application/json\r\n", how)
    assert everything(served.open(head)) == b""
    assert served.answers()


def test_a_body_is_not_read_before_the_token_was_looked_at(serve: Callable[..., Served]) -> None:
    served = serve(PATIENT)
    wants = ("Content-Type: application/json\r\n", "Content-Length: 2\r\n", "Expect: 100-continue\r\n")
    refused = everything(served.open(request("POST", "/query", *wants)))
    assert refused.startswith(b"HTTP/1.1 401") and b"connection: close" in refused.lower()
    assert served.open(request("POST", "/query", RIGHT, *wants)).recv(12) == b"HTTP/1.1 100"
    endless = served.open(request("POST", "/query", "Content-Length: 1000000\r\n", body="x" * 1000))
    assert everything(endless).startswith(b"HTTP/1.1 401")


def test_a_body_that_is_too_large_is_refused_before_it_is_sent(serve: Callable[..., Served]) -> None:
    served = serve(PATIENT)
    head = request("POST", "/query", RIGHT, "Content-Type: application/json\r\n", f"Content-Length: {2 * 1024**3}\r\n")
    assert served.open(head).recv(12) == b"HTTP/1.1 413"


def test_what_was_refused_already_may_not_be_sent_without_end(serve: Callable[..., Served]) -> None:
    for limits in (
        ConnectionLimits(rest_seconds=0.3, idle_seconds=600),
        ConnectionLimits(rest_seconds=600, idle_seconds=600, rest_bytes=10_000),
    ):
        served = serve(limits)
        client = served.open(request("POST", "/query", RIGHT, "Transfer-Encoding: chunked\r\n"))
        assert client.recv(12) == b"HTTP/1.1 415"

        def closed(client: socket.socket = client) -> bool:
            try:
                client.sendall(b"3e8\r\n" + b"x" * 1000 + b"\r\n")
            except (ConnectionResetError, BrokenPipeError):
                return True
            return False

        until(closed, "a body without end is read on")


def test_many_half_open_connections_keep_nobody_out(serve: Callable[..., Served]) -> None:
    limits = ConnectionLimits(connections=20, trust_seconds=0, head_seconds=600)
    served = serve(limits)
    first = served.open("GET")
    for number in range(100):
        served.open(("", "GET /", "POST /query HTTP/1.1\r\n")[number % 3])
        if number % 25 == 0:
            assert served.answers()
    assert served.answers()
    assert everything(first) == b""  # the oldest went first
    until(lambda: len(served.connections()) <= limits.connections, "there are more connections than allowed")


def test_one_that_is_idle_makes_room_and_one_that_is_answered_does_not(serve: Callable[..., Served]) -> None:
    let_go, asked = threading.Event(), threading.Semaphore(0)

    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        trust(scope)
        if scope["path"] == "/slow":
            asked.release()
            await asyncio.to_thread(let_go.wait, 60)
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok"})

    served = serve(ConnectionLimits(connections=2, trust_seconds=600, head_seconds=600, idle_seconds=600), slow)
    idle = served.open(request("GET", "/quick"))
    until_ok(idle)
    busy = [served.open(request("GET", "/slow")) for _ in range(2)]
    for _ in busy:
        assert asked.acquire(timeout=60)
    assert everything(idle) == b""
    assert everything(served.open(request("GET", "/quick"))) == b""
    let_go.set()
    for client in busy:
        until_ok(client)


SIZE = 30_000_000


async def large(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers with more than the kernel keeps for a client."""
    trust(scope)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"connection", b"close")]})
    await send({"type": "http.response.body", "body": b"x" * SIZE})


def test_a_client_that_does_not_read_its_answer_is_not_waited_for(serve: Callable[..., Served]) -> None:
    served = serve(ConnectionLimits(answer_seconds=0.3, answer_bytes_per_second=10**9), large)
    served.open(request("GET", "/"), SO_RCVBUF=4096)
    until(lambda: served.server.server_state.total_requests == 1, "nothing was answered")
    until(lambda: not served.connections(), "the answer waits for ever")


def test_a_client_that_reads_in_its_own_time_gets_all_of_it(serve: Callable[..., Served]) -> None:
    served = serve(ConnectionLimits(), large)
    client = served.open(request("GET", "/"), SO_RCVBUF=65536)
    assert len(everything(client)) > SIZE


@pytest.mark.parametrize(
    "sent", ["\r\n\r\n", "nonsense\r\n\r\n", "GET / HTTP/1.1\r\n\r\n", f"GET / HTTP/1.1\r\nX: {'x' * 100_000}"]
)
def test_what_is_no_http_gets_a_document_and_the_end_of_its_connection(serve: Callable[..., Served], sent: str) -> None:
    served = serve(PATIENT)
    head, _, body = everything(served.open(sent)).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400")
    assert set(json.loads(body)) >= {"code", "message", "hint", "details"}
    assert served.answers()


def test_a_broken_chunk_ends_its_connection_only(serve: Callable[..., Served]) -> None:
    served = serve(PATIENT)
    head = request("POST", "/query", RIGHT, "Content-Type: application/json\r\n", "Transfer-Encoding: chunked\r\n")
    everything(served.open(head + "zz\r\n"))
    assert served.answers()


def test_a_process_with_few_files_serves_although_hundreds_of_connections_hang(
    tmp_path: Path, snapshots: dict[str, Snapshot]
) -> None:
    (tmp_path / "spec.json").write_text(json.dumps(asdict(snapshots["ladybug"].spec("ladybug"))))
    (tmp_path / "token").write_text(TOKEN)
    process = subprocess.Popen(
        server_command(tmp_path),
        stderr=subprocess.DEVNULL,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (200, 200)),  # noqa: PLW1509
    )
    hanging: list[socket.socket] = []
    try:
        until((tmp_path / "endpoint.json").exists, "the server does not start")
        url = json.loads((tmp_path / "endpoint.json").read_text())["url"]
        right = {"Authorization": f"Bearer {TOKEN}"}
        until(lambda: httpx.get(f"{url}/ready", headers=right).status_code == 200, "the server is not ready")
        for _ in range(400):
            client = socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])))
            client.sendall(b"GET /health HTTP/1.1\r\n")
            hanging.append(client)
        for _ in range(3):
            answer = httpx.post(f"{url}/query", json={"cypher": "RETURN 1"}, headers=right, timeout=60)
            assert answer.json()["rows"] == [[1]]
        files = Path(f"/proc/{process.pid}/fd")
        assert not files.exists() or len(list(files.iterdir())) < 200
    finally:
        for client in hanging:
            client.close()
        process.terminate()
        assert process.wait(30) == 0


def test_the_connections_fit_into_the_files_that_may_be_open() -> None:
    program = (
        "import resource; from graph_platform.server.connections import ConnectionLimits\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (100, {hard}))\n"
        "limits = ConnectionLimits().within_open_files()\n"
        "print(limits.connections, limits.accepted_at_once, resource.getrlimit(resource.RLIMIT_NOFILE)[0])"
    )
    for hard in (10_000, 300, 100):
        done = subprocess.run(
            [sys.executable, "-c", program.format(hard=hard)], check=True, capture_output=True, text=True
        )
        connections, at_once, files = map(int, done.stdout.split())
        assert 100 <= files <= hard
        assert 0 < connections <= ConnectionLimits.connections
        assert connections + 2 * at_once <= files
        assert (connections == ConnectionLimits.connections) is (hard == 10_000)
