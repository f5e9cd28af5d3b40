"""Types: their text, which warehouse type becomes which engine type, and how a value travels through Parquet.

The rules are tables: a new type is a new row. Nothing here knows of a mapping.
"""
