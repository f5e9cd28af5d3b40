"""The catalog: the Postgres schema `graph_platform`, the one source of truth about every entity.

Tables, migrations, the state machine and the queries belong here; what an operation does between two transitions does
not. Functions take a `Session` (an open transaction) and never commit: `with catalog.transaction()` does.
"""
