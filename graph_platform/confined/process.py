"""The starting side of a confined process: starts it, asks it, stops it at its limits, and tells what ended it.

Memory is kept by the kernel, time by the clock here: what does not stop within a second of being told is killed. A
process that was killed, crashed or came to the end of its memory is never asked again; `pool` starts another one.
"""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import IO

from graph_platform.confined.frames import Frame, Gone, Kind, Reader, send
from graph_platform.processes.ending import Cause, Ending, ending

GRACE_SECONDS = 1.0
"""How long a process has to stop what it was told to stop, before it is killed."""

_AGAIN_SECONDS = 0.1
_LOG_TAIL_BYTES = 16 * 1024
# What a program needs of the environment; the rest is settings and secrets of others, and it runs what users wrote.
_KEPT = ("PATH", "HOME", "TMPDIR", "TZ", "LANG", "LANGUAGE", "VIRTUAL_ENV", "LD_LIBRARY_PATH")
_KEPT_PREFIXES = ("LC_", "PYTHON")


class Stopped(Exception):
    """What was asked has no answer: the process was stopped at a limit, or ended."""

    def __init__(self, ending: Ending) -> None:
        super().__init__(f"{ending.cause}: {ending.how}")
        self.ending = ending


class Refused(Exception):
    """The program has no answer to what it was asked, and `content` is what it said of it; it goes on."""

    def __init__(self, content: bytes) -> None:
        super().__init__()
        self.content = content


class NotReady(Exception):
    """The program could not be made ready; `content` is what it said of it."""

    def __init__(self, content: bytes) -> None:
        super().__init__()
        self.content = content


