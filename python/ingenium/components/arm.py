"""Adds the risk gate to a component."""

from __future__ import annotations

from ingenium.components.component import Component, role_of
from ingenium.components.data_age import DataAge
from ingenium.components.handle_of import risk_of
from ingenium.risk import RiskGate, RiskLimits

__all__ = ["arm"]


def arm(
    component: Component, limits: RiskLimits | None = None, *, is_simulated: bool = False
) -> RiskGate | None:
    """Add the risk gate to a component that orders pass, before its first event.

    Args:
        component: Portfolios and executors get one.
        limits: Limits of the app; the standard ones when left out.
        is_simulated: Whether it is to run in a backtest or replay.

    Returns:
        The gate, into which saved state can be restored; ``None`` for other components.
    """
    risk = risk_of(component)
    if risk is None:
        return None
    limits = RiskLimits() if limits is None else limits
    if role_of(component) == "executor":
        limits = limits.for_executor()
        if not is_simulated:
            risk.data_age = DataAge()
    risk.is_simulated = is_simulated
    risk.gate = RiskGate(limits, component.name)
    return risk.gate
