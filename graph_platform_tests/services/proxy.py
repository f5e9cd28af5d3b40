"""A proxy that counts requests, delays them, and fails where a test wants it to.

It relays bytes and reads no more of HTTP than a request's first word, so what passes through is the server's own.
"""

from __future__ import annotations

import contextlib
import re
import socket
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

_REQUEST = re.compile(rb"(?:GET|POST|DELETE|HEAD|PUT) (\S+) HTTP/1\.")


@dataclass
class Proxy:
    """A proxy in front of a port or a socket file of this machine; use it as a context. It listens on `address`.

    `delay_seconds` is added to each request. `failures` is what the next requests get instead of an answer, one each:
    a status to answer with, or 0 for a connection that is lost.
    """

    target: int | Path
    delay_seconds: float = 0.0
    failures: list[int] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    address: str = "127.0.0.1"

    def __post_init__(self) -> None:
        self._listener = socket.create_server((self.address, 0))
        self.port: int = self._listener.getsockname()[1]
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()

    def __enter__(self) -> Proxy:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Closing alone does not wake a thread that waits in accept.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            for connection in self._open:
                _end(connection)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, self._connected() as server:
            for connection in (client, server):
                if connection.family != socket.AF_UNIX:
                    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                self._open |= {client, server}
            back = threading.Thread(target=_relay, args=(server, client), daemon=True)
            back.start()
            with contextlib.suppress(OSError):
                while (chunk := client.recv(65536)) and self._pass_on(chunk, client):
                    server.sendall(chunk)
            _end(server)
            back.join()
            with self._lock:
                self._open -= {client, server}

    def _connected(self) -> socket.socket:
        if isinstance(self.target, int):
            return socket.create_connection(("127.0.0.1", self.target))
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(str(self.target))
        return connection

    def _pass_on(self, chunk: bytes, client: socket.socket) -> bool:
        request = _REQUEST.match(chunk)
        if request is None:
            return True
        with self._lock:
            self.requests.append(chunk.split(b"\r\n", 1)[0].decode())
            failure = self.failures.pop(0) if self.failures else None
        time.sleep(self.delay_seconds)
        if failure:
            client.sendall(f"HTTP/1.1 {failure} Failed\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
        return failure is None


def _relay(source: socket.socket, destination: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while chunk := source.recv(65536):
            destination.sendall(chunk)
    _end(destination)


def _end(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
