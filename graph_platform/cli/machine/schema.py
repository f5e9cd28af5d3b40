"""The JSON Schema of what a command prints with `-o json`."""

from __future__ import annotations

import click

from graph_platform.cli import options
from graph_platform.cli.output import Output
from graph_platform.schemas import RESULTS, json_schema


@click.command
@click.argument("name", metavar="NAME", type=click.Choice(sorted(RESULTS)))
@options.output
def schema(name: str, output: Output) -> None:
    """Print the JSON Schema of a result, such as instance_details, answer or error."""
    output.document(json_schema(name))
