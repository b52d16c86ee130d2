"""Fills of a symbol by time, without passing over those of all others."""

from __future__ import annotations

from alembic import op

revision = "3"
down_revision = "2"


def upgrade() -> None:
    """Create the index."""
    op.create_index("executions_symbol", "executions", ["symbol", "booked", "time"])
