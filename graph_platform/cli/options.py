"""The options that commands share, each written once. `-o json` is on every command."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

import click

from graph_platform.cli.output import Output

Function = Callable[..., Any]


def output(function: Function) -> Function:
    """`-o`, given to the command as an `Output`."""
    return _output(function, ["table", "json"], "A table for a person, or one JSON document.")


def output_or_yaml(function: Function) -> Function:
    """`-o` of what shows a mapping, which is a file that its author may want back."""
    return _output(
        function, ["table", "json", "yaml"], "A table for a person, one JSON document, or the mapping's file alone."
    )


def _output(function: Function, formats: Sequence[str], text: str) -> Function:
    @click.option(
        "-o", "--output", "output_format", type=click.Choice(formats), default="table", show_default=True, help=text
    )
    @wraps(function)
    def command(*arguments: Any, output_format: str, **options: Any) -> Any:
        output = Output(output_format == "json", as_yaml=output_format == "yaml")
        return function(*arguments, output=output, **options)

    return command


def wait(function: Function) -> Function:
    """`--wait/--no-wait`, on what changes something."""
    return click.option(
        "--wait/--no-wait",
        default=True,
        help="Wait until it is done (default), or only submit it to a running Dagster.",
    )(function)


def data_checks(function: Function) -> Function:
    """`--check`, on what validates a mapping."""
    return click.option(
        "--check",
        "data_checks",
        type=click.Choice(["trusted", "sampled", "enforced"]),
        default="trusted",
        show_default=True,
        help="Look at the data too: at one key in seventeen, or at every row, where a bad one is then an error.",
    )(function)


MOST_LISTED = 100


def selection(statuses: Sequence[str], *, of_mapping: bool = True) -> Callable[[Function], Function]:
    """`--owner`, `--status`, `--mapping`, `--all` and `--limit` of a list."""

    def decorate(function: Function) -> Function:
        for option in (
            click.option(
                "--limit",
                type=click.IntRange(min=1),
                default=MOST_LISTED,
                show_default=True,
                metavar="NUMBER",
                help="List at most so many, the newest.",
            ),
            click.option("--all", "gone", is_flag=True, help="List those that are gone too."),
            *([click.option("--mapping", metavar="NAME", help="Only those of one mapping.")] if of_mapping else []),
            click.option(
                "--status",
                "statuses",
                multiple=True,
                type=click.Choice([str(each) for each in statuses]),
                help="Only those in this state.",
            ),
            click.option("--owner", metavar="USER", help="Only those of one user."),
        ):
            function = option(function)
        return function

    return decorate


def lives(function: Function) -> Function:
    """`--ttl` and `--inactivity-timeout`."""
    function = click.option(
        "--inactivity-timeout", metavar="DURATION", help="Life while nobody uses it, e.g. 4h or 90m, or ISO 8601."
    )(function)
    return click.option("--ttl", metavar="DURATION", help="How long it lives, e.g. 7d or 4h, or ISO 8601.")(function)
