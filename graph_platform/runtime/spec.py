"""What a runtime is told to start, as data: frozen, JSON-ready, without a secret, the same for every place.

Written by a service, carried by a runtime, read by the program that it starts. Where that program listens, which file
its token is in and where it writes what became of it are no part of a spec: each place has its own.

Not Pydantic: a server reads its spec at every start, and must not pay for the import.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, is_dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from types import UnionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from graph_platform.errors import ErrorCode, PlatformError

Spec = TypeVar("Spec")

ID = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
"""Of an instance or a task."""

_ONLY_READ: Mapping[str, str] = {
    "ryugraph": "a text of 4,096 bytes or more in its write-ahead log, and it does not open again after a kill"
}
"""Engines that nothing is written with here, and why not."""

_DATABASE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}")


class ServedKind(StrEnum):
    """What an instance is there for."""

    SNAPSHOT = "snapshot"
    GRAPH = "graph"


@dataclass(frozen=True)
class Served:
    """The snapshot or graph that an instance serves. The database of the same name as its id is the main one."""

    kind: ServedKind
    id: str


class Access(StrEnum):
    """What may be done with a database. Its file is opened accordingly."""

    READ = "read"
    WRITE = "write"


@dataclass(frozen=True)
class StoredSnapshot:
    """A database that comes from a snapshot in storage: its stored file, or its Parquet files loaded again.

    `folder` is the key of the snapshot's folder, to which the manifest's keys are relative; `manifest_key` is that of
    the manifest itself, in full.
    """

    storage_url: str
    folder: str
    manifest_key: str


@dataclass(frozen=True)
class OwnFile:
    """A database that is a file of its own, in the folder `DATA/NAME`, where the runtime keeps what outlives a server.

    `create` makes it if it is absent; otherwise an absent one is an error, since it has been there once.
    """

    create: bool


@dataclass(frozen=True)
class DatabaseSpec:
    """One database of an instance: the name under which it is asked, what may be done with it, whence it comes."""

    name: str
    access: Access
    source: StoredSnapshot | OwnFile

    def __post_init__(self) -> None:
        if not _DATABASE_NAME.fullmatch(self.name):
            raise _invalid(f"{self.name!r} is not a database's name: at most 128 letters, digits, `_` and `-`")
        if isinstance(self.source, StoredSnapshot) and self.access is not Access.READ:
            raise _invalid(f"database {self.name} is a snapshot's, and a snapshot is only read")
        if isinstance(self.source, OwnFile) and self.source.create and self.access is not Access.WRITE:
            raise _invalid(f"database {self.name} is only read, so it cannot be made")


@dataclass(frozen=True)
class ServerLimits:
    """What a server may take. Bytes and seconds.

    Args:
        pool_bytes: the engine's buffer pool, of each worker.
        threads: threads of a query; 0 for as many as there are cores.
        query_seconds: default and largest time limit of a query.
        query_rows: default and largest number of rows of an answer.
        max_databases: how many are open at once; one more closes the one that was used longest ago.
        workers: processes that the engine runs in, for what is only read; 0 for as many as there are cores, at least
            3. What is written has one.
        worker_allowance_bytes: memory that a worker may take beside what it has once its databases are open.
    """

    pool_bytes: int
    threads: int
    query_seconds: float
    query_rows: int
    max_databases: int
    workers: int
    worker_allowance_bytes: int


@dataclass(frozen=True)
class ServerSpec:
    """What an instance serves, and with which limits. A snapshot's has its one database, to be read, and no other."""

    installation: str
    instance: str
    attempt: int
    serves: Served
    engine: str
    databases: tuple[DatabaseSpec, ...]
    limits: ServerLimits

    def __post_init__(self) -> None:
        names = [database.name for database in self.databases]
        if len(set(names)) < len(names):
            raise _invalid(f"instance {self.instance} has two databases of one name")
        if self.serves.id not in names:
            raise _invalid(f"instance {self.instance} has no database {self.serves.id}, which would be the main one")
        if self.engine in _ONLY_READ and any(each.access is Access.WRITE for each in self.databases):
            raise PlatformError(
                ErrorCode.VALIDATION_FAILED,
                f"a graph that is written to cannot be on {self.engine}: {_ONLY_READ[self.engine]}",
                "put it on ladybug",
            )
        if self.serves.kind is ServedKind.SNAPSHOT and len(names) > 1:
            raise _invalid(f"instance {self.instance} serves a snapshot, which has one database")

    @property
    def main(self) -> DatabaseSpec:
        """The database that is asked where none is named."""
        return next(database for database in self.databases if database.name == self.serves.id)


