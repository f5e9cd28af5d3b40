"""A program for the tests of waiting: it holds the lock on births inside a transaction, until a line comes.

Arguments: the catalog's URL, and for how many seconds a transaction may stand still. It prints `held`, and at its end
the code and message of what its next statement met, or `kept`.
"""

from __future__ import annotations

import sys

from graph_platform.catalog.catalog import Catalog
from graph_platform.catalog.instances import lock_births
from graph_platform.catalog.limits import Limits, Work
from graph_platform.catalog.waits import application_name
from graph_platform.errors import PlatformError


def main(url: str, idle_seconds: float) -> None:
    limits = {work: Limits(30, 60, idle_seconds) for work in Work}
    catalog = Catalog(url, limits=limits, name=application_name("sleeper", "run-of-a-sleeper"))
    try:
        with catalog.transaction() as session:
            lock_births(session)
            print("held", flush=True)
            sys.stdin.readline()
            lock_births(session)
        print("kept", flush=True)
    except PlatformError as error:
        print(error.code, error.message, flush=True)


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]))
