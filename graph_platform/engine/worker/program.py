"""The program that has one engine, and databases that are opened when they are first asked for.

It is started with the engine's name as its argument, and is asked one thing at a time. What it is asked has passed the
first line of the gate; the second line, which needs the plan, is here, so that planning counts within the time of
whoever asked, and ends with the process if it does not end by itself.

The engine is imported and has had a database open before the files are confined: what an engine looks up once (the
machine's memory, its own libraries) is out of reach afterwards.
"""

from __future__ import annotations

import contextlib
import json
import sys
import tempfile
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import asdict
from importlib.abc import MetaPathFinder
from pathlib import Path
from typing import Any

from graph_platform.confined.kernel import confine
from graph_platform.confined.program import Interrupted, LastAnswer, NotOpened, OutOfMemory, Refused, not_counted, serve
from graph_platform.engine.connect import load_engine
from graph_platform.engine.gate.operators import check_operators
from graph_platform.engine.protocol import Database, Engine, MemoryExhausted
from graph_platform.engine.results.arrow_stream import arrow_pieces
from graph_platform.engine.results.json_text import json_pieces
from graph_platform.engine.worker.requests import OpenedDatabase, Opening, Question
from graph_platform.errors import ErrorCode, PlatformError

PIECE_BYTES = 128 * 1024
"""Up to here an answer, or a part of one, is told as a whole."""

_PIECES = {"json": json_pieces, "arrow": arrow_pieces}
_PLAIN = (bool, int, float, str)
_REMEMBERED_CHARACTERS, _REMEMBERED_PLANS = 4096, 512

_WARMING_BYTES = 64 * 1024**2


class _Databases:
    """Those that are open, the one that was asked for last at the end."""

    def __init__(self, engine: Engine, opening: Opening) -> None:
        self._engine = engine
        self._opening = opening
        self._known = dict(opening.databases)
        self._open: OrderedDict[str, Database] = OrderedDict()

    def one(self, name: str) -> Database:
        """The database, opened if need be.

        Raises:
            PlatformError: RESOURCE_NOT_FOUND; DATABASE_ERROR if it cannot be opened.
        """
        if name in self._open:
            self._open.move_to_end(name)
            return self._open[name]
        known = self._known.get(name)
        if known is None:
            raise PlatformError(ErrorCode.RESOURCE_NOT_FOUND, f"there is no database {name!r}")
        with not_counted():
            while len(self._open) >= max(1, self._opening.most):
                self._close(next(iter(self._open)))
            opened = self._open[name] = self._engine.open(
                Path(known.path),
                read_only=known.access == "read",
                memory_bytes=self._opening.pool_bytes,
                threads=self._opening.threads,
            )
            if known.access == "write":
                # Else a write is told to have failed when it is the checkpoint after its commit that has: whoever asks
                # has one made when the log is long.
                opened.execute("CALL auto_checkpoint=false")
        return opened

    def serve(self, name: str, opened: OpenedDatabase) -> None:
        """Open one more; see `one`."""
        self._known[name] = opened
        try:
            self.one(name)
        except PlatformError:
            del self._known[name]
            raise

    def forget(self, name: str) -> None:
        """Close one, and know it no more."""
        if name in self._open:
            with not_counted():
                self._close(name)
        self._known.pop(name, None)

    def _close(self, name: str) -> None:
        """Close one, all of it in its one file: what could not be written out is not opened again in this process."""
        database = self._open.pop(name)
        if self._known[name].access == "write":
            try:
                database.execute("CHECKPOINT")
            except PlatformError as error:
                raise OutOfMemory from error
        database.close()


