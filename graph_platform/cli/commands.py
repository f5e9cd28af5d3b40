"""The command line's table of contents, put together from a table per noun.

`--help` reads only these tables, so it costs what importing click costs; a command's module is imported when it
is used.
"""

from __future__ import annotations

from graph_platform.cli import catalog, instance, machine, mapping, snapshot
from graph_platform.cli.table import Command, Noun

COMMANDS: dict[str, Command | Noun] = {
    "mapping": mapping.NOUN,
    "snapshot": snapshot.NOUN,
    "instance": instance.NOUN,
    "catalog": catalog.NOUN,
    **machine.COMMANDS,
}
