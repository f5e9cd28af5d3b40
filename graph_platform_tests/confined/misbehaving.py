"""A program for the tests: it does what a confined process must be stopped from doing, in each way that there is."""

from __future__ import annotations

import ctypes
import json
import mmap
import os
import re
import signal
import threading

from graph_platform.confined.program import Interrupted, LastAnswer, NotOpened, OutOfMemory, serve


class _Misbehaving:
    def __init__(self) -> None:
        self._told = threading.Event()

    def interrupt(self) -> None:
        self._told.set()

    def answer(self, request: bytes) -> bytes:
        asked, _, rest = request.partition(b" ")
        answer = getattr(self, "_" + asked.decode())(rest)
        return answer if isinstance(answer, bytes) else json.dumps(answer).encode()

    def _echo(self, rest: bytes) -> bytes:
        return rest

    def _environment(self, _: bytes) -> list[str]:
        return sorted(os.environ)

    def _long(self, rest: bytes) -> bytes:
        return b"x" * int(rest)

    def _take(self, rest: bytes) -> int:
        return len(bytearray(int(rest)))

    def _take_in_native_code(self, rest: bytes) -> str:
        allocate = ctypes.CDLL(None).malloc
        allocate.restype = ctypes.c_void_p
        if not allocate(ctypes.c_size_t(int(rest))):
            raise OutOfMemory
        return "taken"

    def _map(self, rest: bytes) -> str:
        mmap.mmap(-1, int(rest), flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        return "taken"

    def _grow(self, _: bytes) -> None:
        kept = []
        while True:
            kept.append(bytearray(10_000_000))

    def _wait(self, _: bytes) -> None:
        self._told.wait()
        self._told.clear()
        raise Interrupted

    def _spin(self, _: bytes) -> None:
        while True:
            pass

    def _hold_the_interpreter(self, _: bytes) -> None:
        re.match(r"(a|a)*b", "a" * 60)  # takes years, and no other thread of Python's runs meanwhile

    def _crash(self, rest: bytes) -> None:
        os.kill(os.getpid(), signal.Signals[rest.decode()])
        threading.Event().wait()

    def _exit(self, rest: bytes) -> None:
        os._exit(int(rest))

    def _last(self, _: bytes) -> None:
        raise LastAnswer(b"good-bye")


def _opened(opening: bytes) -> _Misbehaving:
    if opening == b"refuse":
        raise NotOpened(b"not today")
    if opening == b"die":
        os._exit(3)
    if opening == b"sleep":
        threading.Event().wait()
    return _Misbehaving()


if __name__ == "__main__":
    serve(_opened)
