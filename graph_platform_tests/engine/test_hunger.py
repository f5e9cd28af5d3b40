"""A statement that wants more memory than there is: told as that, and the database goes on."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from graph_platform_tests.engine.conftest import ENGINES

PROGRAM = """
import re, resource, sys
from pathlib import Path
from graph_platform.engine.connect import load_engine
from graph_platform.errors import PlatformError
database = load_engine(sys.argv[1]).open(Path(sys.argv[2]), read_only=False, memory_bytes=2**27, threads=1)
used = int(re.search(r"VmData:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) * 1024
resource.setrlimit(resource.RLIMIT_DATA, (used + 2**29, used + 2**29))
for statement in ("RETURN size(repeat('a', 2000000000))", "RETURN size(range(1, 400000000))"):
    try:
        database.query(statement, timeout_seconds=60, row_limit=1)
    except PlatformError as error:
        print(error.code, error.message)
print(database.query("RETURN 1", timeout_seconds=60, row_limit=1).rows)
"""


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the limit is set to what the kernel says is used")
def test_a_statement_that_finds_no_memory_is_told_so_and_the_next_is_answered(engine: str, tmp_path: Path) -> None:
    command = [sys.executable, "-c", PROGRAM, engine, str(tmp_path / "graph.db")]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    first, second, last = done.stdout.splitlines()
    for told in (first, second):
        assert told.startswith("QUERY_ERROR the query needs more memory than the instance has")
    assert last == "((1,),)"
