"""What stands for Arrow's class while an engine looks it up is seen by nobody else."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import threading
from graph_platform.engine.results.chunks import arrow_module, next_chunk

class Result:
    def get_as_arrow(self, chunk_size):
        importing.start()
        importing.join(0.5)  # it waits until the lookup is over
        assert importing.is_alive()

failures = []

def imported():
    try:
        arrow_module("pyarrow.parquet")
    except ValueError as error:
        failures.append(error)

importing = threading.Thread(target=imported)
assert next_chunk(Result(), 1) is None
importing.join()
assert not failures, failures
"""


def test_a_module_of_arrows_that_is_imported_meanwhile_waits_for_the_lookup() -> None:
    subprocess.run([sys.executable, "-c", PROGRAM], check=True)
