"""The validation report: what is wrong with a mapping, where, why, and what to write instead.

The same document comes from the op, the command line and a file. These are Pydantic models because they are published
(`graph-platform schema validation_report` prints their JSON Schema) and cross process boundaries.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

from pydantic import BaseModel, ConfigDict, Field

MOST_PROBLEMS = 100
"""Of errors and of warnings that a report lists; of the rest it says how many there are."""


class _Document(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Position(_Document):
    """A place in the user's own text, both counted from 1: in a definition's SQL, or in the mapping file."""

    line: int
    column: int


class Problem(_Document):
    """One thing that is wrong or doubtful.

    `entity` is the definition as a person would call it (`Customer`, `PURCHASED`), or the mapping's name for what
    concerns the whole; `field` is the key or column inside it (`sql`, `primary_key`, `tailnum`), or None.
    """

    code: str
    entity: str
    field: str | None = None
    message: str
    hint: str | None = None
    position: Position | None = None


class ColumnReport(_Document):
    """One column of a definition: its type in the warehouse (Trino's notation) and in the engine's DDL."""

    name: str
    warehouse_type: str
    engine_type: str | None


class DefinitionReport(_Document):
    """The outcome for one node or edge definition; columns are in the order of the mapping."""

    name: str
    valid: bool
    columns: tuple[ColumnReport, ...] = ()


class Estimate(_Document):
    """What a graph will take: rows, bytes of Parquet, of the database file, and of memory to load and to serve it."""

    rows: int
    bytes: int
    database_bytes: int
    memory_bytes: int


class ValidationReport(_Document):
    """Everything that validation found, all at once: the first `MOST_PROBLEMS` of each kind, and how many more."""

    valid: bool
    errors: tuple[Problem, ...] = ()
    more_errors: int = Field(default=0, description="Errors besides those that are listed.")
    warnings: tuple[Problem, ...] = ()
    more_warnings: int = Field(default=0, description="Warnings besides those that are listed.")
    node_results: tuple[DefinitionReport, ...] = ()
    edge_results: tuple[DefinitionReport, ...] = ()
    ddl: tuple[str, ...] = ()
    estimate: Estimate | None = None


def listed(problems: Iterable[Problem]) -> tuple[tuple[Problem, ...], int]:
    """The problems that a report lists, and how many more there are."""
    rest = iter(problems)
    first = tuple(islice(rest, MOST_PROBLEMS))
    return first, sum(1 for _ in rest)
