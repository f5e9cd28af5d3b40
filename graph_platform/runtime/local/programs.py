"""Processes of this machine that have an id, an attempt, and a folder that is all that is known of them.

A process holds a lock on its folder's lock file from before it is started until it is gone, because it inherits the
locked file: so what lives is what is locked, nothing started twice, and nothing forgotten when the starting process is
killed at any moment. Signals only go to a process whose identity is the recorded one (`graph_platform.processes`).

An end leaves the number of the attempt that it ended (`turns.py`), so that no start that comes late revives it. A
folder that is a symlink or another user's is refused (`private.py`).

What a program is started with, and how it looks, is said beside this (`servers.py`, `tasks.py`).
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.polling import SYSTEM, Clock, Pauses, wait_until
from graph_platform.private import is_own, own_folder
from graph_platform.processes.identity import process_identity
from graph_platform.processes.lock import try_lock
from graph_platform.processes.termination import tail_of, termination
from graph_platform.runtime.local import files
from graph_platform.runtime.local.turns import Turn, Turns
from graph_platform.runtime.spec import ID, ServerSpec, TaskSpec, check_id, read_spec, spec_document
from graph_platform.runtime.state import FAILURE, PROCESS, read_document, write_document

KILL_SECONDS = 5.0
LOOK_SECONDS = 1.0
PAUSES = Pauses(0.02, 0.02)

Spec = TypeVar("Spec", bound=ServerSpec | TaskSpec)

# The shell is left by its parent at once, so the program outlives whoever started it and no zombie stays; the inner one
# waits for it only to write down how it ended, which nobody else could learn.
_DETACH = f'( "$@"; echo $? > {files.EXIT_STATUS} ) &'


@dataclass(frozen=True)
class Kind(Generic[Spec]):
    """A kind of programs.

    Args:
        noun: what one of them is called in a message.
        word: the name of its log and of its lock.
        again: how one starts another, for a hint.
        spec: the class of its specs.
        doing: what one does, to follow "the process".
        command: the module and its arguments, for a folder and a spec.
        prepare: puts into the folder what the program finds there, beside the spec.
        output: the file that its standard output goes to, the log if None.
    """

    noun: str
    word: str
    again: str
    spec: type[Spec]
    doing: Callable[[Spec], str]
    command: Callable[[Path, Spec], Sequence[str]]
    prepare: Callable[[Path], None]
    output: str | None = None

    @property
    def log(self) -> str:
        """The file that it writes its log to."""
        return f"{self.word}.log"

    @property
    def lock(self) -> str:
        """The file that is locked by a living one, from before it is started until it is gone."""
        return f"{self.word}.lock"


class Programs(Generic[Spec]):
    """The programs of a kind below one folder.

    Args:
        tell: where a word goes when another process that starts or stops one is waited for.
    """

    def __init__(
        self,
        kind: Kind[Spec],
        folder: Path,
        installation: str,
        tell: Callable[[str], None] | None = None,
        clock: Clock = SYSTEM,
    ) -> None:
        self._kind = kind
        self._folder = folder
        self._turns = Turns(folder / ".turns", tell, clock)
        self._installation = installation
        self._clock = clock

    def start(self, identifier: str, spec: Spec) -> None:
        """Start the program unless this attempt was started before; an older attempt's is ended first.

        Raises:
            PlatformError: INVALID_STATE if a later attempt is there already or this one was ended, PERMISSION_DENIED
                if it is of another installation or its folder of another user, STORAGE_ERROR if the folder cannot be
                written.
        """
        folder = self._path(identifier)
        if spec.installation != self._installation:
            raise PlatformError(ErrorCode.PERMISSION_DENIED, f"{identifier} is of another installation")
        with storage_errors(folder), self._turn(identifier) as turn:
            present = self._own_spec(folder)
            if spec.attempt <= turn.ended:
                raise PlatformError(
                    ErrorCode.INVALID_STATE,
                    f"attempt {spec.attempt} of {identifier} is over: it was ended before it started",
                )
            if present and present.attempt > spec.attempt:
                raise PlatformError(
                    ErrorCode.INVALID_STATE,
                    f"attempt {spec.attempt} of {identifier} is over: attempt {present.attempt} is there",
                )
            if present and present.attempt < spec.attempt:
                self._end(folder, grace_seconds=1.0)
                _remove(folder)
            elif present and self._was_started(folder):
                return
            own_folder(folder)
            self._kind.prepare(folder)
            write_document(folder / files.SPEC, spec_document(spec))
            self._spawn(folder, spec)

    def stop(self, identifier: str, up_to_attempt: int, grace_seconds: float) -> None:
        """SIGTERM, after `grace_seconds` SIGKILL, then the folder goes; the attempt's number stays.

        Raises:
            PlatformError: PERMISSION_DENIED for one of another installation or a folder of another user,
                BACKEND_UNREACHABLE if the process cannot be ended.
        """
        folder = self._path(identifier)
        with storage_errors(folder), self._turn(identifier) as turn:
            present = self._own_spec(folder)
            turn.end(up_to_attempt)  # first: killed from here on, the attempt is over all the same
            if folder.exists() and (present is None or present.attempt <= up_to_attempt):
                self._end(folder, grace_seconds)
                _remove(folder)
        with storage_errors(self._folder):
            self._turns.forget_old(lambda name: (self._folder / name).exists())

    def find(self, identifier: str, *, mine: bool = False) -> tuple[Path, Spec] | None:
        """The folder and spec of one of this installation, None if there is none.

        Args:
            mine: one of another installation is PERMISSION_DENIED instead of None.
        """
        folder = self._path(identifier)
        with storage_errors(folder):
            spec = self._own_spec(folder, mine=mine)
        return None if spec is None or spec.installation != self._installation else (folder, spec)

    def all(self) -> Iterator[tuple[str, Path, Spec | None]]:
        """Each of this installation by its id. One without a spec was begun and not finished."""
        if not is_own(self._folder):
            return
        with storage_errors(self._folder), os.scandir(self._folder) as entries:
            names = sorted(item.name for item in entries if ID.fullmatch(item.name))
        for name in names:
            folder = self._folder / name
            try:
                if not is_own(folder):
                    continue
            except PlatformError:
                continue  # somebody else's, and no reason to hide what is ours
            with storage_errors(folder):
                spec = self._own_spec(folder, mine=False)
                begun = spec is None and folder.exists() and not (folder / files.SPEC).exists()
            if begun or (spec is not None and spec.installation == self._installation):
                yield name, folder, spec

    def lives(self, folder: Path) -> bool:
        """Whether its process is there."""
        try:
            with (folder / self._kind.lock).open() as lock:
                return not try_lock(lock.fileno(), shared=True)  # shared: two lookers must not see each other
        except FileNotFoundError:
            return False

    def end_comes(self, folder: Path) -> bool:
        """Whether its process ends within a moment."""
        return self._wait(lambda: not self.lives(folder), LOOK_SECONDS)

    def failure(self, folder: Path, spec: Spec) -> dict[str, object] | None:
        """Why a program that lives no more ended; None if it ended as it was to. What it said itself comes first."""
        said = read_document(folder / FAILURE)
        if said is not None and _is_an_error(said):
            return said
        if not self._was_started(folder):
            return self.never_started(folder.name)
        status, tail = exit_status(folder), tail_of(folder / self._kind.log)
        if status is None:
            return PlatformError(
                ErrorCode.UNEXPECTED_TERMINATION,
                f"{folder.name} ended without a word: it was killed, or the machine went down",
                self._kind.again,
                {"log_tail": tail},
            ).document()
        return None if status == 0 else termination(status, tail, self._kind.doing(spec)).document()

    def never_started(self, identifier: str) -> dict[str, object]:
        """The failure of one that was prepared only."""
        return PlatformError(
            ErrorCode.UNEXPECTED_TERMINATION, f"{identifier} was prepared and never started", "start it again"
        ).document()

    def _path(self, identifier: str) -> Path:
        check_id(identifier, self._kind.noun)
        folder = self._folder / identifier
        for each in (self._folder, folder):
            is_own(each)  # before anything in it is read: its token would be somebody else's
        return folder

    @contextlib.contextmanager
    def _turn(self, identifier: str) -> Iterator[Turn]:
        own_folder(self._folder)
        with self._turns.take(identifier) as turn:
            yield turn

    def _own_spec(self, folder: Path, *, mine: bool = True) -> Spec | None:
        """The folder's spec, None if there is none; if `mine`, an error for one of another installation."""
        try:
            spec = read_spec(self._kind.spec, folder / files.SPEC)
        except PlatformError:
            return None
        if mine and spec.installation != self._installation:
            raise PlatformError(
                ErrorCode.PERMISSION_DENIED,
                f"{folder} belongs to installation {spec.installation}, not {self._installation}",
                "use another GRAPH_PLATFORM_HOME per installation",
            )
        return spec

    def _spawn(self, folder: Path, spec: Spec) -> None:
        """Start it with the lock in its hands. Killed before this, nothing is locked and the next start goes on."""
        command = [sys.executable, "-P", "-X", "faulthandler", "-m", *self._kind.command(folder, spec)]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("GRAPH_PLATFORM_")}
        with contextlib.ExitStack() as opened:

            def descriptor(name: str, flags: int) -> int:
                made = os.open(folder / name, os.O_CREAT | os.O_CLOEXEC | flags, 0o600)
                opened.callback(os.close, made)
                return made

            lock = descriptor(self._kind.lock, os.O_RDWR)
            log = descriptor(self._kind.log, os.O_APPEND | os.O_WRONLY)
            output = descriptor(self._kind.output, os.O_APPEND | os.O_WRONLY) if self._kind.output else log
            if not self._wait(lambda: try_lock(lock), LOOK_SECONDS):  # somebody may be looking at it
                return
            subprocess.run(
                ["/bin/sh", "-c", _DETACH, "sh", *command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=log,
                cwd=folder,
                env=environment,
                pass_fds=(lock,),
                start_new_session=True,
                check=True,
            )

    def _was_started(self, folder: Path) -> bool:
        """Whether one of this spec was ever started: it lives, or it left something."""
        left = (PROCESS, FAILURE, files.EXIT_STATUS)
        return self.lives(folder) or any((folder / name).exists() for name in left)

    def _end(self, folder: Path, grace_seconds: float) -> None:
        """End the folder's process and wait until its lock is free."""
        steps: tuple[tuple[signal.Signals, float], ...] = (
            (signal.SIGTERM, grace_seconds),
            (signal.SIGKILL, KILL_SECONDS),
        )
        for number, patience in steps:
            if not self.lives(folder):
                return
            self._wait(lambda: not self.lives(folder) or (folder / PROCESS).exists(), KILL_SECONDS)
            _signal(folder, number)
            self._wait(lambda: not self.lives(folder), patience)
        if self.lives(folder):
            raise PlatformError(
                ErrorCode.BACKEND_UNREACHABLE,
                f"the process in {folder} does not end, or the process that holds its lock is not the recorded one",
                f"see `fuser {folder / self._kind.lock}`",
            )

    def _wait(self, condition: Callable[[], bool], seconds: float) -> bool:
        return wait_until(condition, within_seconds=seconds, pauses=PAUSES, clock=self._clock)


def exit_status(folder: Path) -> int | None:
    """How the folder's process ended, the negative number of the signal if it was one; None if nothing says it."""
    try:
        status = int((folder / files.EXIT_STATUS).read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None
    return 128 - status if 128 < status < 128 + signal.NSIG else status


@contextlib.contextmanager
def storage_errors(folder: Path) -> Iterator[None]:
    """Turns what the file system refuses into STORAGE_ERROR."""
    try:
        yield
    except OSError as error:
        raise PlatformError(
            ErrorCode.STORAGE_ERROR,
            f"the runtime's folder {folder} failed: {error.strerror} ({error.filename})",
            "see that it is writable and has space",
        ) from error


def _is_an_error(document: dict[str, object]) -> bool:
    try:
        PlatformError.from_document(document)
    except (KeyError, ValueError, TypeError):
        return False
    return True


def _signal(folder: Path, number: signal.Signals) -> None:
    process = read_document(folder / PROCESS) or {}
    pid, identity = process.get("pid"), process.get("identity")
    if isinstance(pid, int) and pid > 1 and identity is not None and process_identity(pid) == identity:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def _remove(folder: Path) -> None:
    """Remove the folder, the spec last: killed in between, it is still known as this installation's."""
    for item in sorted(folder.iterdir(), key=lambda item: item.name == files.SPEC):
        if item.is_dir() and not item.is_symlink():
            shutil.rmtree(item)
        else:
            item.unlink(missing_ok=True)
    folder.rmdir()
