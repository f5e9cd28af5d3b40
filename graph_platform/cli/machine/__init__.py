"""The commands about the set-up on this machine. Imported for `--help`: it imports nothing but the shape of a table."""

from __future__ import annotations

from graph_platform.cli.table import Command

COMMANDS = {
    "demo": Command("machine.demo", "demo", "Real flight data, from tables to an answered question."),
    "dev": Command("machine.dev", "dev", "The Dagster UI and daemon on this catalog."),
    "up": Command("machine.processes", "up", "Start the embedded Postgres, and see that the catalog can be used."),
    "down": Command("machine.processes", "down", "End every process that was started here, and only those."),
    "doctor": Command("machine.doctor", "doctor", "What is wrong with this set-up, and how to mend it."),
    "settings": Command("machine.environment", "show_settings", "Every setting with its value and its source."),
    "env": Command("machine.environment", "env", "The variables that plain dagster commands need."),
    "schema": Command("machine.schema", "schema", "The JSON Schema of what a command prints."),
    "serve": Command("machine.serve", "serve", "The program inside an instance."),
}