class _Worker:
    """The program: each request is a document with `do`, the name of one of the methods."""

    def __init__(self, databases: _Databases) -> None:
        self._databases = databases
        self._lock = threading.Lock()
        self._told = False
        self._planned: set[Hashable] = set()
        self._interrupt: Callable[[], None] | None = None

    def interrupt(self) -> None:
        with self._lock:
            self._told = True
            if self._interrupt:
                with contextlib.suppress(RuntimeError):
                    self._interrupt()

    def answer(self, request: bytes) -> Iterator[bytes]:
        with self._lock:
            self._told, self._interrupt = False, None
        asked = json.loads(request)
        try:
            yield from getattr(self, "_" + asked.pop("do"))(**asked)
        except MemoryExhausted as error:
            raise OutOfMemory from error
        except PlatformError as error:
            self._check()
            raise Refused(_bytes(error.document())) from error
        finally:
            with self._lock:
                self._interrupt = None

    def _query(self, question: dict[str, Any]) -> Iterator[bytes]:
        asked = Question(**question)
        begun = time.monotonic()

        def elapsed() -> float:
            return time.monotonic() - begun

        database = self._databases.one(asked.database)
        self._check()
        self._check_plan(database, asked)
        self._check()
        with database.stream(
            asked.text,
            asked.parameters,
            timeout_seconds=None,  # whoever asks keeps the time
            row_limit=asked.rows,
            started=self._started,
        ) as batches:
            for piece in gathered(_PIECES[asked.form](batches, elapsed)):
                self._check()
                yield piece

    def _check_plan(self, database: Database, asked: Question) -> None:
        """Look at the plan, once for a statement that only reads: of the same text with parameters of the same types it
        has the same operators, as long as the tables are the same.
        """
        kinds = frozenset((name, type(value)) for name, value in asked.parameters.items())
        known = (asked.database, asked.subject, kinds)
        if asked.access == "write":
            self._planned.clear()
        plain = asked.access == "read" and all(kind in _PLAIN for _, kind in kinds)
        if plain and known in self._planned:
            return
        plan = database.operators(asked.subject, asked.parameters, started=self._started)
        check_operators(plan, asked.access, database.version)
        if plain and len(asked.subject) <= _REMEMBERED_CHARACTERS:
            if len(self._planned) >= _REMEMBERED_PLANS:
                self._planned.clear()
            self._planned.add(known)

    def _schema(self, database: str) -> Iterator[bytes]:
        yield _bytes([asdict(table) for table in self._databases.one(database).schema()])

    def _serve(self, database: str, opened: dict[str, Any]) -> Iterator[bytes]:
        self._databases.serve(database, OpenedDatabase(**opened))
        yield b""

    def _forget(self, database: str) -> Iterator[bytes]:
        self._databases.forget(database)
        self._planned.clear()
        yield b""

    def _checkpoint(self, database: str) -> Iterator[bytes]:
        """After one that failed the engine is not asked again: it was seen to take the file for none of its own."""
        known = self._databases.one(database)
        try:
            known.execute("CHECKPOINT")
        except PlatformError as error:
            raise LastAnswer(_bytes(error.document())) from error
        yield b""

    def _started(self, interrupt: Callable[[], None]) -> None:
        with self._lock:
            self._interrupt = interrupt
        self._check()

    def _check(self) -> None:
        """An engine forgets an interrupt that comes before it runs."""
        if self._told:
            raise Interrupted


def gathered(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The same in pieces that are not needlessly small: a short answer is one."""
    gathering = bytearray()
    for piece in pieces:
        if gathering and len(gathering) + len(piece) > PIECE_BYTES:
            yield bytes(gathering)
            gathering.clear()
        gathering += piece
    yield bytes(gathering)


def _bytes(answer: Any) -> bytes:
    return json.dumps(answer, allow_nan=False).encode()


class _NoPandas(MetaPathFinder):
    """Arrow looks for pandas at its first value, and importing it takes longer than all else that a worker imports."""

    def find_spec(self, fullname: str, path: object = None, target: object = None) -> None:
        if fullname == "pandas":
            raise ModuleNotFoundError(fullname, name=fullname)


def _announced() -> bytes:
    """Import the engine, and have it do once what it does at its first database."""
    sys.meta_path.insert(0, _NoPandas())
    try:
        engine = load_engine(sys.argv[4])
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "warming.db"
            database = engine.open(path, read_only=False, memory_bytes=_WARMING_BYTES, threads=1)
            for statement in _WARMING:
                database.query(statement, timeout_seconds=60, row_limit=1)
            database.close()
    except PlatformError as error:
        raise NotOpened(_bytes(error.document())) from error
    return _bytes(asdict(engine.version))


_WARMING: tuple[str, ...] = (
    "RETURN 1, 1.5, 'a', [1], {a: 1}, true, null",
    "RETURN date('2020-01-01'), timestamp('2020-01-01 00:00:00'), interval('1 day')",
    "RETURN CAST('2020-01-01 00:00:00+00:00' AS TIMESTAMP_TZ), CAST('1.5' AS DECIMAL(4, 2)), CAST(1 AS INT128)",
    "RETURN uuid('a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'), map(['a'], [1]), CAST('ab' AS BLOB)",
    "EXPLAIN RETURN 1",
)
"""A value of each kind: the bindings import what they make of it at the first one."""


def _opened(content: bytes) -> _Worker:
    opening = Opening.from_json(content)
    engine = load_engine(sys.argv[4])
    try:
        reading = [Path(each.path) for each in opening.databases.values() if each.access == "read"]
        writing = {Path(each.path).parent for each in opening.databases.values() if each.access == "write"}
        confine(reading, writing | ({Path(opening.folder)} if opening.folder else set()))
        databases = _Databases(engine, opening)
        for name in list(opening.databases)[:1]:
            databases.one(name)
    except OSError as error:
        problem = f"the engine's process cannot be confined: {error.strerror} ({error.filename})"
        raise NotOpened(_bytes(PlatformError(ErrorCode.DATABASE_ERROR, problem).document())) from error
    except PlatformError as error:
        raise NotOpened(_bytes(error.document())) from error
    return _Worker(databases)


if __name__ == "__main__":
    serve(_opened, announced=_announced, reserves=True)
