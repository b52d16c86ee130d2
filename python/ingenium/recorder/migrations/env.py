"""Runs the migrations within the connection and the transaction of `Database.migrate`."""

from alembic import context

from ingenium.recorder.schema import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    # SQLite changes a column by making the table again.
    render_as_batch=True,
)
context.run_migrations()
