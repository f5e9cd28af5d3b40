"""The life of a server process: bind, tell where, open the snapshot in the background, serve, end.

The port is bound and the endpoint written before anything else, so that a start can be watched from its first moment.
"""

from __future__ import annotations

import contextlib
import errno
import faulthandler
import os
import signal
import socket
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

import uvicorn

from graph_platform.engine.protocol import EngineVersion
from graph_platform.engine.worker.requests import OpenedDatabase, Opening
from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.processes.identity import process_identity
from graph_platform.runtime.local import files
from graph_platform.runtime.spec import ServerSpec, read_spec
from graph_platform.server.app import application
from graph_platform.server.connections import BoundedServer, ConnectionLimits, Connections
from graph_platform.server.host import Host
from graph_platform.server.startup import prepared

HOST = "127.0.0.1"
FINISH_SECONDS = 3
"""How long running queries may go on after SIGTERM before they are interrupted."""


def serve(spec_path: Path, *, port: int = 0) -> int:
    """Serve the snapshot of a spec until SIGTERM.

    Beside `spec_path` there is the file `token`; `process.json`, `endpoint.json` and, if it fails, `failure.json` are
    written there.

    Returns:
        The exit status: 0 after SIGTERM, 1 after a failure, whose document is in `failure.json` too.
    """
    faulthandler.enable()
    folder = spec_path.absolute().parent
    try:
        spec = read_spec(ServerSpec, spec_path)
        files.write_document(
            folder / files.PROCESS,
            {"pid": os.getpid(), "identity": process_identity(os.getpid()), "attempt": spec.attempt},
        )
        token = _token(folder)
        listening = bind(port)
        address = f"http://{HOST}:{listening.getsockname()[1]}"
        files.write_document(folder / files.ENDPOINT, {"url": address, "attempt": spec.attempt})
    except PlatformError as error:
        return _failed(folder, error)
    except OSError as error:
        return _failed(folder, PlatformError(ErrorCode.STORAGE_ERROR, f"cannot write to {folder}: {error.strerror}"))

    def opening(version: EngineVersion) -> Opening:
        main_first = sorted(spec.databases, key=lambda database: database != spec.main)
        databases = {
            each.name: OpenedDatabase(str(prepared(spec, each, version, folder, host.report, _log)), each.access.value)
            for each in main_first
        }
        return Opening(databases, spec.limits.max_databases, spec.limits.pool_bytes, spec.limits.threads)

    host = Host(spec, opening)
    connections = Connections(ConnectionLimits().within_open_files())
    config = connections.config(application(host, token, _log), timeout_graceful_shutdown=FINISH_SECONDS)
    server = _Server(config, host)
    threading.Thread(target=_start, args=(host, folder, server), daemon=True).start()
    _log(f"instance {spec.instance}, attempt {spec.attempt}, listens on {address}")
    server.run(sockets=[listening])
    host.close()
    if host.failure:
        return _failed(folder, host.failure)
    _log("ended")
    return 0


class _Server(BoundedServer):
    """Uvicorn that stops taking queries the moment it is told to end, and does not raise the signal again."""

    def __init__(self, config: uvicorn.Config, host: Host) -> None:
        super().__init__(config)
        self._host = host

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        _log(f"{signal.Signals(sig).name}: ending")
        self._host.drain()
        self.should_exit = True


def _start(host: Host, folder: Path, server: uvicorn.Server) -> None:
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
        files.write_document(folder / files.FAILURE, host.failure.document())
        server.should_exit = True


def _token(folder: Path) -> str:
    try:
        token = (folder / files.TOKEN).read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        token = ""
    if len(token) < 32:
        raise PlatformError(ErrorCode.VALIDATION_FAILED, f"{folder / files.TOKEN} holds no token of 32 characters")
    return token


def bind(port: int) -> socket.socket:
    """A listening socket on loopback.

    Raises:
        PlatformError: INVALID_STATE for a port that is taken.
    """
    # Only where the protocol is named does asyncio set TCP_NODELAY: else an answer waits 40 ms for an acknowledgement.
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((HOST, port))
        listening.listen(ConnectionLimits.queue)
    except (OSError, OverflowError) as error:
        listening.close()
        used = isinstance(error, OSError) and error.errno == errno.EADDRINUSE
        raise PlatformError(
            ErrorCode.INVALID_STATE,
            f"port {port} is already in use" if used else f"cannot listen on port {port}: {error}",
            "choose another port, or 0 for a free one",
        ) from error
    return listening


def _failed(folder: Path, error: PlatformError) -> int:
    _log(f"failed: {error}")
    try:
        files.write_document(folder / files.FAILURE, error.document())
    except OSError as failure:
        _log(f"cannot write {folder / files.FAILURE}: {failure.strerror}")
    return 1


def _log(message: str) -> None:
    sys.stderr.write(f"{datetime.now(UTC).isoformat(timespec='milliseconds')} {message}\n")
    sys.stderr.flush()
