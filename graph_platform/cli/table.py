"""What a line of the command line's table of contents is. Imports nothing."""

from __future__ import annotations

from typing import NamedTuple


class Command(NamedTuple):
    """A command: the module below `graph_platform.cli` and the function in it."""

    module: str
    function: str
    summary: str


class Noun(NamedTuple):
    """A group of commands about one kind of thing."""

    summary: str
    verbs: dict[str, Command]
