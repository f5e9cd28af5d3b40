"""The platform as its callers hold it: adapters chosen by four URLs, and a service per noun over them.

Adapters open on first use, so that a question to the catalog does not need a warehouse. They and the services are
also imported then, since a question to an instance would pay for a translator of SQL. What an operation does is its
service's to say.
"""
# ruff: noqa: PLC0415

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from types import TracebackType
from typing import TYPE_CHECKING, Self

from graph_platform.polling import SYSTEM, Clock
from graph_platform.settings import Settings

if TYPE_CHECKING:
    from graph_platform.catalog.catalog import Catalog
    from graph_platform.instance.service import InstanceService
    from graph_platform.proving.service import MappingService
    from graph_platform.runtime.protocol import Runtime
    from graph_platform.snapshot.service import SnapshotService
    from graph_platform.storage.protocol import Storage
    from graph_platform.warehouse.protocol import Warehouse


class Platform:
    """Everything that a user can do, by noun. A context manager: leaving it closes what was opened."""

    def __init__(
        self,
        settings: Settings,
        run_id: str | None = None,
        tell: Callable[[str], None] | None = None,
        clock: Clock = SYSTEM,
    ) -> None:
        self.settings = settings
        self._clock = clock
        self._run_id = run_id
        self._tell = tell

    @classmethod
    def open(
        cls,
        settings: Settings | None = None,
        run_id: str | None = None,
        tell: Callable[[str], None] | None = None,
        clock: Clock = SYSTEM,
    ) -> Platform:
        """The platform of these settings, or of the environment.

        Args:
            run_id: the Dagster run in which it is used, which the warehouse shows beside its queries, and the catalog
                to those who wait for it.
            tell: where a word about a long wait for the catalog goes.
            clock: what passes while the services wait.
        """
        return cls(settings or Settings.load(), run_id, tell, clock)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for adapter in ("warehouse", "catalog"):
            if adapter in self.__dict__:
                getattr(self, adapter).close()

    @cached_property
    def catalog(self) -> Catalog:
        from graph_platform.catalog.catalog import Catalog

        return Catalog.open(self.settings, run_id=self._run_id, tell=self._tell, clock=self._clock)

    @cached_property
    def warehouse(self) -> Warehouse:
        from graph_platform.warehouse.connect import open_warehouse

        opened = open_warehouse(self.settings)
        return opened.tagged(run=self._run_id) if self._run_id else opened

    @cached_property
    def storage(self) -> Storage:
        from graph_platform.storage.connect import open_storage

        return open_storage(self.settings.storage)

    @cached_property
    def runtime(self) -> Runtime:
        from graph_platform.runtime.connect import open_runtime

        return open_runtime(self.settings, self.catalog.installation, self._tell)

    @cached_property
    def mappings(self) -> MappingService:
        from graph_platform.proving.service import MappingService

        return MappingService(self.settings, lambda: self.catalog, lambda: self.warehouse)

    @cached_property
    def snapshots(self) -> SnapshotService:
        from graph_platform.snapshot.service import SnapshotService

        return SnapshotService(
            self.settings,
            lambda: self.catalog,
            lambda: self.warehouse,
            lambda: self.storage,
            lambda: self.runtime.tasks,
            self._clock,
        )

    @cached_property
    def instances(self) -> InstanceService:
        from graph_platform.instance.service import InstanceService

        return InstanceService(self.settings, lambda: self.catalog, lambda: self.runtime.servers, self._clock)
