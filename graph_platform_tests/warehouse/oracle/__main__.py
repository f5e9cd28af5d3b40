"""`make fuzz-sql`: SQL made from the table of signatures, asked of a Trino of its own and of DuckDB."""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

from graph_platform_tests.services.buckets import s3_server
from graph_platform_tests.services.proxy import Proxy
from graph_platform_tests.services.trino import TrinoServer
from graph_platform_tests.warehouse.oracle.comparison import OUTCOMES, Comparison
from graph_platform_tests.warehouse.oracle.generated import FROM, Generator


def _differences(port: int, count: int, seed: int) -> int:
    comparison, generator = Comparison(port), Generator(seed)
    found = 0
    for _ in range(count):
        sql = f"select {generator.expression()} {FROM}"
        outcome = comparison.outcome(sql)
        if outcome not in OUTCOMES:
            found += 1
            print(f"{sql}\n  {outcome}")
    comparison.close()
    return found


def main() -> int:
    """The number of differences as the exit status, 1 at most."""
    parser = argparse.ArgumentParser(prog="make fuzz-sql")
    parser.add_argument("--count", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32))
    asked = parser.parse_args()
    print(f"SEED={asked.seed} COUNT={asked.count}", flush=True)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        port = urlsplit(stack.enter_context(s3_server(folder))).port or 0
        server = TrinoServer(folder / "trino", stack.enter_context(Proxy(port)))
        stack.callback(server.stop)
        server.start()
        found = _differences(server.port, asked.count, asked.seed)
    print(f"{found} of {asked.count} differ in silence")
    return int(found > 0)


if __name__ == "__main__":
    sys.exit(main())
