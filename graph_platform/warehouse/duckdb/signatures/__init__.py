"""What Trino's SQL means, as rows: every function with its types, and what DuckDB is asked for the same value.

`table.py` has the rows, `functions.py` reads them, `kinds.py` has the types with Trino's coercions, `written.py` the
tree of what was written, and `proof.py` holds one against the other: `queries.py`, `expressions.py`, `comparisons.py`
and `calls.py` are its parts, over the one base in `walk.py`. How DuckDB's macros compute is `prelude.py`'s.
"""
