"""The files by which a runtime and the server it started speak: spec, token, endpoint, process, failure.

Each is written whole or not at all, readable by its owner only. A file that is not there yet is None to a reader.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from graph_platform.private import write_private

SPEC = "spec.json"
TOKEN = "token"  # noqa: S105 — the file's name
ENDPOINT = "endpoint.json"
PROCESS = "process.json"
FAILURE = "failure.json"
EXIT_STATUS = "exit-status"
LOG = "server.log"
LOCK = "server.lock"
"""Locked by a living server, from before it is started until it is gone."""


def write_document(path: Path, document: Mapping[str, Any]) -> None:
    """Replace a JSON file, as `write_private` does."""
    write_private(path, json.dumps(document, indent=1))


def read_document(path: Path) -> dict[str, Any] | None:
    """A JSON object from a file; None if the file is not there or holds no object."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None
    return document if isinstance(document, dict) else None
