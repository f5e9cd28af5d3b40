"""The process in which the fuzz of the gate runs one engine: what the gate lets through is bound, planned and run here.

It is told what to do as JSON on standard input, writes where it is into a shared file, so that whoever started it knows
which statement it died of, and prints every failure and its counts as lines of JSON. Not here: starting it again.
"""

from __future__ import annotations

import ctypes
import json
import mmap
import os
import random
import socket
import struct
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from graph_platform.engine.connect import load_engine
from graph_platform.engine.gate import calls, clauses, statement
from graph_platform.engine.gate.lexer import Token
from graph_platform.engine.gate.operators import check_operators, plan_operators
from graph_platform.engine.protocol import EngineVersion
from graph_platform.errors import PlatformError
from graph_platform_tests.engine.fuzz_graph import TABLES
from graph_platform_tests.engine.hostile import Bait, Generator

STATEMENTS_PER_DATABASE = 500
STATEMENTS_PER_REPORT = 200
MILLISECONDS = 250  # for one statement; the model makes none that needs them
RUN_EACH = 4  # binding opens files and planning crashes; running is tried, too
RUN_EACH_DEFINITION = 40  # a database whose tables were changed is made anew
SIZES = {"buffer_pool_size": 256 * 1024**2, "max_num_threads": 1}

_OPEN, _ACCESS, _MODIFY, _CREATE, _DELETE, _MOVED = 0x20, 0x1, 0x2, 0x100, 0x200, 0xC0
_EVENT = struct.Struct("iIII")


class Watch:
    """Sees whoever opens, lists, reads or writes something in a folder (inotify), or connects to a port on loopback."""

    def __init__(self, folder: Path) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        self._events = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        mask = _OPEN | _ACCESS | _MODIFY | _CREATE | _DELETE | _MOVED
        for watched in (folder, folder / "inner"):
            if self._events < 0 or libc.inotify_add_watch(self._events, os.fsencode(watched), mask) < 0:
                raise OSError(ctypes.get_errno(), "inotify")
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.setblocking(False)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}/"

    def seen(self) -> list[str]:
        """What happened since the last call."""
        found = []
        try:
            data, at = os.read(self._events, 65536), 0
            while at < len(data):
                _, mask, _, length = _EVENT.unpack_from(data, at)
                name = data[at + _EVENT.size : at + _EVENT.size + length].rstrip(b"\0").decode()
                found.append(f"file {name or '.'} {mask:#x}")
                at += _EVENT.size + length
        except BlockingIOError:
            pass
        try:
            self._listener.accept()[0].close()
            found.append("a connection")
        except BlockingIOError:
            pass
        return found


def _names_after(text: str) -> Callable[[], None]:
    """The rule that the gate once had, for AS: what stands after this is a name."""

    def weaken() -> None:
        decided = clauses.may_begin_clause

        def weakened(found: Sequence[Token], at: int) -> bool:
            return not (at and found[at - 1].text.upper() == text) and decided(found, at)

        vars(statement)["may_begin_clause"] = weakened

    return weaken


def _lambdas_anywhere() -> None:
    vars(calls)["_is_lambda_arrow"] = lambda found, at: False


WEAKENED: dict[str, Callable[[], None]] = {
    "": lambda: None,
    "lambdas anywhere": _lambdas_anywhere,
    **{f"names after {text}": _names_after(text) for text in ("AS", ")", "]", "}", "*", "!")},
}
"""Holes to put into the gate, so that a fuzz that finds nothing can be seen to find something."""


