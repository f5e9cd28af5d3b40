"""The files by which a runtime and the server it started speak: spec, token, endpoint, process, failure.

Each is written whole or not at all, readable by its owner only. A file that is not there yet is None to a reader.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.private import write_private
from graph_platform.runtime.protocol import InstanceSpec

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


def spec_document(spec: InstanceSpec) -> dict[str, Any]:
    """The spec as JSON-ready data."""
    return asdict(spec)


def read_spec(path: Path) -> InstanceSpec:
    """The spec in a file.

    Raises:
        PlatformError: VALIDATION_FAILED, if it is not there or is not a spec.
    """
    document = read_document(path)
    if document is None:
        raise PlatformError(ErrorCode.VALIDATION_FAILED, f"{path} is not there or is not JSON")
    names = {field.name for field in fields(InstanceSpec)}
    missing, unknown = names - document.keys(), document.keys() - names
    if missing or unknown:
        raise PlatformError(
            ErrorCode.VALIDATION_FAILED,
            f"{path} is not an instance's spec: "
            + "; ".join(
                f"{word} {', '.join(sorted(found))}" for word, found in (("lacks", missing), ("has", unknown)) if found
            ),
        )
    for field in fields(InstanceSpec):
        kinds = _KINDS[str(field.type)]
        if not isinstance(document[field.name], kinds) or isinstance(document[field.name], bool):
            raise PlatformError(ErrorCode.VALIDATION_FAILED, f"{path}: {field.name} has to be of type {field.type}")
    return InstanceSpec(**document)


_KINDS: Mapping[str, tuple[type, ...]] = {"str": (str,), "int": (int,), "float": (int, float)}
