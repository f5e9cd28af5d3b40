"""The commands about mappings. Imported for `--help`: it imports nothing but the shape of a table."""

from __future__ import annotations

from graph_platform.cli.table import Command, Noun

NOUN = Noun(
    "Definitions of graphs, written as SQL over the warehouse's tables.",
    {
        "validate": Command("mapping.jobs", "validate", "Check a mapping file against the warehouse."),
        "create": Command("mapping.jobs", "create", "Validate a mapping file and keep it as version 1."),
        "update": Command("mapping.jobs", "update", "Validate a changed mapping file and keep it as the next version."),
        "list": Command("mapping.listing", "list_mappings", "The mappings that live."),
        "show": Command("mapping.showing", "show_mapping", "One mapping, its versions and its definition."),
        "diff": Command("mapping.files", "diff", "What changed between two versions, or against a file."),
        "suggest": Command("mapping.jobs", "suggest", "A mapping made from tables, or from one query."),
        "schema": Command("mapping.files", "schema", "The JSON Schema of a mapping file, for editors."),
        "delete": Command("mapping.jobs", "delete", "Delete a mapping, and its snapshots if you say so."),
    },
)
