"""Folders of this machine for files on their way into a bucket. What a killed process left there, the next one removes.

Not the system's temporary folder: it may be memory, and nobody there knows whose a folder is.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

from graph_platform.private import is_own, own_folder
from graph_platform.processes.lock import lock, try_lock


@contextlib.contextmanager
def scratch_folder(root: Path) -> Iterator[Path]:
    """An empty folder below `root`, a folder of a private one, removed at the end with all that is in it.

    A lock tells that its owner lives; the kernel lets go of it whichever way a process ends.

    Raises:
        PlatformError: PERMISSION_DENIED if `root` or the folder that it is in is somebody else's.
        OSError: the folder cannot be made.
    """
    is_own(root.parent)
    own_folder(root)
    with _opening(root) as whole:
        lock(whole)  # else a folder might be taken for an abandoned one before its own lock
        _sweep(root)
        folder = root / secrets.token_hex(8)
        folder.mkdir(mode=0o700)
        held = _opened(folder)
        lock(held)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(held)


def _sweep(root: Path) -> None:
    for folder in root.iterdir():
        with contextlib.suppress(FileNotFoundError), _opening(folder) as found:
            if try_lock(found):
                shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _opening(folder: Path) -> Iterator[int]:
    opened = _opened(folder)
    try:
        yield opened
    finally:
        os.close(opened)


def _opened(folder: Path) -> int:
    return os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
