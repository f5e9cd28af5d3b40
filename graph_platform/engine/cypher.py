"""Names and texts as they are written in the Cypher that the platform itself makes."""

from __future__ import annotations


def quoted(name: str) -> str:
    """A name between backticks, as every name is written to an engine."""
    return f"`{name}`"


def text_literal(text: str) -> str:
    """A string as Cypher text."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
