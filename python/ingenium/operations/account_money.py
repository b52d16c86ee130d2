"""Account, positions and working orders of an app, with the source of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import msgspec

from ingenium._gen.ingenium.v1 import AccountStatus, PositionStatus, WorkingOrdersStatus
from ingenium.deploy.local.account_status import account_status, working_orders
from ingenium.errors import DecodeError, IngeniumError
from ingenium.operations.component_state import ComponentState, Liveness
from ingenium.operations.live_view import Heard
from ingenium.operations.today import Today
from ingenium.runtime.durable.store import Store
from ingenium.trading.account import Account
from ingenium.trading.books import Books
from ingenium.trading.money import EXACT, QUOTIENT
from ingenium.trading.numbers import parse_decimal
from ingenium.trading.order_tracker import OrderTracker

__all__ = ["AppMoney", "PositionView", "WorkingView", "money_of"]


class PositionView(msgspec.Struct):
    """A position; all amounts are exact decimals.

    Attributes:
        symbol: Name of the instrument.
        quantity: Shares or units, negative for a short, ``"0"`` when flat.
        average_cost: Cost of one share or unit, to 28 digits; ``None`` when flat.
        last_price: Last price seen by the portfolio; ``None`` if unknown.
        last_price_time: Time at which the portfolio handled the last data of the symbol, UTC;
            ``None`` if unknown.
        unrealized_pnl: Unrealized P&L before commissions; ``None`` without a last price.
        realized_pnl: Realized P&L before commissions.
    """

    symbol: str
    quantity: str
    average_cost: str | None
    last_price: str | None
    last_price_time: datetime | None
    unrealized_pnl: str | None
    realized_pnl: str


class WorkingView(msgspec.Struct):
    """A working order; all amounts are exact decimals.

    Attributes:
        order_id: Id of the order.
        symbol: Name of the instrument.
        side: ``"buy"`` or ``"sell"``.
        type: ``"market"``, ``"limit"`` and so on.
        quantity: Shares or units.
        filled: Filled quantity.
        limit_price: Limit price, or ``None``.
        stop_price: Stop price, or ``None``.
        state: State at the broker, as known to the executor; empty if not stated.
    """

    order_id: str
    symbol: str
    side: str
    type: str
    quantity: str
    filled: str
    limit_price: str | None = None
    stop_price: str | None = None
    state: str = ""


class AppMoney(msgspec.Struct):
    """Account of an app; all amounts are exact decimals in the account's currency.

    Attributes:
        source: Source of the account: ``"portfolio"`` for a current answer; ``"portfolio at its
            end"`` for its last message before the stop; ``"last status"`` for the one stored on the
            server; ``"state file"`` for its file on this machine, if it does not answer; empty if
            nothing is known.
        age_seconds: Age of the account; ``None`` for a current answer and for the state file.
        why: Reason why the account is unknown; empty if known.
        starting_cash: Initial cash.
        cash: Current cash, after commissions.
        equity: Cash plus market value of all positions; ``None`` if a last price is missing.
        unrealized_pnl: Unrealized P&L before commissions; ``None`` if a last price is missing.
        realized_pnl: Realized P&L since the account began, before commissions.
        commissions: Commissions paid since the account began.
        open_positions: Number of open positions, listed or not.
        positions: Open positions, then flat symbols that were traded; at most 200.
        working_source: Source of the working orders: ``"executor"``, or ``"portfolio"`` if the
            executor does not report them; ``"last status of the executor"`` or of the portfolio if
            neither answers; ``"state file"`` of the portfolio; empty if unknown.
        working_count: Number of working orders; ``None`` if unknown.
        working_orders: The first 100 working orders.
        today: Fills and denials of the day; ``None`` if the stream of orders cannot be read.
    """

    source: str = ""
    age_seconds: float | None = None
    why: str = ""
    starting_cash: str | None = None
    cash: str | None = None
    equity: str | None = None
    unrealized_pnl: str | None = None
    realized_pnl: str | None = None
    commissions: str | None = None
    open_positions: int | None = None
    positions: list[PositionView] = []
    working_source: str = ""
    working_count: int | None = None
    working_orders: list[WorkingView] = []
    today: Today | None = None


def money_of(
    components: Sequence[ComponentState], said: Mapping[str, Heard], states: Sequence[Path] = ()
) -> AppMoney:
    """Return account, positions and orders of an app.

    Args:
        components: All known components of the app.
        said: Statuses published by components, by name.
        states: State files on this machine.
    """
    money = AppMoney()
    portfolio = _of_role(components, "portfolio", said)
    executor = _of_role(components, "executor", said)
    heard = said.get(portfolio)
    if heard is None or not heard.answered or heard.status.account is None:
        # The state file takes precedence over the last status, which may be older.
        last = None if heard is None else heard.status.account
        if _add_file(money, portfolio, states, last):
            return money
    if heard is None or heard.status.account is None:
        money.why = money.why or _why(components, portfolio)
    else:
        money.source = "last status"
        if heard.answered:
            money.source = "portfolio"
        elif heard.status.state == "stopped":
            money.source = "portfolio at its end"
        money.age_seconds = None if heard.answered else heard.age_seconds
        _add_account(money, heard.status.account)
    anybody = any(each.answered for each in said.values())
    for source, name in (("executor", executor), ("portfolio", portfolio)):
        each = said.get(name)
        if each is None or each.status.working_orders is None or money.working_source:
            continue
        # The last status of a silent component is used only if no component answers.
        if each.answered or not anybody:
            money.working_source = source if each.answered else f"last status of the {source}"
            _add_orders(money, each.status.working_orders)
    return money


def _of_role(components: Sequence[ComponentState], role: str, said: Mapping[str, Heard]) -> str:
    """Return the component of a role, preferring one that is alive."""
    found = [each for each in components if each.role == role]
    found.sort(key=lambda each: (each.liveness is not Liveness.ALIVE, each.name not in said))
    return found[0].name if found else ""


def _why(components: Sequence[ComponentState], portfolio: str) -> str:
    if not portfolio:
        return "no portfolio is known"
    (state,) = [each for each in components if each.name == portfolio][:1]
    if state.liveness is Liveness.ALIVE:
        return f"portfolio {portfolio!r} does not publish its account"
    return f"portfolio {portfolio!r} does not answer, and has no file on this machine"


def _add_file(
    money: AppMoney, portfolio: str, states: Sequence[Path], last: AccountStatus | None
) -> bool:
    """Use the state file of a portfolio, with the last prices from its status."""
    path = next((path for path in states if path.stem == portfolio), None)
    if path is None:
        return False
    account, orders = Account(), OrderTracker()
    try:
        store = Store.read(path)
        try:
            with store.standing():
                rows = store.rows()
        finally:
            store.close()
        if "account" not in rows:
            return False
        Books(account, orders).restore(rows)
        prices = {} if last is None else {each.symbol: each for each in last.positions}
        for each in prices.values():
            if each.last_price:
                account.mark(each.symbol, parse_decimal(each.last_price, "status", "LastPrice"))
    except IngeniumError as error:
        money.why = str(error)
        return False
    money.source = money.working_source = "state file"
    seen = {symbol: each.last_price_time for symbol, each in prices.items() if each.last_price_time}
    _add_account(money, account_status(account, seen))
    working = [(each.order, each.filled, None) for each in orders.working.values()]
    _add_orders(money, working_orders(working))
    return True


def _add_account(money: AppMoney, account: AccountStatus) -> None:
    money.starting_cash, money.cash = account.starting_cash, account.cash
    money.equity, money.unrealized_pnl = account.equity, account.unrealized_pnl
    money.realized_pnl, money.commissions = account.realized_pnl, account.commissions
    money.open_positions = account.open_positions
    money.positions = [_position(each) for each in account.positions]


def _position(said: PositionStatus) -> PositionView:
    view = PositionView(
        said.symbol,
        said.quantity,
        None,
        said.last_price or None,
        said.last_price_time,
        None,
        said.realized_pnl,
    )
    try:
        quantity, cost = _number(said.quantity, "Quantity"), _number(said.cost, "Cost")
        price = _number(said.last_price, "LastPrice") if said.last_price else None
    except DecodeError:
        return view
    if quantity:
        view.average_cost = format(QUOTIENT.divide(cost, quantity), "f")
    if price is not None:
        value = EXACT.multiply(quantity, price)
        view.unrealized_pnl = format(EXACT.subtract(value, cost), "f")
    return view


def _number(text: str, name: str) -> Decimal:
    # Sums and products have more digits than the wire format allows.
    try:
        number = Decimal(text)
    except ArithmeticError as error:
        raise DecodeError("PositionStatus", name, f"expected a decimal, found {text!r}") from error
    if not number.is_finite():
        raise DecodeError("PositionStatus", name, f"expected a decimal, found {text!r}")
    return number


def _add_orders(money: AppMoney, said: WorkingOrdersStatus) -> None:
    money.working_count = said.count
    money.working_orders = [
        WorkingView(
            each.order_id,
            each.symbol,
            each.side,
            each.type,
            each.quantity,
            each.filled,
            each.limit_price,
            each.stop_price,
            each.state or "",
        )
        for each in said.orders
    ]
