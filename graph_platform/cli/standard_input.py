"""What a command takes from standard input, where `-` stands for it. It may be closed, and it may be no text."""

from __future__ import annotations

import sys
from typing import BinaryIO

import click


def standard_input() -> BinaryIO:
    """Standard input as bytes.

    Raises:
        click.UsageError: it is closed, as in `command - <&-` or under a service that gives none.
    """
    if sys.stdin is None:
        raise click.UsageError("- is standard input, which is closed")
    return sys.stdin.buffer


def text_input() -> str:
    """All of standard input as text, UTF-8 whatever the locale is.

    Raises:
        click.UsageError: it is closed, or not UTF-8.
    """
    try:
        return standard_input().read().decode("utf-8")
    except UnicodeDecodeError as error:
        raise click.UsageError(f"standard input is not UTF-8: {error.reason} at byte {error.start}") from error
