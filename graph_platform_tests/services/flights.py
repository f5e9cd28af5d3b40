"""The demo's tables, nycflights13, as a DuckDB file and as tables of the test Trino: the same rows in both."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from graph_platform.demo.data import TABLES, load_flights
from graph_platform.warehouse.duckdb.warehouse import DuckDBWarehouse
from graph_platform.warehouse.protocol import Warehouse
from graph_platform.warehouse.trino.address import TrinoAddress
from graph_platform.warehouse.trino.warehouse import TrinoWarehouse
from graph_platform_tests.services.trino import TrinoServer

FLIGHTS_SCHEMA = "hive.flights"


@pytest.fixture(scope="session")
def flights_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A DuckDB file with the tables. Nobody writes to it."""
    path = tmp_path_factory.mktemp("flights") / "warehouse.duckdb"
    load_flights(path)
    return path


@pytest.fixture(scope="session")
def flights_server(trino_server: TrinoServer, flights_file: Path) -> TrinoServer:
    """The session's Trino, with the tables in `FLIGHTS_SCHEMA`."""
    trino_server.run(f"CREATE SCHEMA {FLIGHTS_SCHEMA}")
    with duckdb.connect(str(flights_file), read_only=True) as connection:
        for table, columns in TABLES.items():
            folder = trino_server.data / "nycflights13" / table
            folder.mkdir(parents=True)
            connection.execute(f"COPY {table} TO '{folder}/rows.parquet' (FORMAT parquet)")
            declared = ", ".join(f'"{name}" {kind}' for name, kind in columns.items())
            options = f"external_location = 'local:///nycflights13/{table}', format = 'PARQUET'"
            trino_server.run(f"CREATE TABLE {FLIGHTS_SCHEMA}.{table} ({declared}) WITH ({options})")
    return trino_server


@pytest.fixture(params=["duckdb", "trino"])
def flights(request: pytest.FixtureRequest, flights_file: Path) -> Iterator[Warehouse]:
    """Each warehouse with the tables."""
    if request.param == "duckdb":
        warehouse: Warehouse = DuckDBWarehouse(flights_file)
    else:
        server: TrinoServer = request.getfixturevalue("flights_server")
        catalog, schema = FLIGHTS_SCHEMA.split(".")
        warehouse = TrinoWarehouse(TrinoAddress("127.0.0.1", server.port, "http", "tester", catalog, schema))
    yield warehouse
    warehouse.close()
