"""The program inside an instance, for whoever starts one by hand. The runtimes start the same program."""

from __future__ import annotations

from pathlib import Path

import click

from graph_platform.cli import options
from graph_platform.cli.output import Output
from graph_platform.server.program import serve as serve_spec


@click.command
@click.option(
    "--spec", type=click.Path(path_type=Path), required=True, metavar="FILE", help="The instance's spec.json."
)
@click.option("--port", type=click.IntRange(0, 65535), default=0, show_default="a free one", help="Port on loopback.")
@options.output
def serve(spec: Path, port: int, output: Output) -> int:
    """Serve one snapshot until SIGTERM. The bearer token is the file `token` beside the spec."""
    output.progress(f"serving {spec}")
    return serve_spec(spec, port=port)
