"""Commands that print how this installation is set up: settings with their sources, variables for plain Dagster."""

from __future__ import annotations

import os
import shlex
from dataclasses import fields

import click

from graph_platform.cli import options
from graph_platform.cli.output import Output
from graph_platform.orchestration.home import prepare
from graph_platform.settings import Settings, redacted, variable


@click.command
@options.output
def show_settings(output: Output) -> None:
    """Print every setting with its value and where it comes from. Passwords are hidden."""
    settings = Settings.load()
    listed = [
        {
            "name": spec.name,
            "variable": variable(spec.name),
            "value": redacted(settings, spec.name),
            "source": "environment" if os.environ.get(variable(spec.name), "").strip() else "default",
            "help": spec.metadata["help"],
        }
        for spec in fields(settings)
    ]
    if output.as_json:
        output.document(listed)
        return
    output.table(
        ["variable", "value", "source", "what it is"],
        [(setting["variable"], setting["value"], setting["source"], setting["help"]) for setting in listed],
    )


@click.command
@options.output
def env(output: Output) -> None:
    """Print the variables that plain dagster commands need, for `eval "$(graph-platform env)"`.

    Dagster's folder and database are made if they are absent. Without DAGSTER_HOME, Dagster quietly uses an instance
    that is forgotten afterwards.
    """
    variables = prepare(Settings.load())
    if output.as_json:
        output.document(variables)
        return
    for name, value in variables.items():
        click.echo(f"export {name}={shlex.quote(value)}")
