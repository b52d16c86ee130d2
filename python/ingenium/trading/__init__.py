"""Trading values: the types that user code works with, parsed once from events."""

from ingenium.state.rows import state_digest
from ingenium.trading.account import Account
from ingenium.trading.bar import Bar
from ingenium.trading.execution_report import ExecutionReport, LazyExecution
from ingenium.trading.fill import Fill
from ingenium.trading.order import Order
from ingenium.trading.position import Position
from ingenium.trading.trade import Trade
from ingenium.trading.working_orders import WorkingOrder, WorkingOrders

__all__ = [
    "Account",
    "Bar",
    "Fill",
    "Order",
    "Position",
    "ExecutionReport",
    "LazyExecution",
    "Trade",
    "WorkingOrder",
    "WorkingOrders",
    "state_digest",
]
