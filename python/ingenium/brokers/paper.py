"""An executor on the simulated exchange."""

from __future__ import annotations

from collections.abc import Iterable

from ingenium.components.executor import Executor
from ingenium.errors import InvalidOrderError, SubjectError
from ingenium.events import DataEvent, ExecutionEvent, OrderEvent, Side, TradeUpdate
from ingenium.exchange import FeeModel, FillPolicy, PaperExchange, Report, SlippageModel
from ingenium.subjects import check_symbol
from ingenium.trading import Bar, Order

__all__ = ["PaperExecutor"]


class PaperExecutor(Executor):
    """Works orders on a simulated exchange, fed by the app's own market data.

    Args:
        policy: The rules of filling; ``conservative-v1`` when left out.
        fees: What a fill costs; nothing when left out.
        slippage: How far market fills slip; not at all when left out.
        name: See `Component`.

    Raises:
        ComponentError: The name does not fit.
    """

    def __init__(
        self,
        policy: FillPolicy | None = None,
        *,
        fees: FeeModel | None = None,
        slippage: SlippageModel | None = None,
        name: str = "paper",
    ) -> None:
        super().__init__(name)
        self.exchange = PaperExchange(policy, fees=fees, slippage=slippage)

    def on_data(self, event: DataEvent) -> None:
        """Match a bar against the orders of its symbol; parses it only if there are any."""
        ohlc = event.ohlc
        if ohlc is not None and self.exchange.is_waiting(event.symbol, ohlc.close):
            self.on_bar(Bar.from_event(event))

    def on_bar(self, bar: Bar) -> None:
        """Match a bar against the orders of its symbol."""
        self._send_all(self.exchange.on_bar(bar))

    def on_order(self, event: OrderEvent) -> None:
        """Take an order; one that cannot be read is rejected by an execution."""
        try:
            order = Order.from_event(event)
        except InvalidOrderError as error:
            self.send_execution(_rejection(event, str(error)))
            return
        self._send_all(self.exchange.submit(order, self.now))

    def _send_all(self, reports: Iterable[Report]) -> None:
        for report in reports:
            self.send_execution(report.to_event())


def _rejection(event: OrderEvent, reason: str) -> ExecutionEvent:
    try:
        check_symbol(event.symbol)
        symbol = event.symbol
    except SubjectError:
        # An execution cannot carry it either; the order id names it.
        symbol = ""
    return ExecutionEvent(
        order_id=event.id,
        symbol=symbol,
        side=event.side if event.side in set(Side) else None,
        update=TradeUpdate.REJECTED.value,
        leaves_quantity="0",
        reason=reason,
    )
