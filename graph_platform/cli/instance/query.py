"""Questions to an instance."""

from __future__ import annotations

import math
from typing import Any

import click

from graph_platform.cli import options
from graph_platform.cli.output import Output
from graph_platform.cli.standard_input import text_input
from graph_platform.engine.parameters import read_json
from graph_platform.instance.requests import QueryInstance
from graph_platform.instance.results import Answer
from graph_platform.platform import Platform

_WORDS = ("true", "false", "null")


def _parameters(_: click.Context, __: click.Parameter, given: tuple[str, ...]) -> dict[str, Any]:
    """`name=value`; a value that is JSON is taken as such, anything else is text."""
    parameters: dict[str, Any] = {}
    for item in given:
        name, equals, text = item.partition("=")
        if not equals or not name:
            raise click.BadParameter(f"{item!r} is not NAME=VALUE")
        try:
            value = text if text.strip("- ").isalpha() and text not in _WORDS else read_json(text)  # NaN is text
        except ValueError:
            value = text
        name = name.removeprefix("$")
        if name in parameters:
            raise click.BadParameter(f"{name} is given twice")
        parameters[name] = value
    return parameters


def _seconds(_: click.Context, __: click.Parameter, seconds: float | None) -> float | None:
    if seconds is not None and not math.isfinite(seconds):
        raise click.BadParameter(f"{seconds} is no time")
    return seconds


@click.command
@click.argument("instance", metavar="INSTANCE")
@click.argument("cypher", metavar="CYPHER")
@click.option(
    "-p",
    "--parameter",
    "parameters",
    multiple=True,
    metavar="NAME=VALUE",
    callback=_parameters,
    help="A parameter of the query; the value is JSON, or text.",
)
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    callback=_seconds,
    metavar="SECONDS",
    help="Stop the query after this time.",
)
@click.option("--limit", type=click.IntRange(min=1), metavar="ROWS", help="Return at most this many rows.")
@options.output
def query(
    instance: str, cypher: str, parameters: dict[str, Any], timeout: float | None, limit: int | None, output: Output
) -> None:
    """Ask a running instance a question in Cypher. CYPHER of - is read from standard input."""
    text = text_input() if cypher == "-" else cypher
    request = QueryInstance(
        instance=instance, cypher=text, parameters=parameters, timeout_seconds=timeout, row_limit=limit
    )
    with Platform.open(tell=output.progress) as platform:
        answer = platform.instances.query(request)
    for warning in answer["warnings"]:
        output.warn(warning)
    if output.as_json:
        output.document(answer)
        return
    show_answer(answer, output)


def show_answer(answer: Answer, output: Output) -> None:
    """A query's answer as a table."""
    rows = answer["rows"]
    output.table(answer["columns"], rows, verbatim=True)
    more = ", and there are more" if answer.get("truncated") else ""
    output.say(f"{len(rows):,} row{'' if len(rows) == 1 else 's'}{more}", "dim")
