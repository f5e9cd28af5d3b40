"""What the parts of a proof share: what is known of a node and of the names around it, and how something is told."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from sqlglot import exp

from graph_platform.mapping.types.text import WarehouseType
from graph_platform.warehouse.duckdb.rewrites import rewritten

Columns = Sequence[tuple[str, WarehouseType | None]]
"""Names in lower case, and types; None for a type that is not known."""
Lookup = Callable[[exp.Table], Sequence[tuple[str, str]] | None]


@dataclass(frozen=True)
class Found:
    """What is to be told of a node: `refused` is what Trino or DuckDB will not do, else it is not proved."""

    message: str
    word: str
    start: int | None = None
    hint: str | None = None
    refused: bool = False
    differs: bool = False


@dataclass
class Typed:
    """DuckDB's node and Trino's type, None where it is not known; `told` if something below it was told already."""

    node: exp.Expr
    kind: WarehouseType | None
    told: bool = False


@dataclass(frozen=True)
class Scope:
    """The names around a node: relations with their columns, results of WITH, parameters of functions, and the scope of
    the query around.
    """

    sources: Mapping[str, Columns | None] = field(default_factory=dict)
    results: Mapping[str, Columns | None] = field(default_factory=dict)
    parameters: Mapping[str, WarehouseType | None] = field(default_factory=dict)
    outer: Scope | None = None


class Walk(ABC):
    """The base of each part of a proof.

    Args:
        lookup: the names and types of a table's columns, None for a table that is not there.
    """

    def __init__(self, lookup: Lookup | None) -> None:
        self._lookup = lookup
        self.found: list[Found] = []
        self.reworded: Counter[str] = Counter()
        self._read_json: exp.Expr | None = None  # whose value is cast: how it is written as a text does not matter

    # What one part asks of another

    @abstractmethod
    def _query(self, node: exp.Expr, scope: Scope) -> Columns | None:
        """The columns of a query, whose tree becomes DuckDB's."""

    @abstractmethod
    def _expr(self, node: exp.Expr, scope: Scope) -> Typed:
        """DuckDB's node for an expression, with Trino's type."""

    @abstractmethod
    def _unproved(self, node: exp.Expr, scope: Scope) -> Typed:
        """What no row is about."""

    @abstractmethod
    def _key(self, node: exp.Expr, scope: Scope) -> exp.Expr:
        """What is grouped or ordered by; a number is that of a column."""

    @abstractmethod
    def _condition(self, holder: exp.Expr, name: str, scope: Scope) -> None:
        """What has to be a boolean."""

    @abstractmethod
    def _as(self, given: Typed, wanted: WarehouseType | None) -> Typed:
        """A value as the type that Trino coerces it to; DuckDB's own coercions are other ones."""

    @abstractmethod
    def _alike(
        self, node: exp.Expr, given: list[Typed], word: str
    ) -> tuple[list[exp.Expr], WarehouseType | None, bool]:
        """The values as one type, which Trino wants them to have in common."""

    @abstractmethod
    def _cast(self, node: exp.Cast, scope: Scope, *, tries: bool) -> Typed:
        """A cast that was written."""

    @abstractmethod
    def _row(self, node: exp.Expr, given: list[Typed]) -> Typed:
        """A row of these values."""

    @abstractmethod
    def _function(self, node: exp.Lambda, kinds: Sequence[WarehouseType | None], scope: Scope) -> Typed:
        """A function whose parameters are of these types."""

    @abstractmethod
    def _local_or_given(self, node: exp.Expr, scope: Scope) -> Typed:
        """An expression, or the wall clock of a zone that is written out."""

    @abstractmethod
    def _arithmetic(self, node: exp.Expr, scope: Scope) -> Typed:
        """Two numbers, or a time and an interval."""

    @abstractmethod
    def _compared(self, node: exp.Expr, scope: Scope) -> Typed:
        """A comparison that was written."""

    @abstractmethod
    def _equal(self, node: exp.Expr, left: Typed, right: Typed) -> Typed:
        """Whether two values are equal, for a node that says so in other words."""

    @abstractmethod
    def _call(self, node: exp.Anonymous, given: list[Typed], word: str, scope: Scope | None = None) -> Typed:
        """A call, by the table of signatures."""

    # Telling

    def _consumed(self, node: exp.Expr, given: list[Typed], kind: WarehouseType | None, word: str) -> Typed:
        """A node over something whose type is not known: told here, unless it was told where it came from."""
        if not any(each.told for each in given):
            self._doubt(node, word, "of something whose type is not known")
        return Typed(node if isinstance(node, exp.Anonymous) else rewritten(node), kind, told=True)

    def _told_once(self, node: exp.Expr, what: str) -> None:
        self._doubt(node, what, None)

    def _doubt(self, node: exp.Expr, word: str, why: str | None) -> None:
        message = f"{word}{' ' + why if why else ''} is not proved to give on DuckDB what it gives on Trino"
        hint = "compare a few values before you rely on it"
        self.found.append(Found(message, word.lower(), node.meta.get("start"), hint))

    def _refuse(self, node: exp.Expr, message: str, word: str, hint: str | None = None) -> None:
        self.found.append(Found(message, word.lower(), node.meta.get("start"), hint, refused=True))
