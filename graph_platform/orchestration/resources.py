"""What ops need from outside: the platform for those of this project, and its adapters for those that users write.

Only the doors are here; what is behind them is `graph_platform.platform`. Its import is inside a function: it
brings SQLAlchemy and sqlglot along, and a code location must load about as fast as Dagster itself does, each time that
a server, a daemon or a CI job loads it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from dagster import ConfigurableResource

from graph_platform.settings import Settings

if TYPE_CHECKING:
    from graph_platform.catalog.catalog import Catalog
    from graph_platform.platform import Platform
    from graph_platform.runtime.protocol import Runtime
    from graph_platform.warehouse.protocol import Warehouse


class PlatformResource(ConfigurableResource[None]):
    """The platform, with the settings of the environment (`GRAPH_PLATFORM_…`) of the process that runs the op."""

    @contextmanager
    def open(self, run_id: str, tell: Callable[[str], None]) -> Iterator[Platform]:
        """The platform for the time of one op of a run, which is told of long waits."""
        with _opened(run_id, tell) as platform:
            yield platform


class CatalogResource(ConfigurableResource[None]):
    """The catalog, for ops of your own: `with catalog.open() as opened, opened.transaction() as session: …`."""

    @contextmanager
    def open(self, run_id: str | None = None) -> Iterator[Catalog]:
        """The catalog for the time of one op.

        Raises:
            PlatformError: BACKEND_UNREACHABLE, or INVALID_STATE for a catalog of another version.
        """
        with _opened(run_id) as platform:
            yield platform.catalog


class WarehouseResource(ConfigurableResource[None]):
    """The warehouse, for ops of your own: SQL is Trino's, whatever the warehouse is."""

    @contextmanager
    def open(self, run_id: str | None = None) -> Iterator[Warehouse]:
        """The warehouse for the time of one op, whose queries carry the run's id.

        Raises:
            PlatformError: BACKEND_UNREACHABLE.
        """
        with _opened(run_id) as platform:
            yield platform.warehouse


class RuntimeResource(ConfigurableResource[None]):
    """Where servers run, for ops of your own."""

    @contextmanager
    def open(self, run_id: str | None = None) -> Iterator[Runtime]:
        """The runtime for the time of one op.

        Raises:
            PlatformError: BACKEND_UNREACHABLE.
        """
        with _opened(run_id) as platform:
            yield platform.runtime


@contextmanager
def _opened(run_id: str | None, tell: Callable[[str], None] | None = None) -> Iterator[Platform]:
    from graph_platform.platform import Platform  # noqa: PLC0415

    with Platform.open(Settings.load(), run_id, tell) as platform:
        yield platform
