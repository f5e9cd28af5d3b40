"""Choosing a warehouse adapter by the scheme of its URL; the adapters themselves are modules of their own."""

from __future__ import annotations

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


def _duckdb(settings: Settings) -> Warehouse:
    # Both duckdb:///abs/path and, as people write it for a path of this folder, duckdb://./file.
    path = Path(unquote(settings.warehouse.removeprefix("duckdb://"))).expanduser()
    if not path.name:
        message = f"the warehouse URL {redacted(settings, 'warehouse')!r} names no file"
        raise PlatformError(ErrorCode.VALIDATION_FAILED, message, "write duckdb:///path/to/file.duckdb")
    own = settings.storage.startswith("file:")
    scratch = settings.home / "scratch"
    return DuckDBWarehouse(
        path.absolute(),
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
