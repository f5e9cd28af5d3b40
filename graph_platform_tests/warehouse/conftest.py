"""Servers that the tests of the warehouses share."""

from graph_platform_tests.services.trino import trino_server

__all__ = ["trino_server"]
