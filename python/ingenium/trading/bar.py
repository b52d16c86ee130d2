"""Price bars, as handlers receive them."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

import msgspec

from ingenium.clock import format_time
from ingenium.errors import ConfigError, DecodeError
from ingenium.events import DataEvent, DataType, Ohlc, plain_text
from ingenium.trading.numbers import format_decimal, parse_float, parse_price
from ingenium.trading.period import (
    NOT_STATED,
    end_of_period,
    format_period,
    parse_period,
    read_period,
    start_of_period,
)
from ingenium.trading.timestamp import parse_time, read_time

__all__ = ["Bar", "Texts", "format_period", "parse_period", "parse_time"]


class Texts(NamedTuple):
    """The numbers of a bar as wire decimals; an unknown volume is empty."""

    open: str
    high: str
    low: str
    close: str
    volume: str


_OHLC = str(DataType.OHLC)
_FIELDS = ("Open", "High", "Low", "Close", "Volume")
# Fast check of all five numbers together; on a mismatch each number is checked alone and may still
# be valid. The length limit keeps float from returning infinity.
_PLAIN = re.compile(r"[0-9.\n]{5,200}", re.ASCII).fullmatch


def _number(name: str, text: str) -> float:
    if name == "Volume" and not text:
        return 0.0
    return parse_float(text, "DataEvent", f"Ohlc.{name}")


def _wrong_type(
    symbol: object, start: object, period: object, prices: dict[str, object]
) -> ConfigError:
    """Return the error of arguments of a bar that are not of the type that they must have."""
    wanted: list[tuple[str, object, type, str]] = [
        ("start", start, datetime, "a datetime"),
        ("period", period, timedelta, "a timedelta, such as timedelta(minutes=5)"),
        *((name.lower(), text, str, "text, such as '12.50'") for name, text in prices.items()),
    ]
    name, value, _, cure = next(each for each in wanted if not isinstance(each[1], each[2]))
    return ConfigError(f"{name} of a bar of {symbol!r} is {value!r}: pass {cure}")


class Bar(msgspec.Struct, frozen=True, gc=False, eq=False):
    """Prices of one symbol over one period.

    A Struct, since one is created per bar and frozen dataclasses are slow to create; its event is
    created on first access for the same reason.

    Prices are floats, for indicators; for money, `exact` returns the decimals of the source.

    Attributes:
        symbol: Name of the instrument, case kept.
        start: Start of the bar, UTC.
        end: When the bar was complete and could first be known, UTC; ``start`` plus the period.
        open: First price, in the instrument's currency.
        high: Highest price.
        low: Lowest price.
        close: Last price.
        volume: Quantity traded, in shares or units; 0 when unknown.
        period: Length; zero when the source does not state it.
        name: Callable that makes the id of the event; for ingestors.
    """

    symbol: str
    start: datetime
    end: datetime
    open: float
    high: float
    low: float
    close: float
    volume: float
    period: timedelta
    # The decimals of the source, if any.
    _texts: tuple[str, str, str, str, str] | None = None
    name: Callable[[Bar], str] | None = None
    _event: DataEvent | None = None

    @property
    def event(self) -> DataEvent:
        """The event of the bar, created on first access unless the bar was parsed from one."""
        event = self._event
        if event is None:
            open_, high, low, close, volume = self.texts
            event = DataEvent(
                type=_OHLC,
                symbol=self.symbol,
                timestamp=format_time(self.end),
                ohlc=Ohlc(
                    open=open_,
                    high=high,
                    low=low,
                    close=close,
                    volume=volume,
                    period=format_period(self.period) if self.period else None,
                    timestamp=self.start,
                ),
            )
            msgspec.structs.force_setattr(self, "_event", event)
        if not event.id and self.name is not None:
            event.id = self.name(self)
        return event

    @property
    def id(self) -> str:
        """The id of the event; empty when no ingestor has named it yet."""
        if self._event is not None or self.name is None:
            return self.event.id or ""
        return self.name(self)

    @property
    def close_text(self) -> str:
        """The close in the wire format of the event."""
        return self.texts.close if self._texts is None else self._texts[3]

    @property
    def has_event(self) -> bool:
        """Whether the bar was parsed from an event, or its event has been created."""
        return self._event is not None

    @property
    def number_texts(self) -> tuple[str, str, str, str, str]:
        """The `texts` as a plain tuple; faster."""
        if self._texts is not None:
            return self._texts
        if self._event is not None and (ohlc := self._event.ohlc) is not None:
            return ohlc.open, ohlc.high, ohlc.low, ohlc.close, ohlc.volume
        # The shortest decimals that parse to the same floats.
        open_, high, low, close, volume = (
            format_decimal(Decimal(repr(number)))
            for number in (self.open, self.high, self.low, self.close, self.volume)
        )
        return open_, high, low, close, volume

    @property
    def texts(self) -> Texts:
        """The numbers in the wire format of the event."""
        return Texts(*self.number_texts)

    @classmethod
    def from_event(cls, event: DataEvent, arrived: datetime | None = None) -> Bar:
        """Parse the bar of a data event.

        An unknown period counts as not stated; see `read_period`.

        Args:
            event: The event.
            arrived: When the event arrived, UTC; used as the end of the bar when the event states
                no time or an unreadable one.

        Raises:
            DecodeError: The event has no bar, a price that cannot be read, or no time.
        """
        ohlc = event.ohlc
        if ohlc is None:
            raise DecodeError(
                "DataEvent", "Ohlc", f"expected a bar, found none (Type is {event.type!r})"
            )
        period = read_period(ohlc.period) if ohlc.period else NOT_STATED
        start = ohlc.timestamp
        if start is None:
            end = read_time(event.timestamp, arrived)
            start = start_of_period(end, period)
        else:
            end = end_of_period(start, period)
        texts = (ohlc.open, ohlc.high, ohlc.low, ohlc.close, ohlc.volume)
        try:
            if _PLAIN("\n".join(texts)) is None:
                raise ValueError
            open_, high, low, close, volume = map(float, texts)
        except ValueError:
            open_, high, low, close, volume = map(_number, _FIELDS, texts)
        return cls(
            event.symbol,
            start,
            end,
            open_,
            high,
            low,
            close,
            volume,
            end - start,
            None,
            None,
            event,
        )

    @classmethod
    def make(
        cls,
        symbol: str,
        start: datetime,
        *,
        open: str,
        high: str,
        low: str,
        close: str,
        volume: str = "",
        period: timedelta = timedelta(0),
    ) -> Bar:
        """Create a bar, and its event, from decimal texts.

        Args:
            symbol: Name of the instrument.
            start: Start of the bar; a time without a zone is local.
            open: First price, in the instrument's currency.
            high: Highest price.
            low: Lowest price.
            close: Last price.
            volume: Quantity traded, in shares or units; empty when unknown.
            period: Any positive length, down to a microsecond; zero when unknown.

        Raises:
            ConfigError: The period is negative, or an argument is of the wrong type.
            DecodeError: A price cannot be read.
        """
        try:
            is_negative = period < NOT_STATED
            start = start.astimezone(UTC)
            texts = Texts(*map(plain_text, (open, high, low, close, volume)))
        except (TypeError, AttributeError) as error:
            prices = zip(_FIELDS, (open, high, low, close, volume), strict=True)
            raise _wrong_type(symbol, start, period, dict(prices)) from error
        if is_negative:
            raise ConfigError(
                f"period of a bar of {symbol!r} is {period}: pass a positive length such as "
                "timedelta(milliseconds=200), or leave it out"
            )
        first, most, least, last, size = map(_number, _FIELDS, texts)
        return cls(symbol, start, start + period, first, most, least, last, size, period, texts)

    def exact(self, name: str) -> Decimal:
        """Return a price or the volume as the source's decimal.

        Args:
            name: ``"open"``, ``"high"``, ``"low"``, ``"close"`` or ``"volume"``; an unknown volume
                is 0.
        """
        text: str = getattr(self.texts, name)
        if not text and name == "volume":
            return Decimal(0)
        return parse_price(text, "DataEvent", f"Ohlc.{name.title()}")

    def __repr__(self) -> str:
        return (
            f"Bar({self.symbol!r}, {self.start.isoformat()}, open={self.open}, high={self.high}, "
            f"low={self.low}, close={self.close}, volume={self.volume})"
        )

    def __eq__(self, other: object) -> bool:
        return self._said() == other._said() if isinstance(other, Bar) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._said())

    def _said(self) -> tuple[object, ...]:
        """Return the bar's values for comparison, whether or not its event has been created."""
        prices = (self.open, self.high, self.low, self.close, self.volume)
        return (self.symbol, self.start, self.end, *prices, self.period)
