"""DuckDB's way of writing: names and texts in its SQL, and what of its error messages is for a user."""

from __future__ import annotations

import re
from pathlib import Path

from graph_platform.errors import ErrorCode, PlatformError


def plain(text: str) -> str:
    """DuckDB's message without its own rendering of the SQL, which is not the user's text."""
    kept = re.split(r"\n+LINE |\n\tCandidate functions:|\n\nPossible solutions:", text, maxsplit=1)[0]
    return " ".join(re.sub(r"^[A-Z][\w ]*? Error: ", "", kept.strip()).split())


def literal(text: str) -> str:
    """A text as DuckDB's SQL writes it."""
    return "'" + text.replace("'", "''") + "'"


def quoted(name: str) -> str:
    """A name as DuckDB's SQL writes it."""
    return '"' + name.replace('"', '""') + '"'


def unreachable(path: Path, text: str) -> PlatformError:
    """The error of a file that cannot be used, with who holds it, from what DuckDB says."""
    holder = re.search(r"lock is held in (.+?)\. ", text + " ")
    if holder:
        message = f"the warehouse {path} is open for writing in {holder[1]}"
        return PlatformError(ErrorCode.BACKEND_UNREACHABLE, message, "end that process, or let it close the file")
    return PlatformError(ErrorCode.BACKEND_UNREACHABLE, f"the warehouse {path} cannot be used: {plain(text)}")
