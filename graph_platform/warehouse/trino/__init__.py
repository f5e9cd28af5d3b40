"""Trino and Starburst as a warehouse, with the `trino` client underneath. The adapter is `warehouse.TrinoWarehouse`.

The other modules are its parts: where the server is and how to prove who asks (`address`), one statement over HTTP
(`statement`), what a refusal means (`refusals`), and the cluster's own export (`export`).
"""
