"""What a simulated exchange remembers: orders, brackets, positions, cash and last closes."""

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
        end: Its end, UTC.
        period: Its length.
    """

    end: datetime
    period: timedelta


class ExchangeBooks:
    """The state of one exchange; `PaperExchange` and its parts share it.

    Args:
        ledger: Cash and positions, and what they allow.

    Attributes:
        ledger: As above.
        notes: Counts of what flatters the result, or casts doubt on it.
        working: Working orders and brackets.
        positions: Shares or units by symbol, negative when short.
        closes: The last close of each symbol as its event writes it, or the bar that holds it;
            changed by `set_close` and `set_closes` only.
        worked: The last bar by symbol that orders were matched against.
    """

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.notes = FillCounters()
        self.working = WorkingBook()
        self.positions: dict[str, Decimal] = {}
        self.closes: dict[str, str | Bar] = {}
        self.worked: dict[str, WorkedBar] = {}

    def set_close(self, symbol: str, close: str | Bar) -> None:
        """Keep the last close of a symbol: as its event writes it, or the bar that holds it."""
        self.closes[symbol] = close
        if self.working.touched is not None:
            self.working.touched.add(symbol)

    def set_closes(self, closes: Mapping[str, str | Bar]) -> None:
        """Keep the last closes of several symbols."""
        self.closes.update(closes)
        if self.working.touched is not None:
            self.working.touched.update(closes)

    def close(self, symbol: str) -> str | None:
        """Return the last close of a symbol as a text; ``None`` when it has had no data."""
        close = self.closes.get(symbol)
        return close.close_text if isinstance(close, Bar) else close

    def last_price(self, symbol: str) -> Decimal | None:
        """Return the last price of a symbol; ``None`` when there is none that can be read."""
        return last_price(self.close(symbol))

    def move(self, symbol: str, quantity: Decimal) -> None:
        """Change a position by a quantity, which is negative for a sale."""
        self.positions[symbol] = EXACT.add(self.positions.get(symbol, ZERO), quantity)
        if self.working.touched is not None:
            self.working.touched.add(symbol)
