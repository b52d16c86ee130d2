"""A harsher exchange than the app's own, to test how much of a result remains."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal

from ingenium.brokers import PaperExecutor
from ingenium.components import App
from ingenium.exchange import (
    FeeBasisPoints,
    FeeModel,
    FillPolicy,
    OrderFill,
    SlippageBasisPoints,
    SlippageModel,
)
from ingenium.exchange.fees import commission
from ingenium.trading.money import EXACT

__all__ = ["STRESS", "stress_exchange"]

STRESS = (
    "Fees and slippage are doubled, and are 5 basis points of the traded value each at the least; "
    "limit orders have to be traded through, and never get a better price than their limit; "
    "an order gets half of its part of a bar's volume, and 5 % at the most."
)
"""Description of the harsher exchange."""

_LEAST_FEES = FeeBasisPoints(Decimal(5))
_LEAST_SLIPPAGE = SlippageBasisPoints(Decimal(5))
_CAP = Decimal("0.05")
_TWO = Decimal(2)


@dataclass(frozen=True, slots=True)
class StressedFees(FeeModel):
    """Twice the fees of another model, and at least 5 basis points.

    Attributes:
        model: The other model.
    """

    model: FeeModel

    def fee(self, quantity: Decimal, price: Decimal, *, is_first: bool) -> Decimal:
        """Return the commission of one fill."""
        twice = EXACT.multiply(self.model.fee(quantity, price, is_first=is_first), _TWO)
        return max(twice, _LEAST_FEES.fee(quantity, price, is_first=is_first))

    def commission(self, fill: OrderFill) -> Decimal:
        """Return the commission of one fill, twice that of the other model for its order."""
        twice = EXACT.multiply(commission(self.model, fill), _TWO)
        return max(twice, _LEAST_FEES.commission(fill))


@dataclass(frozen=True, slots=True)
class StressedSlippage(SlippageModel):
    """Twice the slippage of another model, and at least 5 basis points.

    Attributes:
        model: The other model.
    """

    model: SlippageModel

    def distance(self, price: Decimal, quantity: Decimal, volume: Decimal) -> Decimal:
        """Return the slippage of the price."""
        twice = EXACT.multiply(self.model.distance(price, quantity, volume), _TWO)
        return max(twice, _LEAST_SLIPPAGE.distance(price, quantity, volume))


def stressed_policy(policy: FillPolicy) -> FillPolicy:
    """Return a fill policy that is harsher than ``policy``."""
    cap = policy.volume_cap
    return replace(
        policy,
        touch_fills=False,
        price_improvement=False,
        volume_cap=_CAP if cap is None else min(EXACT.divide(cap, _TWO), _CAP),
        name="",
    )


def stress_exchange(app: App) -> bool:
    """Make a fresh app's paper exchange use harsher rules.

    Returns:
        Whether the app has a paper exchange.
    """
    executor = app.executor
    if not isinstance(executor, PaperExecutor):
        return False
    exchange = executor.exchange
    exchange.policy = stressed_policy(exchange.policy)
    exchange.fees = StressedFees(exchange.fees)
    exchange.slippage = StressedSlippage(exchange.slippage)
    return True
