"""What a confined process and the one that started it say to each other: frames over a pair of sockets.

A frame is a kind, the number of the request that it belongs to, and bytes. What the bytes mean is the program's.
"""

from __future__ import annotations

import contextlib
import math
import select
import socket
import struct
from dataclasses import dataclass
from enum import IntEnum

MOST_BYTES = 64 * 1024**2
"""The longest content of a frame: whoever asks must not need the memory that the process that answers may not have."""

_AT_ONCE_BYTES = 64 * 1024

_LONGEST_POLL_MS = 2**31 - 1

_HEADER = struct.Struct("!BQQ")  # kind, number of the request, length of the content


class Kind(IntEnum):
    """Who says it: OPEN, REQUEST and INTERRUPT the starting side, the others the process.

    An answer is any number of PARTs, and then an ANSWER, which may be all of it; REFUSED is the end of one that there
    is not.
    """

    OPEN = 1
    REQUEST = 2
    INTERRUPT = 3
    ANNOUNCED = 4
    READY = 5
    FAILED = 6
    PART = 7
    ANSWER = 8
    REFUSED = 9
    INTERRUPTED = 10
    OUT_OF_MEMORY = 11


@dataclass(frozen=True)
class Frame:
    """One message."""

    kind: Kind
    number: int = 0
    content: bytes = b""


class Gone(Exception):
    """The other side has closed, or says what is no frame."""


def send(to: socket.socket, frame: Frame, limit_seconds: float | None = None) -> None:
    """Send a whole frame; None waits for ever. The socket is one that blocks.

    Raises:
        Gone: the other side has closed, or does not take it in time.
    """
    header = _HEADER.pack(frame.kind, frame.number, len(frame.content))
    small = len(frame.content) <= _AT_ONCE_BYTES
    first = header + frame.content if small else header  # who reads is woken once
    try:
        sent = to.send(first, socket.MSG_DONTWAIT)
    except BlockingIOError:
        sent = 0
    except OSError as error:
        raise Gone from error
    if sent == len(first) and small:
        return
    try:
        to.settimeout(limit_seconds)
        to.sendall(first[sent:])
        if not small:
            to.sendall(frame.content)
    except OSError as error:
        raise Gone from error
    finally:
        with contextlib.suppress(OSError):  # it was closed meanwhile
            to.settimeout(None)


class Reader:
    """Reads frames of a socket that blocks, and keeps what it has of one when a wait for the rest comes to its end.

    How long it waits is never set at the socket: that is a call of the system's for each frame.
    """

    def __init__(self, source: socket.socket) -> None:
        self._source = source
        self._read = bytearray()

    def frame(self, wait_seconds: float | None = None, unless: int | None = None) -> Frame | None:
        """The next frame, None if there is none within the time; `wait_seconds` None waits for ever.

        Args:
            unless: a file descriptor; when there is something to be read from it, the wait is over.

        Raises:
            Gone: the other side has closed.
        """
        if not self._fill(_HEADER.size, wait_seconds, unless):
            return None
        kind, number, length = _HEADER.unpack_from(self._read)
        if length > MOST_BYTES:
            raise Gone
        # What has begun to come comes at once, or its sender is gone.
        if not self._fill(_HEADER.size + length, wait_seconds, unless):
            return None
        content = bytes(self._read[_HEADER.size : _HEADER.size + length])
        del self._read[: _HEADER.size + length]
        try:
            return Frame(Kind(kind), number, content)
        except ValueError as error:
            raise Gone from error

    def _fill(self, count: int, wait_seconds: float | None, unless: int | None) -> bool:
        while len(self._read) < count:
            try:
                if (wait_seconds or unless is not None) and not self._comes(wait_seconds, unless):
                    return False
                flags = 0 if wait_seconds is None else socket.MSG_DONTWAIT
                received = self._source.recv(max(_AT_ONCE_BYTES, min(1024**2, count - len(self._read))), flags)
            except BlockingIOError:  # a wait of nothing
                return False
            except OSError as error:
                raise Gone from error
            if not received:
                raise Gone
            self._read += received
        return True

    def _comes(self, wait_seconds: float | None, unless: int | None) -> bool:
        waiting = select.poll()
        waiting.register(self._source, select.POLLIN)
        if unless is not None:
            waiting.register(unless, select.POLLIN)
        most = None if wait_seconds is None else min(math.ceil(wait_seconds * 1000), _LONGEST_POLL_MS)
        ready = [number for number, _ in waiting.poll(most)]
        return bool(ready) and unless not in ready
