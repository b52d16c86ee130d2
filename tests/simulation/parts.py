"""The components of a world, beside those of the package."""

from __future__ import annotations

import zlib
from decimal import Decimal
from typing import Any

from ingenium.components import Portfolio
from ingenium.errors import InvalidOrderError
from ingenium.events import OrderType, Side, Signal, SignalEvent
from ingenium.ids import make_id
from ingenium.portfolios import FixedQuantity

__all__ = ["PORTFOLIO", "BusyPortfolio", "make_portfolio", "signal_id"]

PORTFOLIO = "desk"


class BusyPortfolio(Portfolio):
    """Sends one order for each signal, of many kinds, and cancels and replaces earlier ones."""

    def __init__(self) -> None:
        super().__init__(name=PORTFOLIO)
        self.signals = 0

    def on_signal(self, event: SignalEvent) -> None:
        """Send an order; what kind, and what else, follows from the signal."""
        self.signals += 1
        dice = zlib.crc32((event.id or "").encode())
        side = Side.SELL if event.signal == Signal.SHORT else Side.BUY
        quantity = 1 + dice % 9
        kind = dice // 9 % 5
        working = [order.order for order in self.orders.values()]
        price = Decimal(100)
        if kind == 0:
            self.send_order(event.symbol, side, quantity)
        elif kind == 1:
            self.send_order(event.symbol, side, quantity, type=OrderType.LIMIT, limit_price=price)
        elif kind == 2:
            up = side is Side.BUY
            self.send_order(
                event.symbol,
                side,
                quantity,
                take_profit=110 if up else 90,
                stop_loss=90 if up else 110,
            )
        else:
            self.send_order(event.symbol, side, quantity, type=OrderType.LIMIT, limit_price=price)
            if not working:
                return
            if kind == 3:
                self.cancel_order(working[0].id)
            else:
                self._replace(working[-1].id, quantity + 5)

    def _replace(self, order_id: str, quantity: int) -> None:
        try:
            self.replace_order(order_id, quantity=quantity)
        except InvalidOrderError as error:
            self.report_problem(str(error))

    def get_state(self) -> object:
        """Return how many signals there were."""
        return self.signals

    def set_state(self, state: Any) -> None:
        """Take that back."""
        self.signals = state


def make_portfolio(is_busy: bool) -> Portfolio:
    """Make the portfolio of a world."""
    return BusyPortfolio() if is_busy else FixedQuantity(10, name=PORTFOLIO)


def signal_id(number: int) -> str:
    """Return the id of a signal of the script."""
    return make_id("signal", "script", str(number))
