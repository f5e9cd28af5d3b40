"""The catalog, opened for commands that only read it. No import beyond SQLAlchemy: a list must come at once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager

from graph_platform.catalog.catalog import Catalog
from graph_platform.catalog.limits import Work
from graph_platform.catalog.transition import Session
from graph_platform.cli.output import Output
from graph_platform.settings import Settings


@contextmanager
def reading(output: Output) -> Iterator[Session]:
    """One transaction on the catalog of the environment; a long wait for it is told.

    Raises:
        PlatformError: BACKEND_UNREACHABLE, INVALID_STATE for a catalog of another version, CATALOG_BUSY.
    """
    with (
        closing(Catalog.open(Settings.load(), tell=output.progress)) as catalog,
        catalog.transaction(Work.READING) as session,
    ):
        yield session
