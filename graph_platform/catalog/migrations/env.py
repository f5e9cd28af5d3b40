"""Run by Alembic: applies the migrations on the connection that `graph_platform.catalog.migrate` hands over."""

from alembic import context

from graph_platform.catalog.tables import SCHEMA, metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table_schema=SCHEMA,
    include_schemas=True,
)
with context.begin_transaction():
    context.run_migrations()
