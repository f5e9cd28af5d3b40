"""The JSON Schema of what a command prints with `-o json`."""

from __future__ import annotations

import json

import click

from graph_platform.schemas import RESULTS, json_schema


@click.command
@click.argument("name", metavar="NAME", type=click.Choice(sorted(RESULTS)))
def schema(name: str) -> None:
    """Print the JSON Schema of a result, such as instance_details, answer or error."""
    click.echo(json.dumps(json_schema(name), indent=2))
