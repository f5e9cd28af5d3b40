"""A Postgres that goes away while a snapshot is made, and comes back, or does not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from graph_platform.catalog.catalog import Catalog
from graph_platform.catalog.embedded import EmbeddedPostgres
from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.platform import Platform
from graph_platform.progress import DefinitionExported
from graph_platform.proving.requests import CreateMapping
from graph_platform.snapshot.requests import CreateSnapshot
from graph_platform_tests.worlds import BY, Recorder, make_settings, people


@pytest.fixture
def server(home: Path) -> Iterator[EmbeddedPostgres]:
    postgres = EmbeddedPostgres(home)
    with closing(Catalog(postgres.ensure())) as catalog:
        catalog.migrate()
    yield postgres
    postgres.stop()


class Stopping(Recorder):
    """Stops the server when the first definition is exported, and starts it again or not."""

    def __init__(self, server: EmbeddedPostgres, *, again: bool) -> None:
        super().__init__()
        self.server = server
        self.again = again

    def exported(self, event: DefinitionExported) -> None:
        super().exported(event)
        if len(self.exports) == 1:
            self.server.stop()
            if self.again:
                self.server.ensure()


def test_a_restart_between_two_steps_is_outlived(home: Path, server: EmbeddedPostgres) -> None:
    settings = make_settings(home, server.ensure(), export_concurrency=1)
    with Platform.open(settings) as platform:
        platform.mappings.create(CreateMapping(mapping=people()), BY, Recorder())
        snapshot = platform.snapshots.create(
            CreateSnapshot(mapping="people", name="s"), BY, Stopping(server, again=True)
        )
    assert (snapshot.status, snapshot.rows, snapshot.attempt) == ("ready", 620, 1)


def test_a_server_that_stays_away_is_reported_as_itself_and_the_next_try_finishes(
    home: Path, server: EmbeddedPostgres
) -> None:
    settings = make_settings(home, server.ensure(), export_concurrency=1, catalog_patience_seconds=1)
    with Platform.open(settings) as platform:
        platform.mappings.create(CreateMapping(mapping=people()), BY, Recorder())
        with pytest.raises(PlatformError) as away:
            platform.snapshots.create(CreateSnapshot(mapping="people", name="s"), BY, Stopping(server, again=False))
    assert away.value.code == ErrorCode.BACKEND_UNREACHABLE
    assert away.value.exit_status == 3
    server.ensure()
    with Platform.open(settings) as platform:
        (left,) = platform.snapshots.list()
        assert left.status == "creating", "nobody could write that it failed; its lease tells"
    # The owner is this very process, which lives: only the end of its lease makes the snapshot free.
    short = make_settings(home, server.ensure(), lease_seconds=2)
    with Platform.open(short) as platform:
        with platform.catalog.transaction() as session:
            session.exec_driver_sql("UPDATE graph_platform.installation SET clock_offset = interval '5 minutes'")
        snapshot = platform.snapshots.create(CreateSnapshot(mapping="people", name="s"), BY, Recorder())
    assert (snapshot.id, snapshot.status, snapshot.rows, snapshot.attempt) == (left.id, "ready", 620, 2)
