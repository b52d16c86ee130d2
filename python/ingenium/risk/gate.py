"""The gate that every order has to pass before it leaves."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Annotated

import msgspec

from ingenium.events import DenialReason, TradingState
from ingenium.risk.daily_loss import DailyLoss
from ingenium.risk.denial import Denial
from ingenium.risk.limits import RiskLimits
from ingenium.risk.measures import (
    content,
    describe,
    exposure,
    reach,
    stated_prices,
    worst_price,
)
from ingenium.risk.rate import Breaches, OrderRate
from ingenium.risk.switch import TradingSwitch
from ingenium.risk.view import AccountView
from ingenium.trading.money import EXACT, ZERO
from ingenium.trading.order import Order

__all__ = ["RiskGate"]

_REMEMBERED_ORDERS = 10_000


class _Row(msgspec.Struct, forbid_unknown_fields=True):
    """What is kept across restarts."""

    switch: dict[str, object]
    breaches: list[Annotated[datetime, msgspec.Meta(tz=True)]] = []
    day: date | None = None
    day_began: Decimal = ZERO
    equity: Decimal = ZERO


class RiskGate:
    """Holds orders against limits, one after the other, in the order in which they would leave.

    The checks, in this order: state of trading, halted symbol, rate, allowed symbols, hours,
    price, its age, quantity, notional, collar, symbol and gross notional, open orders, daily
    loss, duplicate. The first that fails is the reason. Requests to cancel need no gate.

    An order that passes is taken as sent.

    Args:
        limits: What to hold orders against.
        name: Of the component whose gate it is; the sender of its own decisions.

    Attributes:
        limits: What it holds orders against.
        switch: Whether there is to be trading.
    """

    def __init__(self, limits: RiskLimits, name: str) -> None:
        self.limits = limits
        self.switch = TradingSwitch()
        self._name = name
        self._rate = (
            None
            if limits.max_orders_per_second is None
            else OrderRate(
                limits.max_orders_per_second,
                limits.burst,
                limits.symbol_burst,
                limits.symbol_seconds,
            )
        )
        self._breaches = Breaches(limits.max_breaches, limits.breach_window_seconds)
        self._daily_loss = DailyLoss()
        self._price_times: dict[str, datetime] = {}
        self._sent: dict[tuple[object, ...], datetime] = {}

    def check(self, order: Order, view: AccountView, now: datetime) -> Denial | None:
        """Hold an order against the limits.

        Args:
            order: The order; its timestamp, if it has one, says when it was made.
            view: The account as it is before the order.
            now: The present time, UTC.

        Returns:
            Why it must not leave; ``None`` when it may.
        """
        return (
            self._check_state(order, order.quantity, view)
            or self._check_rate(order.symbol, now)
            or self._check_market(order, view, now)
            or self._check_size(order, view)
            or self._check_collar(order, view)
            or self._check_exposure(order, order.quantity, view)
            or self._check_open_orders(view)
            or self._check_daily_loss(order, order.quantity, view, now)
            or self._check_duplicate(order, now)
        )

    def check_replace(
        self, old: Order, new: Order, view: AccountView, now: datetime, *, protective: bool = False
    ) -> Denial | None:
        """Hold an order that is to take the place of another against the limits.

        Args:
            old: The order that works.
            new: What is to take its place.
            view: The account as it is, with the old order.
            now: The present time, UTC.
            protective: Whether it is the protective order of a bracket, which only ever makes a
                position smaller: it may be moved while trading only reduces, and to any price.

        Returns:
            Why it must not leave; ``None`` when it may.
        """
        added = ZERO if protective else EXACT.subtract(new.quantity, old.quantity)
        return (
            self._check_state(new, added, view, protective=protective)
            or self._check_rate(new.symbol, now)
            or self._check_market(new, view, now)
            or self._check_size(new, view)
            or (None if protective else self._check_collar(new, view))
            or (self._check_exposure(new, added, view) if added > 0 else None)
            or (None if protective else self._check_daily_loss(new, added, view, now))
        )

    def saw_price(self, symbol: str, time: datetime) -> None:
        """Take note of when the last price of a symbol was known.

        Args:
            symbol: Name of the instrument.
            time: When the price was true, or when it came, whichever is earlier; UTC.
        """
        self._price_times[symbol] = time

    def look(self, view: AccountView, now: datetime) -> None:
        """Take note of the account; a loss at its limit lets trading only reduce."""
        self._hits_daily_loss(view, now)

    def state_row(self) -> dict[str, object]:
        """Return what is to be kept across restarts, as JSON has it."""
        loss = self._daily_loss
        row = _Row(self.switch.state_row(), self._breaches.times, loss.day, loss.began, loss.last)
        built: dict[str, object] = msgspec.to_builtins(row)
        return built

    def restore(self, row: object, now: datetime) -> None:
        """Take up the state of a run before; a row that cannot be read halts trading.

        Args:
            row: What `state_row` returned.
            now: The present time, UTC.
        """
        try:
            kept = msgspec.convert(row, _Row)
        except msgspec.ValidationError:
            self.switch.restore(None, now)
            return
        self.switch.restore(kept.switch, now)
        self._breaches.restore(kept.breaches)
        loss = self._daily_loss
        loss.day, loss.began, loss.last = kept.day, kept.day_began, kept.equity

    def _check_state(
        self, order: Order, added: Decimal, view: AccountView, *, protective: bool = False
    ) -> Denial | None:
        standing = self.switch.standing
        said = "" if standing is None else f"by {standing}"
        if standing is not None and standing.state is TradingState.HALTED:
            return Denial(DenialReason.HALTED, f"trading is halted {said}")
        if halt := self.switch.halted_symbols.get(order.symbol):
            return Denial(
                DenialReason.SYMBOL_HALTED,
                f"{order.symbol} is halted by {halt}",
            )
        if standing is None:
            return None
        if protective or self._reduces(order, added, view):
            return None
        return Denial(
            DenialReason.REDUCING,
            f"trading only reduces {said}; {describe(order)} at a position of "
            f"{view.position(order.symbol):f} and {view.leaves(order.symbol, order.side):f} "
            "working on that side does more than reduce",
        )

    def _reduces(self, order: Order, added: Decimal, view: AccountView) -> bool:
        """Whether all that works on the order's side, and this, only makes a position smaller."""
        # The protective orders of a closing bracket would open again.
        return not order.is_bracket and reach(order, added, view) <= 0

    def _check_rate(self, symbol: str, now: datetime) -> Denial | None:
        if self._rate is None or self._rate.take(symbol, now):
            return None
        limits = self.limits
        text = (
            f"more than {limits.burst} orders at once, or {limits.max_orders_per_second:g} a second"
        )
        raised = "burst or max_orders_per_second"
        if limits.symbol_burst:
            text = (
                f"more than {limits.symbol_burst} orders in {symbol} within "
                f"{limits.symbol_seconds:g} s, and {text}, of such in all symbols"
            )
            raised = "symbol_burst, burst or max_orders_per_second"
        text = f"{text} (if these are meant, raise {raised} of RiskLimits)"
        if self._breaches.add(now):
            self.switch.decide(
                TradingState.HALTED,
                f"{text}, {limits.max_breaches} times in {limits.breach_window_seconds:g} s",
                self._name,
                now,
            )
        return Denial(DenialReason.MAX_ORDERS_PER_SECOND, text)

    def _check_market(self, order: Order, view: AccountView, now: datetime) -> Denial | None:
        limits, symbol = self.limits, order.symbol
        if limits.allowed_symbols is not None and symbol not in limits.allowed_symbols:
            return Denial(
                DenialReason.SYMBOL_NOT_ALLOWED,
                f"{symbol} is none of the {len(limits.allowed_symbols)} allowed symbols",
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
        limits = self.limits
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
        limits = self.limits
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
        collar = self.limits.price_collar
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
        limits, symbol = self.limits, order.symbol
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
            return None  # the sum cannot become larger than it may become anyway
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

    def _check_open_orders(self, view: AccountView) -> Denial | None:
        most = self.limits.max_open_orders
        if most is None or view.open_orders < most:
            return None
        return Denial(
            DenialReason.MAX_OPEN_ORDERS, f"{view.open_orders} orders work, at most {most} may"
        )

    def _check_daily_loss(
        self, order: Order, added: Decimal, view: AccountView, now: datetime
    ) -> Denial | None:
        text = self._hits_daily_loss(view, now)
        if text is None or self._reduces(order, added, view):
            return None
        return Denial(DenialReason.MAX_DAILY_LOSS, text)

    def _hits_daily_loss(self, view: AccountView, now: datetime) -> str | None:
        most = self.limits.max_daily_loss
        if most is None:
            return None
        loss = self._daily_loss.look(view.equity, now)
        if loss < most:
            return None
        text = f"the loss of this UTC day is {loss:f}, which reaches {most:f}"
        # Halting would leave the positions that lose to themselves: only what makes them smaller
        # is still let through.
        self.switch.decide(TradingState.REDUCING, text, self._name, now)
        return text

    def _check_duplicate(self, order: Order, now: datetime) -> Denial | None:
        window = self.limits.duplicate_seconds
        if window is None:
            return None
        # Orders that were held up on their way arrive together; what counts is when they were made.
        made = order.timestamp or now
        key = content(order)
        last = self._sent.get(key)
        if last is not None and abs((made - last).total_seconds()) < window:
            return Denial(
                DenialReason.DUPLICATE,
                f"{describe(order)} again within {window:g} s",
            )
        self._sent.pop(key, None)  # so that the order of the keys is the order of sending
        self._sent[key] = made
        if len(self._sent) > _REMEMBERED_ORDERS:
            del self._sent[next(iter(self._sent))]
        return None


def _no_price(symbol: str) -> Denial:
    return Denial(
        DenialReason.NO_PRICE, f"there is no price of {symbol} yet to hold the order against"
    )
