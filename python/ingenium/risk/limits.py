"""Risk limits."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, tzinfo
from decimal import Decimal
from math import isfinite
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ingenium.errors import ConfigError, SubjectError
from ingenium.subjects.names import check_symbol
from ingenium.trading.money import Number, to_decimal

__all__ = ["IsOpen", "RiskLimits"]

IsOpen = Callable[[str, datetime], bool]
"""Returns whether a symbol is traded at a time, UTC."""

# Allowance for delivery delays that bunch orders between a portfolio and an executor.
_LATE_SECONDS = 2


@dataclass(frozen=True, init=False)
class RiskLimits:
    """The limits of a risk gate; ``None`` turns a limit off.

    Limits that fit an account of any size are on by default: the price collar, the rate, and
    duplicates. Limits in money and quantity are off by default, since only the owner of the account
    knows its size. A value at its limit passes, except for the daily loss.

    Args:
        max_order_quantity: Shares or units of one order.
        max_order_notional: Value of one order at the worst price it may fill at.
        max_symbol_notional: Value of the position in a symbol, at the last price, including
            everything that the working orders and this order may still add.
        max_gross_notional: The same value summed over all symbols, long and short.
        price_collar: How far limit and stop prices may be from the last price, as a fraction of
            it: ``0.05`` for 5 %. Market orders and the protective prices of brackets are not
            checked.
        max_orders_per_second: Long-run rate of orders over all symbols, beyond each symbol's own
            allowance. Orders denied by other limits count too, since a loop of denied orders is
            also a fault.
        burst: How many of these may be sent at once.
        symbol_burst: Each symbol's own allowance of orders; with 0 all orders count against the
            rate.
        symbol_seconds: Window of that allowance.
        max_breaches: Number of orders over the rate that halts all trading.
        breach_window_seconds: Window in which these are counted.
        duplicate_seconds: Window in which a second order with the same symbol, side, quantity, type
            and prices is denied as a duplicate.
        max_open_orders: Number of orders working at one time, without protective ones.
        allowed_symbols: The only symbols that may be traded.
        stale_data_seconds: Age of the last price beyond which a symbol is not traded.
        is_open: Function of symbol and time that returns whether the symbol may be traded.
        max_daily_loss: Loss since the start of the day, in the account's currency, at which trading
            only reduces.
        day_zone: Time zone of the daily loss, such as
            ``"America/New_York"``.
        session_start: Wall-clock time at which that day begins, as a time or ``"17:00"``; midnight
            when omitted.
        exit_burst: Each symbol's allowance of exits within ``symbol_seconds`` once the rate is used
            up: orders that only reduce a position must get through, and only a runaway loop sends
            so many.

    Orders that only reduce a position are exempt from all of these but the rate; see `RiskGate`.

    Raises:
        ConfigError: A value is invalid.
    """

    max_order_quantity: Decimal | None
    max_order_notional: Decimal | None
    max_symbol_notional: Decimal | None
    max_gross_notional: Decimal | None
    price_collar: Decimal | None
    max_orders_per_second: float | None
    burst: int
    symbol_burst: int
    symbol_seconds: float
    max_breaches: int
    breach_window_seconds: float
    duplicate_seconds: float | None
    max_open_orders: int | None
    allowed_symbols: frozenset[str] | None
    stale_data_seconds: float | None
    is_open: IsOpen | None
    max_daily_loss: Decimal | None
    day_zone: str
    session_start: time
    exit_burst: int

    def __init__(
        self,
        *,
        max_order_quantity: Number | None = None,
        max_order_notional: Number | None = None,
        max_symbol_notional: Number | None = None,
        max_gross_notional: Number | None = None,
        price_collar: Number | None = Decimal("0.05"),
        max_orders_per_second: float | None = 5.0,
        burst: int = 20,
        symbol_burst: int = 2,
        symbol_seconds: float = 10.0,
        max_breaches: int = 3,
        breach_window_seconds: float = 60.0,
        duplicate_seconds: float | None = 1.0,
        max_open_orders: int | None = None,
        allowed_symbols: Iterable[str] | None = None,
        stale_data_seconds: float | None = None,
        is_open: IsOpen | None = None,
        max_daily_loss: Number | None = None,
        day_zone: str = "UTC",
        session_start: time | str = time(),
        exit_burst: int = 100,
    ) -> None:
        # The only way to assign in a frozen dataclass.
        put = object.__setattr__
        put(self, "max_order_quantity", _money(max_order_quantity, "max_order_quantity"))
        put(self, "max_order_notional", _money(max_order_notional, "max_order_notional"))
        put(self, "max_symbol_notional", _money(max_symbol_notional, "max_symbol_notional"))
        put(self, "max_gross_notional", _money(max_gross_notional, "max_gross_notional"))
        put(self, "price_collar", _collar(price_collar))
        put(
            self,
            "max_orders_per_second",
            _positive_or_none(max_orders_per_second, "max_orders_per_second"),
        )
        put(self, "burst", _count(burst, "burst"))
        put(self, "symbol_burst", _count(symbol_burst, "symbol_burst", least=0))
        put(self, "symbol_seconds", _positive(symbol_seconds, "symbol_seconds"))
        put(self, "max_breaches", _count(max_breaches, "max_breaches"))
        put(
            self,
            "breach_window_seconds",
            _positive(breach_window_seconds, "breach_window_seconds"),
        )
        put(self, "duplicate_seconds", _positive_or_none(duplicate_seconds, "duplicate_seconds"))
        put(
            self,
            "max_open_orders",
            None if max_open_orders is None else _count(max_open_orders, "max_open_orders"),
        )
        put(self, "allowed_symbols", _symbols(allowed_symbols))
        put(self, "stale_data_seconds", _positive_or_none(stale_data_seconds, "stale_data_seconds"))
        if is_open is not None and not callable(is_open):
            raise ConfigError(
                f"is_open is {is_open!r}: pass a function that takes symbol and time, and "
                "returns whether the symbol is traded at that time"
            )
        put(self, "is_open", is_open)
        put(self, "max_daily_loss", _money(max_daily_loss, "max_daily_loss"))
        _zone(day_zone)
        put(self, "day_zone", day_zone)
        put(self, "session_start", _time_of_day(session_start))
        put(self, "exit_burst", _count(exit_burst, "exit_burst"))

    @property
    def zone(self) -> tzinfo:
        """The time zone of the daily loss."""
        return _zone(self.day_zone)

    @property
    def day_text(self) -> str:
        """Description of when the day of the daily loss begins."""
        if self.session_start == time():
            return f"this {self.day_zone} day"
        start = self.session_start.isoformat().removesuffix(":00")
        return f"the day since {start} {self.day_zone}"

    def for_executor(self) -> RiskLimits:
        """Return the limits of an executor behind a portfolio with these limits.

        Orders sent one after the other may arrive together, so the bursts are larger by two
        seconds' worth of orders.
        """
        if self.max_orders_per_second is None:
            return self
        extra = int(self.max_orders_per_second * _LATE_SECONDS) + 1
        own = self.symbol_burst
        if own:
            own += int(own / self.symbol_seconds * _LATE_SECONDS) + 1
        return replace(self, burst=self.burst + extra, symbol_burst=own)


def _money(value: Number | None, name: str) -> Decimal | None:
    if value is None:
        return None
    number = to_decimal(value, name)
    if number <= 0:
        raise ConfigError(f"{name} is {value!r}: use a number above 0, or None for no limit")
    return number


def _collar(value: Number | None) -> Decimal | None:
    if value is None:
        return None
    number = to_decimal(value, "price_collar")
    if not 0 < number < 1:
        raise ConfigError(
            f"price_collar is {value!r}: use a fraction above 0 and below 1, such as 0.05 for 5 %, "
            "or None for no limit"
        )
    return number


def _positive(value: object, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ConfigError(f"{name} is {value!r}: use a number above 0")
    if not isfinite(value) or value <= 0:
        raise ConfigError(f"{name} is {value!r}: use a number above 0")
    return float(value)


def _positive_or_none(value: object, name: str) -> float | None:
    return None if value is None else _positive(value, name)


def _count(value: object, name: str, least: int = 1) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ConfigError(f"{name} is {value!r}: use a whole number of at least {least}")
    return value


def _zone(name: object) -> tzinfo:
    if name == "UTC":
        return UTC  # needs no time zone database
    try:
        return ZoneInfo(name)  # type: ignore[arg-type]
    except (ZoneInfoNotFoundError, ValueError, OSError, TypeError):
        raise ConfigError(
            f"day_zone is {name!r}: use the name of a zone, such as 'America/New_York'"
        ) from None


def _time_of_day(value: object) -> time:
    found = value
    if isinstance(value, str):
        try:
            found = time.fromisoformat(value)
        except ValueError:
            found = None
    if not isinstance(found, time) or found.tzinfo is not None:
        raise ConfigError(
            f"session_start is {value!r}: use a time of day such as '17:00', without a zone: "
            "day_zone sets the zone"
        )
    return found


def _symbols(symbols: Iterable[str] | None) -> frozenset[str] | None:
    if symbols is None:
        return None
    if isinstance(symbols, str):
        raise ConfigError(f"allowed_symbols is {symbols!r}: pass a list, such as [{symbols!r}]")
    found = frozenset(symbols)
    for symbol in found:
        try:
            check_symbol(symbol)
        except SubjectError as error:
            raise ConfigError(f"allowed_symbols: {error}") from None
    if not found:
        raise ConfigError(
            "allowed_symbols is empty, so nothing could be traded: name symbols, or pass None"
        )
    return found
