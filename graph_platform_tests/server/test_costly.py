"""What one client's queries cost the others, and the server: nothing but their share. Real process, both engines."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from graph_platform.runtime.local.servers import LocalServers
from graph_platform.runtime.protocol import Presence
from graph_platform_tests.engine.costly import HUNGRY, SLOW, star
from graph_platform_tests.server_processes import server_processes
from graph_platform_tests.services.runtimes import ENGINES, INSTALLATION, settled
from graph_platform_tests.snapshots import ASKED_MUCH, Snapshot
from graph_platform_tests.waiting import until

QUERY_SECONDS = 3.0
MEGABYTE = 1024**2

CRASHING = "UNWIND range(1, 3000) AS i UNWIND [CAST('nan' AS DOUBLE), 1.0] AS x RETURN x, i % 3, count(DISTINCT x)"
"""A NaN among the groups of a DISTINCT aggregate: legal, and told from no other by its text."""

DEAF = {
    "a star": star("KNOWS"),
    "CASE in CASE": "RETURN " + "CASE WHEN true THEN " * 1000 + "1" + " ELSE 0 END" * 1000,
}
"""Statements that hear nothing while they are planned."""

LONG_ROWS = 500_000
LONG = f"UNWIND range(1, {LONG_ROWS}) AS x RETURN x, '{'some text that makes it long ' * 4}' AS y"
"""More than fits between the worker and a client that does not read."""


class Served:
    """A server and its processes, asked by clients with addresses of their own."""

    def __init__(self, runtime: LocalServers, home: Path, clients: ExitStack) -> None:
        self._way = runtime.connect("inst-1")
        self._clients = clients
        self.one, self.other = self.client("127.0.0.1"), self.client("127.0.0.2")
        (self.process,) = server_processes(home)["inst-1"]

    def client(self, address: str) -> httpx.Client:
        transport = httpx.HTTPTransport(local_address=address)
        headers = {"Authorization": f"Bearer {self._way.token}"}
        return self._clients.enter_context(
            httpx.Client(base_url=self._way.url, headers=headers, timeout=60, transport=transport)
        )

    @property
    def workers(self) -> list[psutil.Process]:
        return [child for child in self.process.children() if "graph_platform.engine.worker.program" in command(child)]

    def status(self) -> dict[str, Any]:
        document: dict[str, Any] = self.other.get("/status").json()
        return document

    def running(self) -> int:
        return int(self.status()["queries_in_flight"])

    def peak(self) -> int:
        """The most memory that the server's own process ever had, in bytes."""
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM"))


