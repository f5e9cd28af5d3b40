"""The state of a server and the way of a query through it: the gate, a place, a worker. It knows nothing of HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import lru_cache, partial
from typing import Any, Literal

from graph_platform.engine.gate.rows import with_row_limit
from graph_platform.engine.gate.statement import Statement, check_statement
from graph_platform.engine.parameters import kept_parameter
from graph_platform.engine.protocol import EngineVersion
from graph_platform.engine.worker.requests import Form, Opening, Question, schema_request
from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.runtime.spec import Access, ServerSpec
from graph_platform.runtime.tokens import Role
from graph_platform.server.admission import Admission, Refused
from graph_platform.server.answers import Answer
from graph_platform.server.databases import Databases
from graph_platform.server.places import Places, Shares
from graph_platform.server.workers import AskedWorker, Workers

SCHEMA_SECONDS = 600.0

_REMEMBERED_CHARACTERS = 4096
_SMALL_BYTES = 64 * 1024
"""Of a request: so much a socket takes at once."""

_AT_ONCE_SECONDS = 0.001
"""How long the event loop does nothing but wait for the answer to a query that is the only one: most lookups take less,
and to come back to one costs as much again.
"""
_MOMENT_SECONDS = 0.03
"""How long the event loop looks for an answer beside all else, before a thread waits for it."""


@dataclass(frozen=True)
class Query:
    """A query with its limits already capped, and the time of `time.monotonic` at which it came."""

    cypher: str
    parameters: Mapping[str, Any]
    timeout_seconds: float
    row_limit: int
    came: float
    form: Form = "json"


class Host:
    """The state of a server. `ask` and `close` are the event loop's, all else may be called in any thread.

    Args:
        prepared: says what the workers open, once it is known which engine they have, and reports how far it is.
    """

    def __init__(self, spec: ServerSpec, prepared: Callable[[EngineVersion], Opening]) -> None:
        self.spec = spec
        self.phase = "starting"
        self.progress = 0.0
        self.failure: PlatformError | None = None
        self.admission = Admission()
        self._started_at = _text(datetime.now(UTC))
        self._last_activity: datetime | None = None
        self._used_at = time.monotonic()
        self._schemas: dict[str, bytes] = {}
        self._rows: int | None = None
        self._looking = threading.Lock()
        workers = _workers(spec)
        self._workers = Workers(spec.engine, workers, spec.limits.worker_allowance_bytes, prepared)
        self.databases = Databases(spec, self._workers, self.admission)
        self._places = Places(Shares.of(workers))
        self._threads = ThreadPoolExecutor(workers, "asks-a-worker")
        self._answers: dict[Answer, Question] = {}

    @property
    def is_ready(self) -> bool:
        """Whether it takes queries."""
        admission = self.admission
        return self.phase == "ready" and not admission.ending and admission.refused is not Refused.EVERYTHING

    @property
    def idle_seconds(self) -> float:
        """Since a query last came or ended; since the start if none has come."""
        return 0.0 if self._places.taken else time.monotonic() - self._used_at

    def report(self, phase: str, progress: float) -> None:
        """Note how far the start is."""
        self.phase, self.progress = phase, round(min(max(progress, 0.0), 1.0), 4)

    def start(self) -> None:
        """Have the database opened, and begin to answer queries.

        Raises:
            PlatformError: why it cannot be.
        """
        self._workers.start()
        self.report("ready", 1.0)

    def question(self, query: Query, role: Role = Role.READER, name: str | None = None) -> Question:
        """What a worker is asked for a query, if it may be asked.

        Args:
            name: of the database, None for the main one.

        Raises:
            PlatformError: INVALID_STATE while the server starts or ends; RESOURCE_NOT_FOUND; PERMISSION_DENIED or
                QUERY_ERROR from the gate; VALIDATION_FAILED for a parameter that is missing or that the engine would
                change.
        """
        self._check_ready()
        small = len(query.cypher) <= _REMEMBERED_CHARACTERS
        check = _remembered_statement if small else check_statement
        database = self.databases.find(name)
        may_write = role.writes and database.access is Access.WRITE
        try:
            statement = check(query.cypher, "write" if may_write else "read", self.spec.engine)
        except PlatformError as error:
            if error.code is ErrorCode.PERMISSION_DENIED and database.access is Access.WRITE and not may_write:
                check(query.cypher, "write", self.spec.engine)  # else it is refused to everybody
                raise PlatformError(error.code, error.message, "the writer's token may", error.details) from error
            raise
        missing = sorted(statement.parameters - query.parameters.keys())
        if missing:
            raise PlatformError(
                ErrorCode.VALIDATION_FAILED,
                f"the query uses parameters that were not sent: {', '.join(f'${name}' for name in missing)}",
                "send them in `parameters`; null is a value",
            )
        parameters = {name: kept_parameter(name, query.parameters[name]) for name in statement.parameters}
        null = next((name for name in sorted(statement.typed) if parameters[name] is None), None)
        if null is not None:
            raise PlatformError(
                ErrorCode.VALIDATION_FAILED,
                f"parameter ${null}: a null has no type, and the engines do not survive one where it stands",
                f"send a value or [], or say its type: CAST(${null} AS INT64[])",
                {"parameter": f"${null}"},
            )
        limit = _remembered_limit if small else with_row_limit
        limited = limit(statement, query.row_limit + 1)
        return Question(
            database.name,
            limited.text,
            limited.subject,
            "write" if statement.writes else "read",
            parameters,
            query.row_limit,
            query.form,
        )

    def ask(self, client: str, query: Query, question: Question) -> Answer:
        """Have a query answered. Its time began when it came, so that waiting for others and planning are in it.

        Raises:
            PlatformError: CONCURRENCY_LIMIT_EXCEEDED, INVALID_STATE. All else is the answer's.
        """
        writes = question.access == "write"
        self.admission.check(writes=writes)
        held = self.admission.hold(question.database) if writes else None
        answer = Answer(query.came + query.timeout_seconds)
        if held is not None:
            answer.waiting = asyncio.create_task(self._wait_for_copy(client, answer, query, question, held))
        else:
            self._enter(client, answer, query, question)
        return answer

    def _enter(self, client: str, answer: Answer, query: Query, question: Question) -> None:
        turn = self._places.enter(client)
        self._answers[answer] = question
        if question.access == "write":
            self.admission.begin(question.database)
        self._used()
        if turn is None:
            self._begin(client, answer, question)
        else:
            answer.waiting = asyncio.create_task(self._wait(client, answer, query, question, turn))

    async def _wait_for_copy(
        self, client: str, answer: Answer, query: Query, question: Question, held: asyncio.Event
    ) -> None:
        """A write waits while its database is copied; what it was told to be refused meanwhile is then refused."""
        try:
            async with asyncio.timeout(max(0.0, answer.deadline - time.monotonic())):
                await self.admission.released(held)
            answer.waiting = None
            self.admission.check(writes=True)
            again = self.admission.hold(question.database)
            if again is not None:
                answer.waiting = asyncio.create_task(self._wait_for_copy(client, answer, query, question, again))
            else:
                self._enter(client, answer, query, question)
        except PlatformError as error:
            answer.ended(None, error)
        except TimeoutError:
            told = (
                f"the write waited for a copy of {question.database} for all of its {query.timeout_seconds:g} seconds"
            )
            answer.ended(None, PlatformError(ErrorCode.QUERY_TIMEOUT, told, "ask again"))
        except asyncio.CancelledError:
            answer.ended(None, PlatformError(ErrorCode.QUERY_ERROR, "the query was interrupted"))

    async def _wait(
        self, client: str, answer: Answer, query: Query, question: Question, turn: asyncio.Future[None]
    ) -> None:
        error = PlatformError(ErrorCode.QUERY_ERROR, "the query was interrupted")
        try:
            async with asyncio.timeout(max(0.0, answer.deadline - time.monotonic())):
                await turn
        except TimeoutError:
            error = PlatformError(
                ErrorCode.QUERY_TIMEOUT,
                f"the query waited for its turn for all of its {query.timeout_seconds:g} seconds",
                "wait for the answers to other queries of yours, or ask for a longer timeout",
            )
        except asyncio.CancelledError:
            pass
        else:
            answer.waiting = None
            self._begin(client, answer, question)
            return
        self._places.withdraw(client, turn)
        self._forget(answer)
        answer.ended(None, error)

    def _begin(self, client: str, answer: Answer, question: Question) -> None:
        """Ask a worker. What it answers within a moment needs no thread; for what takes longer, one waits."""
        loop = asyncio.get_running_loop()
        request = question.to_json()
        try:
            asked = self._workers.asked_now(request, question.access) if len(request) <= _SMALL_BYTES else None
        except PlatformError as error:
            answer.ended_here(None, error)
            self._end(client, answer)
            return
        if asked is None:
            self._threads.submit(self._run, client, answer, question, loop)
            return
        if self._places.taken == 1 and self._look(client, answer, asked, _AT_ONCE_SECONDS):
            return
        wait = partial(self._wait_for, client, answer, asked, loop)
        if asked.has_begun:
            wait()
            return
        patience = loop.call_later(_MOMENT_SECONDS, wait)

        def there() -> None:
            patience.cancel()
            loop.remove_reader(number)
            if not self._look(client, answer, asked):
                wait()

        number = asked.fileno()
        loop.add_reader(number, there)

    def _look(self, client: str, answer: Answer, asked: AskedWorker, wait_seconds: float = 0.0) -> bool:
        """Whether all of the answer is there; then it is given."""
        last, error = None, None
        try:
            last = asked.here(wait_seconds)
        except Exception as caught:  # noqa: BLE001 - whoever waits for the answer gets it
            error = caught
        if last is None and error is None:
            return False
        asked.close()
        answer.ended_here(last, error)
        self._end(client, answer)
        return True

    def _wait_for(self, client: str, answer: Answer, asked: AskedWorker, loop: asyncio.AbstractEventLoop) -> None:
        loop.remove_reader(asked.fileno())

        def waited() -> bytes:
            with contextlib.closing(asked):
                return asked.answer(answer.deadline, take=answer.take, stop=answer.stop)

        self._threads.submit(self._told, client, answer, waited, loop)

    def _run(self, client: str, answer: Answer, question: Question, loop: asyncio.AbstractEventLoop) -> None:
        def waited() -> bytes:
            request, access = question.to_json(), question.access
            return self._workers.ask(request, answer.deadline, access=access, take=answer.take, stop=answer.stop)

        self._told(client, answer, waited, loop)

    def _told(self, client: str, answer: Answer, waited: Callable[[], bytes], loop: asyncio.AbstractEventLoop) -> None:
        last, error = None, None
        try:
            last = waited()
        except Exception as caught:  # noqa: BLE001 - whoever waits for the answer gets it
            error = caught
        with contextlib.suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(self._end, client, answer)
        answer.ended(last, error)

    def _end(self, client: str, answer: Answer) -> None:
        self._places.leave(client)
        self._forget(answer)
        self._used()

    def _forget(self, answer: Answer) -> None:
        question = self._answers.pop(answer)
        if question.access == "write":
            self.admission.end(question.database)
            self.databases.wrote(question.database)

    def _used(self) -> None:
        self._last_activity, self._used_at = datetime.now(UTC), time.monotonic()

    def status(self) -> dict[str, Any]:
        """The document of `/status`."""
        version = self._workers.version
        return {
            "installation": self.spec.installation,
            "instance": self.spec.instance,
            "attempt": self.spec.attempt,
            self.spec.serves.kind: self.spec.serves.id,
            "process": os.getpid(),
            "phase": self.phase,
            "progress": self.progress,
            "ending": self.admission.ending,
            "refuses": self.admission.refused.value,
            "databases": self.databases.access,
            "failed_checkpoints": self.databases.failed_checkpoints(),
            "unreadable_logs": self.databases.unreadable_logs(),
            "failure": self.failure.document() if self.failure else None,
            "started_at": self._started_at,
            "last_activity": _text(self._last_activity) if self._last_activity else None,
            "queries_in_flight": self._places.taken,
            "writes_in_flight": self.admission.writes,
            "workers": self._workers.status(),
            "engine": asdict(version) if version else None,
            "rows": self._rows,
        }

    def schema(self, name: str | None = None) -> bytes:
        """The document of `/schema`: every table with its properties and rows. What only is read never changes.

        Raises:
            PlatformError: INVALID_STATE while the server starts or ends; RESOURCE_NOT_FOUND.
        """
        self._check_ready()
        database = self.databases.find(name)
        with self._looking:
            if database.name in self._schemas and database.access is Access.READ:
                return self._schemas[database.name]
            found = self._workers.ask(schema_request(database.name), time.monotonic() + SCHEMA_SECONDS)
            if database == self.spec.main:
                self._rows = sum(table["rows"] for table in json.loads(found))
            document = b'{"tables": ' + found + b"}"
            if database.access is Access.READ:
                self._schemas[database.name] = document
            return document

    def refuse(self, what: Refused) -> dict[str, Any]:
        """Take no more writes, or nothing more, or everything again; what runs goes on.

        Returns:
            What is refused now, when the server was last used, and how much still runs.
        """
        self.admission.refused = what
        status = self.status()
        return {key: status[key] for key in ("refuses", "last_activity", "queries_in_flight", "writes_in_flight")}

    def end(self) -> None:
        """Take no more queries; those that run go on."""
        self.admission.ending = True

    def close(self) -> None:
        """Stop what still runs, and end the workers."""
        self.admission.ending = True
        for answer in tuple(self._answers):
            answer.give_up()
        self._workers.close()
        self._threads.shutdown(cancel_futures=True)

    def _check_ready(self) -> None:
        self.admission.check(writes=False)
        if self.phase != "ready":
            raise PlatformError(
                ErrorCode.INVALID_STATE,
                f"the instance is not ready: {self.phase}, {self.progress:.0%}",
                "ask /ready until it answers 200",
                {"phase": self.phase, "progress": self.progress},
            )


def _workers(spec: ServerSpec) -> int:
    """How many there are where the spec leaves it to the machine: as many as there are cores, which is what they share,
    but at least three. Then a client that holds all it may hold has two queries run at once, and the third is left for
    somebody else. What is written has one: an engine lets one process write.
    """
    if any(database.access is Access.WRITE for database in spec.databases):
        return 1
    return spec.limits.workers or max(3, len(os.sched_getaffinity(0)))


@lru_cache(512)
def _remembered_limit(statement: Statement, rows: int) -> Statement:
    return with_row_limit(statement, rows)


@lru_cache(512)
def _remembered_statement(text: str, access: Literal["read", "write"], engine: str) -> Statement:
    return check_statement(text, access, engine)


def _text(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds")
