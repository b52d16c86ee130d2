"""Handle of a portfolio: its books, its execution booker and its risk gate."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping
from types import MappingProxyType
from typing import ClassVar, Protocol

from ingenium.components.execution_booker import ExecutionBooker
from ingenium.components.handle import ComponentHandle, Handled
from ingenium.components.portfolio_books import LOG_KEPT, PortfolioBooks
from ingenium.components.portfolio_risk import DenialHandlers, PortfolioRisk
from ingenium.components.risk_control import GATE
from ingenium.errors import DecodeError
from ingenium.events import (
    ControlEvent,
    DataEvent,
    DenialReason,
    Event,
    ExecutionEvent,
    Signal,
    SignalEvent,
)
from ingenium.state.rows import LogRow
from ingenium.trading.account import LARGEST_PRICE
from ingenium.trading.bar import Bar
from ingenium.trading.execution_report import LazyExecution
from ingenium.trading.money import Number
from ingenium.trading.tally import Tally

__all__ = ["PortfolioHandle", "PortfolioHandlers"]

_log = logging.getLogger("ingenium.portfolio")

_REMEMBERED_PROBLEMS = 1_000


class PortfolioHandlers(DenialHandlers, Protocol):
    """The event handlers of a portfolio."""

    @property
    def name(self) -> str:
        """Its name."""
        ...

    @property
    def max_data_age_seconds(self) -> float | None:
        """Age above which live market data is skipped, in seconds; ``None`` for never."""
        ...

    def on_data(self, event: DataEvent) -> Handled:
        """Handle an event of market data."""
        ...

    def on_bar(self, bar: Bar) -> Handled:
        """Handle a bar."""
        ...

    def on_signal(self, event: SignalEvent) -> Handled:
        """Handle a signal."""
        ...

    def on_execution(self, event: ExecutionEvent) -> Handled:
        """Handle a report on an order."""
        ...

    def report_problem(self, text: str) -> None:
        """Report a problem to an operator."""
        ...


class PortfolioHandle(ComponentHandle):
    """Handle of a portfolio.

    Its rows, beside those of every component, are those of `PortfolioBooks`, and ``gate``: the
    state of its risk gate.

    Args:
        portfolio: The portfolio.
        cash: Initial cash of the account.
        own_data: Whether its class overrides ``on_data``.
        own_bars: Whether its class overrides ``on_bar``.
        own_executions: Whether its class overrides ``on_execution``.
    """

    own_rows: ClassVar[Collection[str]] = (GATE, *ComponentHandle.own_rows)
    log_kept: ClassVar[Mapping[str, int]] = MappingProxyType(LOG_KEPT)

    def __init__(
        self,
        portfolio: PortfolioHandlers,
        cash: Number,
        *,
        own_data: bool,
        own_bars: bool,
        own_executions: bool,
    ) -> None:
        super().__init__(portfolio.name, "portfolio")
        self._portfolio = portfolio
        self._takes_bars = not own_data
        self._reads_data = own_data or own_bars
        self._takes_reports = not own_executions
        self.books = PortfolioBooks(cash)
        """Account and orders."""

        def report(text: str) -> None:
            # Looked up for each, since a class may override it.
            portfolio.report_problem(text)

        self.risk: PortfolioRisk = PortfolioRisk(self, self.books, report, portfolio)
        """The risk gate."""
        self.booker = ExecutionBooker(self, self.books, self.risk, report)
        """Takes executions into the books."""
        self.problems: deque[str] = deque(maxlen=_REMEMBERED_PROBLEMS)
        """Events that could not be booked or acted upon, one line each; the last 1,000."""
        self._tally = Tally()
        self._sources: list[Callable[[int], list[str]]] = []

    @property
    def max_data_age_seconds(self) -> float | None:
        """Age above which live market data is skipped, in seconds; ``None`` for never."""
        return self._portfolio.max_data_age_seconds

    def note_problem(self, text: str) -> None:
        """Log a line and keep it in `problems`."""
        self.problems.append(text)
        self._tally.add(text, self.now)
        _log.warning("%s: %s", self.name, text)

    def add_complaints(self, source: Callable[[int], list[str]]) -> None:
        """Add a source of lines before `complaints`, called with the maximum number of lines."""
        self._sources.append(source)

    def complaints(self, most: int) -> list[str]:
        """Return all problems so far, grouped by kind, as lines for a result.

        Args:
            most: The maximum number of kinds.
        """
        own = [line for source in self._sources for line in source(most)]
        return own + self._tally.lines(most)

    # Events.

    def handle_data(self, event: DataEvent) -> Handled:
        """Book the price, then call `on_data` if it or `on_bar` is overridden."""
        ohlc = event.ohlc
        if ohlc is not None:
            try:
                self.books.account.mark(event.symbol, ohlc.close)
            except DecodeError as error:
                self._report_price(event.symbol, error)
            if self.risk.gate is not None:
                self.risk.observe(event)
        return self._portfolio.on_data(event) if self._reads_data else None

    def observe(self, bar: Bar) -> bool:
        """Book a bar's price; return whether `handle_bar` has to be called."""
        if self._reads_data or bar.close >= LARGEST_PRICE:
            return True
        if self.risk.gate is not None and self.risk.gate.watches_data:
            return True
        self.books.account.mark_bar(bar)
        return False

    def handle_bar(self, bar: Bar) -> Handled:
        """Handle a bar like `handle_data` its event, which has not been made yet."""
        try:
            self.books.account.mark_bar(bar)
        except DecodeError as error:
            self._report_price(bar.symbol, error)
        if not self._reads_data:
            return None
        return (
            self._portfolio.on_bar(bar) if self._takes_bars else self._portfolio.on_data(bar.event)
        )

    def _report_price(self, symbol: str, error: DecodeError) -> None:
        self._portfolio.report_problem(f"price of {symbol!r} is not updated: {error}")

    def handle_signal(self, event: SignalEvent) -> Handled:
        """Call `on_signal`."""
        return self._portfolio.on_signal(event)

    def handle_execution(self, event: ExecutionEvent) -> Handled:
        """Book the fill and update the order, then call `on_execution`.

        A repeat of one of the last 100,000 ids is skipped. A runner on a stream knows all handled
        ids, from the portfolio's file.
        """
        return self._portfolio.on_execution(event) if self.booker.book(event) else None

    def handle_report(self, sent: LazyExecution) -> Handled:
        """Handle a report like `handle_execution` its event, which has not been made yet."""
        if self._takes_reports and self.risk.gate is None and self.booker.book_report(sent):
            return None
        return self.handle_execution(sent.event)

    def handle_control(self, event: ControlEvent) -> None:
        """Apply a control event of an operator or another component."""
        self.risk.handle_control(event)

    def handle_late(self, event: Event, age_seconds: float) -> Handled:
        """Skip a signal that is too old to trade on, and report that."""
        if isinstance(event, SignalEvent):
            text = f"signal {event.id!r} of {event.symbol} is {age_seconds:.0f} s old"
            if closes := self._would_close(event):
                text = f"EXIT DENIED, {closes}: {text}"
                self.risk.raise_exit_alarm(event.symbol, DenialReason.LATE.value, text)
            self.risk.report_denial(DenialReason.LATE, f"{text}: it is not acted upon")
            self.risk.send_denial(DenialReason.LATE, text, event.symbol)
        return None

    def _would_close(self, event: SignalEvent) -> str:
        """Describe the position that a signal is against; empty for none."""
        held = self.books.account.position(event.symbol).quantity
        if not held or event.signal == (Signal.LONG if held > 0 else Signal.SHORT):
            return ""
        word = event.signal.rpartition(".")[2]
        return f"signal {word} at a position of {held:f} {event.symbol}"

    def take_refusal(self) -> DecodeError | None:
        """Return why the last execution could not be booked."""
        return self.booker.take_refusal()

    def hand_over(self) -> None:
        """Hand over orders without events, unless a gate needs their events."""
        self.hands_over = self.risk.gate is None

    def withdraw(self) -> None:
        """Drop events sent and not yet taken, and their effects."""
        self.risk.retract()
        self.books.withdraw(self.take())

    # Saving.

    def _component_rows(self) -> dict[str, bytes]:
        return super().state_rows() | self.risk.rows()

    def state_rows(self) -> dict[str, bytes]:
        """Return the complete state of this portfolio; see the class for the keys."""
        return self._component_rows() | self.books.saved.rows()

    def changed_rows(self) -> dict[str, bytes | None]:
        """Return the rows that have changed since the last call; all of them the first time.

        The cost depends on the symbols and orders that were touched since.
        """
        return self._given.changes("", self._component_rows()) | self.books.saved.changes()

    def restore_rows(self, rows: Mapping[str, bytes]) -> None:
        """Restore the rows of `state_rows`, on a portfolio that has handled nothing.

        Raises:
            ComponentError: A row has no place in this portfolio, or cannot be read; or it is not
                a new one.
        """
        super().restore_rows(self.books.saved.restore(rows))

    def _restore_row(self, key: str, data: bytes) -> None:
        if key == GATE:
            self.risk.restore(data)
        else:
            super()._restore_row(key, data)

    def take_log(self) -> list[LogRow]:
        """Return trades, ended orders and so on; see `PortfolioBooks.take_log`."""
        return self.books.take_log()

    def restore_log(self, rows: Iterable[LogRow]) -> None:
        """Restore the last rows of `take_log`, oldest first; `log_kept` says how many.

        Raises:
            ComponentError: A row is of another kind, or cannot be read.
        """
        rows = list(rows)
        super().restore_log(row for row in rows if row[0] not in LOG_KEPT)
        self.books.restore_log(rows)
