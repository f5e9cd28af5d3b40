"""Where tests keep what they fetched or built, for the next session."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path


def cache() -> Path:
    """The folder, made if it was not there."""
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "graph-platform-tests"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def kept(name: str, make: Callable[[Path], Path]) -> Path:
    """The folder of this name in the cache, made on first use.

    It appears under its name only when it is whole, so that a kill leaves nothing half.

    Args:
        make: makes the folder somewhere in the scratch folder that it is given, and returns it.
    """
    final = cache() / name
    if final.is_dir():
        return final
    with tempfile.TemporaryDirectory(dir=cache(), prefix=".making-") as scratch:
        made = make(Path(scratch))
        try:
            made.rename(final)
        except OSError:
            # Another session was faster; its folder is as good.
            if not final.is_dir():
                raise
    return final