class Child:
    """One engine with a small graph, a folder of bait, and the statements of one seed."""

    def __init__(self, spec: dict[str, Any]) -> None:
        self._spec = spec
        self._access = spec["access"]
        self._counts: Counter[str] = Counter()
        self._tried = 0
        WEAKENED[spec["weakened"]]()
        folder = Path(spec["folder"])
        engine = load_engine(spec["engine"])
        self._module = sys.modules[spec["engine"]]
        self._version: EngineVersion = engine.version
        self._database: Any = None
        self._connection: Any = None
        self._path = folder / "graph.db"
        self._open()
        self._watch = Watch(folder / "bait")
        self._bait = Bait(str(folder / "bait"), self._watch.url)
        with Path(spec["progress"]).open("r+b") as file:
            self._progress = mmap.mmap(file.fileno(), 8)
        os.chdir(folder / "bait")  # a relative path is bait, too
        self._check_watch()

    def run(self) -> None:
        """Every statement from `start` to `end`."""
        for index in range(self._spec["start"], self._spec["end"]):
            self._progress[:8] = struct.pack("q", index)
            if index % STATEMENTS_PER_REPORT == 0:
                self._report()
            text = generated(self._spec["seed"], index, self._access, self._bait)
            self._counts["generated"] += 1
            try:
                allowed = statement.check_statement(text, self._access, self._version.name)
            except PlatformError:
                continue
            self._counts["let through"] += 1
            self._tried += 1
            if self._tried % STATEMENTS_PER_DATABASE == 0:
                self._open()
            self._try(index, allowed)
            for event in self._watch.seen():
                self._say(index, event, allowed.text)
        self._report()

    def _report(self) -> None:
        """Say what was counted since the last time: a crash takes the rest with it."""
        print(json.dumps({"counts": self._counts}), flush=True)
        self._counts.clear()

    def _open(self) -> None:
        """A new connection for a reader, to a file that is opened read-only; a new database in memory for a writer."""
        if self._connection:
            self._connection.close()
        if self._database and self._access == "write":
            self._database.close()
            self._database = None
        if self._access == "write":
            self._database = self._filled(":memory:")
        elif not self._database:
            if not self._path.exists():
                self._filled(str(self._path)).close()
            self._database = self._module.Database(str(self._path), **SIZES, read_only=True)
        self._connection = self._module.Connection(self._database)

    def _filled(self, path: str) -> Any:
        database = self._module.Database(path, **SIZES)
        connection = self._module.Connection(database)
        for text in TABLES:
            connection.execute(text)
        connection.close()
        return database

    def _check_watch(self) -> None:
        """What nobody may do, done here: a watch that does not see it makes the whole fuzz worthless."""
        for path in ("bait.csv", f"{self._bait.folder}/*.csv"):
            self._connection.execute(f"LOAD FROM '{path}' RETURN *")
            assert self._watch.seen(), path
        socket.create_connection(("127.0.0.1", int(self._bait.url.rstrip("/").rpartition(":")[2]))).close()
        assert self._watch.seen()

    def _try(self, index: int, allowed: statement.Statement) -> None:
        parameters = {name: ["a"] if name == "l" else 1 for name in allowed.parameters}
        self._connection.set_query_timeout(MILLISECONDS)
        try:
            drawing = self._rows(f"EXPLAIN {allowed.subject}", parameters)[0][0]
        except RuntimeError as error:
            self._counts["unparsed" if str(error).startswith("Parser exception") else "unbound"] += 1
            return
        self._counts["bound"] += 1
        operators = plan_operators(str(drawing))
        self._counts.update(f"operator {name}" for name in operators)
        try:
            check_operators(operators, self._access, self._version)
        except PlatformError as error:
            self._say(index, f"the plan: {error.message}", allowed.text)
            return
        defines = bool(operators & {"ALTER", "CREATE_TABLE", "DROP"})
        if index % (RUN_EACH_DEFINITION if defines else RUN_EACH):
            return
        try:
            self._rows(allowed.text, parameters)
        except RuntimeError:
            self._counts["failed when run"] += 1
        if defines:
            self._open()

    def _rows(self, text: str, parameters: dict[str, Any]) -> list[Any]:
        result = self._connection.execute(text, parameters) if parameters else self._connection.execute(text)
        if isinstance(result, list):
            raise AssertionError(f"several statements: {text}")
        rows: list[Any] = []
        while result.has_next() and len(rows) < 20:
            rows.append(result.get_next())
        result.close()
        return rows

    def _say(self, index: int, what: str, text: str) -> None:
        print(json.dumps({"index": index, "what": what, "text": text}), flush=True)


def generated(seed: int, index: int, access: Any, bait: Bait) -> str:
    """Statement number `index` of a seed."""
    return Generator(random.Random(f"{seed}:{index}"), access, bait).statement()


if __name__ == "__main__":
    Child(json.loads(sys.stdin.read())).run()
