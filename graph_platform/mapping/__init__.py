"""Mappings as data and rules: a folder each for what is written, its SQL, its types, what is wrong, what changed, and
what may be suggested.

Nothing here does I/O: a rule takes data and returns a decision, so it is tested without a server. Running statements
on a warehouse belongs in `graph_platform.proving`, storing versions in `graph_platform.catalog`.
"""
