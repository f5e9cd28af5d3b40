"""What Trino's SQL means, as rows: every function with its types, and what DuckDB is asked for the same value.

`functions.py` is the table, `kinds.py` the types with Trino's coercions, `written.py` the tree of what was written, and
`proof.py` holds one against the other. How DuckDB's macros compute is `prelude.py`'s.
"""
