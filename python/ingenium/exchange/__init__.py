"""The simulated exchange: fills orders from bars, with fees and slippage."""

from ingenium.exchange.calendars import AlwaysOpen, Calendar, RegularHours, Session
from ingenium.exchange.exchange_calendar import ExchangeCalendar
from ingenium.exchange.fees import (
    FeeBasisPoints,
    FeeModel,
    FeePerOrder,
    FeePerShare,
    NoFees,
    OrderFill,
)
from ingenium.exchange.fill_counters import FillCounters
from ingenium.exchange.fill_policy import FillPolicy
from ingenium.exchange.paper_exchange import PaperExchange
from ingenium.exchange.slippage import (
    NoSlippage,
    SlippageBasisPoints,
    SlippageModel,
    SlippageTicks,
    SlippageVolumeShare,
)
from ingenium.trading.execution_report import ExecutionReport

__all__ = [
    "AlwaysOpen",
    "Calendar",
    "ExchangeCalendar",
    "FillCounters",
    "FeeBasisPoints",
    "FeeModel",
    "FeePerOrder",
    "FeePerShare",
    "FillPolicy",
    "NoFees",
    "NoSlippage",
    "OrderFill",
    "PaperExchange",
    "RegularHours",
    "ExecutionReport",
    "Session",
    "SlippageBasisPoints",
    "SlippageModel",
    "SlippageTicks",
    "SlippageVolumeShare",
]
