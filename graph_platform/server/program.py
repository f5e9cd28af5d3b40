"""The life of a server process: bind, tell where, open the databases in the background, serve, end.

The port is bound and the endpoint written before anything else, so that a start can be watched from its first moment.
What is served (the spec), the token, the address and where it writes are apart: a pod has no loopback that others
reach, and no folder that others read.
"""

from __future__ import annotations

import contextlib
import errno
import faulthandler
import signal
import socket
import sys
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

import uvicorn

from graph_platform.engine.protocol import EngineVersion
from graph_platform.engine.worker.requests import OpenedDatabase, Opening
from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.runtime.spec import Access, ServerSpec, read_spec
from graph_platform.runtime.state import State
from graph_platform.server.app import application
from graph_platform.server.connections import BoundedServer, ConnectionLimits, Connections
from graph_platform.server.host import Host
from graph_platform.server.startup import Folders, prepared

FINISH_SECONDS = 3
"""How long running queries may go on after SIGTERM before they are interrupted."""


@dataclass(frozen=True)
class Address:
    """A host, as a name or number, and a port, 0 for a free one."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Address:
        """The address of `HOST:PORT`, an IPv6 number in brackets.

        Raises:
            ValueError: it is none.
        """
        host, colon, port = text.rpartition(":")
        if not colon or not host or not port.isdecimal():
            raise ValueError(f"{text!r} is not HOST:PORT")
        return cls(host.removeprefix("[").removesuffix("]"), int(port))

    def url(self, port: int) -> str:
        """The base URL under which the server answers, once it has a port."""
        return f"http://[{self.host}]:{port}" if ":" in self.host else f"http://{self.host}:{port}"


@dataclass(frozen=True)
class Places:
    """Where a server finds what it is given, where it listens, and where it writes. Each place to run has its own.

    Args:
        spec: the file of the `ServerSpec`.
        token: the file of the secret that the bearer tokens are made of (`runtime.tokens`), which is the operator's.
        bind: where it listens.
        folders: where databases are.
        state: the folder in which whoever started it reads what became of it; None where nobody could.
        failure_file: a file that is there already, in which it is told why the server ends; None for none.
    """

    spec: Path
    token: Path
    bind: Address
    folders: Folders
    state: Path | None
    failure_file: Path | None = None


def serve(places: Places) -> int:
    """Serve what the spec says until SIGTERM.

    Returns:
        The exit status: 0 after SIGTERM, 1 after a failure, whose document is in the state's folder too.
    """
    faulthandler.enable()
    state = State(places.state, places.failure_file)
    try:
        spec = read_spec(ServerSpec, places.spec)
        state.process(spec.attempt)
        token = _token(places.token)
        listening = bind(places.bind)
        address = places.bind.url(listening.getsockname()[1])
        state.endpoint(address)
    except PlatformError as error:
        return _failed(state, error)
    except OSError as error:
        told = f"cannot write to {places.state}: {error.strerror}"
        return _failed(state, PlatformError(ErrorCode.STORAGE_ERROR, told))

    def opening(version: EngineVersion) -> Opening:
        main_first = sorted(spec.databases, key=lambda database: database != spec.main)
        databases = {
            each.name: OpenedDatabase(
                str(prepared(spec, each, version, places.folders, host.report, _log)), each.access.value
            )
            for each in main_first
        }
        limits, grows = spec.limits, any(each.access is Access.WRITE for each in spec.databases)
        folder = str(places.folders.data) if grows else None
        return Opening(databases, limits.max_databases, limits.pool_bytes, limits.threads, folder)

    host = Host(spec, opening)
    connections = Connections(ConnectionLimits().within_open_files())
    config = connections.config(application(host, token, _log), timeout_graceful_shutdown=FINISH_SECONDS)
    server = _Server(config, host)
    threading.Thread(target=_start, args=(host, state, server), daemon=True).start()
    _log(f"instance {spec.instance}, attempt {spec.attempt}, listens on {address}")
    server.run(sockets=[listening])
    host.close()
    if host.failure:
        return _failed(state, host.failure)
    _log("ended")
    return 0


class _Server(BoundedServer):
    """Uvicorn that stops taking queries the moment it is told to end, and does not raise the signal again."""

    def __init__(self, config: uvicorn.Config, host: Host) -> None:
        super().__init__(config)
        self._host = host

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        _log(f"{signal.Signals(sig).name}: ending")
        self._host.end()
        self.should_exit = True


def _start(host: Host, state: State, server: uvicorn.Server) -> None:
    try:
        host.start()
        _log("ready")
        with contextlib.suppress(PlatformError):  # told to end already
            host.schema()
    except PlatformError as error:
        host.failure = error
    except OSError as error:
        host.failure = PlatformError(ErrorCode.STORAGE_ERROR, f"starting failed: {error.strerror} ({error.filename})")
    except Exception as error:  # noqa: BLE001 — a defect here must end the process with a word, not hang it
        host.failure = PlatformError(ErrorCode.INTERNAL_ERROR, f"starting failed: {type(error).__name__}: {error}")
    if host.failure:
        state.failure(host.failure.document())
        server.should_exit = True


def _token(path: Path) -> str:
    try:
        token = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        token = ""
    if len(token) < 32:
        raise PlatformError(ErrorCode.VALIDATION_FAILED, f"{path} holds no token of 32 characters")
    return token


def bind(address: Address) -> socket.socket:
    """A listening socket.

    Raises:
        PlatformError: INVALID_STATE for a port that is taken, or an address that is not this machine's.
    """
    # Only where the protocol is named does asyncio set TCP_NODELAY: else an answer waits 40 ms for an acknowledgement.
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((address.host, address.port))
        listening.listen(ConnectionLimits.queue)
    except (OSError, OverflowError) as error:
        listening.close()
        used = isinstance(error, OSError) and error.errno == errno.EADDRINUSE
        port = address.port
        raise PlatformError(
            ErrorCode.INVALID_STATE,
            f"port {port} is already in use" if used else f"cannot listen on {address.host}, port {port}: {error}",
            "choose another port, or 0 for a free one",
        ) from error
    return listening


def _failed(state: State, error: PlatformError) -> int:
    _log(f"failed: {error}")
    try:
        state.failure(error.document())
    except OSError as failure:
        _log(f"cannot write it down: {failure.strerror} ({failure.filename})")
    return 1


def _log(message: str) -> None:
    sys.stderr.write(f"{datetime.now(UTC).isoformat(timespec='milliseconds')} {message}\n")
    sys.stderr.flush()
