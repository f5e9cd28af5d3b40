"""Mappings as data and rules: model, structure, SQL gate, types, validation stages, DDL.

Nothing here does I/O: a rule takes data and returns a decision, so it is tested without a server. Running statements
on a warehouse belongs in `graph_platform.warehouse`, storing versions in `graph_platform.catalog`.
"""
