"""Schema migrations, for Alembic."""
