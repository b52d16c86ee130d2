"""Limits of risk, the gate that holds orders against them, and the switch of trading."""

from ingenium.risk.balance import OrderBalance
from ingenium.risk.book import ExecutorBook
from ingenium.risk.denial import Denial
from ingenium.risk.exits import DeniedExit, exit_note, only_reduces
from ingenium.risk.gate import RiskGate
from ingenium.risk.limits import IsOpen, RiskLimits
from ingenium.risk.oddities import oddity
from ingenium.risk.switch import STRICTNESS, Standing, TradingSwitch, is_operator, state_of
from ingenium.risk.view import AccountView, TrackedView

__all__ = [
    "STRICTNESS",
    "AccountView",
    "Denial",
    "DeniedExit",
    "ExecutorBook",
    "IsOpen",
    "OrderBalance",
    "RiskGate",
    "RiskLimits",
    "Standing",
    "TrackedView",
    "TradingSwitch",
    "exit_note",
    "is_operator",
    "oddity",
    "only_reduces",
    "state_of",
]
