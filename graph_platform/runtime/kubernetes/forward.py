"""A port of loopback that leads to a pod's port, through the API server: the way in from outside of the cluster."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator

from kubernetes.client import ApiClient, ApiException, Configuration, CoreV1Api
from kubernetes.stream import portforward
from websocket import WebSocketException

_CHUNK_BYTES = 64 * 1024


@contextlib.contextmanager
def client_errors() -> Iterator[None]:
    """Lets through the error that the client's library means: where no answer came, it fails while it decodes that."""
    try:
        yield
    except AttributeError as error:
        if isinstance(error.__context__, ApiException):
            raise error.__context__ from None
        raise


class Forward:
    """Listens until it is closed, or this process ends. Each connection to it is one to the pod.

    A connection that cannot be made, since the pod is gone or the right is missing, is closed at once.
    """

    def __init__(self, configuration: Configuration, namespace: str, pod: str, port: int, own_port: int = 0) -> None:
        self._configuration = configuration
        self._namespace, self._pod, self._port = namespace, pod, port
        self._listening = socket.create_server(("127.0.0.1", own_port))
        threading.Thread(target=self._serve, name=f"forwards-to-{pod}", daemon=True).start()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._listening.getsockname()[1]}"

    def close(self) -> None:
        """Listen no more."""
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()

    def _serve(self) -> None:
        while True:
            try:
                near, _ = self._listening.accept()
            except OSError:
                return
            threading.Thread(target=self._carry, args=(near,), daemon=True).start()

    def _carry(self, near: socket.socket) -> None:
        # A client of its own for each: the library puts a WebSocket in the place of its requests meanwhile.
        api = CoreV1Api(ApiClient(self._configuration))
        with near, contextlib.suppress(ApiException, WebSocketException, OSError), client_errors():
            forwarded = portforward(
                api.connect_get_namespaced_pod_portforward, self._pod, self._namespace, ports=str(self._port)
            )
            with contextlib.closing(forwarded):
                far = forwarded.socket(self._port)
                back = threading.Thread(target=_pump, args=(far, near), daemon=True)
                back.start()
                _pump(near, far)
                back.join()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    """Carry what comes from one to the other, until one of them has ended."""
    with contextlib.suppress(OSError):
        while content := source.recv(_CHUNK_BYTES):
            sink.sendall(content)
    for each in (source, sink):
        with contextlib.suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)
