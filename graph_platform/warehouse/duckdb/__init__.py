"""DuckDB as a warehouse: one file on a laptop, asked in Trino's SQL. The adapter is `warehouse.DuckDBWarehouse`.

The file is open in confined processes only, whose program is `program`: it opens and locks down the file (`file`), and
reads its catalog (`catalog`) in Trino's types (`types`). On the asking side are what a query's columns are called in
Trino (`names`), what an error or a stop means (`refusals`), tables with their keys and those that a query names
(`relations`), and exports (`export`); that side never imports DuckDB. Trino's SQL becomes DuckDB's in `translation`
and `rewrites`, which ask nothing of a database.
"""
