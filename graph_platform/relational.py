"""What a warehouse says of its tables, of a query's columns, and of a statement that it refuses.

Types are Trino's, by their names, whatever the warehouse is. Asking one is `graph_platform.warehouse`'s.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Column:
    """A result column: its name as the warehouse returns it (empty if it has none), and its Trino type in full."""

    name: str
    type: str


@dataclass(frozen=True)
class ForeignKey:
    """A declared reference: these columns hold the key of another relation, in the order of its `referenced` ones."""

    columns: tuple[str, ...]
    relation: str
    referenced: tuple[str, ...]


@dataclass(frozen=True)
class Relation:
    """A table or view. `reference` is how a query names it, quoted where needed; keys are those that were declared."""

    name: str
    reference: str
    columns: tuple[Column, ...]
    primary_key: tuple[str, ...] = ()
    foreign_keys: tuple[ForeignKey, ...] = ()


@dataclass(eq=False)
class Refusal(Exception):
    """The warehouse answered, and the answer is no: the statement is wrong, not the connection.

    `kind` is one of the codes of `graph_platform.mapping.checks.problems`; line and column (from 1, or None) are those
    of the SQL that was given, never of a rewritten text; `subject` is the name that was not found, `candidates` what
    may have been meant, `hint` what else to do about it.
    """

    kind: str
    message: str
    line: int | None = None
    column: int | None = None
    subject: str | None = None
    candidates: tuple[str, ...] = ()
    hint: str | None = None
