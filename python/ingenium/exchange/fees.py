"""Fee models of the simulated exchange."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal

import msgspec

from ingenium.errors import ConfigError
from ingenium.trading import Order
from ingenium.trading.money import EXACT, ZERO

__all__ = [
    "FeeBasisPoints",
    "FeeModel",
    "FeePerOrder",
    "FeePerShare",
    "NoFees",
    "OrderFill",
    "commission",
]

_STEP = Decimal("0.00000001")


class OrderFill(msgspec.Struct, frozen=True, gc=False):
    """A fill and its order, as the input of a fee model.

    Attributes:
        order: The order.
        quantity: Quantity of this fill, in shares or units, positive.
        price: Price of one share or unit.
        filled: Quantity of the order's fills before this one; zero for the first.
        value: Quantity times price of the fills before this one, in the instrument's currency.
    """

    order: Order
    quantity: Decimal
    price: Decimal
    filled: Decimal = ZERO
    value: Decimal = ZERO


class FeeModel(ABC):
    """Charges commissions, in the account's currency and to 8 decimals.

    A custom model defines `fee`. A model that depends on the whole order, such as a minimum per
    order, overrides `commission` too.
    """

    @abstractmethod
    def fee(self, quantity: Decimal, price: Decimal, *, is_first: bool) -> Decimal:
        """Return the commission of one fill.

        Args:
            quantity: Shares or units, positive.
            price: Price of one share or unit.
            is_first: Whether this is the first fill of its order.
        """

    def commission(self, fill: OrderFill) -> Decimal:
        """Return the commission of one fill, which may depend on its order; `fee` by default.

        This must not change the model: the exchange also asks for the cost of hypothetical fills.

        Args:
            fill: The fill, with the earlier fills of its order.
        """
        return self.fee(fill.quantity, fill.price, is_first=not fill.filled)


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
        rate: Fee for one share or unit, such as ``Decimal("0.005")``.
        minimum: Minimum fee of one order, whatever the number of its fills.
    """

    rate: Decimal
    minimum: Decimal = ZERO

    def __post_init__(self) -> None:
        _check("rate", self.rate)
        _check("minimum", self.minimum)

    def fee(self, quantity: Decimal, price: Decimal, *, is_first: bool) -> Decimal:
        """Return rate times quantity, or the minimum: the fee of an order with this fill only."""
        return _round(max(EXACT.multiply(self.rate, quantity), self.minimum))

    def commission(self, fill: OrderFill) -> Decimal:
        """Return the amount that the fill adds to the fee of its order."""
        return _added(self, fill)


@dataclass(frozen=True, slots=True)
class FeePerOrder(FeeModel):
    """Charges once per order, with its first fill.

    Attributes:
        amount: Fee for one order, such as ``Decimal("1.00")``.
    """

    amount: Decimal

    def __post_init__(self) -> None:
        _check("amount", self.amount)

    def fee(self, quantity: Decimal, price: Decimal, *, is_first: bool) -> Decimal:
        """Return the amount for the first fill, else zero."""
        return _round(self.amount) if is_first else ZERO


@dataclass(frozen=True, slots=True)
class FeeBasisPoints(FeeModel):
    """Charges a fraction of the traded value.

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


def commission(model: FeeModel, fill: OrderFill) -> Decimal:
    """Return a model's fee for a fill; also for a model that has `fee` only."""
    by_order = getattr(model, "commission", None)
    if by_order is None:
        return model.fee(fill.quantity, fill.price, is_first=not fill.filled)
    charged: Decimal = by_order(fill)
    return charged


def _added(model: FeeModel, fill: OrderFill) -> Decimal:
    """Return how much a fill raises the fee of its order, charged as if it were a single fill."""
    if not fill.filled:
        return model.fee(fill.quantity, fill.price, is_first=True)
    before = model.fee(fill.filled, fill.price, is_first=True)
    total = model.fee(EXACT.add(fill.filled, fill.quantity), fill.price, is_first=True)
    return EXACT.subtract(total, before)


def _check(name: str, value: object) -> None:
    if not isinstance(value, Decimal) or not value.is_finite() or value < 0:
        raise ConfigError(f"fee {name} is {value!r}: use a Decimal of zero or more")


def _round(amount: Decimal) -> Decimal:
    return amount.quantize(_STEP, ROUND_HALF_EVEN, EXACT).normalize(EXACT)
