"""DuckDB as a warehouse: one file on a laptop, asked in Trino's SQL. The adapter is `warehouse.DuckDBWarehouse`.

The other modules are its parts: opening the file (`file`), what a query's columns are called in Trino (`names`,
`types`), what an error means (`refusals`), tables with their keys (`relations`), and exports (`export`). The
translation of SQL is `graph_platform.mapping.translation`, since it asks nothing of a database.
"""
