"""The commands about instances. Imported for `--help`: it imports nothing but the shape of a table."""

from __future__ import annotations

from graph_platform.cli.table import Command, Noun

NOUN = Noun(
    "Running graph databases, each serving one snapshot.",
    {
        "launch": Command("instance.jobs", "launch", "Serve a snapshot as a graph database."),
        "list": Command("instance.listing", "list_instances", "The instances that live."),
        "show": Command("instance.showing", "show_instance", "One instance, and what its server says."),
        "query": Command("instance.query", "query", "Ask an instance a question in Cypher."),
        "connect": Command("instance.connecting", "connect", "Open the way to an instance for other programs."),
        "extend": Command("instance.jobs", "extend", "Let an instance live longer."),
        "suspend": Command("instance.jobs", "suspend", "End an instance's server; it can be resumed."),
        "resume": Command("instance.jobs", "resume", "Start the server of a suspended instance again."),
        "terminate": Command("instance.jobs", "terminate", "End an instance for good."),
    },
)
