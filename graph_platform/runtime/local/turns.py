"""Taking turns over one local instance or task, and remembering which of its attempts are over.

Whoever starts or ends it holds the lock of a file of its own, and that file holds the number of the
last attempt that was ended. So a start that slept until its attempt was over sees it in the same act that keeps others
away. The file stays behind, a few bytes for each that ended; what nobody touched for a month is removed by
the next end, since no start sleeps so long (one that did still finds out from the catalog, and ends what it started).
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.polling import SYSTEM, Clock
from graph_platform.private import own_folder
from graph_platform.processes.lock import SILENCE_SECONDS, try_lock

PATIENCE_SECONDS = 60.0
KEPT_SECONDS = 30 * 86_400.0
_POLL_SECONDS = 0.02
_HOLDER_AT = 32  # where in the file the process is that has the turn, or had it last; the number is before it


class Turn:
    """The lock of one instance or task, held."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    @property
    def ended(self) -> int:
        """The last attempt that was ended, 0 if none was: neither it nor an earlier one starts again."""
        text = os.pread(self._descriptor, _HOLDER_AT, 0).partition(b"\n")[0]
        return int(text) if text.isdigit() else 0

    def end(self, attempt: int) -> None:
        """Remember that this attempt is over, and every earlier one with it."""
        # One small write over a shorter or equally long number. Not synchronised to disk: who could start late dies
        # with the machine.
        os.pwrite(self._descriptor, b"%d\n" % max(attempt, self.ended), 0)


class Turns:
    """The turns of all instances, or tasks, below one folder. Only ids may come in: they become names of files.

    Args:
        tell: where a word goes when one has to be waited for; None for nowhere.
    """

    def __init__(self, folder: Path, tell: Callable[[str], None] | None = None, clock: Clock = SYSTEM) -> None:
        self._folder = folder
        self._tell = tell
        self._clock = clock

    @contextlib.contextmanager
    def take(self, identifier: str) -> Iterator[Turn]:
        """Wait for the turn and hold it.

        Raises:
            PlatformError: BACKEND_UNREACHABLE if another process holds it for too long, PERMISSION_DENIED if the
                folder is somebody else's.
        """
        path = own_folder(self._folder) / identifier
        began = self._clock.monotonic()
        tell = self._tell
        while True:
            with _locked(path, os.O_CREAT) as descriptor:
                if descriptor is not None:
                    os.pwrite(descriptor, b"%-12d" % os.getpid(), _HOLDER_AT)
                    yield Turn(descriptor)
                    return
            waited = self._clock.monotonic() - began
            if waited > PATIENCE_SECONDS:
                holder = _holder(path)
                raise PlatformError(
                    ErrorCode.BACKEND_UNREACHABLE,
                    f"{holder} has been starting or stopping {identifier} for more than {waited:.0f} s",
                    "end it if it hangs or was stopped by a signal, and try again",
                )
            if tell and waited > SILENCE_SECONDS:
                tell(f"waiting for {_holder(path)}, which starts or stops {identifier}")
                tell = None
            self._clock.sleep(_POLL_SECONDS)

    def forget_old(self, is_there: Callable[[str], bool]) -> None:
        """Remove what nobody touched for `KEPT_SECONDS`, unless it is there."""
        oldest = time.time() - KEPT_SECONDS  # against the files' own times, which are this machine's
        with os.scandir(self._folder) as entries:
            for entry in entries:
                with contextlib.suppress(FileNotFoundError):
                    if entry.stat(follow_symlinks=False).st_mtime >= oldest or is_there(entry.name):
                        continue
                    with _locked(Path(entry.path)) as descriptor:
                        if descriptor is not None and os.fstat(descriptor).st_mtime < oldest:
                            Path(entry.path).unlink()


def _holder(path: Path) -> str:
    with contextlib.suppress(OSError):
        pid = path.read_bytes()[_HOLDER_AT:].strip()
        if pid.isdigit():
            return f"process {int(pid)}"
    return "another process"


@contextlib.contextmanager
def _locked(path: Path, how: int = 0) -> Iterator[int | None]:
    """The file's descriptor with its lock, None if another process has it or it was removed meanwhile."""
    descriptor = os.open(path, how | os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        is_the_one = False
        with contextlib.suppress(FileNotFoundError):
            same = os.fstat(descriptor).st_ino
            is_the_one = try_lock(descriptor) and same == path.stat(follow_symlinks=False).st_ino
        yield descriptor if is_the_one else None
    finally:
        os.close(descriptor)
