"""Queries of an instance: what one costs beside a bare answer, beside somebody else's, and the server's memory."""

from __future__ import annotations

import http.client
import json
import statistics
import threading
import time
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
import pyarrow as pa
import pyarrow.ipc

from benchmarks.graphs import MEMORY, NODES, served
from benchmarks.measure import Outcome, seconds
from graph_platform.engine.connect import load_engine
from graph_platform.engine.gate.statement import check_statement
from graph_platform.engine.results.json_text import json_pieces
from graph_platform.engine.worker.requests import OpenedDatabase, Opening, Question
from graph_platform.runtime.protocol import Connection
from graph_platform.server.openapi import ARROW, JSON
from graph_platform.server.workers import Workers

LOOKUP = "MATCH (a:Account {id: $id}) RETURN a.name, a.balance"
SLOW = "UNWIND range(1, 100000) AS x UNWIND range(1, 100000) AS y RETURN sum(x * y % 7)"
LONG = f"UNWIND range(1, {NODES}) AS x RETURN x, 'account', x / 7.0, date('2020-01-01')"

_ROUNDS, _EACH = 9, 200
_MEGABYTE = 1024**2


class _Client:
    """One connection that is kept, of a client with that address."""

    def __init__(self, way: Connection, address: str = "127.0.0.1") -> None:
        place = urlsplit(way.url)
        self._connection = http.client.HTTPConnection(
            place.hostname or "", place.port, timeout=120, source_address=(address, 0)
        )
        self._token = {"Authorization": f"Bearer {way.token}"}

    def get(self, path: str) -> bytes:
        self._connection.request("GET", path, headers=self._token)
        return self._connection.getresponse().read()

    def query(self, cypher: str, accept: str = JSON, **fields: Any) -> int:
        """Asks, reads the answer a megabyte at a time, and returns its status."""
        answer = self._asked(cypher, accept, fields)
        while answer.read(_MEGABYTE):
            pass
        return answer.status

    def content(self, cypher: str, accept: str) -> bytes:
        """Asks, and returns all of the answer."""
        return self._asked(cypher, accept, {}).read()

    def close(self) -> None:
        self._connection.close()

    def _asked(self, cypher: str, accept: str, fields: dict[str, Any]) -> http.client.HTTPResponse:
        body = json.dumps({"cypher": cypher, **fields})
        self._connection.request("POST", "/query", body, {**self._token, "Content-Type": JSON, "Accept": accept})
        return self._connection.getresponse()


def _p50(act: Callable[[], object], times: int = _EACH) -> float:
    return statistics.median(seconds(act) for _ in range(times))


def lookup(folder: Path) -> Outcome:
    """A point lookup over HTTP against a page of the same server that is always the same, p50 of each."""
    with served(folder, 3) as way, closing(_Client(way)) as client:

        def ask() -> None:
            if client.query(LOOKUP, parameters={"id": 7919}) != 200:
                raise RuntimeError("the lookup failed")

        ask()
        rounds = [(_p50(ask), _p50(lambda: client.get("/health"))) for _ in range(_ROUNDS)]
    ratios = tuple(query / constant for query, constant in rounds)
    note = f"\n    of these: {_stages(folder)}"
    what = "p50 of a point lookup / p50 of a page that is always the same"
    return Outcome("lookup", what, ratios, *_columns(rounds), at_most=3, note=note)


def _stages(folder: Path) -> str:
    """What the parts of a lookup take by themselves, in this process."""
    path = next(folder.glob("graph/**/database/*.db"))
    opening = Opening({"graph": OpenedDatabase(str(path), "read")}, 1, MEMORY, 0)
    workers = Workers("ladybug", 1, 2**29, lambda version: opening)
    workers.start()
    request = Question("graph", LOOKUP, LOOKUP, "read", {"id": 7919}, 1000).to_json()
    worker = _p50(lambda: workers.ask(request, time.monotonic() + 60))
    workers.close()
    database = load_engine("ladybug").open(path, read_only=True, memory_bytes=MEMORY, threads=0)

    def run() -> None:
        with database.stream(LOOKUP, {"id": 7919}, timeout_seconds=60, row_limit=1000) as batches:
            b"".join(json_pieces(batches, lambda: 0))

    gate = _p50(lambda: check_statement(LOOKUP, "read", "ladybug"))
    plan = _p50(lambda: database.operators(LOOKUP, {"id": 7919}))
    whole = _p50(run)
    database.close()
    times = {"gate, once for each text": gate, "plan": plan, "run and JSON": whole, "all of a worker's": worker}
    return ", ".join(f"{name} {taken * 1000:.2f} ms" for name, taken in times.items())


def beside(folder: Path) -> Outcome:
    """A client's query while another holds all that it may hold against the same on an idle instance, p95 of each."""
    with served(folder, 3) as way:
        clients = [_Client(way) for _ in range(20)]
        with closing(_Client(way, "127.0.0.2")) as other:

            def p95() -> float:
                taken = sorted(seconds(lambda: other.query("RETURN 1")) for _ in range(100))
                return taken[95]

            idle = [p95() for _ in range(3)]
            threads = [threading.Thread(target=client.query, args=(SLOW,)) for client in clients]
            for thread in threads:
                thread.start()
            while json.loads(other.get("/status"))["queries_in_flight"] < 18:
                pass
            held = [p95() for _ in range(3)]
            for client in clients:
                client.close()
            for thread in threads:
                thread.join(0)
    ratios = tuple(one / two for one, two in zip(held, idle, strict=True))
    note = f"\n    at most {max(held) * 1000:.1f} ms, of 100 that are promised"
    what = "p95 of `RETURN 1` while another client holds all it may hold / on an idle instance"
    return Outcome("beside", what, ratios, tuple(held), tuple(idle), note=note)


