"""Slippage models of market fills, always against the owner of the order."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from ingenium.errors import ConfigError
from ingenium.events import Side
from ingenium.trading.money import EXACT, QUOTIENT, ZERO

__all__ = [
    "NoSlippage",
    "SlippageBasisPoints",
    "SlippageModel",
    "SlippageTicks",
    "SlippageVolumeShare",
    "slipped",
]

_MOST_DECIMALS = 18
_FURTHER_DECIMALS = 4


class SlippageModel(ABC):
    """Computes the slippage of a price."""

    @abstractmethod
    def distance(self, price: Decimal, quantity: Decimal, volume: Decimal) -> Decimal:
        """Return how far the price slips, zero or more, in the instrument's currency.

        Args:
            price: Price before slippage.
            quantity: Quantity of the fill, in shares or units.
            volume: Volume of the bar, in shares or units; zero when unknown.
        """


@dataclass(frozen=True, slots=True)
class NoSlippage(SlippageModel):
    """Prices do not slip."""

    def distance(self, price: Decimal, quantity: Decimal, volume: Decimal) -> Decimal:
        """Return zero."""
        return ZERO


@dataclass(frozen=True, slots=True)
class SlippageTicks(SlippageModel):
    """A number of ticks.

    Attributes:
        ticks: Number of ticks.
        tick_size: Size of a tick, in the instrument's currency.
    """

    ticks: int
    tick_size: Decimal = Decimal("0.01")

    def __post_init__(self) -> None:
        _check("ticks", Decimal(self.ticks))
        _check("tick_size", self.tick_size)

    def distance(self, price: Decimal, quantity: Decimal, volume: Decimal) -> Decimal:
        """Return ticks times tick size."""
        return EXACT.multiply(Decimal(self.ticks), self.tick_size)


@dataclass(frozen=True, slots=True)
class SlippageBasisPoints(SlippageModel):
    """A fraction of the price.

    Attributes:
        rate: In hundredths of a percent of the price: ``Decimal(5)`` is 0.05 %.
    """

    rate: Decimal

    def __post_init__(self) -> None:
        _check("rate", self.rate)

    def distance(self, price: Decimal, quantity: Decimal, volume: Decimal) -> Decimal:
        """Return rate times price."""
        return EXACT.multiply(price.copy_abs(), self.rate.scaleb(-4))


@dataclass(frozen=True, slots=True)
class SlippageVolumeShare(SlippageModel):
    """Grows with the square of the fill's share of the bar's volume.

    The form of Zipline's ``VolumeShareSlippage``: ``price * impact * share ** 2``.

    Attributes:
        impact: Slippage for taking the whole volume, as a fraction of the price.
        unknown_share: The share assumed when the volume is unknown.
    """

    impact: Decimal = Decimal("0.1")
    unknown_share: Decimal = Decimal("0.1")

    def __post_init__(self) -> None:
        _check("impact", self.impact)
        _check("unknown_share", self.unknown_share)

    def distance(self, price: Decimal, quantity: Decimal, volume: Decimal) -> Decimal:
        """Return price times impact times the square of the share.

        Rounded up to four decimals more than the price has, since a share may be a non-terminating
        decimal.
        """
        share = QUOTIENT.divide(quantity, volume) if volume > 0 else self.unknown_share
        moved = QUOTIENT.multiply(self.impact, QUOTIENT.multiply(share, share))
        distance = EXACT.multiply(price.copy_abs(), moved)
        return _round(distance, _decimals(price) + _FURTHER_DECIMALS, ROUND_CEILING)


def slipped(price: Decimal, side: Side, distance: Decimal) -> Decimal:
    """Return a price after slippage against the owner.

    The result has at most 18 decimals, rounded against the owner, and a sell never slips below
    zero.

    Args:
        price: Price before slippage.
        side: Side of the order.
        distance: Slippage, zero or more.
    """
    if not distance:
        return price
    if side is Side.BUY:
        return _round(EXACT.add(price, distance), _MOST_DECIMALS, ROUND_CEILING)
    lower = _round(EXACT.subtract(price, distance), _MOST_DECIMALS, ROUND_FLOOR)
    return max(lower, ZERO) if price >= 0 else lower


def _decimals(number: Decimal) -> int:
    exponent = number.as_tuple().exponent
    return max(-exponent, 0) if isinstance(exponent, int) else 0


def _round(number: Decimal, decimals: int, rounding: str) -> Decimal:
    if _decimals(number) <= decimals:
        return number
    return number.quantize(Decimal(1).scaleb(-decimals), rounding, EXACT)


def _check(name: str, value: object) -> None:
    if not isinstance(value, Decimal) or not value.is_finite() or value < 0:
        raise ConfigError(f"slippage {name} is {value!r}: use a Decimal of zero or more")
