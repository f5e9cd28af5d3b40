"""Trino and Starburst as a warehouse, with the `trino` client underneath. The adapter is `warehouse.TrinoWarehouse`.

The other modules are its parts: where the server is and how to prove who asks (`address`), one statement over HTTP
(`statement`), what a refusal means (`refusals`), its tables (`relations`), the cluster's own export (`export`), and the
export that streams rows through here (`stream`), with values and files as it writes them (`values`, `parquet`).
"""
