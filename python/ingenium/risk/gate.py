"""The risk gate: checks every order before it is sent."""

from __future__ import annotations

from datetime import date, datetime, time
from decimal import Decimal
from typing import Annotated

import msgspec

from ingenium.events import DenialReason, TradingState
from ingenium.risk.account_view import AccountView
from ingenium.risk.daily_loss import DailyLoss
from ingenium.risk.denial import Denial
from ingenium.risk.entry_limits import EntryLimits
from ingenium.risk.exposure import content, describe
from ingenium.risk.limits import RiskLimits
from ingenium.risk.order_rate import Breaches, OrderRate
from ingenium.risk.reducing_orders import DeniedExit, closing_part, only_reduces
from ingenium.risk.trading_switch import TradingSwitch
from ingenium.trading.money import EXACT, ZERO
from ingenium.trading.order import Order

__all__ = ["RiskGate"]

_REMEMBERED_ORDERS = 10_000


class _GateRow(msgspec.Struct, forbid_unknown_fields=True):
    """State that survives restarts."""

    switch: dict[str, object]
    breaches: list[Annotated[datetime, msgspec.Meta(tz=True)]] = []
    day: date | None = None
    day_began: Decimal = ZERO
    equity: Decimal = ZERO
    day_zone: str = "UTC"
    session_start: time = time()
    denied_exits: dict[str, DeniedExit] = {}


_NO_ROW = _GateRow({})


