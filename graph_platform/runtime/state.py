"""What a program tells of itself in a folder, where its runtime has one that it can read: small JSON files.

Each is written whole or not at all, readable by its owner only. One that is not there yet, or holds something else, is
None to a reader. A place without such a folder (a pod) learns the same in its own way.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from graph_platform.private import write_private
from graph_platform.processes.identity import process_identity

PROCESS = "process.json"
ENDPOINT = "endpoint.json"
FAILURE = "failure.json"


class State:
    """Where a program writes what becomes of it; nowhere if the folder is None. Raises OSError."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    def process(self, attempt: int) -> None:
        """This process, and which attempt it is."""
        self._write(PROCESS, {"pid": os.getpid(), "identity": process_identity(os.getpid()), "attempt": attempt})

    def endpoint(self, url: str) -> None:
        """Where it listens."""
        self._write(ENDPOINT, {"url": url})

    def failure(self, document: Mapping[str, Any]) -> None:
        """Why it ends: the document of a `PlatformError`."""
        self._write(FAILURE, document)

    def _write(self, name: str, document: Mapping[str, Any]) -> None:
        if self._folder is not None:
            write_document(self._folder / name, document)


def write_document(path: Path, document: Mapping[str, Any]) -> None:
    """Replace a JSON file, as `write_private` does."""
    write_private(path, json.dumps(document, indent=1))


def read_document(path: Path) -> dict[str, Any] | None:
    """A JSON object from a file; None if the file is not there or holds no object."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError, ValueError):
        return None
    return document if isinstance(document, dict) else None
