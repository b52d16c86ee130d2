"""Run the migrations in the connection and the transaction of `Database.migrate`."""

from alembic import context

from ingenium.recorder.schema import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    # SQLite alters a column by recreating the table.
    render_as_batch=True,
)
context.run_migrations()
