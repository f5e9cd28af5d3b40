"""A query as it was written, held against the table: what DuckDB is asked, what Trino refuses, and what is not proved.

Types are found from the tables' columns upwards; each node comes back as DuckDB's with the type that Trino gives it. A
node without a row is not left out of the translation: it is translated as well as the parser can, and told.
"""

from __future__ import annotations

from sqlglot import exp

from graph_platform.warehouse.duckdb.signatures.calls import Calls
from graph_platform.warehouse.duckdb.signatures.comparisons import Comparisons
from graph_platform.warehouse.duckdb.signatures.expressions import Expressions
from graph_platform.warehouse.duckdb.signatures.queries import Queries
from graph_platform.warehouse.duckdb.signatures.walk import Found, Lookup, Scope

__all__ = ["Found", "Lookup", "Proof"]


class Proof(Queries, Expressions, Comparisons, Calls):
    """One query's proof. `found` has what is to be told, in the order of the text; `reworded` how often a word of it,
    in lower case, is told to DuckDB in another way.
    """

    def prove(self, tree: exp.Expr) -> exp.Expr:
        """DuckDB's tree for the tree of what was written, which is used up."""
        root = exp.Subquery(this=tree) if not isinstance(tree, exp.Subquery) else tree
        self._query(root, Scope())
        return root if isinstance(tree, exp.Subquery) else root.this.pop()
