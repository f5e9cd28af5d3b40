"""Errors as the command line shows them: a document in JSON mode, the cause and the fix for a person.

Whatever is no `PlatformError`, no word of a backend that is away and no wrong usage is a defect of the platform: its
traceback goes to a log file.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.text import Text

from graph_platform.cli.output import Output
from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.foreign_errors import told
from graph_platform.private import own_folder
from graph_platform.settings import Settings, without_secrets

USAGE_STATUS = 2


def report(error: Exception, arguments: Sequence[str]) -> int:
    """Show an error; returns the exit status."""
    output = Output(wants_json(arguments))
    if isinstance(error, click.ClickException):
        return _usage(error, output)
    if not isinstance(error, PlatformError):
        error = told(error) or _defect(error, arguments)
    error = PlatformError.from_document(without_secrets(error.document()))
    if output.as_json:
        output.document(error.document())
    else:
        _show(error)
    return error.exit_status


def wants_json(arguments: Sequence[str]) -> bool:
    """Whether `-o json` is among the arguments, however it is written: for errors that come before they are parsed."""
    for index, argument in enumerate(arguments):
        if argument == "--":
            return False
        if argument in {"-ojson", "-o=json", "--output=json"}:
            return True
        if argument in {"-o", "--output"} and arguments[index + 1 : index + 2] == ["json"]:
            return True
    return False


def show_problems(report: Mapping[str, Any], console: Console, source: str = "") -> None:
    """The problems of a validation report as a compiler prints them: place, what is wrong, what to write instead."""
    for severity, key, style in (("error", "errors", "bold red"), ("warning", "warnings", "bold yellow")):
        for problem in report.get(key) or ():
            position = problem.get("position")
            place = ".".join(part for part in (problem["entity"], problem.get("field")) if part)
            if position:
                place += f":{position['line']}:{position['column']}"
            head = (f"{severity}[{problem['code']}]", style)
            line = Text.assemble(head, (f" {place}", "bold"), f": {problem['message']}")
            console.print(line, soft_wrap=True)
            if problem.get("hint"):
                console.print(Text(f"  = help: {problem['hint']}", style="cyan"), soft_wrap=True)
        more = report.get(f"more_{key}") or 0
        if more:
            console.print(Text(f"… and {more:,} more {severity}{'' if more == 1 else 's'}", style=style))


def _show(error: PlatformError) -> None:
    console = Console(stderr=True, highlight=False)
    console.print(Text.assemble(("error", "bold red"), f": {error.message}"), soft_wrap=True)
    problems = error.details.get("report")
    if isinstance(problems, Mapping):
        show_problems(problems, console)
    if error.hint:
        console.print(Text(f"  = help: {error.hint}", style="cyan"), soft_wrap=True)
    run = error.details.get("run_url") or error.details.get("run_id")
    if run:
        console.print(Text(f"  = run:  {run}", style="dim"), soft_wrap=True)


def _usage(error: click.ClickException, output: Output) -> int:
    if output.as_json:
        context = getattr(error, "ctx", None)
        hint = f"{context.command_path} --help" if context else None
        document = PlatformError(ErrorCode.VALIDATION_FAILED, error.format_message(), hint).document()
        output.document(document)
    else:
        error.show(sys.stderr)
    return USAGE_STATUS


def _defect(error: Exception, arguments: Sequence[str]) -> PlatformError:
    where = _log(error, arguments)
    said = str(error).strip().splitlines()
    return PlatformError(
        ErrorCode.INTERNAL_ERROR,
        f"unexpected {type(error).__name__}: {said[0] if said else 'no message'}",
        "this is a defect of the platform" + (f"; the whole story is in {where}" if where else ""),
        {"log": str(where)} if where else {},
    )


def _log(error: Exception, arguments: Sequence[str]) -> Path | None:
    story = without_secrets("".join(traceback.format_exception(error)))
    try:
        path = own_folder(Settings.load().home / "logs") / "errors.log"
        with path.open("a", encoding="utf-8") as log:
            log.write(f"--- {datetime.now(UTC).isoformat()} graph-platform {' '.join(arguments)}\n{story}")
    except (OSError, PlatformError):
        click.echo(story, err=True)  # nowhere to keep it: better on the terminal than lost
        return None
    return path
