"""What a program tells of itself in a folder, where its runtime has one that it can read: small JSON files.

Each is written whole or not at all, readable by its owner only. One that is not there yet, or holds something else, is
None to a reader. A place without such a folder (a pod) learns the same in its own way; why a program ends it reads from
a small file that it has put there.
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

MESSAGE_BYTES = 4096
"""What a pod's last message may have; Kubernetes cuts the rest off."""


class State:
    """Where a program writes what becomes of it. Raises OSError.

    Args:
        folder: the folder of the files; None for none.
        failure_file: a file that is there, and is told why the program ends; None for none.
    """

    def __init__(self, folder: Path | None, failure_file: Path | None = None) -> None:
        self._folder = folder
        self._failure_file = failure_file

    def process(self, attempt: int) -> None:
        """This process, and which attempt it is."""
        self._write(PROCESS, {"pid": os.getpid(), "identity": process_identity(os.getpid()), "attempt": attempt})

    def endpoint(self, url: str) -> None:
        """Where it listens."""
        self._write(ENDPOINT, {"url": url})

    def failure(self, document: Mapping[str, Any]) -> None:
        """Why it ends: the document of a `PlatformError`."""
        self._write(FAILURE, document)
        if self._failure_file is not None:
            self._failure_file.write_text(_short(document), encoding="utf-8")

    def _write(self, name: str, document: Mapping[str, Any]) -> None:
        if self._folder is not None:
            write_document(self._folder / name, document)


def _short(document: Mapping[str, Any]) -> str:
    """The document of an error in as many bytes as a pod's last message may have."""
    shorts: tuple[dict[str, Any], ...] = (
        {},
        {"details": {}},
        {"details": {}, "message": str(document["message"])[:500], "hint": None},
    )
    for shorter in shorts:
        text = json.dumps({**document, **shorter})
        if len(text) <= MESSAGE_BYTES:  # JSON is ASCII
            return text
    raise AssertionError("500 characters are at most 3,000 bytes")


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
