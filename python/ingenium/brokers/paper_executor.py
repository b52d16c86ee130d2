"""An executor on the simulated exchange."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from types import MappingProxyType
from typing import ClassVar, Literal

from ingenium.components.data_time import DataTime, is_of_the_past
from ingenium.components.executor import Executor
from ingenium.components.executor_handle import ExecutorHandle, ExecutorHandlers
from ingenium.components.handle import Handled
from ingenium.components.order_contents import CONTENT
from ingenium.components.overrides import overrides_of
from ingenium.errors import ConfigError, InvalidOrderError
from ingenium.events import CancelEvent, DataEvent, OrderEvent, ReplaceEvent
from ingenium.exchange import (
    Calendar,
    ExecutionReport,
    FeeModel,
    FillPolicy,
    PaperExchange,
    SlippageModel,
)
from ingenium.state.rows import LogRow, read_row, row_time, write_json
from ingenium.trading import Bar, Order
from ingenium.trading.account import LARGEST_PRICE
from ingenium.trading.money import Number

__all__ = ["PaperExecutor"]

_TIME = "time"
_NO_TIME = "no bar has come yet, and this exchange tells the time by bars: clock='data'"
_WORKED = "orders are filled on the time of the bars"
_NOT_FILLED = (
    "orders are filled only by bars that begin after they arrive, so these bars fill no order: "
    "use PaperExecutor(clock='data') to fill orders on the time of the bars"
)


class PaperExecutor(Executor):
    """Works orders on a simulated exchange, fed by the app's own market data.

    Args:
        policy: The rules of filling; ``conservative-v1`` when left out.
        fees: Fees of a fill; none when left out.
        slippage: Slippage of market fills; none when left out.
        calendar: Trading hours, for all symbols or by symbol; whenever there are bars when left
            out.
        cash: Cash that the account may spend, without margin; no limit when left out. Use the
            initial cash of the portfolio.
        allow_short: Whether the account may sell short.
        on_insufficient_cash: Treatment of an order that the account cannot pay for in full at the
            price of its fill, or that sells more than is held where that is not allowed:
            ``"reduce"`` (the default) fills what it can pay for with fees, in whole shares for an
            order of whole shares, and cancels the rest; ``"reject"`` rejects the order.
        clock: The time by which orders are worked on live data. ``"wall"`` (the default): an order
            is filled by bars that begin after it came. ``"data"``, for history that is sent live:
            the time is the latest end of a bar, of any symbol, so an order is filled by the bars
            that follow the last one before it. Backtests and replays are always by the data.
        name: See `Component`.

    Raises:
        ComponentError: The name does not fit.
        ConfigError: The cash is negative or no finite number; ``on_insufficient_cash`` or
            ``clock`` is unknown.
    """

    _handle: PaperHandle

    def __init__(
        self,
        policy: FillPolicy | None = None,
        *,
        fees: FeeModel | None = None,
        slippage: SlippageModel | None = None,
        calendar: Calendar | Mapping[str, Calendar] | None = None,
        cash: Number | None = None,
        allow_short: bool = True,
        on_insufficient_cash: Literal["reduce", "reject"] = "reduce",
        clock: Literal["wall", "data"] = "wall",
        name: str = "paper",
    ) -> None:
        if clock not in ("wall", "data"):
            raise ConfigError(
                f"clock is {clock!r}: use 'wall', or 'data' for history that is sent live"
            )
        self.exchange = PaperExchange(
            policy,
            fees=fees,
            slippage=slippage,
            calendar=calendar,
            cash=cash,
            allow_short=allow_short,
            on_insufficient_cash=on_insufficient_cash,
        )
        self._data_time = DataTime()
        self._placed_by_wall: dict[str, dict[str, datetime]] = {}
        super().__init__(name)
        self._handle.is_on_data_time = clock == "data"
        self.risk.effect_of_old_data = _WORKED if clock == "data" else _NOT_FILLED

    def _make_handle(self) -> PaperHandle:
        own = overrides_of(self, PaperExecutor)
        return PaperHandle(
            self,
            self.exchange,
            self._data_time,
            self._work,
            own_data="on_data" in own,
            own_bars="on_bar" in own,
            own_orders="on_order" in own,
            own_sends="send_execution" in own,
        )

    def on_data(self, event: DataEvent) -> Handled:
        """Match a bar against the orders of its symbol; parses it only if there are any."""
        ohlc = event.ohlc
        if ohlc is not None and self._follows_data:
            self._see(Bar.from_event(event, self.now))
        if ohlc is not None and (
            self.exchange.is_waiting(event.symbol, ohlc.close) or self._handle.reads_all_bars
        ):
            return self.on_bar(Bar.from_event(event, self.now))
        return None

    def on_bar(self, bar: Bar) -> Handled:
        """Match a bar against the orders of its symbol."""
        self._send_all(self.exchange.on_bar(bar, knows_instants=self._handle.knows_instants))
        return None

    def on_order(self, event: OrderEvent) -> None:
        """Work an order; an unreadable one is rejected by an execution."""
        try:
            order = Order.from_event(event)
        except InvalidOrderError as error:
            self.exchange.notes.rejected_orders += 1
            self.reject(event, str(error))
            return
        self._work(order)

    def _work(self, order: Order) -> None:
        if denial := self.risk.admit(order):
            self.exchange.notes.rejected_orders += 1
            self.reject(order.to_event(), str(denial))
        elif not self._follows_data:
            self._send_all(self.exchange.submit(order, self.now))
        else:
            self._work_on_data_time(order)

    def on_cancel(self, event: CancelEvent) -> None:
        """Cancel an order; where there is none, the request is rejected by an execution."""
        reports = self.exchange.cancel(event.order_id, self._exchange_time)
        if reports:
            self._send_all(reports)
        else:
            self.reject(event, self.exchange.why_unknown(event.order_id))

    def on_replace(self, event: ReplaceEvent) -> None:
        """Replace an order; where that is impossible, the new one is rejected by an execution."""
        old = self.exchange.order(event.order_id)
        if old is None:
            self.reject(event, self.exchange.why_unknown(event.order_id))
            return
        try:
            order = old.replaced_by(event)
        except InvalidOrderError as error:
            self.reject(event, str(error))
            return
        if denial := self.risk.admit(order, replaces=old):
            self.reject(event, str(denial))
            return
        self._send_all(self.exchange.replace(old.id, order, self._exchange_time))

    # The time of the data.

    @property
    def _follows_data(self) -> bool:
        # In a replay the present time is that of the data.
        return self._handle.is_on_data_time and self._handle.clock is not None

    @property
    def _exchange_time(self) -> datetime:
        return (self._follows_data and self._data_time.latest) or self.now

    def _see(self, bar: Bar) -> None:
        """Record a bar; an order made after its publication comes after it."""
        published = self._data_time.see(bar, self.now)
        orders = self._placed_by_wall.get(bar.symbol)
        if not orders:
            return
        for order_id, made in list(orders.items()):
            is_behind = published is not None and published <= made
            if not is_behind or not self.exchange.postpone(order_id, bar.end):
                del orders[order_id]

    def _work_on_data_time(self, order: Order) -> None:
        """Take an order at the time of the data that caused it; bars may have passed since."""
        made = order.timestamp or self.now
        is_stated = is_of_the_past(made, self.now)
        time = made if is_stated else self._data_time.at(made)
        if time is None or self._data_time.latest is None:
            self.exchange.notes.rejected_orders += 1
            self.reject(order.to_event(), _NO_TIME)
            return
        bars = self._data_time.bars_around(order.symbol, time)
        self._send_all(self.exchange.submit_late(order, time, bars))
        if not is_stated:
            self._placed_by_wall.setdefault(order.symbol, {})[order.id] = made

    def _send_all(self, reports: Iterable[ExecutionReport]) -> None:
        for report in reports:
            self._handle.send_report(report)


class PaperHandle(ExecutorHandle):
    """Handle of a paper executor.

    Its rows, beside those of every executor, are those of `PaperExchange`, and ``time``: the latest
    end of a bar.

    Args:
        executor: The executor.
        exchange: Its exchange.
        data_time: The time of the bars.
        work: Works a validated order.
        own_data: Whether the class overrides ``on_data``.
        own_bars: Whether the class overrides ``on_bar``.
        own_orders: Whether the class overrides ``on_order``.
        own_sends: Whether the class overrides ``send_execution``.
    """

    own_rows: ClassVar[Collection[str]] = (_TIME, *ExecutorHandle.own_rows)
    log_kept: ClassVar[Mapping[str, int]] = MappingProxyType(
        {"seen": 10_000} | dict(ExecutorHandle.log_kept)
    )
    """Number of latest order ids to restore; older ones count as unknown."""

    def __init__(
        self,
        executor: ExecutorHandlers,
        exchange: PaperExchange,
        data_time: DataTime,
        work: Callable[[Order], None],
        *,
        own_data: bool,
        own_bars: bool,
        own_orders: bool,
        own_sends: bool,
    ) -> None:
        super().__init__(executor, own_data=own_data, own_sends=own_sends)
        self.takes_bars = not own_data
        """Whether a bar that no order waits for needs no handler."""
        self.reads_all_bars = own_bars
        """Whether a handler wants each bar, not only those that an order waits for."""
        self._takes_orders = not own_orders
        self._exchange = exchange
        self._data_time = data_time
        self._work = work
        self._saved_time: datetime | None = None

    def observe(self, bar: Bar) -> bool:
        """Take the last price; return whether an order waits for the bar."""
        gate = self.risk.gate
        if gate is not None:
            if gate.watches_data or bar.close >= LARGEST_PRICE:
                return True
            self.risk.account.account.mark_bar(bar)
        waits = self._exchange.is_waiting(bar.symbol, bar)
        return waits or self.reads_all_bars or not self.takes_bars

    def handle_bar(self, bar: Bar) -> Handled:
        """Match a bar against the orders of its symbol, if there are any."""
        if not self.takes_bars:
            return self._executor.on_data(bar.event)
        waits = self._exchange.is_waiting(bar.symbol, bar)
        return self._executor.on_bar(bar) if waits or self.reads_all_bars else None

    @property
    def is_holding(self) -> bool:
        """Whether orders wait for the rest of this instant."""
        return self._exchange.is_holding

    def end_instant(self) -> Handled:
        """Work the orders that waited for the rest of this instant."""
        for report in self._exchange.end_instant():
            self.send_report(report)
        return None

    def handle_order(self, order: Order) -> Handled:
        """Work a validated order."""
        if not self._takes_orders:
            return super().handle_order(order)
        self._work(order)
        return None

    # Saving; `ExchangeBooks` names the rows.

    def state_rows(self) -> dict[str, bytes]:
        """Return the complete state of this executor and its exchange."""
        rows = super().state_rows() | self._exchange.state_rows()
        if self._data_time.latest is not None:
            rows[_TIME] = write_json(row_time(self._data_time.latest))
        return rows

    def changed_rows(self) -> dict[str, bytes | None]:
        """Return the rows that have changed since the last call; all of them the first time."""
        changes = super().changed_rows() | self._exchange.changed_rows()
        latest = self._data_time.latest
        if latest is not None and latest != self._saved_time:
            self._saved_time = latest
            changes[_TIME] = write_json(row_time(latest))
        return changes

    def restore_rows(self, rows: Mapping[str, bytes]) -> None:
        """Restore the rows of `state_rows`, on an executor that has handled nothing."""
        own = {k: data for k, data in rows.items() if k.partition("/")[0] in self.own_rows}
        self._exchange.restore_rows({key: rows[key] for key in rows if key not in own})
        super().restore_rows(own)

    def _restore_row(self, key: str, data: bytes) -> None:
        if key == _TIME:
            self._data_time.latest = self._saved_time = read_row(datetime, data, key)
        else:
            super()._restore_row(key, data)

    def take_log(self) -> list[LogRow]:
        """Return ids of orders that are new since the last call, as ``seen``."""
        return self._exchange.take_log() + super().take_log()

    def left_of(self, order_id: str) -> Decimal:
        """Return the remaining quantity of a working order; 0 when none has that id."""
        return self._exchange.left_of(order_id)

    def restore_log(self, rows: Iterable[LogRow]) -> None:
        """Restore rows of `take_log`; an order that is left out counts as unknown."""
        rows = list(rows)
        self._exchange.restore_log(row for row in rows if row[0] != CONTENT)
        super().restore_log(row for row in rows if row[0] == CONTENT)
