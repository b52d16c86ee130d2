"""What the simulated exchange charges for a fill."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal

from ingenium.errors import ConfigError
from ingenium.trading.money import EXACT, ZERO

__all__ = ["FeeBasisPoints", "FeeModel", "FeePerOrder", "FeePerShare", "NoFees"]

_STEP = Decimal("0.00000001")


class FeeModel(ABC):
    """Charges commissions, in the account's currency and to 8 decimals."""

    @abstractmethod
    def fee(self, quantity: Decimal, price: Decimal, *, is_first: bool) -> Decimal:
        """Return the commission of one fill.

        Args:
            quantity: Shares or units, positive.
            price: Of one share or unit.
            is_first: Whether it is the first fill of its order.
        """


@dataclass(frozen=True, slots=True)
class NoFees(FeeModel):
    """Charges nothing."""

    def fee(self, quantity: Decimal, price: Decimal, *, is_first: bool) -> Decimal:
        """Return zero."""
        return ZERO


@dataclass(frozen=True, slots=True)
class FeePerShare(FeeModel):
    """Charges for each share or unit.

    Attributes:
        rate: For one share or unit, such as ``Decimal("0.005")``.
        minimum: The least that one fill costs.
    """

    rate: Decimal
    minimum: Decimal = ZERO

    def __post_init__(self) -> None:
        _check("rate", self.rate)
        _check("minimum", self.minimum)

    def fee(self, quantity: Decimal, price: Decimal, *, is_first: bool) -> Decimal:
        """Return rate times quantity, or the minimum."""
        return _round(max(EXACT.multiply(self.rate, quantity), self.minimum))


@dataclass(frozen=True, slots=True)
class FeePerOrder(FeeModel):
    """Charges once for an order, with its first fill.

    Attributes:
        amount: For one order, such as ``Decimal("1.00")``.
    """

    amount: Decimal

    def __post_init__(self) -> None:
        _check("amount", self.amount)

    def fee(self, quantity: Decimal, price: Decimal, *, is_first: bool) -> Decimal:
        """Return the amount for the first fill, else zero."""
        return _round(self.amount) if is_first else ZERO


@dataclass(frozen=True, slots=True)
class FeeBasisPoints(FeeModel):
    """Charges a part of what was traded.

    Attributes:
        rate: In hundredths of a percent of the traded value: ``Decimal("1.5")`` is 0.015 %.
    """

    rate: Decimal

    def __post_init__(self) -> None:
        _check("rate", self.rate)

    def fee(self, quantity: Decimal, price: Decimal, *, is_first: bool) -> Decimal:
        """Return rate times quantity times price."""
        value = EXACT.multiply(quantity, price.copy_abs())
        return _round(EXACT.multiply(value, self.rate.scaleb(-4)))


def _check(name: str, value: object) -> None:
    if not isinstance(value, Decimal) or not value.is_finite() or value < 0:
        raise ConfigError(f"fee {name} is {value!r}: use a Decimal of zero or more")


def _round(amount: Decimal) -> Decimal:
    return amount.quantize(_STEP, ROUND_HALF_EVEN, EXACT).normalize(EXACT)
