"""What a worker is told and asked: the documents that go between a server and `program`, in JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from graph_platform.engine.gate.clauses import Access
from graph_platform.engine.protocol import EngineVersion

Form = Literal["json", "arrow"]
"""What an answer is written in."""


@dataclass(frozen=True)
class OpenedDatabase:
    """A database that the worker may open: where its file is, and whether it may be written to."""

    path: str
    access: Access


@dataclass(frozen=True)
class Opening:
    """What a worker is made ready from. Memory in bytes.

    Args:
        databases: by name; the first is opened at once.
        most: how many are open together at most; the one that was not asked for the longest is closed.
        pool_bytes: of each one's buffer pool.
        threads: of a query; 0 for as many as there are cores.
        folder: in which databases that are written to may come and go, each in a folder of its own; None for none.
    """

    databases: Mapping[str, OpenedDatabase]
    most: int
    pool_bytes: int
    threads: int
    folder: str | None = None

    def to_json(self) -> bytes:
        """For the process."""
        return json.dumps(asdict(self)).encode()

    @classmethod
    def from_json(cls, content: bytes) -> Opening:
        """What `to_json` wrote."""
        document = json.loads(content)
        databases = {name: OpenedDatabase(**each) for name, each in document.pop("databases").items()}
        return cls(databases, **document)


@dataclass(frozen=True)
class Question:
    """One statement for a worker, and how many rows of its answer are wanted. Its time is kept by whoever asks.

    `text` is run, and `subject`, the same without EXPLAIN or PROFILE, is what the plan is made of and looked at.
    """

    database: str
    text: str
    subject: str
    access: Access
    parameters: Mapping[str, Any]
    rows: int
    form: Form = "json"

    def to_json(self) -> bytes:
        """For the process."""
        return json.dumps({"do": "query", "question": self.__dict__}).encode()


def serve_request(database: str, opened: OpenedDatabase) -> bytes:
    """Has a worker open one more database, and make it if it is absent."""
    return json.dumps({"do": "serve", "database": database, "opened": asdict(opened)}).encode()


def forget_request(database: str) -> bytes:
    """Has a worker close a database, and know it no more."""
    return json.dumps({"do": "forget", "database": database}).encode()


def checkpoint_request(database: str) -> bytes:
    """Has a worker write all of a database into its one file: no answer, or the document of why it could not be."""
    return json.dumps({"do": "checkpoint", "database": database}).encode()


def schema_request(database: str) -> bytes:
    """Asks a worker for every table of a database, as `TableSchema`s in a JSON list."""
    return json.dumps({"do": "schema", "database": database}).encode()


def announced_version(announcement: bytes) -> EngineVersion:
    """The engine that a worker says it has, before it opens anything."""
    return EngineVersion(**json.loads(announcement))
