"""The environment, read once and typed. Every value that an operator may change is a field here, with its default.

A frozen dataclass rather than pydantic-settings: `graph-platform --help` and `mapping list` must start fast, and the
import of pydantic-settings alone costs more than either. Nothing else in the platform reads `os.environ` for settings.
"""

from __future__ import annotations

import getpass
import os
from collections.abc import Callable, Mapping
from dataclasses import Field, dataclass, field, fields
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

from graph_platform.durations import EXAMPLE, Duration, parse_duration
from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.redaction import HIDDEN, concealed, masked, secrets_in

PREFIX = "GRAPH_PLATFORM_"

Shown = TypeVar("Shown")

_HOUR = 3_600_000_000  # microseconds


def _setting(default: Any, help_text: str, *, secret: bool = False) -> Any:
    return field(default=default, metadata={"help": help_text, "secret": secret})


def _life(default: Duration | None, help_text: str) -> Any:
    """A setting that is a duration, or nothing where `default` is."""
    return field(default=default, metadata={"help": f"{help_text} (e.g. 7d or 4h, or ISO 8601)", "kind": Duration})


def _hidden(help_text: str) -> Any:
    """A setting that is a secret as a whole, where `secret` alone means a URL that may hold a password."""
    return field(default="", metadata={"help": help_text, "secret": True, "hidden": True})


@dataclass(frozen=True)
class Settings:
    """All settings. Each is read from `GRAPH_PLATFORM_` and the field's name in capitals."""

    home: Path = _setting(
        Path("~/.graph-platform"), "folder of the embedded catalog, local storage, local instances and logs"
    )
    warehouse: str = _setting(
        "", "where the tables are: duckdb:///FILE or trino://USER@HOST:PORT/CATALOG/SCHEMA", secret=True
    )
    warehouse_password: str = _hidden("password of the warehouse's user")
    warehouse_password_file: str = _setting("", "file that holds the password of the warehouse's user")
    warehouse_jwt: str = _hidden("JSON web token that the warehouse accepts")
    warehouse_jwt_file: str = _setting("", "file that holds the JSON web token; read anew for each statement")
    warehouse_certificate: str = _setting("", "client certificate that the warehouse accepts, a PEM file")
    warehouse_key: str = _setting("", "key of the client certificate, a PEM file; empty: it is in the certificate's")
    warehouse_memory_bytes: int = _setting(
        0, "memory of one statement on a DuckDB file at most, in bytes; 0: its part of four fifths of the machine"
    )
    export_schema: str = _setting(
        "", "CATALOG.SCHEMA of a Hive catalog in which Trino writes exports; empty: rows are streamed through here"
    )
    export_location: str = _setting(
        "",
        "the storage root as Trino names it, local:///FOLDER for example; empty: as the storage setting has it",
        secret=True,
    )
    catalog: str = _setting(
        "embedded:", "the Postgres that holds all state: embedded: or postgresql+psycopg://…", secret=True
    )
    dagster_storage: str = _setting(
        "", "Postgres URL of Dagster's own database; empty: beside the catalog, named <catalog>_dagster", secret=True
    )
    storage: str = _setting(
        "", "where snapshots are kept: file:///FOLDER, s3://BUCKET/PREFIX or gs://BUCKET/PREFIX", secret=True
    )
    runtime: str = _setting(
        "local:", "where instances run: local: for processes on loopback, or kubernetes://NAMESPACE", secret=True
    )
    kubernetes_image: str = _setting("graph-platform-server:0.1.0", "the image of servers and tasks in a cluster")
    kubernetes_storage_secret: str = _setting(
        "",
        "Secret of the namespace whose entries are variables by which pods reach storage; empty: by their node's role",
    )
    kubernetes_patience_seconds: float = _setting(
        90.0, "how long an operation waits for a cluster's API server that is away or busy, in seconds"
    )
    kubernetes_pending_seconds: float = _setting(
        60.0, "how long a pod may find no node with room before that is a failure, in seconds"
    )
    kubernetes_task_memory_bytes: int = _setting(
        4 * 1024**3, "memory of a task's pod where the task itself has no limit, in bytes"
    )
    engine: str = _setting("ladybug", "the graph database engine: ladybug or ryugraph")
    user: str = _setting("", "who is written on what is created, and in the audit; empty: the login name")
    dagster_url: str = _setting(
        "", "a running Dagster to submit jobs to, http://HOST:PORT; empty: run them here", secret=True
    )

    validation_concurrency: int = _setting(16, "statements of one mapping described at once: none of them reads data")
    export_concurrency: int = _setting(4, "definitions of one mapping exported, or their data looked at, at once")
    catalog_patience_seconds: float = _setting(
        30.0, "how long an operation that has begun waits for a Postgres that went away, in seconds"
    )
    catalog_lock_seconds: float = _setting(
        30.0, "how long a statement waits for what another transaction on the catalog holds, in seconds"
    )
    catalog_statement_seconds: float = _setting(60.0, "time limit of one statement on the catalog, in seconds")
    catalog_idle_seconds: float = _setting(
        20.0, "how long a transaction may stand still, its process asleep, before the catalog ends it, in seconds"
    )
    lease_seconds: float = _setting(60.0, "how long a claim holds without renewal, in seconds")
    warehouse_statement_seconds: float = _setting(300.0, "time limit of one validation statement, in seconds")
    schema_cache_seconds: float = _setting(3600.0, "how long the tables' names and columns are kept, in seconds")
    data_check_seconds: float = _setting(3600.0, "time limit of the check of one definition's data, in seconds")
    export_seconds: float = _setting(3600.0, "time limit of one definition's export, in seconds")
    build_seconds: float = _setting(3600.0, "time limit of building a graph database, in seconds")
    build_memory_bytes: int = _setting(
        0, "memory of the process that builds a graph database at most, in bytes; 0: what the machine has"
    )
    instance_startup_seconds: float = _setting(300.0, "time limit of an instance's start, in seconds")
    instance_stop_seconds: float = _setting(10.0, "grace of an instance between the request to end and its kill")
    query_seconds: float = _setting(60.0, "default and largest time limit of a Cypher query, in seconds")
    query_rows: int = _setting(10_000, "default and largest number of rows that a Cypher query returns")
    engine_memory_bytes: int = _setting(2 * 1024**3, "buffer pool of one graph database, in bytes")
    engine_threads: int = _setting(0, "threads of one graph database; 0: as many as there are cores")
    engine_workers: int = _setting(
        0, "processes in which an instance answers queries; 0: as many as there are cores, at least 3"
    )
    engine_allowance_bytes: int = _setting(
        512 * 1024**2, "memory that such a process may take beside its graph database, in bytes"
    )
    max_instances: int = _setting(100, "running instances of the whole installation at most")
    max_instances_per_user: int = _setting(20, "running instances of one user at most")

    mapping_ttl: Duration | None = _life(None, "default life of a mapping; empty: no end")
    mapping_inactivity: Duration = _life(Duration(days=30), "default life of an unused mapping")
    snapshot_ttl: Duration = _life(Duration(days=7), "default life of a snapshot")
    snapshot_inactivity: Duration = _life(Duration(days=3), "default life of an unused snapshot")
    instance_ttl: Duration = _life(Duration(microseconds=24 * _HOUR), "default life of an instance")
    instance_inactivity: Duration = _life(Duration(microseconds=4 * _HOUR), "default life of an unused instance")
    mapping_ttl_ceiling: Duration = _life(Duration(days=365), "longest life that a mapping may ask for")
    snapshot_ttl_ceiling: Duration = _life(Duration(days=30), "longest life that a snapshot may ask for")
    instance_ttl_ceiling: Duration = _life(Duration(days=7), "longest life that an instance may ask for")

    @classmethod
    def load(cls, environ: Mapping[str, str] | None = None) -> Settings:
        """Read the environment.

        Args:
            environ: the variables, `os.environ` if None.

        Raises:
            PlatformError: VALIDATION_FAILED, for a value of the wrong type.
        """
        environ = os.environ if environ is None else environ
        values: dict[str, Any] = {}
        for spec in fields(cls):
            text = environ.get(variable(spec.name), "").strip()
            if text:
                values[spec.name] = _parse(variable(spec.name), text, spec)
        home = Path(values.get("home", cls.home)).expanduser().absolute()
        values["home"] = home
        values.setdefault("warehouse", f"duckdb://{home / 'warehouse.duckdb'}")
        values.setdefault("storage", f"file://{home / 'storage'}")
        values.setdefault("user", _login_name())
        return cls(**values)

    def environment(self) -> dict[str, str]:
        """The variables that make another process read these same settings."""
        values = {variable(f.name): _text(getattr(self, f.name)) for f in fields(self)}
        return {name: value for name, value in values.items() if value}

    def __repr__(self) -> str:
        shown = ", ".join(f"{f.name}={redacted(self, f.name)!r}" for f in fields(self))
        return f"Settings({shown})"