class RiskGate:
    """Checks orders against limits, one after the other, in the order of sending.

    The checks, in this order: state of trading, halted symbol, rate, allowed symbols, hours,
    price, its age, quantity, notional, collar, symbol and gross notional, open orders, daily
    loss, duplicate. The first that fails is the reason. Cancel requests are not checked.

    An exit, an order that only reduces a position (`only_reduces`), is checked against the first
    three only, and has its own rate for when the other one is used up.

    An order that passes is recorded as sent.

    Args:
        limits: The limits to check.
        name: Name of the gate's component; the sender of its own decisions.

    Attributes:
        limits: The limits to check.
        switch: The trading switch.
        denied_exits: By symbol, the last denied exit. An entry is removed when an exit of the
            symbol passes, the position is closed, or an operator sets ``active``.
    """

    def __init__(self, limits: RiskLimits, name: str) -> None:
        self.limits = limits
        self.switch = TradingSwitch()
        self._name = name
        self.denied_exits: dict[str, DeniedExit] = {}
        self._entry_limits = EntryLimits(limits)
        self._rate = _rate(limits, limits.symbol_burst)
        self._exit_rate = _rate(limits, limits.exit_burst)
        self._breaches = Breaches(limits.max_breaches, limits.breach_window_seconds)
        self._daily_loss = DailyLoss(limits.zone, limits.session_start)
        self._sent: dict[tuple[object, ...], datetime] = {}

    def check(self, order: Order, view: AccountView, now: datetime) -> Denial | None:
        """Check an order against the limits.

        Args:
            order: The order; its timestamp, if set, is its creation time.
            view: The account before the order.
            now: The current time, UTC.

        Returns:
            The denial; ``None`` when the order may be sent.
        """
        added = order.quantity
        if only_reduces(order, added, view):
            denial = self._check_exit(order, view, now)
            if denial is None:
                self._note_sent(order, now)
            return denial
        return (
            self._check_state(order, view)
            or self._check_rate(order.symbol, now)
            or self._entry_limits.check(order, added, view, now)
            or self._entry_limits.check_open_orders(view)
            or self._check_daily_loss(view, now)
            or self._check_duplicate(order, now)
        )

    def cut(self, order: Order, view: AccountView) -> Order | None:
        """Return the closing part of an order that does more than reduce, in the reducing state.

        Args:
            order: The order.
            view: The account before the order.

        Returns:
            The order that only closes; ``None`` when there is nothing to cut, or nothing is left.
        """
        standing = self.switch.standing
        if standing is None or standing.state is not TradingState.REDUCING:
            return None
        if only_reduces(order, order.quantity, view):
            return None
        return closing_part(order, view)

    def check_replace(
        self, old: Order, new: Order, view: AccountView, now: datetime, *, protective: bool = False
    ) -> Denial | None:
        """Check a replacement order against the limits.

        Args:
            old: The working order.
            new: The replacement.
            view: The account, with the old order.
            now: The current time, UTC.
            protective: Whether it is a protective order of a bracket, which only ever reduces a
                position.

        Returns:
            The denial; ``None`` when the replacement may be sent.
        """
        added = EXACT.subtract(new.quantity, old.quantity)
        if protective or only_reduces(new, added, view):
            return self._check_exit(new, view, now)
        return (
            self._check_state(new, view)
            or self._check_rate(new.symbol, now)
            or self._entry_limits.check(new, added, view, now)
            or self._check_daily_loss(view, now)
        )

    def is_exit(self, order: Order, view: AccountView, replaces: Order | None = None) -> bool:
        """Return whether an order that does not work yet would only reduce a position.

        Args:
            order: The order.
            view: The account without the order.
            replaces: The working order that it is to replace.
        """
        added = order.quantity
        if replaces is not None:
            added = EXACT.subtract(added, replaces.quantity)
        return only_reduces(order, added, view)

    def note_denied_exit(self, symbol: str, reason: str, detail: str, now: datetime) -> None:
        """Record a denied exit.

        Args:
            symbol: Name of the instrument.
            reason: The violated limit, as a token.
            detail: Description, with the order.
            now: The current time, UTC.
        """
        self.denied_exits[symbol] = DeniedExit(reason, detail, now)

    def forget_closed(self, view: AccountView) -> None:
        """Remove the denied exits of positions that are closed by now."""
        for symbol in list(self.denied_exits):
            if not view.position(symbol):
                del self.denied_exits[symbol]

    @property
    def watches_data(self) -> bool:
        """Whether the gate needs every market data event, through `saw_price` or `observe`."""
        limits = self.limits
        return limits.max_daily_loss is not None or limits.stale_data_seconds is not None

    def saw_price(self, symbol: str, time: datetime) -> None:
        """Record when the last price of a symbol was known.

        Args:
            symbol: Name of the instrument.
            time: Time of the price or of its arrival, whichever is earlier; UTC.
        """
        self._entry_limits.saw_price(symbol, time)

    def observe(self, view: AccountView, now: datetime) -> None:
        """Check the daily loss of the account; a loss at the limit sets trading to reducing."""
        self._hits_daily_loss(view, now)

    def state_row(self) -> dict[str, object]:
        """Return the state that survives restarts, as JSON values."""
        loss = self._daily_loss
        row = _GateRow(
            self.switch.state_row(),
            self._breaches.times,
            loss.day,
            loss.began,
            loss.last,
            self.limits.day_zone,
            self.limits.session_start,
            self.denied_exits,
        )
        built: dict[str, object] = msgspec.to_builtins(row)
        for name in ("day_zone", "session_start", "denied_exits"):
            if getattr(row, name) == getattr(_NO_ROW, name):
                del built[name]  # so that an older version can read the row
        return built

    def restore(self, row: object, now: datetime) -> None:
        """Restore the state of an earlier run; an unreadable row halts trading.

        Args:
            row: The result of `state_row`.
            now: The current time, UTC.
        """
        try:
            kept = msgspec.convert(row, _GateRow)
        except msgspec.ValidationError:
            self.switch.restore(None, now)
            return
        self.switch.restore(kept.switch, now)
        self._breaches.restore(kept.breaches)
        self.denied_exits = dict(kept.denied_exits)
        loss, limits, day = self._daily_loss, self.limits, kept.day
        is_same_day = (kept.day_zone, kept.session_start) == (limits.day_zone, limits.session_start)
        if day is not None and not is_same_day:
            # The row is from a run with another start of the day. The loss so far counts for the
            # current day.
            day = loss.day_of(now)
        loss.restore(day, kept.day_began, kept.equity)

    def _check_exit(self, order: Order, view: AccountView, now: datetime) -> Denial | None:
        """Check an order that only reduces against the limits for exits."""
        denial = self._check_halt(order.symbol) or self._check_exit_rate(order.symbol, now)
        self._hits_daily_loss(view, now)
        if denial is not None:
            return msgspec.structs.replace(denial, is_exit=True)
        self.denied_exits.pop(order.symbol, None)
        return None

    def _check_halt(self, symbol: str) -> Denial | None:
        standing = self.switch.standing
        if standing is not None and standing.state is TradingState.HALTED:
            return Denial(DenialReason.HALTED, f"trading is halted by {standing}")
        if halt := self.switch.halted_symbols.get(symbol):
            return Denial(DenialReason.SYMBOL_HALTED, f"{symbol} is halted by {halt}")
        return None

    def _check_state(self, order: Order, view: AccountView) -> Denial | None:
        """Check an order that does more than reduce against the trading state."""
        denial = self._check_halt(order.symbol)
        standing = self.switch.standing
        if denial is not None or standing is None:
            return denial
        return Denial(
            DenialReason.REDUCING,
            f"trading is set to reduce only by {standing}; {describe(order)} at a position of "
            f"{view.position(order.symbol):f} and {view.leaves(order.symbol, order.side):f} "
            "working on that side does more than reduce",
        )

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

    def _check_exit_rate(self, symbol: str, now: datetime) -> Denial | None:
        """Pass an exit while the rate of all orders, or that of exits, has room.

        Only a runaway loop sends so many exits. It is slowed down without a halt of trading, since
        a halt would also block the exits of all other symbols.
        """
        if self._rate is None or self._exit_rate is None:
            return None
        if self._rate.take(symbol, now) or self._exit_rate.take(symbol, now):
            return None
        limits = self.limits
        return Denial(
            DenialReason.MAX_ORDERS_PER_SECOND,
            f"more than {limits.exit_burst} exits in {symbol} within {limits.symbol_seconds:g} s, "
            f"and more than {limits.burst} orders at once, or {limits.max_orders_per_second:g} a "
            "second (if these are meant, raise exit_burst of RiskLimits)",
        )

    def _check_daily_loss(self, view: AccountView, now: datetime) -> Denial | None:
        text = self._hits_daily_loss(view, now)
        return None if text is None else Denial(DenialReason.MAX_DAILY_LOSS, text)

    def _hits_daily_loss(self, view: AccountView, now: datetime) -> str | None:
        most = self.limits.max_daily_loss
        if most is None:
            return None
        loss = self._daily_loss.observe(view.equity, now)
        if loss < most:
            return None
        text = f"the loss of {self.limits.day_text} is {loss:f}, which reaches {most:f}"
        # A halt would leave losing positions open; the reducing state still passes orders that
        # reduce them.
        self.switch.decide(TradingState.REDUCING, text, self._name, now)
        return text

    def _check_duplicate(self, order: Order, now: datetime) -> Denial | None:
        window = self.limits.duplicate_seconds
        if window is None:
            return None
        last = self._sent.get(content(order))
        if last is not None and abs(((order.timestamp or now) - last).total_seconds()) < window:
            return Denial(
                DenialReason.DUPLICATE,
                f"{describe(order)} again within {window:g} s",
            )
        self._note_sent(order, now)
        return None

    def _note_sent(self, order: Order, now: datetime) -> None:
        key = content(order)
        self._sent.pop(key, None)  # keeps the keys in the order of sending
        # Delayed orders arrive together; their creation time counts.
        self._sent[key] = order.timestamp or now
        if len(self._sent) > _REMEMBERED_ORDERS:
            del self._sent[next(iter(self._sent))]


def _rate(limits: RiskLimits, symbol_burst: int) -> OrderRate | None:
    if limits.max_orders_per_second is None:
        return None
    return OrderRate(
        limits.max_orders_per_second, limits.burst, symbol_burst, limits.symbol_seconds
    )
