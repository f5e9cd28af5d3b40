"""Real components that many tests share: one server of a kind for the session, a migrated catalog for each test.

The fixtures of `services` are named here and nowhere else: named in two places, each would start a server of its own.
"""

from __future__ import annotations

import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url

from graph_platform.catalog.catalog import Catalog
from graph_platform.catalog.embedded import EmbeddedPostgres
from graph_platform_tests.services.buckets import gcs_endpoint, gs_url, s3_endpoint, s3_url
from graph_platform_tests.services.flights import flights, flights_file, flights_server
from graph_platform_tests.services.kubernetes.fixtures import cluster, namespace, platform_image
from graph_platform_tests.services.runtimes import elsewhere, place, runtime, servers, snapshots, tasks
from graph_platform_tests.services.trino import trino_server

__all__ = [
    "cluster",
    "elsewhere",
    "flights",
    "flights_file",
    "flights_server",
    "gcs_endpoint",
    "gs_url",
    "namespace",
    "place",
    "platform_image",
    "runtime",
    "s3_endpoint",
    "s3_url",
    "servers",
    "snapshots",
    "tasks",
    "trino_server",
]


@pytest.fixture(scope="session")
def postgres_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Postgres server of the session's own, as the URL of its catalog database."""
    server = EmbeddedPostgres(tmp_path_factory.mktemp("a home"))
    yield server.ensure()
    server.stop()


@pytest.fixture(scope="session")
def _template(postgres_url: str) -> str:
    catalog = Catalog(postgres_url)
    catalog.migrate()
    catalog.close()
    return postgres_url


@contextmanager
def _database(template: str) -> Iterator[str]:
    url = make_url(template)
    name = f"test_{secrets.token_hex(6)}"
    admin = create_engine(url.set(database="postgres"), isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.exec_driver_sql(f'CREATE DATABASE {name} TEMPLATE "{url.database}"')
    yield url.set(database=name).render_as_string(hide_password=False)
    with admin.connect() as connection:
        connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")
    admin.dispose()


@pytest.fixture
def catalog_url(_template: str) -> Iterator[str]:
    """The URL of a migrated database of the test's own."""
    with _database(_template) as url:
        yield url


@pytest.fixture(scope="module")
def module_catalog_url(_template: str) -> Iterator[str]:
    """The URL of a migrated database that the tests of a module share."""
    with _database(_template) as url:
        yield url


@pytest.fixture
def catalog(catalog_url: str) -> Iterator[Catalog]:
    """A migrated catalog of the test's own."""
    opened = Catalog(catalog_url)
    yield opened
    opened.close()


@pytest.fixture
def empty_url(postgres_url: str) -> Iterator[str]:
    """The URL of a database with nothing in it."""
    url = make_url(postgres_url)
    name = f"empty_{secrets.token_hex(6)}"
    admin = create_engine(url.set(database="postgres"), isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    yield url.set(database=name).render_as_string(hide_password=False)
    with admin.connect() as connection:
        connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")
    admin.dispose()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """An empty home, with a space in its path."""
    folder = tmp_path / "home of a user"
    folder.mkdir()
    return folder


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that everybody may enter, as those of pytest are not."""
    folder = Path(tempfile.mkdtemp(prefix="graph-platform-test-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)
