"""Instances as processes on this machine, each with a folder `HOME/instances/ID` that is all that is known of it.

A server holds a lock on its folder's `server.lock` from before it is started until it is gone, because it inherits the
locked file: so what lives is what is locked, nothing started twice, and nothing forgotten when the starting process is
killed at any moment. Signals only go to a process whose identity is the recorded one (`graph_platform.processes`).

An end leaves the number of the attempt that it ended (`turns.py`), so that no start that comes late revives it. A
folder that is a symlink or another user's is refused (`private.py`).
"""

from __future__ import annotations

import builtins
import contextlib
import fcntl
import http.client
import json
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.private import is_own, own_folder, write_private
from graph_platform.processes.identity import process_identity
from graph_platform.runtime.local import files
from graph_platform.runtime.local.turns import Turn, Turns
from graph_platform.runtime.protocol import Connection, Observation, Presence
from graph_platform.runtime.spec import ServerSpec, read_spec, spec_document

STATUS_SECONDS = 2.0
POLL_SECONDS = 0.02
KILL_SECONDS = 5.0
LOOK_SECONDS = 1.0

_ID = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")

# The shell is left by its parent at once, so the server outlives whoever started it and no zombie stays; the inner one
# waits for the server only to write down how it ended, which nobody else could learn.
_DETACH = f'( "$@"; echo $? > {files.EXIT_STATUS} ) &'


class LocalRuntime:
    """The runtime of a laptop, and of tests.

    Args:
        tell: where a word goes when another process that starts or stops an instance is waited for.
    """

    def __init__(self, home: Path, installation: str, tell: Callable[[str], None] | None = None) -> None:
        self._folder = home / "instances"
        self._turns = Turns(self._folder / ".turns", tell)
        self._installation = installation

    def start(self, spec: ServerSpec) -> None:
        """Start the server unless this attempt was started before; an older attempt's server is ended first.

        Raises:
            PlatformError: INVALID_STATE if a later attempt is there already or this one was ended, PERMISSION_DENIED
                if the instance is of another installation or its folder of another user, STORAGE_ERROR if the folder
                cannot be written.
        """
        folder = self._path(spec.instance)
        if spec.installation != self._installation:
            raise PlatformError(ErrorCode.PERMISSION_DENIED, f"{spec.instance} is of another installation")
        with _storage_errors(folder), self._turn(spec.instance) as turn:
            present = self._own_spec(folder)
            if spec.attempt <= turn.ended:
                raise PlatformError(
                    ErrorCode.INVALID_STATE,
                    f"attempt {spec.attempt} of {spec.instance} is over: it was ended before it started",
                )
            if present and present.attempt > spec.attempt:
                raise PlatformError(
                    ErrorCode.INVALID_STATE,
                    f"attempt {spec.attempt} of {spec.instance} is over: attempt {present.attempt} is there",
                )
            if present and present.attempt < spec.attempt:
                _end(folder, grace_seconds=1.0)
                _remove(folder)
            elif present and _was_started(folder):
                return
            _prepare(folder, spec)
            _spawn(folder)

    def observe(self, instance: str) -> Observation:
        """Look at the folder, at the lock, and ask the server."""
        folder = self._path(instance)
        with _storage_errors(folder):
            spec = self._own_spec(folder, mine=False)
            if spec is None or spec.installation != self._installation:
                return Observation(instance, 0, Presence.ABSENT)
            return _observation(folder, spec)

    def connect(self, instance: str) -> Connection:
        """The server's URL and token."""
        folder = self._path(instance)
        with _storage_errors(folder):
            if self._own_spec(folder, mine=False) is None:
                raise PlatformError(
                    ErrorCode.RESOURCE_NOT_FOUND,
                    f"{instance} is not on this machine",
                    "ask it where it was launched; if it is nowhere, end it with `graph-platform instance terminate`",
                )
            self._own_spec(folder)
            endpoint = files.read_document(folder / files.ENDPOINT)
            if endpoint is None or (folder / files.FAILURE).exists() or not _is_locked(folder):
                raise PlatformError(ErrorCode.INVALID_STATE, f"{instance} does not listen", "look at its status")
            return Connection(str(endpoint["url"]), (folder / files.TOKEN).read_text(encoding="ascii").strip())

    def stop(self, instance: str, up_to_attempt: int, grace_seconds: float) -> None:
        """SIGTERM, after `grace_seconds` SIGKILL, then the folder goes; the attempt's number stays.

        Raises:
            PlatformError: PERMISSION_DENIED for an instance of another installation or a folder of another user,
                BACKEND_UNREACHABLE if the process cannot be ended.
        """
        folder = self._path(instance)
        with _storage_errors(folder), self._turn(instance) as turn:
            present = self._own_spec(folder)
            turn.end(up_to_attempt)  # first: killed from here on, the attempt is over all the same
            if folder.exists() and (present is None or present.attempt <= up_to_attempt):
                _end(folder, grace_seconds)
                _remove(folder)
        with _storage_errors(self._folder):
            self._turns.forget_old(lambda name: (self._folder / name).exists())

    def list(self) -> builtins.list[Observation]:
        """Every instance of this installation; a folder without a readable spec is one that was not finished."""
        if not is_own(self._folder):
            return []
        with _storage_errors(self._folder), os.scandir(self._folder) as entries:
            names = sorted(item.name for item in entries if _ID.fullmatch(item.name))
        found = []
        for name in names:
            folder = self._folder / name
            try:
                if not is_own(folder):
                    continue
            except PlatformError:
                continue  # somebody else's, and no reason to hide what is ours
            with _storage_errors(folder):
                spec = self._own_spec(folder, mine=False)
                if spec is None and folder.exists() and not (folder / files.SPEC).exists():
                    found.append(Observation(name, 0, Presence.ENDED, failure=_never_started(name)))
                elif spec is not None and spec.installation == self._installation:
                    found.append(_observation(folder, spec, ask=False))
        return found

    def _path(self, instance: str) -> Path:
        if not _ID.fullmatch(instance):
            raise PlatformError(ErrorCode.VALIDATION_FAILED, f"{instance!r} is not an instance's id")
        folder = self._folder / instance
        for each in (self._folder, folder):
            is_own(each)  # before anything in it is read: its token would be somebody else's
        return folder

    @contextlib.contextmanager
    def _turn(self, instance: str) -> Iterator[Turn]:
        own_folder(self._folder)
        with self._turns.take(instance) as turn:
            yield turn

    def _own_spec(self, folder: Path, *, mine: bool = True) -> ServerSpec | None:
        """The folder's spec, None if there is none; if `mine`, an error for one of another installation."""
        try:
            spec = read_spec(ServerSpec, folder / files.SPEC)
        except PlatformError:
            return None
        if mine and spec.installation != self._installation:
            raise PlatformError(
                ErrorCode.PERMISSION_DENIED,
                f"{folder} belongs to installation {spec.installation}, not {self._installation}",
                "use another GRAPH_PLATFORM_HOME per installation",
            )
        return spec


