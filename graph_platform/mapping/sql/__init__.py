"""The gate for a definition's SQL: one query in Trino's dialect. What DuckDB is asked instead is the adapter's.

Not here: whether the tables and columns exist, which only a warehouse can say.
"""
