"""Account and working orders of a portfolio or executor, for the status message."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal

from ingenium._gen.ingenium.v1 import (
    AccountStatus,
    PositionStatus,
    WorkingOrdersStatus,
    WorkingOrderStatus,
)
from ingenium.brokers import BrokerExecutor, PaperExecutor
from ingenium.components import Component, Portfolio
from ingenium.trading import Account, Order
from ingenium.trading.money import EXACT

__all__ = ["account_status", "working_orders_of"]

MOST_POSITIONS = 200
MOST_ORDERS = 100
"""Limit, since more would not fit into a status message."""


def account_status(account: Account, seen: Mapping[str, datetime]) -> AccountStatus:
    """Return the current state of an account.

    Args:
        account: The account.
        seen: Time of the last market data per symbol, UTC.
    """
    held = account.quantities
    symbols = [symbol for symbol in account.sections() if symbol]
    # Open positions first, both parts in the order of the first trade of the symbols.
    symbols.sort(key=lambda symbol: symbol not in held)
    positions = []
    for symbol in symbols[:MOST_POSITIONS]:
        position = account.position(symbol)
        price = position.last_price
        positions.append(
            PositionStatus(
                symbol=symbol,
                quantity=_text(position.quantity),
                cost=_text(position.cost),
                last_price=None if price is None else _text(price),
                last_price_time=seen.get(symbol),
                realized_pnl=_text(position.realized_pnl),
            )
        )
    # The account's sums value a position without a price at zero.
    is_valued = all(account.price(symbol) is not None for symbol in held)
    return AccountStatus(
        starting_cash=_text(account.starting_cash),
        cash=_text(account.cash),
        equity=_text(account.equity) if is_valued else None,
        unrealized_pnl=_text(account.unrealized_pnl) if is_valued else None,
        realized_pnl=_text(account.realized_pnl),
        commissions=_text(account.commissions),
        positions=positions,
        open_positions=len(held),
    )


def working_orders_of(component: Component) -> WorkingOrdersStatus | None:
    """Return the working orders known to a component; ``None`` if it tracks none."""
    if isinstance(component, Portfolio):
        orders = [(each.order, each.filled, None) for each in component.orders.values()]
        return working_orders(orders)
    if isinstance(component, PaperExecutor):
        exchange = component.exchange
        return working_orders(
            [
                (order, EXACT.subtract(order.quantity, exchange.left_of(order.id)), None)
                for order in exchange.working
            ]
        )
    if isinstance(component, BrokerExecutor):
        entries = component.journal.open.values()
        return working_orders([(each.order, each.filled, each.state.value) for each in entries])
    return None


def working_orders(
    orders: Sequence[tuple[Order, Decimal, str | None]],
) -> WorkingOrdersStatus:
    """Return orders with filled quantity and state, as part of a status."""
    return WorkingOrdersStatus(
        count=len(orders),
        orders=[_order(order, filled, state) for order, filled, state in orders[:MOST_ORDERS]],
    )


def _order(order: Order, filled: Decimal, state: str | None) -> WorkingOrderStatus:
    return WorkingOrderStatus(
        order_id=order.id,
        symbol=order.symbol,
        side=order.side.value,
        type=order.type.value,
        quantity=_text(order.quantity),
        filled=_text(filled),
        limit_price=None if order.limit_price is None else _text(order.limit_price),
        stop_price=None if order.stop_price is None else _text(order.stop_price),
        state=state,
    )


def _text(number: Decimal) -> str:
    return format(number, "f")
