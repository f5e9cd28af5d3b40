"""The processes that have the engine, from the server's side: started, asked, replaced, and what their ends mean.

Each has its own buffer pool and its own allowance beside it, and is asked one thing at a time: what a query costs its
process, no other query is in. Not here: what runs in them (`engine.worker`).
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from graph_platform.confined.pool import PoolClosed, ProcessPool
from graph_platform.confined.process import Asked, ConfinedProcess, NotReady, Refused, Stop, Stopped
from graph_platform.engine.gate.clauses import Access
from graph_platform.engine.protocol import EngineVersion
from graph_platform.engine.worker.requests import (
    OpenedDatabase,
    Opening,
    announced_version,
    checkpoint_request,
    forget_request,
    serve_request,
)
from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.processes.ending import Cause, Ending

GRACE_SECONDS = 0.5
"""How long a query that was told to stop may take for it, before its process is ended."""

_PROGRAM = "graph_platform.engine.worker.program"
_SEND_SECONDS = 1.0
_START_SECONDS = 60.0
_MEGABYTE = 1024**2


class _InWords:
    """Turns what a worker says, and how it ended, into what the asker is told. May be entered again and again."""

    def __init__(self, meaning: Callable[[Ending], PlatformError]) -> None:
        self._meaning = meaning

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, Refused):
            raise PlatformError.from_document(json.loads(error.content)) from error
        if isinstance(error, Stopped):
            raise self._meaning(error.ending) from error


class AskedWorker:
    """A worker that was asked, for whoever does not wait for it. `close` has to follow, in any thread."""

    def __init__(self, asked: Asked, meaning: _InWords, used: contextlib.ExitStack) -> None:
        self._asked = asked
        self._meaning = meaning
        self._used = used

    def fileno(self) -> int:
        """Can be read from when something of the answer is there, or the worker is no more."""
        return self._asked.fileno()

    @property
    def has_begun(self) -> bool:
        """Whether a part of the answer was there, and the rest is still to come."""
        return self._asked.has_begun

    def here(self, wait_seconds: float = 0.0) -> bytes | None:
        """The answer, if all of it is there or comes in that time. Errors are those of `Workers.ask`."""
        with self._meaning:
            return self._asked.here(wait_seconds)

    def answer(self, deadline: float, *, take: Callable[[bytes], bool], stop: Stop) -> bytes:
        """Wait for the answer, as `Workers.ask` does."""
        with self._meaning:
            left = max(0.0, deadline - time.monotonic())
            return self._asked.answer(left, take=take, stop=stop, grace_seconds=GRACE_SECONDS)

    def close(self) -> None:
        """Let others ask it."""
        self._used.close()


class Workers:
    """Safe to use from several threads.

    Args:
        engine: its name.
        most: how many there are; each has the whole database open.
        allowance_bytes: memory of each beside the buffer pool and what it has when its database is open. The kernel
            keeps it.
        prepared: says what the workers open, once it is known which engine they have; called by whoever asks first.
    """

    def __init__(
        self, engine: str, most: int, allowance_bytes: int, prepared: Callable[[EngineVersion], Opening]
    ) -> None:
        self._most = most
        self._allowance_bytes = allowance_bytes
        self.version: EngineVersion | None = None
        self._engine = engine
        self._prepared = prepared
        self.opening: Opening | None = None
        self._pool = ProcessPool(self._started, most, kept=most)

    def start(self) -> None:
        """Have the first worker open its database; the others follow in the background.

        Raises:
            PlatformError: DATABASE_ERROR, and whatever `prepared` raises.
        """
        with self._used():
            pass

    def ask(
        self,
        request: bytes,
        deadline: float,
        *,
        access: Access = "read",
        take: Callable[[bytes], bool] | None = None,
        stop: Stop | None = None,
    ) -> bytes:
        """A worker's answer, or its last part where `take` was given the others; see `ConfinedProcess.ask`.

        Args:
            deadline: when `time.monotonic` has come there, it is stopped.
            access: `write` where the end of a worker leaves open whether something was written.

        Raises:
            PlatformError: what the worker says; QUERY_TIMEOUT; QUERY_ERROR if it was stopped, came to the end of its
                memory or crashed; UNEXPECTED_TERMINATION if something else ended the worker.
        """
        begun = time.monotonic()
        with self._used() as process, self._in_words(begun, access):
            left = max(0.0, deadline - time.monotonic())
            return process.ask(request, left, take=take, stop=stop, grace_seconds=GRACE_SECONDS)

    def asked_now(self, request: bytes, access: Access = "read") -> AskedWorker | None:
        """Ask a worker that is idle, and do not wait for anything; None if there is none.

        Raises:
            PlatformError: INVALID_STATE while the server ends; as `ask` does if the worker ends at once.
        """
        try:
            process = self._pool.taken_now()
        except PoolClosed as closed:
            raise PlatformError(ErrorCode.INVALID_STATE, "the instance is ending") from closed
        if process is None:
            return None
        with contextlib.ExitStack() as used:
            used.callback(self._pool.give_back, process)
            meaning = self._in_words(time.monotonic(), access)
            with meaning:
                asked = used.enter_context(process.asked(request, _SEND_SECONDS))
            return AskedWorker(asked, meaning, used.pop_all())

    def _in_words(self, begun: float, access: Access) -> _InWords:
        return _InWords(lambda ending: self._meaning(ending, time.monotonic() - begun, access))

    def serve(self, name: str, opened: OpenedDatabase, deadline: float) -> None:
        """Have one more database opened, by every worker that there will be. Where only one writes there is only one.

        Raises:
            PlatformError: DATABASE_ERROR, and what `ask` raises; then it is not known.
        """
        opening = self._known_opening()
        self.opening = replace(opening, databases={**opening.databases, name: opened})
        try:
            self.ask(serve_request(name, opened), deadline, access="write")
        except PlatformError:
            self.opening = opening
            raise

    def forget(self, name: str, deadline: float) -> None:
        """Have a database closed, and known no more.

        Raises:
            PlatformError: what `ask` raises; no worker that is started from now on knows it.
        """
        opening = self._known_opening()
        self.opening = replace(opening, databases={k: v for k, v in opening.databases.items() if k != name})
        self.ask(forget_request(name), deadline)

    def checkpoint(self, name: str, deadline: float) -> None:
        """Have all of a database written into its one file.

        Raises:
            PlatformError: DATABASE_ERROR where the engine cannot; its process is replaced then. What `ask` raises.
        """
        with self._used() as process, _InWords(self._meaning_of_a_checkpoint):
            left = max(0.0, deadline - time.monotonic())
            failure = process.ask(checkpoint_request(name), left, grace_seconds=GRACE_SECONDS)
            if failure:
                process.end()
                raise PlatformError.from_document(json.loads(failure))

    def _meaning_of_a_checkpoint(self, ending: Ending) -> PlatformError:
        most = f"{self._allowance_bytes / _MEGABYTE:,.0f} MB"
        memory = ending.cause is Cause.MEMORY
        return PlatformError(
            ErrorCode.DATABASE_ERROR,
            f"writing the log out needs more memory than a process of the engine may take beside its pool ({most})"
            if memory
            else f"the engine's process ended while it wrote the log out ({ending.how})",
            f"{'raise GRAPH_PLATFORM_ENGINE_ALLOWANCE_BYTES' if memory else 'try again'}; nothing is lost",
            {"cause": str(ending.cause)},
        )

    def _known_opening(self) -> Opening:
        if self.opening is None:
            raise PlatformError(ErrorCode.INVALID_STATE, "the instance has not opened its databases yet")
        return self.opening

    def status(self) -> dict[str, Any]:
        """How many there are and have been, and how the last one ended."""
        history = self._pool.history
        last = history.last_ending
        return {
            "most": self._most,
            "alive": len(self._pool.processes),
            "busy": len(self._pool.busy),
            "started": history.started,
            "replaced": history.ended,
            "last_ending": {"cause": str(last.cause), "how": last.how, "last_line": last.last_line} if last else None,
        }

    def close(self) -> None:
        """End them, whatever they do."""
        self._pool.close()

    @contextlib.contextmanager
    def _used(self) -> Iterator[ConfinedProcess]:
        with contextlib.ExitStack() as used:
            try:
                process = used.enter_context(self._pool.one())
            except PoolClosed as closed:
                raise PlatformError(ErrorCode.INVALID_STATE, "the instance is ending") from closed
            except NotReady as refused:
                raise PlatformError.from_document(json.loads(refused.content)) from refused
            except Stopped as stopped:
                how = f"{stopped.ending.how}: {stopped.ending.last_line}"
                message = f"the process of {self._engine} did not start ({how})"
                raise PlatformError(ErrorCode.DATABASE_ERROR, message) from stopped
            yield process

    def _started(self) -> ConfinedProcess:
        return ConfinedProcess(
            _PROGRAM,
            self.opening.to_json() if self.opening else self._first_opening,
            memory_bytes=self._allowance_bytes,
            arguments=(self._engine,),
            start_seconds=_START_SECONDS,
        )

    def _first_opening(self, announcement: bytes) -> bytes:
        self.version = announced_version(announcement)
        self.opening = self._prepared(self.version)
        return self.opening.to_json()

    def _meaning(self, ending: Ending, seconds: float, access: Access) -> PlatformError:
        """What the asker is told, in the terms of the query."""
        details: dict[str, Any] = {"cause": str(ending.cause)}
        unknown = ""
        if ending.status is not None:
            details["process_ended"] = ending.how
            if access == "write":
                unknown = "; it is unknown whether it was written"
        if ending.cause is Cause.TIME:
            late = ", and its process was ended because it did not stop" if ending.status is not None else ""
            message = f"the query was stopped after {seconds:.1f} seconds, when its time was over{late}{unknown}"
            hint = "narrow it, add a LIMIT, or ask for a longer timeout"
            return PlatformError(ErrorCode.QUERY_TIMEOUT, message, hint, details)
        if ending.cause is Cause.STOPPED:
            return PlatformError(ErrorCode.QUERY_ERROR, f"the query was interrupted{unknown}", details=details)
        if ending.cause is Cause.MEMORY:
            details |= {"limit_bytes": self._allowance_bytes, "peak_bytes": ending.peak_bytes}
            most = f"{self._allowance_bytes / _MEGABYTE:,.0f} MB"
            message = f"the query needs more memory than a query of this instance may take ({most}){unknown}"
            return PlatformError(ErrorCode.QUERY_ERROR, message, "narrow the query", details)
        if ending.cause is Cause.KILLED:
            message = f"something else ended the engine's process ({ending.how}) while it was at the query{unknown}"
            hint = "ask again; if that is how it ends each time, the machine has too little memory"
            return PlatformError(ErrorCode.UNEXPECTED_TERMINATION, message, hint, details)
        message = f"the engine crashed on the query ({ending.how}); other queries are not affected{unknown}"
        return PlatformError(ErrorCode.QUERY_ERROR, message, "ask in another way, and report the query", details)