@dataclass(frozen=True)
class StoredObject:
    """An object in storage."""

    storage_url: str
    key: str


@dataclass(frozen=True)
class TaskSpec:
    """A program that is run once, to its end, in a process of its own. What it works on and makes lies in storage.

    Args:
        program: the module whose `run` it is (`graph_platform.tasks`).
        doing: what it does, to follow "the process": "building the database".
        order: what it is to do, JSON-ready and small: what is large lies in storage, and this says where.
        result: where it writes its result, a JSON object of any size.
        seconds: its time limit, which it keeps itself.
        seconds_hint: what to do where that was too short.
        memory_bytes: memory that it may hold at most; 0 for what the place has.
    """

    installation: str
    task: str
    attempt: int
    program: str
    doing: str
    order: Mapping[str, Any]
    result: StoredObject
    seconds: float
    seconds_hint: str
    memory_bytes: int


def check_id(identifier: str, noun: str) -> None:
    """Refuse what is no id: a name of files and of a cluster's objects.

    Args:
        noun: what has such an id, for the message.

    Raises:
        PlatformError: VALIDATION_FAILED.
    """
    if not ID.fullmatch(identifier):
        raise _invalid(f"{identifier!r} is not the id of {noun}")


def spec_document(spec: Any) -> dict[str, Any]:
    """A spec as JSON-ready data."""
    return asdict(spec)


def read_spec(kind: type[Spec], path: Path) -> Spec:
    """The spec in a JSON file, every field of it there and of its type.

    Raises:
        PlatformError: VALIDATION_FAILED, if the file is not there or holds something else.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _invalid(f"{path} is not there or is not JSON") from error
    try:
        return from_document(kind, document)
    except PlatformError as error:
        raise _invalid(f"{path} is no {kind.__name__}: {error.message}") from error


def from_document(kind: type[Spec], document: Any) -> Spec:
    """The dataclass that `spec_document` described, every field of it there and of its type.

    Raises:
        PlatformError: VALIDATION_FAILED, with the place.
    """
    found: Spec = _read(kind, document, "it")
    return found


def _read(kind: Any, value: Any, at: str) -> Any:
    """The value as one of this type; `at` names its place for an error."""
    if isinstance(kind, UnionType):
        return _read(_alternative(kind, value, at), value, at)
    if is_dataclass(kind) and isinstance(kind, type):
        return _read_fields(kind, value, at)
    if get_origin(kind) is tuple and isinstance(value, list):
        item = get_args(kind)[0]
        return tuple(_read(item, each, f"{at}[{number}]") for number, each in enumerate(value))
    if get_origin(kind) is not Mapping:
        return _read_scalar(kind, value, at)
    if not isinstance(value, dict):
        raise _invalid(f"{at} has to be an object")
    return value


def _read_scalar(kind: Any, value: Any, at: str) -> Any:
    if kind is float and type(value) is int:
        return float(value)
    if isinstance(value, str) and isinstance(kind, type) and issubclass(kind, StrEnum) and value in set(kind):
        return kind(value)
    if type(value) is not kind:
        raise _invalid(f"{at} has to be of type {getattr(kind, '__name__', kind)}")
    return value


def _read_fields(kind: Any, value: Any, at: str) -> Any:
    if not isinstance(value, dict):
        raise _invalid(f"{at} has to be an object")
    hints = _hints(kind)
    missing, unknown = sorted(hints.keys() - value.keys()), sorted(value.keys() - hints.keys())
    if missing or unknown:
        found = [f"{word} {', '.join(names)}" for word, names in (("lacks", missing), ("has", unknown)) if names]
        raise _invalid(f"{at} {' and '.join(found)}")
    prefix = "" if at == "it" else f"{at}."
    return kind(**{name: _read(hint, value[name], f"{prefix}{name}") for name, hint in hints.items()})


def _alternative(union: UnionType, value: Any, at: str) -> type[Any]:
    """Which dataclass of a union it is: the one with these fields."""
    for kind in get_args(union):
        if isinstance(value, dict) and value.keys() == _hints(kind).keys():
            found: type[Any] = kind
            return found
    raise _invalid(f"{at} has to be one of {', '.join(kind.__name__ for kind in get_args(union))}")


@cache
def _hints(kind: Any) -> Mapping[str, Any]:
    return get_type_hints(kind)


def _invalid(message: str) -> PlatformError:
    return PlatformError(ErrorCode.VALIDATION_FAILED, message)
