"""What the platform makes on this machine is its user's alone: folders have mode 0700, files 0600.

Two things hold it together. A program of ours begins with `keep_private`, which covers whatever DuckDB, an engine or
Dagster make inside it. A process of somebody else's (a run that Dagster started, a plain `dagster job execute`) keeps
its own umask: there each folder is made by `private_folder`, and below a closed folder no mode matters.

What was there before keeps its mode, since somebody may have meant it; `readable_by_others` finds it for the doctor.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from typing import TYPE_CHECKING

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