def _prepare(folder: Path, spec: ServerSpec) -> None:
    own_folder(folder)
    if not (folder / files.TOKEN).exists():
        write_private(folder / files.TOKEN, secrets.token_urlsafe(32))
    files.write_document(folder / files.SPEC, spec_document(spec))


def _spawn(folder: Path) -> None:
    """Start the server with the lock in its hands. Killed before this, nothing is locked and the next start goes on."""
    command = [sys.executable, "-P", "-m", "graph_platform.server", "--spec", str(folder / files.SPEC)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GRAPH_PLATFORM_")}
    lock = os.open(folder / files.LOCK, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    log = os.open(folder / files.LOG, os.O_CREAT | os.O_APPEND | os.O_WRONLY | os.O_CLOEXEC, 0o600)
    try:
        if not _wait(lambda: _try_lock(lock), LOOK_SECONDS):  # somebody may be looking at it
            return
        subprocess.run(
            ["/bin/sh", "-c", _DETACH, "sh", *command],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=folder,
            env=environment,
            pass_fds=(lock,),
            start_new_session=True,
            check=True,
        )
    finally:
        os.close(lock)
        os.close(log)


def _was_started(folder: Path) -> bool:
    """Whether a server of this spec was ever started: it lives, or it left something."""
    left = (files.PROCESS, files.FAILURE, files.EXIT_STATUS)
    return _is_locked(folder) or any((folder / name).exists() for name in left)


def _observation(folder: Path, spec: ServerSpec, *, ask: bool = True) -> Observation:
    alive = _is_locked(folder)
    failure = files.read_document(folder / files.FAILURE)
    if failure is None and not alive:
        failure = _unsaid_end(folder, spec.instance)
    if failure or not alive:
        return Observation(spec.instance, spec.attempt, Presence.ENDED, failure=failure)
    if not ask:
        return Observation(spec.instance, spec.attempt, Presence.ALIVE)
    endpoint = files.read_document(folder / files.ENDPOINT)
    if endpoint is None:
        return Observation(spec.instance, spec.attempt, Presence.STARTING)
    status = _ask(str(endpoint["url"]), (folder / files.TOKEN).read_text(encoding="ascii").strip())
    if status is None:
        if _wait(lambda: not _is_locked(folder), LOOK_SECONDS):  # it has just ended
            return _observation(folder, spec)
        return Observation(spec.instance, spec.attempt, Presence.READY, phase="unresponsive")
    phase = str(status["phase"])
    return Observation(
        spec.instance,
        spec.attempt,
        Presence.READY if phase == "ready" else Presence.STARTING,
        phase,
        float(status["progress"]),
        last_activity=status["last_activity"],
    )


def _unsaid_end(folder: Path, instance: str) -> dict[str, object] | None:
    """What became of a server that left no failure; None if it ended as it was told to."""
    if not _was_started(folder):
        return _never_started(instance)
    # Only for a dead one: the import takes a sixth of the time of a whole list.
    from graph_platform.engine.process import log_tail, termination  # noqa: PLC0415

    tail = log_tail(folder / files.LOG)
    try:
        status = int((folder / files.EXIT_STATUS).read_text(encoding="ascii"))
    except (OSError, ValueError):
        return PlatformError(
            ErrorCode.UNEXPECTED_TERMINATION,
            f"{instance} ended without a word: it was killed, or the machine went down",
            "launch it again",
            {"log_tail": tail},
        ).document()
    if status == 0:
        return None
    signalled = status - 128 if 128 < status < 128 + signal.NSIG else 0
    return termination(-signalled if signalled else status, tail, f"serving {instance}").document()


def _never_started(instance: str) -> dict[str, object]:
    return PlatformError(
        ErrorCode.UNEXPECTED_TERMINATION, f"{instance} was prepared and never started", "start it again"
    ).document()


def _end(folder: Path, grace_seconds: float) -> None:
    """End the folder's server and wait until its lock is free."""
    steps: tuple[tuple[signal.Signals, float], ...] = (
        (signal.SIGTERM, grace_seconds),
        (signal.SIGKILL, KILL_SECONDS),
    )
    for number, patience in steps:
        if not _is_locked(folder):
            return
        _wait(lambda: not _is_locked(folder) or (folder / files.PROCESS).exists(), KILL_SECONDS)
        _signal(folder, number)
        _wait(lambda: not _is_locked(folder), patience)
    if _is_locked(folder):
        raise PlatformError(
            ErrorCode.BACKEND_UNREACHABLE,
            f"the server in {folder} does not end, or the process that holds its lock is not the recorded one",
            f"see `fuser {folder / files.LOCK}`",
        )


def _signal(folder: Path, number: signal.Signals) -> None:
    process = files.read_document(folder / files.PROCESS) or {}
    pid, identity = process.get("pid"), process.get("identity")
    if isinstance(pid, int) and pid > 1 and identity is not None and process_identity(pid) == identity:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def _remove(folder: Path) -> None:
    """Remove the folder, the spec last: killed in between, it is still known as this installation's."""
    for item in folder.iterdir():
        if item.name == files.SPEC:
            continue
        if item.is_dir() and not item.is_symlink():
            shutil.rmtree(item)
        else:
            item.unlink(missing_ok=True)
    (folder / files.SPEC).unlink(missing_ok=True)
    folder.rmdir()


def _is_locked(folder: Path) -> bool:
    try:
        with (folder / files.LOCK).open() as lock:
            return not _try_lock(lock.fileno(), fcntl.LOCK_SH)  # shared: two lookers must not see each other
    except FileNotFoundError:
        return False


def _try_lock(descriptor: int, kind: int = fcntl.LOCK_EX) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _wait(condition: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not (met := condition()) and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
    return met


def _ask(url: str, token: str) -> dict[str, Any] | None:
    """The server's `/status`, None if it does not answer in time."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=STATUS_SECONDS)
    try:
        connection.request("GET", "/status", headers={"Authorization": f"Bearer {token}"})
        response = connection.getresponse()
        document = json.loads(response.read())
    except (OSError, http.client.HTTPException, ValueError):
        return None
    finally:
        connection.close()
    return document if response.status == 200 and isinstance(document, dict) else None


@contextlib.contextmanager
def _storage_errors(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise PlatformError(
            ErrorCode.STORAGE_ERROR,
            f"the runtime's folder {folder} failed: {error.strerror} ({error.filename})",
            "see that it is writable and has space",
        ) from error
