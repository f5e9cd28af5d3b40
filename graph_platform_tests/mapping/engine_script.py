"""A process with one engine: a line of JSON with statements in, a line with the last one's rows or the error out.

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
    for line in sys.stdin:
        connection = engine.Connection(engine.Database(":memory:"))
        rows: list[object] = []
        try:
            for statement in json.loads(line):
                rows = list(connection.execute(statement))
            answer: dict[str, object] = {"rows": shown(rows)}
        except RuntimeError as error:
            answer = {"error": str(error)}
        print(json.dumps(answer, default=str), flush=True)


main()