def variable(name: str) -> str:
    """The variable of the environment that a setting is read from."""
    return PREFIX + name.upper()


def redacted(settings: Settings, name: str) -> str:
    """The value of a setting as it may be shown: a secret, or the password inside a URL, is replaced by `***`."""
    value = _text(getattr(settings, name))
    metadata = next(spec for spec in fields(settings) if spec.name == name).metadata
    if value and metadata.get("hidden"):
        return HIDDEN
    return masked(value) if metadata.get("secret") else value


def known_secrets(environ: Mapping[str, str] | None = None) -> frozenset[str]:
    """Every secret of the settings as they are in the environment, also of those that are malformed."""
    environ = os.environ if environ is None else environ
    found: set[str] = set()
    for spec in fields(Settings):
        value = environ.get(variable(spec.name), "").strip()
        if value and spec.metadata.get("hidden"):
            found.add(value)
        elif value and spec.metadata.get("secret"):
            found |= secrets_in(value)
    return frozenset(found)


def without_secrets(value: Shown) -> Shown:
    """A text, or a document of texts, that may quote a setting: as it may be shown, logged or kept.

    For the words of libraries, which repeat what they were given. What a query answers is nobody's to change.
    """
    return concealed(value, known_secrets())


def _text(value: Any) -> str:
    return "" if value is None else str(value)


_READERS: Mapping[type, tuple[Callable[[str], Any], str]] = MappingProxyType(
    {
        int: (int, "a whole number"),
        float: (float, "a number"),
        Path: (Path, "a path"),
        Duration: (parse_duration, "a duration such as 7d or 4h, or one of ISO 8601, of up to a century"),
    }
)
"""How a text becomes a value, by the kind of the setting, and what it is where it does not. Others stay texts."""


def _parse(name: str, text: str, spec: Field[Any]) -> Any:
    kind = spec.metadata.get("kind", type(spec.default))
    read, expected = next((reader for known, reader in _READERS.items() if issubclass(kind, known)), (str, "a text"))
    try:
        return read(text)
    except ValueError as error:
        example = EXAMPLE if kind is Duration else f"e.g. {name}={spec.default}"
        raise PlatformError(
            ErrorCode.VALIDATION_FAILED, f"{name} is {text!r}, which is not {expected}", example
        ) from error


def _login_name() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's uid without an entry in the password file
        return f"uid-{os.getuid()}"
