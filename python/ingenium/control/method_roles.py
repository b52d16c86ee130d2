"""Which role each method needs. A method that is not in the table is refused."""

from __future__ import annotations

from collections.abc import Mapping

from ingenium.control.callers import AccessRole

__all__ = ["METHOD_ROLES", "OPEN_SERVICES", "role_for"]

_READ, _OPERATE, _TRADE = AccessRole.READ, AccessRole.OPERATE, AccessRole.TRADE

METHOD_ROLES: Mapping[str, AccessRole] = {
    "AppService/GetApp": _READ,
    "AppService/ListApps": _READ,
    "BacktestService/CancelBacktest": _OPERATE,
    "BacktestService/CompareBacktests": _READ,
    "BacktestService/GetBacktest": _READ,
    "BacktestService/GetBacktestFile": _READ,
    "BacktestService/ListBacktests": _READ,
    "BacktestService/StartBacktest": _OPERATE,
    "BacktestService/WatchBacktest": _READ,
    "ComponentService/CommandComponent": _OPERATE,
    "ComponentService/ListComponents": _READ,
    "DataService/ListBars": _READ,
    "DataService/ListSymbols": _READ,
    "EventService/ListDeadLetters": _READ,
    "EventService/ListEvents": _READ,
    # An order in a dead letter needs the role trade: the service checks it.
    "EventService/RetryDeadLetter": _OPERATE,
    "ParityService/GetParity": _OPERATE,
    "PortfolioService/GetEquityHistory": _READ,
    "PortfolioService/GetPortfolio": _READ,
    "PortfolioService/ListPositions": _READ,
    "PortfolioService/ListProfit": _READ,
    "SessionService/GetSession": _READ,
    "SessionService/CreateLogin": _READ,
    "SessionService/EndSession": _READ,
    "SessionService/GetHealth": _READ,
    "SweepService/CancelSweep": _OPERATE,
    "SweepService/GetSweep": _READ,
    "SweepService/ListSweeps": _READ,
    "SweepService/StartSweep": _OPERATE,
    "TradingService/GetOverview": _READ,
    "TradingService/GetTradingState": _READ,
    "TradingService/HaltTrading": _OPERATE,
    "TradingService/ResumeTrading": _TRADE,
    "TransactionService/ExportTransactions": _READ,
    "TransactionService/GetOrderStory": _READ,
    "TransactionService/ListDenials": _READ,
    "TransactionService/ListTransactions": _READ,
    "WatchService/Watch": _READ,
}
"""Least role by service and method."""

OPEN_SERVICES = (
    "grpc.health.v1.Health",
    "grpc.reflection.v1.ServerReflection",
    "grpc.reflection.v1alpha.ServerReflection",
)
"""Standard services beside these; they need the role read."""


def role_for(service: str, method: str) -> AccessRole | None:
    """Return the least role for a method; ``None`` if nobody may call it.

    Args:
        service: Full name of the service.
        method: Name of the method.
    """
    if service in OPEN_SERVICES:
        return AccessRole.READ
    return METHOD_ROLES.get(f"{service.rpartition('.')[2]}/{method}")
