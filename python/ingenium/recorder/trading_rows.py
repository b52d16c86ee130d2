"""Book recorded fills, and make rows of the resulting positions, account and trades."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable, Mapping

from ingenium.errors import DecodeError
from ingenium.events import ExecutionEvent, OrderEvent
from ingenium.recorder.instants import datetime_of, nanoseconds
from ingenium.recorder.schema import Rows
from ingenium.state.rows import read_row
from ingenium.trading.account import Account
from ingenium.trading.fill import Fill
from ingenium.trading.recent_ids import RecentIds
from ingenium.trading.trade import Trade

__all__ = ["TradingRows"]

_log = logging.getLogger("ingenium.recorder")
_REMEMBERED = 10_000

OrderFinder = Callable[[str], tuple[str, str] | None]
"""Finds symbol and side of an order recorded earlier."""
FillFinder = Callable[[str, str], bool]
"""Returns whether a fill, by its id and that of its order, is already recorded."""


class TradingRows:
    """The account of one scope, computed from its executions.

    Args:
        scope: Name of the scope.
        saved: Rows returned by `take_changes` before.
        times: When each symbol's position last changed, in nanoseconds since 1970.
        find_order: Used for executions that do not state symbol or side.
        has_fill: Used for a fill whose id is not among the last booked.
    """

    def __init__(
        self,
        scope: str,
        saved: Mapping[str, bytes],
        times: Mapping[str, int],
        find_order: OrderFinder = lambda _id: None,
        has_fill: FillFinder = lambda _id, _order_id: False,
    ) -> None:
        self.scope = scope
        self._account = Account(0)
        self._account.restore(saved)
        self._account.take_touched()
        self._times = dict(times)
        self._find_order = find_order
        self._has_fill = has_fill
        self._orders: OrderedDict[str, tuple[str, str]] = OrderedDict()
        self._booked = RecentIds(_REMEMBERED)

    def add_order(self, event: OrderEvent) -> None:
        """Store symbol and side of an order, for executions that do not state them."""
        if len(self._orders) >= _REMEMBERED:
            # A plain dict searches its beginning for the oldest entry, ever longer.
            self._orders.popitem(last=False)
        self._orders[event.id] = event.symbol, event.side

    def book(
        self, rows: Rows, stream: str, sequence: int, event: ExecutionEvent, time: int
    ) -> bool:
        """Book an execution.

        Args:
            rows: Receives the change of the position, the account, and the trade that it closes.
            stream: Name of the stream in the database.
            sequence: Sequence of the execution in the stream.
            event: The execution.
            time: When it was executed, in nanoseconds since 1970.

        Returns:
            Whether it is a fill that was not booked before.
        """
        if not (event.symbol and event.side):
            symbol, side = (
                self._orders.get(event.order_id) or self._find_order(event.order_id) or ("", "")
            )
            event.symbol, event.side = event.symbol or symbol, event.side or side
        try:
            fill = Fill.from_event(event, time=datetime_of(time))
        except DecodeError as error:
            _log.warning("execution %d of %s is not booked: %s", sequence, stream, error)
            return False
        if fill is None:
            return False
        if fill.id and (not self._booked.add(fill.id) or self._has_fill(fill.id, fill.order_id)):
            return False
        account, symbol = self._account, fill.symbol
        account.book(fill)
        time = self._times[symbol] = max(time, self._times.get(symbol, time))
        position = account.position(symbol)
        rows.setdefault("position_changes", []).append(
            (
                stream,
                sequence,
                symbol,
                time,
                format(position.quantity, "f"),
                format(position.cost, "f"),
                format(position.realized_pnl, "f"),
            )
        )
        rows.setdefault("account_snapshots", []).append(
            (
                stream,
                sequence,
                time,
                format(account.cash, "f"),
                format(account.realized_pnl, "f"),
                format(account.commissions, "f"),
            )
        )
        for kind, number, data in account.take_log():
            trade = read_row(Trade, data, f"{kind} {number}")
            rows.setdefault("trades", []).append(
                (
                    stream,
                    sequence,
                    int(number),
                    fill.order_id,
                    symbol,
                    time,
                    trade.side.value,
                    nanoseconds(trade.entry_time),
                    format(trade.quantity, "f"),
                    format(trade.entry_price, "f"),
                    format(trade.exit_price, "f"),
                    format(trade.pnl, "f"),
                    format(trade.commission, "f"),
                    trade.exit_fills,
                )
            )
        return True

    def all_rows(self) -> list[tuple[str, str, bytes]]:
        """Return all rows of the account, for `BOOKS`."""
        if not self._account.bookings:
            return []
        return [
            (self.scope, name, data)
            for section in self._account.sections()
            for name, data in self._account.rows_of(section).items()
        ]

    def take_changes(self) -> list[tuple[str, str, bytes]]:
        """Return the rows of the account that have changed since the last call, for `BOOKS`."""
        touched = self._account.take_touched() or ()
        if not any(touched):
            return []
        return [
            (self.scope, name, data)
            for section in touched
            for name, data in self._account.rows_of(section).items()
        ]
