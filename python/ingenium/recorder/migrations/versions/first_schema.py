"""The first schema."""

from __future__ import annotations

from alembic import op

from ingenium.recorder.columns import amount, blob, number, text

revision = "1"
down_revision = None


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "events",
        text("stream", is_key=True),
        number("sequence", is_key=True),
        text("subject"),
        text("type"),
        text("id"),
        text("cause"),
        number("time"),
        number("received", is_key=True),
        blob("headers"),
        blob("body"),
        text("source"),
        postgresql_partition_by="RANGE (received)",
    )
    op.create_table(
        "bars",
        text("stream", is_key=True),
        number("sequence", is_key=True),
        text("symbol"),
        number("time"),
        number("received", is_key=True),
        amount("open"),
        amount("high"),
        amount("low"),
        amount("close"),
        amount("volume"),
        text("period"),
        postgresql_partition_by="RANGE (received)",
    )
    op.create_index("bars_symbol", "bars", ["symbol", "received"])
    op.create_table(
        "signals",
        text("stream", is_key=True),
        number("sequence", is_key=True),
        text("id"),
        text("symbol"),
        number("time"),
        text("signal"),
        amount("strength"),
        text("cause"),
        text("source"),
    )
    op.create_index("signals_cause", "signals", ["symbol", "cause"])
    op.create_table(
        "orders",
        text("stream", is_key=True),
        number("sequence", is_key=True),
        text("id"),
        text("request"),
        text("order_id"),
        text("symbol"),
        number("time"),
        text("side"),
        amount("quantity"),
        text("type"),
        text("time_in_force"),
        amount("limit_price"),
        amount("stop_price"),
        amount("take_profit"),
        amount("trail_price"),
        amount("trail_percent"),
        amount("stop_loss_limit"),
        amount("stop_loss"),
        text("cause"),
        text("source"),
    )
    op.create_index("orders_order_id", "orders", ["order_id"])
    op.create_table(
        "executions",
        text("stream", is_key=True),
        number("sequence", is_key=True),
        text("id"),
        text("order_id"),
        text("symbol"),
        number("time"),
        text("update"),
        text("side"),
        amount("quantity"),
        amount("price"),
        amount("commission"),
        amount("leaves_quantity"),
        text("reason"),
        number("booked"),
        text("source"),
    )
    op.create_index("executions_order_id", "executions", ["order_id"])
    op.create_index("executions_time", "executions", ["booked", "time"])
    op.create_table(
        "denials",
        text("stream", is_key=True),
        number("sequence", is_key=True),
        text("id"),
        text("order_id"),
        text("symbol"),
        number("time"),
        text("component"),
        text("reason"),
        text("detail"),
    )
    op.create_index("denials_order_id", "denials", ["order_id"])
    op.create_table(
        "control",
        text("stream", is_key=True),
        number("sequence", is_key=True),
        text("id"),
        number("time"),
        text("state"),
        text("reason"),
        text("sender"),
    )
    op.create_table(
        "trades",
        text("stream", is_key=True),
        number("sequence", is_key=True),
        number("number"),
        text("order_id"),
        text("symbol"),
        number("time"),
        text("side"),
        number("entry_time"),
        amount("quantity"),
        amount("entry_price"),
        amount("exit_price"),
        amount("pnl"),
        amount("commission"),
        number("exit_fills"),
    )
    op.create_index("trades_order_id", "trades", ["order_id"])
    op.create_table(
        "position_changes",
        text("stream", is_key=True),
        number("sequence", is_key=True),
        text("symbol"),
        number("time"),
        amount("quantity"),
        amount("cost"),
        amount("realized_pnl"),
    )
    op.create_index("position_changes_symbol", "position_changes", ["symbol", "time"])
    op.create_table(
        "account_snapshots",
        text("stream", is_key=True),
        number("sequence", is_key=True),
        number("time"),
        amount("cash_flow"),
        amount("realized_pnl"),
        amount("commissions"),
    )
    op.create_index("account_snapshots_time", "account_snapshots", ["time"])
    op.create_table(
        "books",
        text("scope", is_key=True),
        text("name", is_key=True),
        blob("state"),
    )
    op.create_table(
        "position",
        text("stream", is_key=True),
        text("scope"),
        text("name"),
        number("epoch"),
        number("sequence"),
        number("mark"),
        text("holder"),
        number("since"),
    )
    op.create_table(
        "gaps",
        text("stream", is_key=True),
        number("first", is_key=True),
        number("last"),
        number("time"),
        text("reason"),
    )
    op.create_table(
        "runs",
        text("id", is_key=True),
        text("app"),
        text("kind"),
        number("started"),
        number("ended"),
        text("digest"),
        text("parameters"),
        text("stats"),
    )
