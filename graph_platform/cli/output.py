"""What a command prints: one JSON or YAML document on standard output, or tables and lines for a person.

Progress goes to standard error in both cases, and in JSON mode only if somebody watches.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

_PIPED_WIDTH = 160
_NUMBERS = (int, float)

STATUS_STYLES: Mapping[str, str] = {
    "active": "green",
    "ready": "green",
    "running": "green",
    "completed": "green",
    "ok": "green",
    "failed": "red",
    "fail": "red",
    "warn": "yellow",
    "suspended": "yellow",
    "running, expired": "yellow",
    "suspended, expired": "yellow",
    "starting, abandoned": "yellow",
    "resuming, abandoned": "yellow",
    "deleted": "dim",
    "terminated": "dim",
}


class Output:
    """Where one command writes.

    Args:
        as_json: whether `-o json` was given.
        as_yaml: whether `-o yaml` was given, to a command that has it.
    """

    def __init__(self, as_json: bool, *, as_yaml: bool = False) -> None:
        self.as_json = as_json
        self.as_yaml = as_yaml
        width = None if sys.stdout.isatty() else _PIPED_WIDTH
        self.person = Console(width=width, highlight=False, soft_wrap=False)
        # The stream of now: while a job runs here, sys.stderr is a log file.
        self._progress = Console(file=sys.stderr, highlight=False)

    def document(self, document: Any) -> None:
        """The JSON document. Call it once."""
        click.echo(json.dumps(document, ensure_ascii=False, indent=2, default=str))

    def text(self, text: str) -> None:
        """A text that other programs read, to the letter: the terminal's width is nothing to it."""
        click.echo(text, nl=False)

    def progress(self, message: str) -> None:
        """A line about what goes on."""
        if not self.as_json or sys.stderr.isatty():
            self._progress.print(Text(f"  {message}", style="dim"), soft_wrap=True)

    def warn(self, message: str) -> None:
        """A line on standard error that nobody should miss, with JSON on standard output too."""
        self._progress.print(Text(f"warning: {message}", style="yellow"), soft_wrap=True)

    def failure(self, error: Mapping[str, Any], name: str = "") -> None:
        """What ended a thing, and what to do about it, for a person."""
        self.say(f"{name}: {error.get('code')}: {error.get('message')}".removeprefix(": "), "red")
        if error.get("hint"):
            self.say(f"  {error['hint']}", "dim")

    def say(self, message: str = "", style: str = "") -> None:
        """A line for a person; nothing in JSON mode."""
        if not self.as_json:
            self.person.print(Text(message, style=style), soft_wrap=True)

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[Any]], *, verbatim: bool = False) -> None:
        """A table for a person; numbers stand right, states have their colour.

        Args:
            verbatim: values are somebody's data: a year must not become 2,013, nor the word failed turn red.
        """
        kept = [list(row) for row in rows]
        table = Table(box=SIMPLE_HEAD, pad_edge=False)
        for index, name in enumerate(columns):
            numbers = [row[index] for row in kept if row[index] is not None]
            right = bool(numbers) and all(isinstance(value, _NUMBERS) and value is not True for value in numbers)
            table.add_column(Text(name), justify="right" if right else "left", overflow="fold")
        for row in kept:
            table.add_row(*(Text(_plain(value)) if verbatim else _cell(value) for value in row))
        self.person.print(table)

    def newest(self, records: Sequence[Any], limit: int) -> Sequence[Any]:
        """The records that a list may show. Ask for one more than these: then it is known, and said, that there is."""
        if len(records) > limit:
            self.warn(f"there are more than the newest {limit:,}: --limit lists more, --owner and --status fewer")
        return records[:limit]

    def fields(self, document: Mapping[str, Any], names: Sequence[str]) -> None:
        """Some fields of a document, a line each; those without a value are left out."""
        shown = [name for name in names if document.get(name) not in (None, "")]
        width = max((len(name) for name in shown), default=0)
        for name in shown:
            line = Text(f"{name.replace('_', ' '):<{width}}  ", style="dim")
            self.person.print(line.append_text(_cell(document[name])), soft_wrap=True)

    def events(self, events: Sequence[Mapping[str, Any]]) -> None:
        """The audit of a thing, for a person."""
        self.table(
            ["at", "what", "from", "to", "by", "why"],
            [(e["at"][:19], e["action"], e["from_status"], e["to_status"], e["actor"], e["reason"]) for e in events],
        )


def _cell(value: Any) -> Text:
    if isinstance(value, bool):
        return Text("yes" if value else "no")
    if isinstance(value, int):
        return Text(f"{value:,}")
    text = _plain(value)
    return Text(text, style=STATUS_STYLES.get(text, ""))


def _plain(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def instance_status(status: str, *, expired: bool = False, abandoned: bool = False) -> str:
    """An instance's state as a person reads it: one past its time is not simply running, and one whose run is gone is
    not simply starting.
    """
    return f"{status}, abandoned" if abandoned else f"{status}, expired" if expired else status


def size(count: int | None) -> str:
    """Bytes as a person reads them."""
    if count is None:
        return ""
    amount = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} TB"


def ends(record: Any) -> str:
    """When a thing goes, if nobody uses or extends it: at the end of its life or of its idleness."""
    deadlines = [at for at in (record.expires_at, record.idle_ends_at) if at]
    return moment(min(deadlines, default=None))


def moment(value: datetime | None) -> str:
    """A moment in this machine's own time."""
    return value.astimezone().strftime("%Y-%m-%d %H:%M") if value else ""