class Stop:
    """The wish of another thread that something which is asked be stopped. Safe to use from several threads.

    From the first `fileno` on it holds a file until `close`, since whoever asks waits for the process and for this at
    once.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._event: int | None = None
        self._closed = False
        self.wished = False

    def wish(self) -> None:
        """Have it stopped; nothing if it has ended."""
        with self._lock:
            self.wished = True
            if self._event is not None:
                os.eventfd_write(self._event, 1)

    def fileno(self) -> int:
        """Can be read from when it is wished; -1 after `close`."""
        with self._lock:
            if self._event is None and not self._closed:
                self._event = os.eventfd(int(self.wished))
            return -1 if self._event is None else self._event

    def close(self) -> None:
        """Let go of the file; a second call does nothing."""
        with self._lock:
            self._closed = True
            event, self._event = self._event, None
            if event is not None:
                os.close(event)


class ConfinedProcess:
    """A process of its own that runs one module, whose last line is `graph_platform.confined.program.serve(…)`.

    It may be asked by one thread at a time; any thread may end it.

    Args:
        module: the module's name.
        opening: what the program is made ready from, or a function that is given what the program announces, and
            returns that: what it raises ends the process.
        arguments: the module's own, after those of every confined process.
        memory_bytes: what it may take beside what it has once it is ready.
        environment: variables that the program needs beside those of every process.
        start_seconds: time limit of the start.
        on_end: called once when the process is no more.

    Raises:
        NotReady: the program says why.
        Stopped: it ended, or was killed at the time limit, before it was ready.
    """

    def __init__(
        self,
        module: str,
        opening: bytes | Callable[[bytes], bytes],
        *,
        memory_bytes: int,
        arguments: Sequence[str] = (),
        environment: Mapping[str, str] = MappingProxyType({}),
        start_seconds: float = 60.0,
        on_end: Callable[[], None] = lambda: None,
    ) -> None:
        self._on_end = on_end
        self._lock, self._used = threading.Lock(), threading.Lock()
        self._ended: Ending | None = None
        self._peak: int | None = None
        self._number = 0
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - closed when the process has ended
        self._connection, theirs = socket.socketpair()
        self._interrupts, their_interrupts = socket.socketpair()
        with theirs, their_interrupts:
            passed = (theirs.fileno(), their_interrupts.fileno())
            command = [sys.executable, "-X", "faulthandler", "-m", module, ",".join(map(str, passed))]
            command += [str(os.getpid()), str(memory_bytes), *arguments]
            try:
                self._process = _started(command, {**_own_environment(), **environment}, passed, self._log)
            except BaseException:
                self._close_connection()
                self._log.close()
                on_end()
                raise
        self._reader = Reader(self._connection)
        with self._use():
            if callable(opening):
                opening = opening(self._started_with(Kind.ANNOUNCED, start_seconds))
            self._tell(Frame(Kind.OPEN, 0, opening), start_seconds)
            self._started_with(Kind.READY, start_seconds)

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    @property
    def has_ended(self) -> bool:
        """Whether its end is known here."""
        return self._ended is not None

    @property
    def alive(self) -> bool:
        """Whether it can be asked. One that was killed from outside meanwhile is found here."""
        if self._ended is None:
            with contextlib.suppress(Stopped), self._use():
                # Nothing comes unasked, so that whatever is there to be read is its end.
                if self._hear(0.0) is not None:
                    self.end()
        return self._ended is None

    def ask(
        self,
        request: bytes,
        limit_seconds: float | None = None,
        *,
        take: Callable[[bytes], bool] | None = None,
        stop: Stop | None = None,
        grace_seconds: float = GRACE_SECONDS,
    ) -> bytes:
        """The program's answer.

        Args:
            limit_seconds: time limit, None for none.
            take: given each part of an answer that comes in parts, but the last, which is returned; the program makes
                no more of them than fit into the sockets meanwhile. False has the rest stopped.
            stop: has it stopped by another thread.
            grace_seconds: how long the program may take to stop.

        Raises:
            Refused: the program says why.
            Stopped: there is no answer. The process lives on only if it stopped in time after it was told to.
        """
        with self.asked(request, limit_seconds) as asked:
            return asked.answer(limit_seconds, take=take, stop=stop, grace_seconds=grace_seconds)

    @contextlib.contextmanager
    def asked(self, request: bytes, limit_seconds: float | None = None) -> Iterator[Asked]:
        """Ask it, for whoever has something else to do than wait for the answer.

        Raises:
            Stopped: as `ask` does.
        """
        with self._use():
            self._number += 1
            self._tell(Frame(Kind.REQUEST, self._number, request), limit_seconds)
            yield Asked(self, self._number)

    def end(self, cause: Cause = Cause.STOPPED) -> Ending:
        """Kill it, wait until it is no more, and tell how it ended; for whoever is asking it, that is the `cause`."""
        with self._lock:
            if self._ended is None:
                self._ended = self._killed(cause)
            ended = self._ended
        if self._used.acquire(blocking=False):  # else whoever uses the connection closes it
            self._close_connection()
            self._used.release()
        return ended

    @contextlib.contextmanager
    def _use(self) -> Iterator[None]:
        """Use the connection, one thread at a time. What ends badly, a Ctrl-C too, leaves nobody to be asked again."""
        with self._used:
            try:
                yield
            except (Stopped, Refused):
                raise
            except BaseException:
                self.end()
                raise
            finally:
                if self._ended is not None:
                    self._close_connection()

    def _close_connection(self) -> None:
        self._connection.close()
        self._interrupts.close()

    def _killed(self, cause: Cause) -> Ending:
        # One that ended by itself keeps its own status. Its id is its own until it has been waited for.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        status = self._process.wait()
        with contextlib.suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)  # wakes whoever is reading
        found = ending(status, _tail(self._log), self._peak)
        self._log.close()
        self._on_end()
        return found if status != -signal.SIGKILL else replace(found, cause=cause)

    def _started_with(self, kind: Kind, seconds: float) -> bytes:
        first = self._hear(seconds)
        if first is not None and first.kind is Kind.ANNOUNCED and kind is not Kind.ANNOUNCED:
            first = self._hear(seconds)  # nobody here wanted to know
        if first is None:
            raise Stopped(self.end(Cause.TIME))
        if first.kind is not kind:
            self.end()
            raise NotReady(first.content)
        return first.content

    def _interrupted(self, cause: Cause, grace_seconds: float) -> Ending:
        """Have what is being asked stopped, and the process ended if it does not stop.

        It is told again and again: an engine forgets what it was told before it began.
        """
        deadline = time.monotonic() + grace_seconds
        while (left := deadline - time.monotonic()) > 0:
            self._tell(Frame(Kind.INTERRUPT, self._number), left, self._interrupts)
            pause = time.monotonic() + min(left, _AGAIN_SECONDS)
            while (heard := self._hear(max(0.0, pause - time.monotonic()))) is not None:
                if heard.number != self._number:
                    return self.end(Cause.CRASHED)
                if heard.kind is not Kind.PART:  # it has stopped, or had come to its end
                    return Ending(cause)
        return self.end(cause)

    def _tell(self, frame: Frame, limit_seconds: float | None, to: socket.socket | None = None) -> None:
        try:
            send(to or self._connection, frame, limit_seconds)
        except Gone as gone:
            raise Stopped(self.end(Cause.KILLED)) from gone

    def _hear(self, seconds: float | None, stop: Stop | None = None) -> Frame | None:
        """The next frame, None if there is none in time, or before it is to be stopped."""
        deadline = None if seconds is None else time.monotonic() + seconds
        try:
            while True:
                left = None if deadline is None else max(0.0, deadline - time.monotonic())
                frame = self._reader.frame(left, stop.fileno() if stop else None)
                if frame is None or frame.kind is not Kind.OUT_OF_MEMORY:
                    return frame
                self._peak = int(frame.content)  # its last word: what follows is its end
        except (Gone, ValueError) as gone:
            # Nobody here has ended it, or `end` has and tells with which cause.
            raise Stopped(self.end(Cause.KILLED)) from gone


class Asked:
    """A request that was sent, and its answer when it comes. It is the process's only one meanwhile."""

    def __init__(self, process: ConfinedProcess, number: int) -> None:
        self._process = process
        self._number = number
        self._parts: list[bytes] = []

    def fileno(self) -> int:
        """Can be read from when something of the answer is there, or the process is no more."""
        return self._process._connection.fileno()

    @property
    def has_begun(self) -> bool:
        """Whether a part of the answer has been heard, and nobody was given it."""
        return bool(self._parts)

    def here(self, wait_seconds: float = 0.0) -> bytes | None:
        """The answer if all of it is there, or comes at once; None if not, and then `answer` waits for it.

        Raises:
            Refused, Stopped: as `ConfinedProcess.ask` does.
        """
        heard = self._process._hear(wait_seconds)
        return None if heard is None else self._whole(heard)

    def answer(
        self,
        limit_seconds: float | None = None,
        *,
        take: Callable[[bytes], bool] | None = None,
        stop: Stop | None = None,
        grace_seconds: float = GRACE_SECONDS,
    ) -> bytes:
        """The answer, or its last part where `take` is given the others; see `ConfinedProcess.ask`."""
        process = self._process
        deadline = None if limit_seconds is None else time.monotonic() + limit_seconds
        while True:
            while take is not None and self._parts:
                if not take(self._parts.pop(0)):
                    raise Stopped(process._interrupted(Cause.STOPPED, grace_seconds))
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            heard = process._hear(left, stop)
            if heard is None:
                cause = Cause.STOPPED if stop and stop.wished else Cause.TIME
                raise Stopped(process._interrupted(cause, grace_seconds))
            whole = self._whole(heard)
            if whole is not None:
                return whole

    def _whole(self, heard: Frame) -> bytes | None:
        """The answer if this was the end of it; a part is kept."""
        if heard.number == self._number and heard.kind is Kind.ANSWER:
            return b"".join([*self._parts, heard.content])
        if heard.number == self._number and heard.kind is Kind.REFUSED:
            raise Refused(heard.content)
        if heard.number != self._number or heard.kind is not Kind.PART:
            raise Stopped(self._process.end(Cause.CRASHED))
        self._parts.append(heard.content)
        return None


