"""The commands about snapshots. Imported for `--help`: it imports nothing but the shape of a table."""

from __future__ import annotations

from graph_platform.cli.table import Command, Noun

NOUN = Noun(
    "Mappings frozen as Parquet files and a graph database.",
    {
        "create": Command("snapshot.jobs", "create", "Export a mapping and build its graph database."),
        "list": Command("snapshot.listing", "list_snapshots", "The snapshots that live."),
        "show": Command("snapshot.showing", "show_snapshot", "One snapshot and its exports."),
        "delete": Command("snapshot.jobs", "delete", "Delete a snapshot and its files."),
    },
)
