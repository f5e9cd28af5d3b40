"""Servers that the tests of snapshots share with those of the warehouses."""

from graph_platform_tests.services.trino import trino_server

__all__ = ["trino_server"]
