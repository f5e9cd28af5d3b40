"""A program for the tests: it is kept to the files that it is told, and then reaches for everything else."""

from __future__ import annotations

import ctypes
import errno
import json
import os
import platform
import resource
import socket
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from graph_platform.confined.kernel import confine
from graph_platform.confined.program import memory, not_counted, serve

_IO_URING_SETUP = 425
_X32 = 0x40000000


def _call(number: int) -> None:
    if ctypes.CDLL(None, use_errno=True).syscall(ctypes.c_long(number), 1, 0, 0, 0) < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _by_socket(family: int, kind: int, act: str, address: object) -> None:
    with socket.socket(family, kind) as made:
        getattr(made, act)(address)


def _fork() -> None:
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)


def _read_in_a_thread(path: str) -> None:
    with ThreadPoolExecutor(1) as threads:
        threads.submit(Path(path).read_bytes).result()


class _Reaching:
    def interrupt(self) -> None:
        pass

    def answer(self, request: bytes) -> bytes:
        what, *arguments = json.loads(request)
        if what == "reserve":
            return json.dumps(self._reserve(int(arguments[0]))).encode()
        act: Callable[..., object] = ACTS[what]
        try:
            act(*arguments)
        except OSError as error:
            return json.dumps(errno.errorcode[error.errno or 0]).encode()
        return json.dumps("done").encode()

    def _reserve(self, size: int) -> list[int]:
        limits, kept = [resource.getrlimit(resource.RLIMIT_DATA)[0]], []
        with not_counted():
            kept.append(bytearray(size))
        limits.append(resource.getrlimit(resource.RLIMIT_DATA)[0])
        with not_counted():
            kept.clear()
        limits.append(resource.getrlimit(resource.RLIMIT_DATA)[0])
        return [*limits, memory()["VmData"]]


ACTS: dict[str, Callable[..., object]] = {
    "read": lambda path: Path(path).read_bytes(),
    "list": os.listdir,
    "write": lambda path: Path(path).write_bytes(b"x"),
    "remove": lambda path: Path(path).unlink(),
    "rename": lambda path, other: Path(path).rename(other),
    "link": os.link,
    "tcp": lambda port: _by_socket(socket.AF_INET, socket.SOCK_STREAM, "connect", ("127.0.0.1", port)),
    "udp": lambda port: _by_socket(socket.AF_INET, socket.SOCK_DGRAM, "connect", ("127.0.0.1", port)),
    "unix": lambda path: _by_socket(socket.AF_UNIX, socket.SOCK_STREAM, "connect", path),
    "netlink": lambda: _by_socket(socket.AF_NETLINK, socket.SOCK_RAW, "bind", (0, 0)),
    "listen": lambda: _by_socket(socket.AF_INET, socket.SOCK_STREAM, "bind", ("127.0.0.1", 0)),
    "fork": _fork,
    "run": lambda: subprocess.run(["/bin/true"], check=True),
    "spawn": lambda: os.waitpid(os.posix_spawn("/bin/true", ["true"], {}), 0),
    "become": lambda: os.execv(sys.executable, [sys.executable, "-c", ""]),  # noqa: S606
    "kill": lambda pid: os.kill(pid, 0),
    "uring": lambda: _call(_IO_URING_SETUP),
    "other convention": lambda: _call(_X32 + 41) if platform.machine() == "x86_64" else _call(198),
    "read in a thread": _read_in_a_thread,
}


def _opened(opening: bytes) -> _Reaching:
    told = json.loads(opening)
    confine(map(Path, told["readable"]), map(Path, told["writable"]))
    return _Reaching()


if __name__ == "__main__":
    serve(_opened, reserves=True)