def long_answer(folder: Path) -> Outcome:
    """The server's peak memory with an answer of a million rows against what it had before."""
    with served(folder, 3) as way, closing(_Client(way)) as client:
        pid = _listening(urlsplit(way.url).port)
        client.query(LOOKUP, parameters={"id": 1})
        before = _peak(pid)
        if client.query(LONG) != 200:
            raise RuntimeError("the long answer failed")
        after = _peak(pid)
    note = f"\n    {before / _MEGABYTE:,.0f} MB and {after / _MEGABYTE:,.0f} MB"
    what = f"the server's peak memory after an answer of {NODES:,} rows / before"
    return Outcome("answer", what, (after / before,), (0.0,), (0.0,), at_most=1.2, note=note)


def arrow(folder: Path) -> Outcome:
    """An answer of a million rows as JSON against the same as an Arrow stream, until the client has its values."""
    with served(folder, 3) as way, closing(_Client(way)) as client:
        pid = _listening(urlsplit(way.url).port)
        client.query(LOOKUP, ARROW, parameters={"id": 1})
        before = _peak(pid)
        client.query(LONG, ARROW)
        after = _peak(pid)

        def as_json() -> int:
            return len(json.loads(client.content(LONG, JSON))["rows"])

        def as_arrow() -> int:
            return int(pa.ipc.open_stream(client.content(LONG, ARROW)).read_all().num_rows)

        if as_json() != NODES or as_arrow() != NODES:
            raise RuntimeError("an answer is not whole")
        rounds = [(seconds(as_json), seconds(as_arrow)) for _ in range(5)]
        sent = [seconds(partial(client.query, LONG, accept)) for accept in (JSON, ARROW)]
    note = (
        f"\n    thrown away as it comes {sent[0]:.2f} s and {sent[1]:.2f} s;"
        f" the server's peak memory {before / _MEGABYTE:,.0f} MB before, {after / _MEGABYTE:,.0f} MB after Arrow"
    )
    what = f"an answer of {NODES:,} rows as JSON / as an Arrow stream, read by the client"
    ratios = tuple(one / two for one, two in rounds)
    return Outcome("arrow", what, ratios, *_columns(rounds), at_least=5, note=note)


def many(folder: Path) -> Outcome:
    """A point lookup among 16 clients that ask all the time against the same alone, p50 of each, and what one costs."""
    with served(folder, 3) as way:
        server = psutil.Process(_listening(urlsplit(way.url).port))
        _times(way, 1, 200)
        alone = _times(way, 1, 2000)
        before = _processor(server)
        among = _times(way, 16, 500)
        spent = _processor(server) - before
    told = [f"{_percentile(times, share) * 1000:.1f}" for times in (alone, among) for share in (0.5, 0.99)]
    note = (
        f"\n    p50 and p99 of 1 client {told[0]} and {told[1]} ms, of 16 clients {told[2]} and {told[3]} ms;"
        f" {len(among) / spent:,.0f} lookups for a second of a core, server and engine together"
    )
    one, other = _percentile(among, 0.5), _percentile(alone, 0.5)
    what = "p50 of a lookup among 16 clients / of one client alone"
    return Outcome("many", what, (one / other,), (one,), (other,), note=note)


def memory(folder: Path) -> Outcome:
    """What server and engine hold after 10,000 more queries against before, each with other text and other values."""
    with served(folder, 3) as way, closing(_Client(way)) as client:
        server = psutil.Process(_listening(urlsplit(way.url).port))
        at_rest = _held(server)

        def ask(first: int, last: int) -> None:
            for number in range(first, last):
                if client.query(f"{LOOKUP}, {number % 2000}", parameters={"id": number}) != 200:
                    raise RuntimeError("a lookup failed")

        ask(0, 2000)
        before = _held(server)
        ask(2000, 12000)
        after = _held(server)
    ratio = sum(after) / sum(before)
    told = "; ".join(
        f"{when} {one / _MEGABYTE:,.0f} MB and {other / _MEGABYTE:,.0f} MB"
        for when, (one, other) in (("at rest", at_rest), ("after 2,000", before), ("after 12,000", after))
    )
    what = "memory of the server and its engine's processes after 10,000 more queries / before"
    return Outcome("memory", what, (ratio,), (0.0,), (0.0,), at_most=1.05, note=f"\n    {told}")


def _times(way: Connection, clients: int, each: int) -> list[float]:
    """How long lookups take, of so many clients at once. Each has an address, so that each has its share."""
    found: list[float] = []

    def run(number: int) -> None:
        with closing(_Client(way, f"127.0.1.{number + 1}")) as client:
            found.extend(seconds(partial(client.query, LOOKUP, parameters={"id": id_})) for id_ in range(each))

    threads = [threading.Thread(target=run, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def _percentile(times: list[float], share: float) -> float:
    return sorted(times)[int(share * (len(times) - 1))]


def _processor(server: psutil.Process) -> float:
    """Seconds of processor of a server and its engine's processes."""
    return sum(sum(each.cpu_times()[:2]) for each in (server, *server.children(recursive=True)))


def _held(server: psutil.Process) -> tuple[int, int]:
    """Resident bytes of a server, and of its engine's processes together."""
    return server.memory_info().rss, sum(each.memory_info().rss for each in server.children(recursive=True))


def _listening(port: int | None) -> int | None:
    """The process that listens there."""
    for each in psutil.net_connections("tcp4"):
        if each.status == psutil.CONN_LISTEN and each.laddr and each.laddr.port == port:
            return each.pid
    raise RuntimeError(f"nobody listens on {port}")


def _peak(pid: int | None) -> int:
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM"))


def _columns(rounds: list[tuple[float, float]]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    return tuple(first for first, _ in rounds), tuple(second for _, second in rounds)
