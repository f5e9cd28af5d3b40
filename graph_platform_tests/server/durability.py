"""Writes under load, with readers, copies and kills in between: what was answered is there, what was refused is not.

`python -m graph_platform_tests.server.durability 100000 100` does as many writes and kills as one likes, and
prints what became of them.
"""

from __future__ import annotations

import hashlib
import os
import random
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from graph_platform.runtime.tokens import Role
from graph_platform_tests.graphs import GRAPH, GraphServer, ask, rows

WRITERS = 2
LARGE_EVERY = 250
LARGEST_BYTES = 10 * 1000 * 1000
_ANSWERS_LOST = (httpx.TransportError,)
_UNKNOWN = "it is unknown whether it was written"


def value(number: int) -> str:
    """The text that is written under a number: the same each time, of 1 byte to 10 MB."""
    chance = random.Random(number)
    most = LARGEST_BYTES if number % LARGE_EVERY == 0 else 10_000
    size = round(most ** chance.random()) if number else LARGEST_BYTES
    return (f"{number:x}." * (size // 2 + 1))[:size]


class Load:
    """Clients of one server that is killed now and then, and what they were told.

    Args:
        writes: how many are answered in all.
        kills: how many times the server's process, and the engine's, are killed, in turn.
    """

    def __init__(self, server: GraphServer, writes: int, kills: int, seed: int) -> None:
        self.server = server
        self.writes, self.kills = writes, kills
        self.told = Counter[str]()
        self.acknowledged = set[int]()
        self.refused = set[int]()
        self._chance = random.Random(seed)
        self._numbers = iter(range(sys.maxsize))
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._checked = set[int]()
        self._killed = False

    def run(self) -> None:
        """Write until enough was answered; after each kill, look whether all of it is there."""
        self.server.start()
        with self.server.as_role(Role.WRITER) as client:
            rows(client, "CREATE NODE TABLE T(id INT64 PRIMARY KEY, v STRING)")
        for kill in range(self.kills):
            goal = self.writes * (kill + 1) // (self.kills + 1)
            with self._clients():
                self._until(goal)
                pause = self._chance.random() * 0.05
                time.sleep(pause)  # not for anything: so that each kill is somewhere else in a write
                self._kill(server=kill % 2 == 0)
            if kill % 2 == 0:
                self.server.start(create=False)
            self.check()
        with self._clients():
            self._until(self.writes)
        self.check(every=True)

    def check(self, *, every: bool = False) -> None:
        """Compare what is there with what was told.

        Args:
            every: look at the text of what was found before, too.
        """
        with self.server.as_role(Role.READER) as client:
            there = {number for (number,) in rows(client, "MATCH (t:T) RETURN t.id")}
            assert self.acknowledged <= there, f"lost: {sorted(self.acknowledged - there)[:10]}"
            assert not self.refused & there, f"refused, and there: {sorted(self.refused & there)[:10]}"
            look = there if every else there - self._checked
            for part in _parts(sorted(look), 500):
                found = rows(
                    client, "MATCH (t:T) WHERE t.id IN $ids RETURN t.id, md5(t.v)", parameters={"ids": list(part)}
                )
                expected = {number: hashlib.md5(value(number).encode()).hexdigest() for number in part}  # noqa: S324
                assert dict(map(tuple, found)) == expected
            self._checked |= there
        self.told["checked"] += 1

    @contextmanager
    def _clients(self) -> Iterator[None]:
        self._ended.clear()
        self._killed = False
        kinds = (*[self._write] * WRITERS, self._read, self._copy)
        threads = [threading.Thread(target=each) for each in kinds]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._ended.set()
            for thread in threads:
                thread.join()

    def _until(self, goal: int) -> None:
        last, since = -1, time.monotonic()
        while len(self.acknowledged) < goal:
            if len(self.acknowledged) != last:
                last, since = len(self.acknowledged), time.monotonic()
            assert time.monotonic() - since < 120, f"nothing is written any more: {self.told}"
            time.sleep(0.002)

    def _write(self) -> None:
        with self.server.as_role(Role.WRITER) as client:
            while not self._ended.is_set():
                with self._lock:
                    number = next(self._numbers)
                try:
                    given = {"id": number, "v": value(number)}
                    answer = ask(client, "CREATE (:T {id: $id, v: $v})", parameters=given)
                except _ANSWERS_LOST:
                    self._tell("unanswered writes")
                    if self._killed:
                        return
                    continue
                if answer.status_code == 200:
                    with self._lock:
                        self.acknowledged.add(number)
                elif _UNKNOWN in answer.text:
                    self._tell("unknown writes")
                else:
                    with self._lock:
                        self.refused.add(number)
                    self._tell(f"refused writes: {answer.json()['code']}")

    def _read(self) -> None:
        with self.server.as_role(Role.READER) as client:
            while not self._ended.is_set():
                try:
                    answer = ask(client, "MATCH (t:T) WHERE t.id < 50 RETURN count(*), max(size(t.v))")
                    self._tell("reads" if answer.status_code == 200 else "failed reads")
                except _ANSWERS_LOST:
                    if self._killed:
                        return

    def _copy(self) -> None:
        to = {"storage_url": f"file://{self.server.home}/copies", "key": "copy.db"}
        with self.server.as_role(Role.OPERATOR) as client:
            while not self._ended.wait(self._chance.random() * 1.5):
                try:
                    answer = client.post(f"/databases/{GRAPH}/checkpoint", json=to)
                    self._tell("copies" if answer.status_code == 200 else f"failed copies: {answer.json()['code']}")
                except _ANSWERS_LOST:
                    if self._killed:
                        return

    def _kill(self, *, server: bool) -> None:
        with self.server.as_role(Role.OPERATOR) as client:
            process = int(client.get("/status").json()["process"])
        if server:
            self._killed = True
            os.kill(process, signal.SIGKILL)
        else:
            os.kill(_engine_of(process), signal.SIGKILL)
        self.told["killed servers" if server else "killed engines"] += 1

    def _tell(self, what: str) -> None:
        with self._lock:
            self.told[what] += 1


def _engine_of(server: int) -> int:
    """The process that has the engine, whichever thread of the server has started it."""
    found = [
        int(word) for task in Path(f"/proc/{server}/task").iterdir() for word in (task / "children").read_text().split()
    ]
    (engine,) = found
    return engine


def _parts(numbers: list[int], size: int) -> Iterator[list[int]]:
    for start in range(0, len(numbers), size):
        yield numbers[start : start + size]


def main() -> None:
    """Run as many writes and kills as the first two arguments say, from the seed of the third one."""
    writes, kills = int(sys.argv[1]), int(sys.argv[2])
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else random.randrange(2**32)
    print(f"seed {seed}")
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        server = GraphServer(home, query_seconds=60.0, query_rows=10**9, pool_bytes=2 * 1024**3)  # that of the settings
        load = Load(server, writes, kills, seed)
        try:
            load.run()
        finally:
            server.stop()
            print(f"{len(load.acknowledged)} acknowledged in {time.monotonic() - begun:.0f} s, {dict(load.told)}")


if __name__ == "__main__":
    main()
