"""The entry of `graph-platform`: finds the command, and turns whatever happens into an exit status.

0 done, 1 refused or failed, 2 wrong usage, 3 a backend could not be reached, 130 interrupted. With `-o json` there is
one JSON document on standard output in every one of these cases but the last.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import os
import sys
import threading
from collections.abc import Mapping, Sequence
from typing import NoReturn

import click

from graph_platform.cli.commands import COMMANDS
from graph_platform.cli.table import Command, Noun
from graph_platform.private import keep_private

USAGE_STATUS = 2
INTERRUPTED_STATUS = 130
_COLLECT_AFTER = 100_000
"""Objects between two collections: what is imported stays, and looking through it again and again is a fifth of it."""


class LazyGroup(click.Group):
    """A group that imports a command's module when the command is used, and lists them from the table."""

    def __init__(self, table: Mapping[str, Command | Noun], **settings: object) -> None:
        super().__init__(**settings)  # type: ignore[arg-type]  # click's own keyword arguments
        self._table = table

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The table's order, which is the order in which a newcomer needs them."""
        return list(self._table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command, or make the group of a noun."""
        entry = self._table.get(cmd_name)
        if entry is None:
            return None
        if isinstance(entry, Noun):
            return LazyGroup(entry.verbs, name=cmd_name, help=entry.summary)
        module = importlib.import_module(f"graph_platform.cli.{entry.module}")
        command: click.Command = getattr(module, entry.function)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The table's summaries, without importing what they summarise."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.summary) for name, entry in self._table.items()])


def _version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted:
        version = importlib.import_module("graph_platform").__version__
        click.echo(f"graph-platform {version}")
        ctx.exit()


command_line = LazyGroup(
    COMMANDS,
    name="graph-platform",
    help="Turns warehouse tables into governed, disposable graph databases.",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    params=[
        click.Option(
            ["--version"], is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Print the version."
        )
    ],
)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit."""
    gc.set_threshold(_COLLECT_AFTER)
    keep_private()
    status = run(list(sys.argv[1:] if arguments is None else arguments))
    try:
        sys.stdout.flush()
    except BrokenPipeError:  # `graph-platform … | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    _leave(status)


def _leave(status: int) -> NoReturn:
    """Exit without taking apart what was imported, which takes 0.2 s, and 0.4 s with Dagster.

    What is to be done at an exit is done. A thread that is not a daemon is waited for, as ever.
    """
    if any(not thread.daemon for thread in threading.enumerate() if thread is not threading.main_thread()):
        sys.exit(status)
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def run(arguments: list[str]) -> int:
    """Run the command line and return the exit status."""
    try:
        status = command_line.main(arguments, prog_name="graph-platform", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as asked:
        click.echo(asked.format_message())
        return 0 if not arguments else USAGE_STATUS
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        return INTERRUPTED_STATUS
    except BrokenPipeError:
        return 0
    except Exception as error:  # noqa: BLE001  the last resort: nobody should have to read a traceback
        # What explains an error is imported only when there is one.
        failures = importlib.import_module("graph_platform.cli.failures")
        return int(failures.report(error, arguments))
    return status if isinstance(status, int) else 0
