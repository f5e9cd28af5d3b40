"""What ops need from outside. Only the door to the platform is here; what is behind it is `graph_platform.platform`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from dagster import ConfigurableResource

from graph_platform.settings import Settings

if TYPE_CHECKING:
    from graph_platform.platform import Platform


class PlatformResource(ConfigurableResource[None]):
    """The platform, with the settings of the environment (`GRAPH_PLATFORM_…`) of the process that runs the op."""

    @contextmanager
    def open(self, run_id: str, tell: Callable[[str], None]) -> Iterator[Platform]:
        """The platform for the time of one op of a run, which is told of long waits.

        The one import that is not at the top of its file: it brings SQLAlchemy, DuckDB and sqlglot along, and a code
        location must load about as fast as Dagster itself does, each time that a server, a daemon or a CI job loads it.
        """
        from graph_platform.platform import Platform  # noqa: PLC0415

        with Platform.open(Settings.load(), run_id, tell) as platform:
            yield platform
