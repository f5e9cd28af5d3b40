"""The connections of a server: how many there may be, and how long each may keep it waiting.

Whoever opens, sends or reads slowly, or not at all, loses the connection and nothing else: those who have not shown the
token yet go first. What is answered is `app`; this is uvicorn's HTTP/1.1 with a limit on everything that a client does.
"""

from __future__ import annotations

import asyncio
import json
import resource
import socket
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial
from typing import Any, cast

import h11
import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.server.problems import MEDIA_TYPE as PROBLEM
from graph_platform.server.problems import problem

TRUST = "trust"
"""In the state of a request's scope: the function to call once its token has been found right."""

BREAK_OFF = "break_off"
"""There, too: the function that closes the connection in the midst of an answer."""

_FILES_OF_THE_ENGINE = 128


@dataclass(frozen=True)
class ConnectionLimits:
    """What clients may take of a server.

    Args:
        connections: open at once. One more takes the place of the oldest that had its time to show the token and has
            not, else of one that is idle; where all of them are being answered, it is closed itself.
        trust_seconds: that time. Clients that come together must not push each other out before they have said a word.
        queue: connections that the kernel keeps until they are accepted.
        accepted_at_once: so many of them before anything else is looked at.
        head_seconds: from the first byte of a request, or from the connection, to the end of its headers.
        head_bytes: of a request's first line and headers.
        body_seconds: from the headers to the end of the body.
        idle_seconds: between two requests of a connection.
        rest_seconds: to send the rest of a body that was answered before it was whole, and is thrown away.
        rest_bytes: of such a rest.
        answer_seconds: that a client may read nothing of an answer, and besides:
        answer_bytes_per_second: how fast it has to read.
    """

    connections: int = 512
    trust_seconds: float = 1.0
    queue: int = 1024
    accepted_at_once: int = 64
    head_seconds: float = 10.0
    head_bytes: int = 16 * 1024
    body_seconds: float = 30.0
    idle_seconds: float = 15.0
    rest_seconds: float = 5.0
    rest_bytes: int = 8 * 1024**2
    answer_seconds: float = 30.0
    answer_bytes_per_second: int = 64 * 1024

    def within_open_files(self) -> ConnectionLimits:
        """The same with no more connections than this process may open files for, whose own limit is raised first.

        Running out of files would keep everybody out, not only those who took them.
        """
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        # One that was dropped keeps its file until the loop comes round, when as many more were accepted.
        wanted = _FILES_OF_THE_ENGINE + self.connections + 2 * self.accepted_at_once
        if soft != resource.RLIM_INFINITY and soft < wanted:
            soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        if soft == resource.RLIM_INFINITY or soft >= wanted:
            return self
        left = max(soft - _FILES_OF_THE_ENGINE, 16)
        return replace(
            self, connections=min(self.connections, left // 2), accepted_at_once=min(self.accepted_at_once, left // 4)
        )


class Phase(StrEnum):
    """What a connection waits for."""

    HEAD = "head"
    BODY = "body"
    ANSWER = "answer"
    REST = "rest"
    IDLE = "idle"


class Connections:
    """The open connections of one server, oldest first."""

    def __init__(self, limits: ConnectionLimits) -> None:
        self.limits = limits
        self._open: dict[BoundedHttp, None] = {}

    def config(self, app: ASGIApp, **more: Any) -> uvicorn.Config:
        """Uvicorn's configuration of a server whose connections these are."""
        return uvicorn.Config(
            app,
            http=cast("type[asyncio.Protocol]", partial(BoundedHttp, self)),
            backlog=self.limits.accepted_at_once,
            h11_max_incomplete_event_size=self.limits.head_bytes,
            timeout_keep_alive=cast(int, self.limits.idle_seconds),
            log_config=None,
            access_log=False,
            lifespan="off",
            loop="asyncio",  # not whatever another package happened to install
            server_header=False,
            ws="none",
            **more,
        )

    def admit(self, new: BoundedHttp) -> bool:
        """Take a connection in, if need be in the place of another; whether there was room."""
        if len(self._open) >= self.limits.connections:
            stranger = next((each for each in self._open if not each.trusted), None)
            if stranger and stranger.since + self.limits.trust_seconds <= new.since:
                least: BoundedHttp | None = stranger
            else:
                least = next((each for each in self._open if each.phase is Phase.IDLE), stranger)
            if least is None:
                return False
            self.forget(least)
            least.transport.abort()
        self._open[new] = None
        return True

    def forget(self, lost: BoundedHttp) -> None:
        """It is closed."""
        self._open.pop(lost, None)


class BoundedServer(uvicorn.Server):
    """A server with a queue of its own length: uvicorn has one number for it and for what is accepted at once."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen."""
        await super().startup(sockets)
        for listening in sockets or ():
            listening.listen(ConnectionLimits.queue)


class BoundedHttp(H11Protocol):
    """One connection, whose client is waited for as long as the limits say."""

    def __init__(self, connections: Connections, **uvicorn_arguments: Any) -> None:
        super().__init__(**uvicorn_arguments)
        self.since = self.loop.time()
        self.trusted = False
        self.phase = Phase.HEAD
        self._connections = connections
        self._limits = connections.limits
        self._patience: asyncio.TimerHandle | None = None
        self._reading: asyncio.TimerHandle | None = None
        self._rest = 0
        self.app = cast(Any, self._trusting(cast(ASGIApp, self.app)))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take it in, or close it where there is no room."""
        super().connection_made(cast(asyncio.Transport, transport))
        # Whatever is not with the kernel yet counts as not read: `pause_writing` is the only word of it.
        self.transport.set_write_buffer_limits(high=0)
        if not self._connections.admit(self):
            self.transport.abort()
            return
        self._wait(self._limits.head_seconds)

    def connection_lost(self, exc: Exception | None) -> None:
        """Let go of it."""
        self._connections.forget(self)
        for timer in (self._patience, self._reading):
            if timer:
                timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what the client sent, and see what it owes now."""
        if self.phase is Phase.REST:
            self._rest += len(data)
            if self._rest > self._limits.rest_bytes:
                self.transport.abort()
                return
        if self.phase is Phase.IDLE:
            self._enter(Phase.HEAD)
        super().data_received(data)
        self._look()

    def on_response_complete(self) -> None:
        """See what the client owes after an answer: with pipelining, the next request may be here already."""
        self._enter(Phase.IDLE)
        super().on_response_complete()
        self._look()

    def pause_writing(self) -> None:
        """The client does not take what was written: give it the time that the rest may need."""
        super().pause_writing()
        if self._reading is None:
            size = self.transport.get_write_buffer_size()
            seconds = self._limits.answer_seconds + size / self._limits.answer_bytes_per_second
            self._reading = self.loop.call_later(seconds, self.transport.abort)

    def resume_writing(self) -> None:
        """All of it is with the kernel."""
        super().resume_writing()
        if self._reading:
            self._reading.cancel()
            self._reading = None

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP like everything else, with a document."""
        if self.conn.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            self.transport.abort()
            return
        error = PlatformError(
            ErrorCode.VALIDATION_FAILED,
            f"the request is not HTTP/1.1, or its headers are larger than {self._limits.head_bytes} bytes",
        )
        content = json.dumps(problem(error, 400)).encode()
        headers = [("Content-Type", PROBLEM), ("Content-Length", str(len(content))), ("Connection", "close")]
        for event in (
            h11.Response(status_code=400, headers=headers, reason=b"Bad Request"),
            h11.Data(data=content),
            h11.EndOfMessage(),
        ):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    def shutdown(self) -> None:
        """End when what is being answered has been."""
        try:
            super().shutdown()
        except h11.LocalProtocolError:  # it had gone wrong before
            self.transport.abort()

    def _trusting(self, app: ASGIApp) -> ASGIApp:
        async def asked(scope: Scope, receive: Receive, send: Send) -> None:
            scope["state"] |= {TRUST: self._trust, BREAK_OFF: self.transport.abort}
            await app(scope, receive, send)

        return asked

    def _trust(self) -> None:
        self.trusted = True

    def _look(self) -> None:
        """The phase as h11 knows it: what the client has sent of a request, and what it was answered."""
        if self.transport.is_closing():
            return
        if self.conn.their_state is h11.IDLE:
            # Before its first request, and between two, it may have sent the beginning of the next.
            if self.phase is not Phase.HEAD:
                self._enter(Phase.HEAD if self.conn.trailing_data[0] else Phase.IDLE)
        elif self.conn.their_state is h11.SEND_BODY:
            self._enter(Phase.REST if self.cycle.response_complete else Phase.BODY)
        else:
            self._enter(Phase.ANSWER)

    def _enter(self, phase: Phase) -> None:
        if phase is self.phase:
            return
        self.phase, self._rest = phase, 0
        seconds = {
            Phase.HEAD: self._limits.head_seconds,
            Phase.BODY: self._limits.body_seconds,
            Phase.REST: self._limits.rest_seconds,
            Phase.IDLE: self._limits.idle_seconds,
        }.get(phase)  # an answer has the query's own limit
        self._wait(seconds)

    def _wait(self, seconds: float | None) -> None:
        if self._patience:
            self._patience.cancel()
        self._patience = None if seconds is None else self.loop.call_later(seconds, self.transport.abort)


def trust(scope: Scope) -> None:
    """Tell the request's connection that its token was right; a server without limits has none to tell."""
    told: Callable[[], None] | None = scope.get("state", {}).get(TRUST)
    if told:
        told()


def break_off(scope: Scope) -> None:
    """Close the request's connection at once, so that what was sent cannot be taken for a whole answer."""
    close: Callable[[], None] | None = scope.get("state", {}).get(BREAK_OFF)
    if close:
        close()
