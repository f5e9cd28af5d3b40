"""The commands about the catalog. Imported for `--help`: it imports nothing but the shape of a table."""

from __future__ import annotations

from graph_platform.cli.table import Command, Noun

NOUN = Noun(
    "The Postgres database that holds all state.",
    {
        "migrate": Command("catalog.version", "migrate", "Install it, or bring it to this platform's version."),
        "show": Command("catalog.version", "show", "Its version, and which platforms may use it."),
    },
)
