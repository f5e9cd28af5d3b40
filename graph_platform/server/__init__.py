"""The program that an instance is: it opens the databases of its spec and answers Cypher over HTTP.

Not here: who starts and ends it (`graph_platform.runtime`). Its start counts, so it imports little: no pydantic, no
SQLAlchemy, no Dagster.
"""
