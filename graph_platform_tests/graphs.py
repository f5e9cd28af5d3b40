"""A graph's server: a real process with databases that are written to, asked over HTTP in one of three roles."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx

from graph_platform.runtime.local.servers import LocalServers
from graph_platform.runtime.protocol import Presence
from graph_platform.runtime.spec import Access, DatabaseSpec, OwnFile, Served, ServedKind, ServerSpec, StoredSnapshot
from graph_platform.runtime.tokens import Role
from graph_platform_tests.services.runtimes import INSTALLATION, settled
from graph_platform_tests.snapshots import LIMITS, server_spec

GRAPH = "kg-1"


def graph_spec(
    databases: Iterable[str] = (GRAPH,), *, create: bool = True, attempt: int = 1, **limits: Any
) -> ServerSpec:
    """The spec of an instance that serves a graph with these databases, which may be written to."""
    spec = server_spec("ladybug", StoredSnapshot("file:///nowhere", "a", "a/manifest.json"), attempt=attempt)
    made = tuple(DatabaseSpec(name, Access.WRITE, OwnFile(create)) for name in databases)
    return replace(
        spec,
        serves=Served(ServedKind.GRAPH, GRAPH),
        databases=made,
        limits=replace(LIMITS, **limits),
        instance="inst-1",
    )


class GraphServer:
    """The server of a graph on this machine, in `home`. Its files outlive it."""

    def __init__(self, home: Path, **limits: Any) -> None:
        self.home = home
        self.folder = home / "graphs" / GRAPH
        self.limits = limits
        self.attempt = 0
        self._servers = LocalServers(home, INSTALLATION)

    def start(self, databases: Iterable[str] = (GRAPH,), *, create: bool = True) -> None:
        """Start it, again after it has ended, and wait until it is ready."""
        self.attempt += 1
        self._servers.start(graph_spec(databases, create=create, attempt=self.attempt, **self.limits))
        seen = settled(self._servers, "inst-1")
        assert seen.presence is Presence.READY, seen.failure

    def stop(self) -> None:
        """End it in good order."""
        self._servers.stop("inst-1", self.attempt, 5)

    def as_role(self, role: Role) -> httpx.Client:
        """A client with the token of a role."""
        way = self._servers.connect("inst-1")
        headers = {"Authorization": f"Bearer {way.token_of(role)}"}
        return httpx.Client(base_url=way.url, headers=headers, timeout=60, trust_env=False)


def ask(client: httpx.Client, cypher: str, database: str | None = None, **fields: Any) -> httpx.Response:
    """Ask one statement of the main database, or of one by name."""
    path = "/query" if database is None else f"/databases/{database}/query"
    return client.post(path, json={"cypher": cypher, **fields})


def rows(client: httpx.Client, cypher: str, database: str | None = None, **fields: Any) -> list[list[Any]]:
    """The rows of the answer to one statement."""
    answer = ask(client, cypher, database, **fields)
    assert answer.status_code == 200, answer.text
    found: list[list[Any]] = answer.json()["rows"]
    return found


def rows_of_file(file: Path, cypher: str) -> str:
    """What a database's file answers in a process of its own, as Python prints it."""
    program = (
        "import sys; from pathlib import Path; from graph_platform.engine.connect import load_engine\n"
        "database = load_engine('ladybug').open(Path(sys.argv[1]), read_only=True, memory_bytes=2**27, threads=1)\n"
        "print(database.query(sys.argv[2], timeout_seconds=60, row_limit=100).rows)"
    )
    return subprocess.run(
        [sys.executable, "-c", program, str(file), cypher], capture_output=True, check=True, text=True
    ).stdout.strip()
