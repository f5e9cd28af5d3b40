"""Choosing a warehouse adapter by the scheme of its URL; the adapters themselves are modules of their own."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from urllib.parse import unquote

from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.settings import Settings, redacted
from graph_platform.storage.connect import open_storage
from graph_platform.warehouse.duckdb.export import local_folder
from graph_platform.warehouse.duckdb.warehouse import DuckDBWarehouse
from graph_platform.warehouse.protocol import Warehouse

_DUCKDB = "duckdb://"
_DUCKDB_LENGTH = len(_DUCKDB)
_LIKE_A_SERVER = re.compile(r"[^/]*[:@]|/+[^/]*:[^/]*@")


def open_warehouse(settings: Settings) -> Warehouse:
    """The warehouse that the settings name. The caller closes it.

    Raises:
        PlatformError: VALIDATION_FAILED for a URL that no adapter takes, BACKEND_UNREACHABLE if it does not answer.
    """
    scheme = settings.warehouse.partition(":")[0].lower() if ":" in settings.warehouse else ""
    opener = _ADAPTERS.get(scheme)
    if opener is None:
        known = ", ".join(f"{name}://" for name in _ADAPTERS)
        message = f"no warehouse adapter takes {redacted(settings, 'warehouse')!r}"
        raise PlatformError(ErrorCode.VALIDATION_FAILED, message, f"the URL may begin with {known}")
    return opener(settings)


def duckdb_path(settings: Settings) -> Path:
    """The file of a `duckdb:` URL, absolute: of duckdb:///abs/path or, as people write it from here, duckdb://./file.

    Raises:
        PlatformError: VALIDATION_FAILED, if it names no file, or a server and a user, which a file has not.
    """
    scheme, given = settings.warehouse[:_DUCKDB_LENGTH], settings.warehouse[_DUCKDB_LENGTH:]
    path = Path(unquote(given)).expanduser()
    named = scheme.lower() == _DUCKDB and path.name
    # Taken for a file's name, a password would be shown whenever the file is.
    if not named or _LIKE_A_SERVER.match(unquote(given)):
        message = f"the warehouse URL {redacted(settings, 'warehouse')!r} names no file"
        raise PlatformError(ErrorCode.VALIDATION_FAILED, message, "write duckdb:///path/to/file.duckdb")
    path = path.absolute()
    return Path("/", *path.parts[1:])  # duckdb:////tmp/x is /tmp/x, without the second slash


def _duckdb(settings: Settings) -> Warehouse:
    own = settings.storage.startswith("file:")
    scratch = settings.home / "scratch"
    return DuckDBWarehouse(
        duckdb_path(settings),
        storage=local_folder(settings.storage) if own else scratch / "exports",
        bucket=None if own else open_storage(settings.storage),
        scratch=scratch / "warehouse",
        processes=settings.export_concurrency,
        memory_bytes=settings.warehouse_memory_bytes,
        statement_seconds=settings.warehouse_statement_seconds,
    )


def _trino(settings: Settings) -> Warehouse:
    # Only where it is used: importing the client and its HTTP library takes as long as a short command does in all.
    opened: Warehouse = import_module("graph_platform.warehouse.trino.warehouse").open_trino(settings)
    return opened


_ADAPTERS: Mapping[str, Callable[[Settings], Warehouse]] = MappingProxyType({"duckdb": _duckdb, "trino": _trino})
