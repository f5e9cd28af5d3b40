"""`python -m graph_platform.server --spec FILE`: what a runtime starts."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from graph_platform.private import keep_private
from graph_platform.server.program import serve


def main() -> int:
    """Read the arguments and serve."""
    keep_private()
    parser = argparse.ArgumentParser(prog="graph-platform serve", description="Serve one snapshot as a graph database.")
    parser.add_argument("--spec", type=Path, required=True, help="the instance's spec.json; its token is beside it")
    parser.add_argument("--port", type=int, default=0, help="port on loopback; 0 (default): a free one")
    arguments = parser.parse_args()
    return serve(arguments.spec, port=arguments.port)


if __name__ == "__main__":
    sys.exit(main())
