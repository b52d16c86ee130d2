"""The account of an app, its fills and its denials as messages."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

from ingenium.control._gen.ingenium.control.v1 import portfolio_pb, transactions_pb
from ingenium.control.component_messages import instant
from ingenium.operations.account_money import AppMoney, PositionView, WorkingView
from ingenium.operations.today import DenialView, FillView
from ingenium.recorder.instants import nanoseconds
from ingenium.trading.money import EXACT

__all__ = ["decimal_of", "denial_message", "fill_message", "plain", "portfolio_message"]


def plain(number: Decimal) -> str:
    """Return a number as text without an exponent."""
    return format(number, "f")


def decimal_of(text: str | None) -> Decimal | None:
    """Return the number of a text; ``None`` if it is none."""
    try:
        number = Decimal(text or "")
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def portfolio_message(app: str, money: AppMoney) -> portfolio_pb.Portfolio:
    """Return the account of an app."""
    return portfolio_pb.Portfolio(
        app=app,
        source=money.source,
        age_seconds=money.age_seconds,
        why=money.why,
        starting_cash=money.starting_cash,
        cash=money.cash,
        equity=money.equity,
        unrealized_pnl=money.unrealized_pnl,
        realized_pnl=money.realized_pnl,
        commissions=money.commissions,
        open_positions=money.open_positions,
        positions=[_position(each, decimal_of(money.equity)) for each in money.positions],
        working_count=money.working_count,
        working_orders=[_working(each) for each in money.working_orders],
    )


def _value(quantity: str | None, price: str | None) -> Decimal | None:
    """Return the product of two numbers that are text; ``None`` if one is not known."""
    count, each = decimal_of(quantity), decimal_of(price)
    return None if count is None or each is None else EXACT.multiply(count, each)


def _position(view: PositionView, equity: Decimal | None) -> portfolio_pb.Position:
    value = _value(view.quantity, view.last_price)
    return portfolio_pb.Position(
        symbol=view.symbol,
        quantity=view.quantity,
        average_cost=view.average_cost,
        last_price=view.last_price,
        last_price_time=instant(view.last_price_time),
        market_value=None if value is None else plain(value),
        unrealized_pnl=view.unrealized_pnl,
        realized_pnl=view.realized_pnl,
        weight=float(value / equity) if value is not None and equity else None,
    )


def _working(view: WorkingView) -> portfolio_pb.WorkingOrder:
    return portfolio_pb.WorkingOrder(
        order_id=view.order_id,
        symbol=view.symbol,
        side=view.side,
        type=view.type,
        quantity=view.quantity,
        filled=view.filled,
        limit_price=view.limit_price,
        stop_price=view.stop_price,
        state=view.state,
    )


def fill_message(view: FillView) -> transactions_pb.Transaction:
    """Return a fill that was heard on the bus."""
    value = _value(view.quantity, view.price)
    return transactions_pb.Transaction(
        time=nanoseconds(view.time),
        symbol=view.symbol,
        side=view.side,
        quantity=view.quantity,
        price=view.price,
        value="" if value is None else plain(value),
        commission=view.commission or None,
        order_id=view.order_id,
        id=view.id,
    )


def denial_message(view: DenialView, order_id: str) -> transactions_pb.Denial:
    """Return a denial that was heard on the bus."""
    return transactions_pb.Denial(
        time=nanoseconds(view.time),
        symbol=view.symbol,
        side=view.side,
        quantity=view.quantity,
        component=view.component,
        reason=view.reason,
        detail=view.detail,
        order_id=order_id,
        id=view.id,
    )
