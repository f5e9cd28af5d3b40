"""Where tests keep what they fetched or built, for the next session."""

from __future__ import annotations

import os
from pathlib import Path


def cache() -> Path:
    """The folder, made if it was not there."""
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "graph-platform-tests"
    folder.mkdir(parents=True, exist_ok=True)
    return folder
