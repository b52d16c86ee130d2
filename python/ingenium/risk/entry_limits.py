"""Limits of size, price and market, for orders that may increase a position."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

from ingenium.events import DenialReason
from ingenium.risk.account_view import AccountView
from ingenium.risk.denial import Denial
from ingenium.risk.exposure import exposure, reach, stated_prices, worst_price
from ingenium.risk.limits import RiskLimits
from ingenium.trading.money import EXACT
from ingenium.trading.order import Order

__all__ = ["EntryLimits"]


class EntryLimits:
    """Checks an order against the limits whose only state is the age of prices.

    Args:
        limits: The limits to check.
    """

    __slots__ = ("_limits", "_price_times")

    def __init__(self, limits: RiskLimits) -> None:
        self._limits = limits
        self._price_times: dict[str, datetime] = {}

    def saw_price(self, symbol: str, time: datetime) -> None:
        """Record when the last price of a symbol was known, UTC."""
        self._price_times[symbol] = time

    def check(
        self, order: Order, added: Decimal, view: AccountView, now: datetime
    ) -> Denial | None:
        """Check an order against market, size, collar and exposure, in this order.

        Args:
            order: The order.
            added: The quantity that the order adds to the working orders.
            view: The account before the order.
            now: The current time, UTC.
        """
        return (
            self._check_market(order, view, now)
            or self._check_size(order, view)
            or self._check_collar(order, view)
            or (self._check_exposure(order, added, view) if added > 0 else None)
        )

    def check_open_orders(self, view: AccountView) -> Denial | None:
        """Check the number of working orders; replacements do not count as additional orders."""
        most = self._limits.max_open_orders
        if most is None or view.open_orders < most:
            return None
        return Denial(
            DenialReason.MAX_OPEN_ORDERS,
            f"{view.open_orders} orders are working, the limit is {most}",
        )

    def _check_market(self, order: Order, view: AccountView, now: datetime) -> Denial | None:
        limits, symbol = self._limits, order.symbol
        if limits.allowed_symbols is not None and symbol not in limits.allowed_symbols:
            return Denial(
                DenialReason.SYMBOL_NOT_ALLOWED,
                f"{symbol} is not among the {len(limits.allowed_symbols)} allowed symbols",
            )
        if limits.is_open is not None and not limits.is_open(symbol, now):
            return Denial(
                DenialReason.MARKET_CLOSED, f"{symbol} is not traded at {now.isoformat()}"
            )
        price = view.price(symbol)
        if price is None:
            if self._needs_price(order):
                return _no_price(symbol)
        elif not price.is_finite() or price <= 0:
            return Denial(DenialReason.NO_PRICE, f"the last price of {symbol} is {price}")
        if limits.stale_data_seconds is not None:
            return self._check_age(symbol, now, limits.stale_data_seconds)
        return None

    def _needs_price(self, order: Order) -> bool:
        limits = self._limits
        return (
            limits.max_order_notional is not None
            or limits.max_symbol_notional is not None
            or limits.max_gross_notional is not None
            or (limits.price_collar is not None and bool(stated_prices(order)))
        )

    def _check_age(self, symbol: str, now: datetime, most: float) -> Denial | None:
        seen = self._price_times.get(symbol)
        if seen is None:
            return Denial(DenialReason.STALE_DATA, f"the age of {symbol}'s last price is unknown")
        age = now - seen
        if age <= timedelta(seconds=most):
            return None
        return Denial(
            DenialReason.STALE_DATA,
            f"the last price of {symbol} is {age.total_seconds():.1f} s old, above {most:g} s",
        )

    def _check_size(self, order: Order, view: AccountView) -> Denial | None:
        limits = self._limits
        most = limits.max_order_quantity
        if most is not None and order.quantity > most:
            return Denial(
                DenialReason.MAX_ORDER_QUANTITY,
                f"quantity {order.quantity:f} is above {most:f}",
            )
        most = limits.max_order_notional
        if most is None:
            return None
        last = view.price(order.symbol)
        if last is None:
            return _no_price(order.symbol)
        price = worst_price(order, last)
        value = EXACT.multiply(order.quantity, price)
        if value <= most:
            return None
        return Denial(
            DenialReason.MAX_ORDER_NOTIONAL,
            f"{order.quantity:f} at {price:f} is {value:f}, above {most:f}",
        )

    def _check_collar(self, order: Order, view: AccountView) -> Denial | None:
        collar = self._limits.price_collar
        prices = stated_prices(order)
        if collar is None or not prices:
            return None
        last = view.price(order.symbol)
        if last is None:
            return _no_price(order.symbol)
        allowed = EXACT.multiply(last, collar)
        for name, price in prices:
            if EXACT.subtract(price, last).copy_abs() > allowed:
                return Denial(
                    DenialReason.PRICE_COLLAR,
                    f"{name} {price:f} is more than {EXACT.multiply(collar, Decimal(100)):f} % "
                    f"from the last price, {last:f}",
                )
        return None

    def _check_exposure(self, order: Order, added: Decimal, view: AccountView) -> Denial | None:
        limits, symbol = self._limits, order.symbol
        if limits.max_symbol_notional is None and limits.max_gross_notional is None:
            return None
        after = reach(order, added, view)
        if after <= 0:
            return None
        last = view.price(symbol)
        if last is None:
            return _no_price(symbol)
        value = EXACT.multiply(after, last)
        most = limits.max_symbol_notional
        if most is not None and value > most:
            return Denial(
                DenialReason.MAX_SYMBOL_NOTIONAL,
                f"up to {after:f} {symbol} at {last:f} is {value:f}, above {most:f}",
            )
        most = limits.max_gross_notional
        if most is None or after <= exposure(view, symbol):
            return None  # the largest possible gross value does not increase
        return self._check_gross(symbol, value, most, view)

    def _check_gross(
        self, symbol: str, value: Decimal, most: Decimal, view: AccountView
    ) -> Denial | None:
        total = value
        for other in view.symbols():
            if other == symbol:
                continue
            price = view.price(other)
            if price is None or not price.is_finite():
                return _no_price(other)
            total = EXACT.add(total, EXACT.multiply(exposure(view, other), price.copy_abs()))
        if total <= most:
            return None
        return Denial(
            DenialReason.MAX_GROSS_NOTIONAL,
            f"all positions and working orders come to {total:f}, above {most:f}",
        )


def _no_price(symbol: str) -> Denial:
    return Denial(
        DenialReason.NO_PRICE, f"there is no price of {symbol} yet to check the order against"
    )
