"""`python -m graph_platform.tasks --spec FILE --work FOLDER [--state FOLDER] …`: what a runtime starts."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from graph_platform.private import keep_private
from graph_platform.runtime.state import State
from graph_platform.tasks.program import carry_out


def main() -> int:
    """Read the arguments and carry the task out."""
    keep_private()
    parser = argparse.ArgumentParser(prog="graph_platform.tasks", description="Run one task to its end.")
    parser.add_argument("--spec", type=Path, required=True, help="the task's spec, a JSON file")
    parser.add_argument("--work", type=Path, required=True, help="a folder for what the task needs on the way")
    parser.add_argument("--state", type=Path, help="a folder in which it is told what becomes of the task")
    parser.add_argument("--failure-file", type=Path, help="file that is there, to be told why the task fails")
    parser.add_argument("--mark", help="a word before each line that it tells, where its output is not its alone")
    given = parser.parse_args()
    return carry_out(given.spec, given.work, State(given.state, given.failure_file), given.mark)


if __name__ == "__main__":
    status = main()
    sys.stderr.flush()
    os._exit(status)  # whatever a thread of the program still does: the result is written
