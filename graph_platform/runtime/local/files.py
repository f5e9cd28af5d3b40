"""The names of the files in a local program's folder, beside those that it writes of itself (`runtime/state.py`)."""

from __future__ import annotations

SPEC = "spec.json"
TOKEN = "token"  # noqa: S105 — the file's name
EXIT_STATUS = "exit-status"
OUTPUT = "output"
"""What a task wrote to its standard output."""
