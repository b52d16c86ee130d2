"""Open the account of a scope as a recording has it."""

from __future__ import annotations

from ingenium.recorder.trading_rows import TradingRows
from ingenium.recorder.writer import BatchWriter

__all__ = ["open_trading"]

_OF_SCOPE = "stream IN (SELECT stream FROM position WHERE scope = ?)"


def open_trading(writer: BatchWriter, scope: str) -> TradingRows:
    """Return the account of a scope as of the last batch written."""

    def find_order(order_id: str) -> tuple[str, str] | None:
        rows = writer.query(
            "SELECT symbol, side FROM orders "  # noqa: S608 - text of this module
            "WHERE order_id = ? AND request = 'new' "
            f"AND {_OF_SCOPE} LIMIT 1",
            (order_id, scope),
        )
        return rows[0] if rows else None

    def has_fill(fill_id: str, order_id: str) -> bool:
        # Without "booked = 1", by which SQLite would search all fills instead of the order.
        found = writer.query(
            "SELECT booked FROM executions "  # noqa: S608 - text of this module
            f"WHERE order_id = ? AND id = ? AND {_OF_SCOPE}",
            (order_id, fill_id, scope),
        )
        return any(booked for (booked,) in found)

    saved = writer.query("SELECT name, state FROM books WHERE scope = ?", (scope,))
    times = writer.query(
        f"SELECT symbol, max(time) FROM position_changes WHERE {_OF_SCOPE} GROUP BY symbol",  # noqa: S608 - text of this module
        (scope,),
    )
    return TradingRows(
        scope,
        {name: bytes(state) for name, state in saved},
        dict(times),
        find_order,
        has_fill,
    )
