"""Risk limits, the risk gate that checks orders against them, and the trading switch."""

from ingenium.risk.account_view import AccountView, TrackedView
from ingenium.risk.denial import Denial
from ingenium.risk.execution_checks import oddity
from ingenium.risk.executor_account import ExecutorAccount
from ingenium.risk.gate import RiskGate
from ingenium.risk.limits import IsOpen, RiskLimits
from ingenium.risk.order_balance import OrderBalance
from ingenium.risk.reducing_orders import DeniedExit, exit_note, only_reduces
from ingenium.risk.trading_switch import STRICTNESS, Standing, TradingSwitch, is_operator, state_of

__all__ = [
    "STRICTNESS",
    "AccountView",
    "Denial",
    "DeniedExit",
    "ExecutorAccount",
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
