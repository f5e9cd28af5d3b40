"""Alembic's environment for the schema `graph_platform`, whose version table lies in the schema itself.

`migrate` is the only way in; there is no alembic.ini, because the URL comes from the settings.
"""
