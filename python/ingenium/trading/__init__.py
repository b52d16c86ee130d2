"""Trading values: what people write code with, parsed once from events."""

from ingenium.trading.account import Account
from ingenium.trading.bar import Bar
from ingenium.trading.fill import Fill
from ingenium.trading.order import Order
from ingenium.trading.position import Position
from ingenium.trading.report import Report, SentReport
from ingenium.trading.rows import state_digest
from ingenium.trading.trade import Trade
from ingenium.trading.working import WorkingOrder, WorkingOrders

__all__ = [
    "Account",
    "Bar",
    "Fill",
    "Order",
    "Position",
    "Report",
    "SentReport",
    "Trade",
    "WorkingOrder",
    "WorkingOrders",
    "state_digest",
]
