"""State of a simulated exchange: orders, brackets, positions, cash and last closes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal

import msgspec

from ingenium.exchange.fill_counters import FillCounters
from ingenium.exchange.ledger import Ledger
from ingenium.exchange.validation import last_price
from ingenium.exchange.working_book import WorkingBook
from ingenium.trading import Bar
from ingenium.trading.money import EXACT, ZERO

__all__ = ["ExchangeBooks", "WorkedBar"]


class WorkedBar(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """The last bar of a symbol that orders were matched against.

    Attributes:
        end: End of the bar, UTC.
        period: Length of the bar.
    """

    end: datetime
    period: timedelta


class ExchangeBooks:
    """The state of one exchange; shared by `PaperExchange` and its parts.

    Args:
        ledger: Cash and positions, and the limits on them.

    Attributes:
        ledger: As above.
        notes: Counts of events that flatter the result or make it doubtful.
        working: Working orders and brackets.
        positions: Shares or units by symbol, negative when short.
        closes: The last close of each symbol in the wire format, or the bar with it; changed by
            `set_close` and `set_closes` only.
        worked: The last matched bar by symbol.
    """

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.notes = FillCounters()
        self.working = WorkingBook()
        self.positions: dict[str, Decimal] = {}
        self.closes: dict[str, str | Bar] = {}
        self.worked: dict[str, WorkedBar] = {}

    def set_close(self, symbol: str, close: str | Bar) -> None:
        """Set the last close of a symbol: in the wire format, or the bar with it."""
        self.closes[symbol] = close
        if self.working.touched is not None:
            self.working.touched.add(symbol)

    def set_closes(self, closes: Mapping[str, str | Bar]) -> None:
        """Set the last closes of several symbols."""
        self.closes.update(closes)
        if self.working.touched is not None:
            self.working.touched.update(closes)

    def close(self, symbol: str) -> str | None:
        """Return the last close of a symbol as a text; ``None`` before its first data."""
        close = self.closes.get(symbol)
        return close.close_text if isinstance(close, Bar) else close

    def last_price(self, symbol: str) -> Decimal | None:
        """Return the last price of a symbol; ``None`` if missing or unreadable."""
        return last_price(self.close(symbol))

    def move(self, symbol: str, quantity: Decimal) -> None:
        """Change a position by a signed quantity, negative for a sale."""
        self.positions[symbol] = EXACT.add(self.positions.get(symbol, ZERO), quantity)
        if self.working.touched is not None:
            self.working.touched.add(symbol)
