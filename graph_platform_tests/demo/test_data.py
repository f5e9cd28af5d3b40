"""The demo's tables are the data set, with its types; a load that was killed leaves nothing half."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import duckdb
import pytest

from graph_platform.demo.data import TABLES, load_flights
from graph_platform.errors import ErrorCode, PlatformError
from graph_platform_tests.waiting import until


def _all(file: Path, query: str) -> list[tuple[object, ...]]:
    with duckdb.connect(file, read_only=True) as connection:
        return connection.execute(query).fetchall()


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("a warehouse") / "flights.duckdb"
    assert load_flights(file)
    return file


def test_every_row_of_the_data_set_is_loaded_once(warehouse: Path) -> None:
    assert not load_flights(warehouse)
    counts = {table: _all(warehouse, f"SELECT count(*) FROM {table}")[0][0] for table in TABLES}
    assert counts == {"airlines": 16, "airports": 1458, "planes": 3322, "flights": 336_776}


def test_types_and_missing_values_are_right(warehouse: Path) -> None:
    first = "SELECT time_hour, dep_time, carrier, distance FROM flights LIMIT 1"
    ((hour, departed, carrier, distance),) = _all(warehouse, first)
    assert (str(hour), departed, carrier, distance) == ("2013-01-01 05:00:00", 517, "UA", 1400)
    assert _all(warehouse, "SELECT count(*) FROM flights WHERE dep_time IS NULL") == [(8255,)]
    assert _all(warehouse, "SELECT lat, typeof(lat) FROM airports WHERE faa = '04G'")[0][1] == "DECIMAL(9,6)"
    assert _all(warehouse, "SELECT count(*) FROM planes WHERE manufacturer = 'NA'") == [(0,)]


def test_the_day_of_a_flight_is_new_yorks(warehouse: Path) -> None:
    wrong = "SELECT count(*) FROM flights WHERE (month(time_hour), day(time_hour)) <> (month, day)"
    assert _all(warehouse, wrong) == [(0,)]


def test_a_load_that_is_killed_is_done_again_in_full(tmp_path: Path) -> None:
    file = tmp_path / "flights.duckdb"
    program = (
        "import sys; from pathlib import Path; from graph_platform.demo.data import load_flights;"
        "load_flights(Path(sys.argv[1]))"
    )
    with subprocess.Popen([sys.executable, "-c", program, os.fspath(file)]) as loading:
        until(file.exists, "no load begins", pause=0.001)
        time.sleep(0.1)
        loading.send_signal(signal.SIGKILL)
    load_flights(file)
    assert _all(file, "SELECT count(*) FROM flights") == [(336_776,)]


def test_tables_that_a_warehouse_has_already_are_kept(tmp_path: Path) -> None:
    file = tmp_path / "own.duckdb"
    with duckdb.connect(file) as connection:
        connection.execute("CREATE TABLE airlines AS SELECT 'ZZ' AS carrier, 'Own' AS name")
    assert load_flights(file)
    assert _all(file, "SELECT name FROM airlines") == [("Own",)]


def test_a_file_that_is_no_warehouse_is_explained(tmp_path: Path) -> None:
    file = tmp_path / "text.duckdb"
    file.write_text("not a database, " * 1000)
    with pytest.raises(PlatformError, match=r"text\.duckdb") as caught:
        load_flights(file)
    assert caught.value.code == ErrorCode.BACKEND_UNREACHABLE
