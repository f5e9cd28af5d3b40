"""What the platform makes on this machine is its user's alone: folders have mode 0700, files 0600.

Two things hold it together. A program of ours begins with `keep_private`, which covers whatever DuckDB, an engine or
Dagster make inside it. A process of somebody else's (a run that Dagster started, a plain `dagster job execute`) keeps
its own umask: there each folder is made by `private_folder`, and below a closed folder no mode matters.

What was there before keeps its mode, since somebody may have meant it; `readable_by_others` finds it for the doctor.
Inside a home the platform's own folders (tokens, logs, databases that are being built) have names that anybody can
guess: `own_folder` refuses one that is a symlink or another user's, who would then read or choose what is written.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from collections.abc import Iterator
from typing import TYPE_CHECKING

from graph_platform.errors import ErrorCode, PlatformError

if TYPE_CHECKING:
    from pathlib import Path

FOLDER_MODE = 0o700
FILE_MODE = 0o600

_ENTER, _READ_OR_WRITE, _WRITE = 0o011, 0o066, 0o022


def keep_private() -> None:
    """Close what this process and its children make from now on to everybody else. For the first line of a program."""
    os.umask(0o077)


def private_folder(folder: Path) -> Path:
    """The folder, made if it is absent with those above it that are absent too, all of them closed to everybody else.

    Raises:
        OSError: it cannot be made, or something else has its name.
    """
    missing, above = [], folder
    while not above.is_dir():
        missing.append(above)
        above = above.parent
    for made in reversed(missing):  # `parents=True` would make those above with the umask's mode
        made.mkdir(FOLDER_MODE, exist_ok=True)
    return folder


def own_folder(path: Path) -> Path:
    """A folder that is the platform's alone, with mode 0700: made if it is absent, with those above it.

    Only the last part of the path is looked at: a path whose middle may be anybody's is made part by part.

    Raises:
        PlatformError: PERMISSION_DENIED if it is a symlink, no folder, or another user's.
        OSError: it cannot be made.
    """
    if not is_own(path):
        private_folder(path.parent)
        with contextlib.suppress(FileExistsError):
            path.mkdir(FOLDER_MODE)
    try:
        # By its descriptor, so that what was looked at is what is changed, whoever swaps the name meanwhile.
        folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        is_own(path)
        raise
    try:
        found = os.fstat(folder)
        _refuse_foreign(path, found)
        if stat.S_IMODE(found.st_mode) != FOLDER_MODE:
            os.fchmod(folder, FOLDER_MODE)
    finally:
        os.close(folder)
    return path


def is_own(path: Path) -> bool:
    """Whether there is such a folder; nothing is made or changed.

    Raises:
        PlatformError: PERMISSION_DENIED if it is a symlink, no folder, or another user's.
    """
    try:
        found = path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    _refuse_foreign(path, found)
    return True


def write_private(path: Path, content: str) -> None:
    """Replace a file with mode 0600, atomically: a reader sees the old one or the new one, whole.

    Raises:
        OSError: the folder cannot be written.
    """
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, FILE_MODE)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            partial.unlink()
        raise


def readable_by_others(folder: Path) -> Iterator[Path]:
    """What other users of the machine can read or write below a folder, the way to it included. Links are not followed.

    A folder counts if they can write to it: to see the names in it is not to read what is in them.
    """
    if all(parent.stat().st_mode & _ENTER for parent in folder.parents):
        yield from _readable(folder)


def _readable(path: Path) -> Iterator[Path]:
    try:
        mode = path.lstat().st_mode
        if not stat.S_ISDIR(mode):
            if mode & _READ_OR_WRITE and not stat.S_ISLNK(mode):
                yield path
            return
        if mode & _ENTER:
            if mode & _WRITE:
                yield path
            for inside in sorted(path.iterdir()):
                yield from _readable(inside)
    except (FileNotFoundError, PermissionError):  # removed meanwhile, or another user's and closed to this one
        return


def _refuse_foreign(path: Path, found: os.stat_result) -> None:
    if stat.S_ISLNK(found.st_mode):
        wrong = "is a symlink"
    elif not stat.S_ISDIR(found.st_mode):
        wrong = "is no folder"
    elif found.st_uid != os.geteuid():
        wrong = f"belongs to user {found.st_uid}, not to user {os.geteuid()}, who runs this"
    else:
        return
    raise PlatformError(
        ErrorCode.PERMISSION_DENIED,
        f"{path} {wrong}: what the platform keeps for itself is not put there",
        f"see who made it (`ls -ld {path}`), then remove it; to have everything on another disk, set "
        "GRAPH_PLATFORM_HOME to a folder there",
    )
