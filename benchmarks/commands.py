"""How fast a command starts, against the bare import of what it cannot do without."""

from __future__ import annotations

import os
import sys
from contextlib import closing
from pathlib import Path

from benchmarks.measure import Outcome, command, pairs, python
from graph_platform.catalog.catalog import Catalog, catalog_url
from graph_platform.settings import Settings

_PROGRAM = str(Path(sys.executable).with_name("graph-platform"))


def help_page(folder: Path) -> Outcome:
    """`graph-platform --help` against the import of click."""
    ratios, ours, bare = pairs(command([_PROGRAM, "--help"]), python("-c", "import click"), 15)
    return Outcome("help", "graph-platform --help / python -c 'import click'", ratios, ours, bare, at_most=3)


def mapping_list(folder: Path) -> Outcome:
    """`graph-platform mapping list` against one connection and one query through the same libraries."""
    home = folder / "list"
    home.mkdir()
    settings = Settings.load({**os.environ, "GRAPH_PLATFORM_HOME": str(home)})
    environment = {**os.environ, "GRAPH_PLATFORM_HOME": str(home)}
    url = catalog_url(settings)
    with closing(Catalog.open(settings)) as catalog:
        catalog.migrate()
    bare = (
        "import sqlalchemy, psycopg\n"
        f"with sqlalchemy.create_engine({url!r}).connect() as connection:\n"
        "    connection.exec_driver_sql('SELECT 1').all()"
    )
    ratios, ours, others = pairs(
        command([_PROGRAM, "mapping", "list"], environment=environment), python("-c", bare), 15
    )
    command([_PROGRAM, "down"], environment=environment)()
    return Outcome("list", "mapping list / import sqlalchemy, psycopg, one query", ratios, ours, others, at_most=1.5)


def instance_query(folder: Path) -> Outcome:
    """`graph-platform instance query` of a running instance against the bare import of an HTTP client."""
    environment = {**os.environ, "GRAPH_PLATFORM_HOME": str(folder / "query")}
    command([_PROGRAM, "demo"], environment=environment)()
    asking = command([_PROGRAM, "instance", "query", "flights", "RETURN 1"], environment=environment)
    ratios, ours, bare = pairs(asking, python("-c", "import httpx"), 15)
    command([_PROGRAM, "down"], environment=environment)()
    return Outcome("query", "instance query / python -c 'import httpx'", ratios, ours, bare, at_most=3)


def definitions(folder: Path) -> Outcome:
    """Loading the code location against the import of Dagster."""
    ratios, ours, bare = pairs(python("-c", "import graph_platform.definitions"), python("-c", "import dagster"), 9)
    return Outcome("definitions", "import the definitions / import dagster", ratios, ours, bare, at_most=1.3)
