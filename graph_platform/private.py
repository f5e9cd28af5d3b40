"""Folders that are this user's alone: made so, and refused where somebody else made them first.

What the platform keeps for itself on a machine (tokens, logs, databases that are being built) lies in folders whose
place anybody can guess. One that is a symlink, or that belongs to another user, was put there by somebody who would
then read or choose what is written.
"""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path

from graph_platform.errors import ErrorCode, PlatformError

_MODE = 0o700


def private_folder(path: Path) -> Path:
    """The folder, made if it is absent, with mode 0700; the folders above it are made if they are absent.

    Only the last part of the path is looked at: a path whose middle may be anybody's is made part by part.

    Raises:
        PlatformError: PERMISSION_DENIED if it is a symlink, no folder, or another user's.
        OSError: it cannot be made.
    """
    if not is_private(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            path.mkdir(_MODE)
    try:
        # By its descriptor, so that what was looked at is what is changed, whoever swaps the name meanwhile.
        folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        is_private(path)
        raise
    try:
        found = os.fstat(folder)
        _refuse_foreign(path, found)
        if stat.S_IMODE(found.st_mode) != _MODE:
            os.fchmod(folder, _MODE)
    finally:
        os.close(folder)
    return path


def is_private(path: Path) -> bool:
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
