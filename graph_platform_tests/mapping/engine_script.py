"""A process with one engine: runs the statements of standard input and prints the rows of the last as JSON.

A program and not a fixture, since two engines cannot live in one process, and a crash of an engine must not be one of
the test run.
"""

from __future__ import annotations

import importlib
import json
import sys


def shown(value: object) -> object:
    """JSON's keys are text, and a map of the engine may have decimals for keys."""
    if isinstance(value, dict):
        return {str(key): shown(inner) for key, inner in value.items()}
    return [shown(inner) for inner in value] if isinstance(value, list) else value


def main() -> None:
    engine = importlib.import_module(sys.argv[1])
    connection = engine.Connection(engine.Database(":memory:"))
    rows: list[object] = []
    for statement in json.load(sys.stdin):
        rows = list(connection.execute(statement))
    json.dump(shown(rows), sys.stdout, default=str)


main()
