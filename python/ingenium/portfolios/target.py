"""Base of the built-in portfolios: from a signal to a target, from a target to an order."""

from __future__ import annotations

import logging
from abc import abstractmethod
from decimal import Decimal

from ingenium.components.portfolio import Portfolio
from ingenium.errors import ConfigError, DecodeError, InvalidOrderError, SubjectError
from ingenium.events import Side, Signal, SignalEvent
from ingenium.portfolios.last_prices import LastPrices
from ingenium.trading.money import EXACT, QUOTIENT, ZERO, Number, to_decimal
from ingenium.trading.numbers import parse_decimal
from ingenium.trading.tally import Tally, counted, day_of

__all__ = ["TargetPortfolio"]

# Enum member lookup is slow.
_LONG, _SHORT, _FLAT = Signal.LONG, Signal.SHORT, Signal.FLAT
_BUY, _SELL = Side.BUY, Side.SELL
_ONE, _HUNDRED = Decimal(1), Decimal(100)

_log = logging.getLogger("ingenium.portfolio")


class TargetPortfolio(Portfolio):
    """Moves the position in a symbol to a target with each signal, by one market order.

    The quantity that working orders would still add counts as held, so that a repeated signal makes
    one order. A signal that cannot be acted upon makes no order and is recorded in `problems`.

    Args:
        cash: Starting cash.
        step: Targets are whole multiples of it: 1 for whole shares, 0.0001 for a coin.
        cash_buffer: Fraction of equity that is never invested, from 0 to below 1: room for a gap
            before the fill, slippage and fees, which the sizing does not know.
        allow_short: Whether a short signal opens a short; otherwise it closes the long.
        name: See `Component`.

    Raises:
        ConfigError: Cash or step is not a finite number, the step is not positive, or the buffer
            not from 0 to below 1.
        ComponentError: The name is invalid.
    """

    def __init__(
        self,
        *,
        cash: Number = Decimal(100_000),
        step: Number = Decimal(1),
        cash_buffer: Number = ZERO,
        allow_short: bool = True,
        name: str | None = None,
    ) -> None:
        super().__init__(cash, name=name)
        self.step = positive(step, "step")
        self.cash_buffer = to_decimal(cash_buffer, "cash_buffer")
        if not 0 <= self.cash_buffer < 1:
            raise ConfigError(
                f"cash_buffer is {cash_buffer!r}: use a number from 0 to below 1, such as 0.02 for "
                "two percent of equity"
            )
        self._unsized = Tally()
        self._handle.add_complaints(self._unsized_lines)
        self.saved("prices", LastPrices(self.account))
        self.allow_short = allow_short

    @abstractmethod
    def target(self, event: SignalEvent, direction: int) -> Decimal | None:
        """Return the quantity to hold, negative for a short; ``None`` to keep the position.

        Args:
            event: The signal.
            direction: 1 for a long, -1 for an allowed short. Not called for flat.
        """

    def on_signal(self, event: SignalEvent) -> None:
        """Send the order that moves the position to the target."""
        try:
            self._move(event)
        except (DecodeError, InvalidOrderError, SubjectError) as error:
            self.report_problem(f"signal {event.id!r} of {event.symbol!r}: {error}")

    def _move(self, event: SignalEvent) -> None:
        symbol = event.symbol
        signal = event.signal
        if signal == _FLAT or (signal == _SHORT and not self.allow_short):
            target: Decimal | None = ZERO
        elif signal == _LONG:
            target = self.target(event, 1)
        elif signal == _SHORT:
            target = self.target(event, -1)
        else:
            known = ", ".join(Signal)
            self.report_problem(
                f"signal {event.id!r} of {symbol!r} is {event.signal!r}, which is unknown: "
                f"use one of {known}"
            )
            return
        if target is None:
            return
        difference = EXACT.subtract(target, self.held(symbol))
        if difference:
            side = _BUY if difference > 0 else _SELL
            self.send_order(symbol, side, difference.copy_abs())

    def held(self, symbol: str) -> Decimal:
        """Return the position in a symbol with what working orders would still add."""
        return EXACT.add(self.position(symbol).quantity, self.pending(symbol))

    def quantity_for(self, event: SignalEvent, weight: Decimal) -> Decimal | None:
        """Return the quantity that a fraction of equity buys at the last price, in whole steps.

        The price of the fill, slippage and fees are not known yet; `cash_buffer` leaves room.

        Args:
            event: The signal, for its symbol and the text of a problem.
            weight: Fraction of equity after the buffer; negative for a short.

        Returns:
            The quantity, rounded towards zero; ``None``, with a problem reported, when price or
            equity are not usable.
        """
        price = self.price(event.symbol)
        equity = self.account.equity
        if price is None:
            self.report_problem(
                f"signal {event.id!r} of {event.symbol!r} came before any price of it: no order"
            )
        elif price <= 0 or equity <= 0:
            self.report_problem(
                f"signal {event.id!r} of {event.symbol!r}: cannot size a position at price "
                f"{price:f} and equity {equity:f}: no order"
            )
        else:
            value = EXACT.multiply(equity, self.invested(weight))
            quantity = QUOTIENT.divide(value, price)
            steps = EXACT.divide_int(quantity, self.step)
            if not steps and weight:
                self._report_unsized(event.symbol, weight, equity, price)
            return EXACT.multiply(steps, self.step)
        return None

    def invested(self, weight: Decimal) -> Decimal:
        """Return the fraction of total equity for a weight of the equity after the buffer."""
        if not self.cash_buffer:
            return weight
        return EXACT.multiply(weight, EXACT.subtract(_ONE, self.cash_buffer))

    def _report_unsized(
        self, symbol: str, weight: Decimal, equity: Decimal, price: Decimal
    ) -> None:
        """Count a position smaller than one step, and log the first one of a symbol."""
        percent = EXACT.multiply(self.invested(weight).copy_abs(), _HUNDRED)
        text = (
            f"{percent.normalize():f} % of {equity:,.2f} is less than {self.step:f} at {price:f}; "
            "use more cash, a larger part of it or a smaller step"
        )
        if self._unsized.add(text, self.now, symbol) == 1:
            _log.warning("%s: no position in %s: %s", self.name, symbol, text)

    def _unsized_lines(self, most: int) -> list[str]:
        return [
            f"{counted(found.count, 'signal')} of {found.kind} opened no position, "
            f"the first on {day_of(found.time)}: {found.text}"
            for found in self._unsized.most(most)
        ]


def positive(value: Number, name: str) -> Decimal:
    """Return a positive number passed by a user as an exact decimal.

    Raises:
        ConfigError: The value is not a finite number, or not positive.
    """
    number = to_decimal(value, name)
    if number <= 0:
        raise ConfigError(f"{name} is {value!r}: use a number above 0")
    return number


def part(value: Number, name: str) -> Decimal:
    """Return a number passed by a user, above 0 and at most 1, as an exact decimal.

    Raises:
        ConfigError: The value is not such a number.
    """
    number = to_decimal(value, name)
    if not 0 < number <= 1:
        raise ConfigError(f"{name} is {value!r}: use a number above 0 and at most 1")
    return number


def strength_of(event: SignalEvent, default: Decimal) -> Decimal:
    """Return the strength of a signal, or the default when it states none.

    Raises:
        DecodeError: The strength is not a decimal from 0 to 1.
    """
    if not event.strength:
        return default
    strength = parse_decimal(event.strength, "SignalEvent", "Strength")
    if not 0 <= strength <= 1:
        raise DecodeError(
            "SignalEvent", "Strength", f"expected a decimal from 0 to 1, found {event.strength!r}"
        )
    return strength
