"""The program inside an instance, for whoever starts one by hand. The runtimes start the same program."""

from __future__ import annotations

from pathlib import Path

import click

from graph_platform.cli import options
from graph_platform.cli.output import Output
from graph_platform.server.program import Address, Places
from graph_platform.server.program import serve as serve_places
from graph_platform.server.startup import Folders


@click.command
@click.option(
    "--spec", type=click.Path(path_type=Path), required=True, metavar="FILE", help="The instance's spec.json."
)
@click.option("--port", type=click.IntRange(0, 65535), default=0, show_default="a free one", help="Port on loopback.")
@options.output
def serve(spec: Path, port: int, output: Output) -> int:
    """Serve one snapshot until SIGTERM. The bearer token is the file `token` beside the spec."""
    output.progress(f"serving {spec}")
    folder = spec.absolute().parent
    places = Places(spec, folder / "token", Address("127.0.0.1", port), Folders(folder, folder / "data"), folder)
    return serve_places(places)
