"""A process that submits an export, follows it a while, and is killed by its test. It prints what it remembers."""

from __future__ import annotations

import sys

from graph_platform.storage.connect import open_storage
from graph_platform.warehouse.protocol import ExportState
from graph_platform.warehouse.trino.address import TrinoAddress
from graph_platform.warehouse.trino.warehouse import TrinoWarehouse

DIES_FIRST = "dies before it remembers"


def main(port: str, schema: str, url: str, location: str, query_id: str, sql: str, what: str) -> None:
    """Submit `sql` and poll it to its end, or stop at the moment when the first state should be remembered."""
    storage = open_storage(url)
    warehouse = TrinoWarehouse(
        TrinoAddress("127.0.0.1", int(port), "http", "tester", "tpch", "tiny"),
        export_schema=schema,
        storage=storage,
        location_root=location,
    )

    def remember(state: str) -> None:
        if what == DIES_FIRST:
            print("asked to remember", flush=True)
            sys.stdin.read()
        print(state, flush=True)

    warehouse.submit_export(query_id, sql, storage.uri(query_id) + "/", remember)
    while warehouse.poll_export(query_id, 0.5).state is ExportState.RUNNING:
        pass


if __name__ == "__main__":
    main(*sys.argv[1:])
