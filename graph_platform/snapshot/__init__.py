"""Snapshots: a mapping version frozen as Parquet files, a manifest, and the graph database file built from them.

What happens between two transitions of a snapshot belongs here; the transitions are the catalog's, the statements the
warehouse's, the database the engine's, and what lies where is `graph_platform.stored`.
"""
