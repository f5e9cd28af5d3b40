"""Runs the benchmarks and prints one line each: the ratio, its bound, and the seconds behind it."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import pytest

from benchmarks import commands, graphs, kubernetes, queries, snapshots, trino
from benchmarks.measure import Outcome

BENCHMARKS = {
    "load": graphs.load,
    "start": graphs.start,
    "lookup": queries.lookup,
    "beside": queries.beside,
    "answer": queries.long_answer,
    "arrow": queries.arrow,
    "many": queries.many,
    "memory": queries.memory,
    "snapshot": snapshots.forty_definitions,
    "help": commands.help_page,
    "list": commands.mapping_list,
    "query": commands.instance_query,
    "definitions": commands.definitions,
    "pods": kubernetes.pods,
    "launches": kubernetes.launches,
    "node-start": kubernetes.node_start,
    "validation": trino.validation,
    "export": trino.export,
    "streaming": trino.streaming,
    "checks": trino.data_checks,
}


def main(names: list[str]) -> int:
    unknown = sorted(set(names) - set(BENCHMARKS))
    if unknown:
        print(f"no benchmark is called {', '.join(unknown)}; there are: {', '.join(BENCHMARKS)}", file=sys.stderr)
        return 2
    outcomes: list[Outcome] = []
    with tempfile.TemporaryDirectory(prefix="graph-platform-bench-") as folder:
        for name in names or BENCHMARKS:
            try:
                outcome = BENCHMARKS[name](Path(folder))
            except pytest.skip.Exception as reason:  # what a server of the tests says when it has not what it needs
                print(f"{name}: not run: {reason}", flush=True)
                continue
            print(outcome, flush=True)
            outcomes.append(outcome)
    return 0 if all(outcome.holds for outcome in outcomes) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