def command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def has_ended(process: psutil.Process) -> bool:
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@pytest.fixture(scope="module", params=ENGINES)
def served(
    request: pytest.FixtureRequest, snapshots: dict[str, Snapshot], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    home = tmp_path_factory.mktemp("home")
    runtime = LocalServers(home, INSTALLATION)
    limits = replace(ASKED_MUCH, query_seconds=QUERY_SECONDS, query_rows=1_000_000)
    runtime.start(replace(snapshots[request.param].spec(request.param), limits=limits))
    assert settled(runtime, "inst-1").presence is Presence.READY
    with ExitStack() as clients:
        yield Served(runtime, home, clients)
    runtime.stop("inst-1", 1, 5)


@pytest.fixture(autouse=True)
def at_rest(served: Served) -> Iterator[None]:
    """Each test begins with every worker idle, and so leaves it to the next."""
    yield
    until(lambda: served.running() == 0, "a query still runs", 60)
    until(lambda: len(served.workers) == ASKED_MUCH.workers, "a worker that ended was not replaced", 60)


def ask(client: httpx.Client, cypher: str, **fields: Any) -> httpx.Response:
    return client.post("/query", json={"cypher": cypher, **fields})


def asked(client: httpx.Client, cypher: str, times: int) -> Callable[[], list[int]]:
    """Ask it so often at once; what is returned waits for all, and gives their statuses."""
    statuses: list[int] = []
    threads = [threading.Thread(target=lambda: statuses.append(ask(client, cypher).status_code)) for _ in range(times)]
    for thread in threads:
        thread.start()

    def joined() -> list[int]:
        for thread in threads:
            thread.join()
        return statuses

    return joined


def test_one_clients_slow_queries_keep_no_other_waiting(served: Served) -> None:
    statuses = asked(served.one, SLOW, 39)
    until(lambda: served.running() >= ASKED_MUCH.workers, "the queries did not come")
    answers = [ask(served.other, f"RETURN {number}") for number in range(20)]
    assert [answer.json()["rows"] for answer in answers] == [[[number]] for number in range(20)]
    assert served.running() > 1, "all slow queries ended before the others were asked"
    assert set(statuses()) == {504, 429}


@pytest.mark.parametrize("what", DEAF)
def test_queries_that_nothing_stops_end_with_their_processes_and_keep_no_other_waiting(
    served: Served, what: str
) -> None:
    before = {worker.pid for worker in served.workers}
    began = time.monotonic()
    statuses = asked(served.one, DEAF[what], 8)
    until(lambda: served.running() > 1, "the queries did not come")
    while served.running():
        assert ask(served.other, "RETURN 1").json()["rows"] == [[1]]
    took = time.monotonic() - began
    assert set(statuses()) == {504}
    # The last of the eight has waited for others of its client: all the same its time began when it came.
    assert took < 8 * QUERY_SECONDS
    assert before - {worker.pid for worker in served.workers}
    assert served.status()["workers"]["last_ending"]["cause"] == "time"


@pytest.mark.parametrize("what", HUNGRY)
def test_what_wants_gigabytes_ends_its_process_and_is_told_the_limit(served: Served, what: str) -> None:
    text, parameters = HUNGRY[what]
    peak = served.peak()
    replaced = served.status()["workers"]["replaced"]
    answer = ask(served.one, text, parameters=parameters)
    assert answer.status_code == 400
    assert "memory" in answer.json()["message"] or "crashed" in answer.json()["message"], answer.text
    assert ask(served.one, "RETURN 1").json()["rows"] == [[1]]
    assert served.peak() - peak < 64 * MEGABYTE
    until(lambda: served.status()["workers"]["replaced"] == replaced + 1, "the process was used again")


def test_a_statement_that_crashes_the_engine_costs_its_process_and_nobody_else(served: Served) -> None:
    statuses = asked(served.other, "UNWIND range(1, 2000) AS x UNWIND range(1, 2000) AS y RETURN max(x * y)", 4)
    answer = ask(served.one, CRASHING)
    assert answer.status_code == 400, answer.text
    assert "the engine crashed on the query" in answer.json()["message"]
    assert statuses() == [200] * 4
    assert ask(served.one, "RETURN 1").json()["rows"] == [[1]]


def test_a_long_answer_goes_through_a_server_that_does_not_grow(served: Served) -> None:
    assert ask(served.one, LONG, row_limit=1000).json()["row_count"] == 1000
    peak = served.peak()
    with served.one.stream("POST", "/query", json={"cypher": LONG}) as answer:
        content = b"".join(answer.iter_bytes())
    document = json.loads(content)
    assert (document["row_count"], document["rows"][-1][0], document["truncated"]) == (LONG_ROWS, LONG_ROWS, False)
    assert served.peak() - peak < len(content) / 4


def test_an_answer_whose_process_dies_in_its_midst_is_broken_off(served: Served) -> None:
    with served.one.stream("POST", "/query", json={"cypher": LONG}) as answer:
        assert answer.status_code == 200
        parts = answer.iter_raw()
        next(parts)
        killed = served.workers
        for worker in killed:
            os.kill(worker.pid, signal.SIGKILL)
        with pytest.raises(httpx.RemoteProtocolError):
            for _ in parts:
                pass
    until(lambda: all(map(has_ended, killed)), "a killed worker has not ended")  # one that still dies may be asked
    assert ask(served.one, "RETURN 1").json()["rows"] == [[1]]


def test_whoever_does_not_read_an_answer_holds_a_worker_no_longer_than_the_time(served: Served) -> None:
    with served.one.stream("POST", "/query", json={"cypher": LONG}) as answer:
        next(answer.iter_raw())
        assert served.running() == 1
        until(lambda: served.running() == 0, "the worker waits for whoever does not read", 30)


def test_nothing_is_left_of_a_server_that_was_killed(
    snapshots: dict[str, Snapshot], tmp_path: Path, served: Served
) -> None:
    home = tmp_path / "home"
    runtime = LocalServers(home, INSTALLATION)
    engine = served.status()["engine"]["name"]
    runtime.start(snapshots[engine].spec(engine, limits=ASKED_MUCH))
    assert settled(runtime, "inst-1").presence is Presence.READY
    with ExitStack() as clients:
        killed = Served(runtime, home, clients)
        statuses: list[BaseException] = []

        def asking() -> None:
            try:
                ask(killed.one, SLOW)
            except httpx.HTTPError as error:
                statuses.append(error)

        thread = threading.Thread(target=asking)
        thread.start()
        until(lambda: killed.running() == 1, "the query did not come")
        workers = killed.workers
        assert workers
        killed.process.kill()
        thread.join()
        assert statuses
        until(lambda: not any(worker.is_running() for worker in workers), "a worker outlives its server")
    runtime.stop("inst-1", 1, 1)