@dataclass(frozen=True)
class _Order:
    """A process to be started."""

    started: Future[subprocess.Popen[bytes]]
    command: list[str]
    environment: dict[str, str]
    passed: tuple[int, ...]
    log: IO[bytes]


class _Starter:
    """Starts processes in one thread that lives as long as this process does.

    The kernel sends the signal that ends a process with its parent when the *thread* that started it ends: started in
    a thread of a pool, it would be killed in the midst of its work.
    """

    def __init__(self) -> None:
        self._wanted: queue.SimpleQueue[_Order]
        self._lock = threading.Lock()
        self._owner = 0

    def start(
        self, command: list[str], environment: dict[str, str], passed: tuple[int, ...], log: IO[bytes]
    ) -> subprocess.Popen[bytes]:
        """Start a program that inherits these file descriptors, and writes to `log`."""
        started: Future[subprocess.Popen[bytes]] = Future()
        with self._lock:
            if self._owner != os.getpid():  # a thread does not come along through a fork
                self._owner, self._wanted = os.getpid(), queue.SimpleQueue()
                threading.Thread(target=self._run, args=(self._wanted,), name="starts-processes", daemon=True).start()
            self._wanted.put(_Order(started, command, environment, passed, log))
        return started.result()

    def _run(self, wanted: queue.SimpleQueue[_Order]) -> None:
        while True:
            order = wanted.get()
            try:
                order.started.set_result(
                    subprocess.Popen(
                        order.command,
                        stdin=subprocess.DEVNULL,
                        stdout=order.log,
                        stderr=order.log,
                        pass_fds=order.passed,
                        env=order.environment,
                        start_new_session=True,  # a Ctrl-C at the terminal is the starting side's to handle
                    )
                )
            except BaseException as error:  # noqa: BLE001 - whoever asked for it gets it
                order.started.set_exception(error)


_started = _Starter().start


def _own_environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name in _KEPT or name.startswith(_KEPT_PREFIXES)}


def _tail(log: IO[bytes]) -> str:
    log.seek(max(0, log.seek(0, os.SEEK_END) - _LOG_TAIL_BYTES))
    return log.read().decode(errors="replace")
