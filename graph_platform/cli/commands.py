"""The command line's table of contents: every command, where it is, and one line about it. Imports nothing.

`--help` reads only this table, so it costs what importing click costs; a command's module is imported when it is used.
"""

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


COMMANDS: dict[str, Command | Noun] = {
    "mapping": Noun(
        "Definitions of graphs, written as SQL over the warehouse's tables.",
        {
            "validate": Command("mapping_jobs", "validate", "Check a mapping file against the warehouse."),
            "create": Command("mapping_jobs", "create", "Validate a mapping file and keep it as version 1."),
            "update": Command(
                "mapping_jobs", "update", "Validate a changed mapping file and keep it as the next version."
            ),
            "list": Command("mapping_list", "list_mappings", "The mappings that live."),
            "show": Command("shows", "show_mapping", "One mapping, its versions and its definition."),
            "diff": Command("mapping_files", "diff", "What changed between two versions, or against a file."),
            "suggest": Command("mapping_jobs", "suggest", "A mapping made from tables, or from one query."),
            "schema": Command("mapping_files", "schema", "The JSON Schema of a mapping file, for editors."),
            "delete": Command("mapping_jobs", "delete", "Delete a mapping that has no snapshots."),
        },
    ),
    "snapshot": Noun(
        "Mappings frozen as Parquet files and a graph database.",
        {
            "create": Command("snapshot_jobs", "create", "Export a mapping and build its graph database."),
            "list": Command("snapshot_list", "list_snapshots", "The snapshots that live."),
            "show": Command("shows", "show_snapshot", "One snapshot and its exports."),
            "delete": Command("snapshot_jobs", "delete", "Delete a snapshot and its files."),
        },
    ),
    "instance": Noun(
        "Running graph databases, each serving one snapshot.",
        {
            "launch": Command("instance_jobs", "launch", "Serve a snapshot as a graph database."),
            "list": Command("instance_list", "list_instances", "The instances that live."),
            "show": Command("shows", "show_instance", "One instance, and what its server says."),
            "query": Command("query", "query", "Ask an instance a question in Cypher."),
            "extend": Command("instance_jobs", "extend", "Let an instance live longer."),
            "suspend": Command("instance_jobs", "suspend", "End an instance's server; it can be resumed."),
            "resume": Command("instance_jobs", "resume", "Start the server of a suspended instance again."),
            "terminate": Command("instance_jobs", "terminate", "End an instance for good."),
        },
    ),
    "catalog": Noun(
        "The Postgres database that holds all state.",
        {
            "migrate": Command("catalogs", "migrate", "Install it, or bring it to this platform's version."),
            "show": Command("catalogs", "show", "Its version, and which platforms may use it."),
        },
    ),
    "demo": Command("demo", "demo", "Real flight data, from tables to an answered question."),
    "dev": Command("dev", "dev", "The Dagster UI and daemon on this catalog."),
    "up": Command("machine", "up", "Start the embedded Postgres, and see that the catalog can be used."),
    "down": Command("machine", "down", "End every process that was started here, and only those."),
    "doctor": Command("doctor", "doctor", "What is wrong with this set-up, and how to mend it."),
    "settings": Command("environment", "show_settings", "Every setting with its value and its source."),
    "env": Command("environment", "env", "The variables that plain dagster commands need."),
    "serve": Command("serve", "serve", "The program inside an instance."),
}
