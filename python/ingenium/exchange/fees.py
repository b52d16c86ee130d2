"""What the simulated exchange charges for a fill."""

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
    """A fill and the order that it belongs to, as a fee model sees them.

    Attributes:
        order: The order.
        quantity: Of this fill, in shares or units, positive.
        price: Of one share or unit.
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

    Your own defines `fee`. One that depends on the whole order, such as a minimum per order,
    overrides `commission` too.
    """

    @abstractmethod
    def fee(self, quantity: Decimal, price: Decimal, *, is_first: bool) -> Decimal:
        """Return the commission of one fill.

        Args:
            quantity: Shares or units, positive.
            price: Of one share or unit.
            is_first: Whether it is the first fill of its order.
        """

    def commission(self, fill: OrderFill) -> Decimal:
        """Return the commission of one fill, which may depend on its order; `fee` by default.

        It must not change the model: the exchange also asks what a fill would cost.

        Args:
            fill: The fill, and what its order had filled before.
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
        rate: For one share or unit, such as ``Decimal("0.005")``.
        minimum: The least that one order costs, whatever the number of its fills.
    """

    rate: Decimal
    minimum: Decimal = ZERO

    def __post_init__(self) -> None:
        _check("rate", self.rate)
        _check("minimum", self.minimum)

    def fee(self, quantity: Decimal, price: Decimal, *, is_first: bool) -> Decimal:
        """Return rate times quantity, or the minimum: the cost of an order with this fill alone."""
        return _round(max(EXACT.multiply(self.rate, quantity), self.minimum))

    def commission(self, fill: OrderFill) -> Decimal:
        """Return what the fill adds to the cost of its order."""
        return _added(self, fill)


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


def commission(model: FeeModel, fill: OrderFill) -> Decimal:
    """Return what a model charges for a fill; also one that has `FeeModel.fee` and nothing else."""
    by_order = getattr(model, "commission", None)
    if by_order is None:
        return model.fee(fill.quantity, fill.price, is_first=not fill.filled)
    charged: Decimal = by_order(fill)
    return charged


def _added(model: FeeModel, fill: OrderFill) -> Decimal:
    """Return by how much a fill raises what a model charges for an order that is one fill."""
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
