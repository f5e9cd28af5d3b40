"""`python -m graph_platform.server`: what a runtime starts, with each place named."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from graph_platform.private import keep_private
from graph_platform.server.program import Address, Places, serve
from graph_platform.server.startup import Folders


def main() -> int:
    """Read the arguments and serve."""
    keep_private()
    parser = argparse.ArgumentParser(prog="graph_platform.server", description="Serve the databases of an instance.")
    parser.add_argument("--spec", type=Path, required=True, help="the instance's spec, a JSON file")
    parser.add_argument("--token-file", type=Path, required=True, help="the file of its bearer token")
    parser.add_argument("--bind", type=Address.parse, required=True, help="HOST:PORT to listen on; port 0: a free one")
    parser.add_argument("--work", type=Path, required=True, help="folder for what is fetched or loaded")
    parser.add_argument("--data", type=Path, required=True, help="folder of the databases that outlive the server")
    parser.add_argument("--state", type=Path, help="folder in which it is told what becomes of the server")
    parser.add_argument("--failure-file", type=Path, help="file that is there, to be told why the server ends")
    given = parser.parse_args()
    return serve(
        Places(
            given.spec, given.token_file, given.bind, Folders(given.work, given.data), given.state, given.failure_file
        )
    )


if __name__ == "__main__":
    sys.exit(main())
