"""The side of the confined process: it dies with the one that started it, takes no more memory than it was given, and
answers one request after the other.

Little more than the standard library is imported here: what a process imports is what its start costs.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import resource
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import NoReturn, Protocol

from graph_platform.confined.frames import MOST_BYTES, Frame, Gone, Kind, Reader, send
from graph_platform.private import keep_private
from graph_platform.processes.ending import OUT_OF_MEMORY_STATUS

_PR_SET_PDEATHSIG = 1
_MEMORY = re.compile(r"^(VmData|VmHWM):\s+(\d+) kB", re.MULTILINE)


class Program(Protocol):
    """What runs in a confined process."""

    def answer(self, request: bytes) -> bytes | Iterable[bytes]:
        """Answer one request, as a whole or in pieces, each of which is made when the one before it has been taken.

        Raises:
            OutOfMemory, Interrupted, LastAnswer, Refused: also while the pieces are made.
        """
        ...

    def interrupt(self) -> None:
        """Stop what is being answered; called from another thread. A request that only begins may miss it."""
        ...


class OutOfMemory(Exception):
    """The program came to the end of its memory, as a `MemoryError` says too. It is never asked again."""


class Interrupted(Exception):
    """The request was stopped because that was asked for."""


class Refused(Exception):
    """The request has no answer, and `content` says why; the program goes on."""

    def __init__(self, content: bytes) -> None:
        super().__init__()
        self.content = content


class LastAnswer(Exception):
    """The answer to a request after which the program cannot be used."""

    def __init__(self, content: bytes) -> None:
        super().__init__()
        self.content = content


class NotOpened(Exception):
    """The program could not be made ready; `content` says why."""

    def __init__(self, content: bytes) -> None:
        super().__init__()
        self.content = content


def serve(
    opened: Callable[[bytes], Program], *, announced: Callable[[], bytes] | None = None, reserves: bool = False
) -> NoReturn:
    """Be a confined process, started by `graph_platform.confined.process`.

    Args:
        opened: makes the program ready, from what the starting side says. What it takes for that is not counted: the
            limit of memory is what the process has then, and the allowance.
        announced: called first, for what can be done before anything is known of what is to be opened; what it returns
            is told to a starting side that asks for it.
        reserves: whether the program will need `not_counted` later.
    """
    keep_private()
    number, interrupts = map(int, sys.argv[1].split(","))
    starter, allowance = map(int, sys.argv[2:4])
    connection = socket.socket(fileno=number)
    _die_with(starter)
    memory()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core file would hold the data, and takes its time
    with contextlib.suppress(Gone):
        try:
            if announced:
                send(connection, Frame(Kind.ANNOUNCED, 0, announced()))
            reader = Reader(connection)
            opening = reader.frame()
            if opening is not None:
                asked = _Asked(reader, Reader(socket.socket(fileno=interrupts)), opened(opening.content))
                _serve(connection, asked, allowance, reserves)
        except NotOpened as refused:
            send(connection, Frame(Kind.FAILED, 0, refused.content))
    os._exit(0)  # whatever a thread of the program still does


def _serve(connection: socket.socket, asked: _Asked, allowance: int, reserves: bool) -> None:
    threading.Thread(target=asked.listen, daemon=True).start()
    limit_memory(allowance, final=not reserves)
    send(connection, Frame(Kind.READY))
    while True:
        request = asked.begin()
        last = False
        try:
            answer = Frame(Kind.ANSWER, request.number, _answered(connection, asked.program, request))
        except Interrupted:
            answer = Frame(Kind.INTERRUPTED, request.number)
        except Refused as refused:
            answer = Frame(Kind.REFUSED, request.number, refused.content)
        except LastAnswer as given:
            answer, last = Frame(Kind.ANSWER, request.number, given.content), True
        except (MemoryError, OutOfMemory):
            _end_out_of_memory(connection, request)
        finally:
            asked.end()
        if len(answer.content) > MOST_BYTES:
            _end_out_of_memory(connection, request)
        send(connection, answer)
        if last:
            return


def _answered(connection: socket.socket, program: Program, request: Frame) -> bytes:
    """The last piece of an answer; those before it have been sent."""
    answer = program.answer(request.content)
    if isinstance(answer, bytes):
        return answer
    last: bytes | None = None
    for piece in answer:
        if last is not None:
            send(connection, Frame(Kind.PART, request.number, last))
        last = piece
    return last or b""


class _Asked:
    """What is asked of the program. Interrupts come on a connection of their own, to a thread of their own."""

    def __init__(self, requests: Reader, interrupts: Reader, program: Program) -> None:
        self.program = program
        self._requests = requests
        self._interrupts = interrupts
        self._lock = threading.Lock()
        self._number: int | None = None

    def listen(self) -> None:
        """Listen until the starting side is gone, and end the process then: a statement may take for ever."""
        with contextlib.suppress(Gone):
            while (frame := self._interrupts.frame()) is not None:
                self._interrupt(frame.number)
        os._exit(0)

    def begin(self) -> Frame:
        """The next request, once there is one.

        Raises:
            Gone: the starting side is no more.
        """
        request = self._requests.frame()
        if request is None:
            raise Gone
        with self._lock:
            self._number = request.number
        return request

    def end(self) -> None:
        """The request is answered: an interrupt that still comes for it finds nothing."""
        with self._lock:
            self._number = None

    def _interrupt(self, number: int) -> None:
        with self._lock:
            if self._number == number:
                self.program.interrupt()


def _end_out_of_memory(connection: socket.socket, request: Frame) -> NoReturn:
    """Say how much it was, if there is memory left for that, and end: what an allocator left half done is not known."""
    with contextlib.suppress(MemoryError, OSError, Gone):
        peak = str(memory()["VmHWM"]).encode()
        send(connection, Frame(Kind.OUT_OF_MEMORY, request.number, peak))
    os._exit(OUT_OF_MEMORY_STATUS)


def limit_memory(allowance: int, *, final: bool = True) -> None:
    """Let this process take `allowance` bytes beside what it has now; if that is `final`, it is so for ever.

    RLIMIT_DATA counts private memory that can be written, and that is what allocators ask for. RLIMIT_AS would count
    what a database only reserves, or maps of its file, which is terabytes for some.
    """
    limit = memory()["VmData"] + allowance
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit if final else resource.RLIM_INFINITY))


@contextlib.contextmanager
def not_counted() -> Iterator[None]:
    """What is taken, or given back, in here changes the limit by as much: a database reserves what it may never use."""
    limit, most = resource.getrlimit(resource.RLIMIT_DATA)
    if limit == most:  # there is no limit yet
        yield
        return
    before = memory()["VmData"]
    resource.setrlimit(resource.RLIMIT_DATA, (most, most))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (limit + memory()["VmData"] - before, most))


def memory(process: int | None = None) -> dict[str, int]:
    """Memory of a process, by default this one, in bytes: `VmData`, of which there is a limit, and `VmHWM`, the most in
    use at once.
    """
    if process is None:
        status = os.pread(_own_status(os.getpid()), 8192, 0).decode()
    else:
        status = Path(f"/proc/{process}/status").read_text(encoding="utf-8")
    return {name: int(kilobytes) * 1024 for name, kilobytes in _MEMORY.findall(status)}


@cache
def _own_status(process: int) -> int:
    """Open from the first look on: a process that is kept from files is not kept from those that it has open."""
    return os.open(f"/proc/{process}/status", os.O_RDONLY | os.O_CLOEXEC)


def _die_with(starter: int) -> None:
    """Have the kernel end this process with the one that started it, even while native code runs here."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != starter:  # it died before that was said
        os._exit(0)
