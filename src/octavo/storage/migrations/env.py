"""Alembic runs this file for each migration; the connection is given by `migrate.upgrade`."""

from alembic import context

from octavo.storage.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,  # SQLite changes a table by copying it
)
with context.begin_transaction():
    context.run_migrations()
