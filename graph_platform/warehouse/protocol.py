"""What the platform asks of a warehouse: describe a query, fetch a small result, export a query, name the tables.

SQL arrives in Trino's dialect and columns come back with Trino's type names; an adapter for another engine translates.
An adapter is done when it passes `graph_platform_tests/warehouse/test_conformance.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol, Self

from graph_platform.mapping.sql.gate import CheckedQuery, Review
from graph_platform.relational import Column, Relation


class ExportState(StrEnum):
    """What the warehouse knows of an export."""

    RUNNING = "running"
    FINISHED = "finished"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class ExportProgress:
    """The state of an export; `rows` once finished, `error` once failed."""

    state: ExportState
    rows: int | None = None
    error: str | None = None


class Warehouse(Protocol):
    """A place with tables. Safe to use from several threads.

    Every method raises `PlatformError` with BACKEND_UNREACHABLE if the warehouse does not answer; that is never the
    fault of a mapping.
    """

    @property
    def export_warning(self) -> str | None:
        """What a person should know before much is exported from here, and what mends it; None if there is nothing."""
        ...

    def tagged(self, **tags: str) -> Self:
        """The same warehouse, whose own pages show these tags beside each query that is asked through what is returned.

        It shares everything with this one, exports and the end included: closing either closes both.
        """
        ...

    def review(self, query: CheckedQuery, entity: str) -> Review:
        """What is known of a query that passed the gate before it is asked; nothing is sent.

        Args:
            entity: the definition that a problem names.
        """
        ...

    def describe(self, sql: str) -> tuple[Column, ...]:
        """The result columns of one query, without running it over the data.

        Raises:
            Refusal: the query does not hold, or binding it takes more memory or time than a statement may.
        """
        ...

    def fetch(self, sql: str, row_limit: int, limit_seconds: float) -> tuple[tuple[Any, ...], ...]:
        """The first rows of one query, for results of a few rows: what is large is exported.

        Args:
            sql: a query whose columns are bigint, double, varchar or boolean, or arrays of these; they come as int,
                float, str, bool and tuples, a NULL as None. Values of other types have no agreed form: cast them.
            limit_seconds: time limit of the statement.

        Raises:
            Refusal: the query does not hold, fails on a value, or takes more memory than a statement may.
            PlatformError: QUERY_TIMEOUT.
        """
        ...

    def relations(self, schema: str | None = None) -> tuple[Relation, ...]:
        """Tables and views with their columns, by name; for suggestions only.

        Args:
            schema: the schema to look in, None for the one that unqualified names mean.

        Raises:
            PlatformError: RESOURCE_NOT_FOUND, if there is no such schema.
        """
        ...

    def tables(self) -> tuple[str, ...]:
        """The names of the tables and views that an unqualified name may mean, for suggestions only."""
        ...

    def submit_export(self, query_id: str, sql: str, uri: str, remember: Callable[[str], None]) -> None:
        """Begin to write the result of `sql` as Parquet under the storage folder `uri`, and return at once.

        Args:
            query_id: a name chosen by the caller, unique for ever; the export is asked for by it from now on, and what
                the warehouse keeps of it carries this name, so that one attempt is never taken for another.
            sql: the query with its columns in order, each of a type that the graph engine loads.
            uri: a folder's URL, ending in `/`; empty or absent. A result without rows may leave it so.
            remember: called with an opaque text that lets another process go on, each time before the step that the
                text leads to is taken; here, and later in `poll_export`. What it raises passes through, and the step
                is then not taken. An adapter whose exports end with their process never calls it.
        """
        ...

    def adopt_export(self, query_id: str, state: str, remember: Callable[[str], None]) -> None:
        """Go on with an export that another process submitted; `poll_export` then works here as it did there.

        It asks nothing of the warehouse: an export that is not known there any more is UNKNOWN at its first poll.

        Args:
            state: the text that was remembered last.
            remember: as in `submit_export`.
        """
        ...

    def poll_export(self, query_id: str, wait_seconds: float) -> ExportProgress:
        """The export's progress, after it ended or `wait_seconds` have passed, whichever is first."""
        ...

    def cancel_export(self, query_id: str) -> None:
        """Stop the export, if it is still known. What it wrote may remain: the caller deletes the folder."""
        ...

    def forget_exports(self, prefixes: Sequence[str]) -> None:
        """Remove what the warehouse still keeps of exports that are over, and never their files.

        Only what a process left that died for good: an export that ends is forgotten by itself. What cannot be removed
        now stays, and harms nobody.

        Args:
            prefixes: what the ids of these exports begin with.
        """
        ...

    def close(self) -> None:
        """Cancel what is under way and let go of every connection."""
        ...
