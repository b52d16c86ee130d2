"""Finds the handle of a component."""

from __future__ import annotations

from typing import overload

from ingenium.components.component import Component
from ingenium.components.executor import Executor
from ingenium.components.executor_handle import ExecutorHandle
from ingenium.components.handle import ComponentHandle
from ingenium.components.ingestor import Ingestor, IngestorHandle
from ingenium.components.portfolio import Portfolio
from ingenium.components.portfolio_handle import PortfolioHandle
from ingenium.components.risk_control import RiskControl
from ingenium.components.strategy import Strategy, StrategyHandle

__all__ = ["handle_of", "risk_of"]


@overload
def handle_of(component: Ingestor) -> IngestorHandle: ...
@overload
def handle_of(component: Strategy) -> StrategyHandle: ...
@overload
def handle_of(component: Portfolio) -> PortfolioHandle: ...
@overload
def handle_of(component: Executor) -> ExecutorHandle: ...
@overload
def handle_of(component: Component) -> ComponentHandle: ...
def handle_of(component: Component) -> ComponentHandle:
    """Return the handle of a component; for runners, and tests of them."""
    return component._handle  # noqa: SLF001 - the one way from a component to its handle


def risk_of(component: Component) -> RiskControl | None:
    """Return the risk control of a portfolio or executor; ``None`` for other components."""
    handle = handle_of(component)
    return handle.risk if isinstance(handle, PortfolioHandle | ExecutorHandle) else None
