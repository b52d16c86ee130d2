"""Fast path of a backtest for bars that trigger no signal, order or fill."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Awaitable, Callable, Container, Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from operator import length_hint
from typing import Protocol, cast

from ingenium.backtest.driver import ComponentDriver
from ingenium.backtest.equity_curve import EquityCurve
from ingenium.brokers import PaperExecutor
from ingenium.components import Executor, Portfolio
from ingenium.components.handle import Sent
from ingenium.components.handle_of import handle_of
from ingenium.components.overrides import overrides_of
from ingenium.exchange import PaperExchange
from ingenium.runtime.replay import EventLog, Instant, Item, OnStep, Run
from ingenium.trading import Bar
from ingenium.trading.account import LARGEST_PRICE

__all__ = ["FastLoop", "SlowSteps"]

_LOOK_EVERY = 64
"""Steps between two checks of the time."""
_LATEST = datetime.max.replace(tzinfo=UTC)
_DATA_HANDLERS = frozenset({"on_bar", "on_data"})


class SlowSteps(Protocol):
    """Executes the steps that trigger events."""

    def one_step(self, time: datetime, data: Sequence[Item]) -> Awaitable[None]:
        """Execute a whole step."""
        ...

    def go_on(
        self,
        time: datetime,
        data: Sequence[Item],
        signals: list[Sent],
        pending: Awaitable[None] | None,
        place: int,
    ) -> Awaitable[None]:
        """Finish a step from the strategy at ``place`` on, after awaiting ``pending``."""
        ...

    def give_way(self) -> Awaitable[None] | None:
        """Return an awaitable that yields to other tasks; ``None`` while no yield is due."""
        ...


class FastLoop:
    """Executes quiet steps, which trigger no event, and delegates the others to `SlowSteps`.

    The log is updated for many quiet bars at once, since it is not read in between.

    Args:
        pieces: The history, in runs and instants.
        slow: Executes the other steps.
        strategies: Handle the bars.
        executor: Reports whether an order waits for a bar.
        portfolio: Records prices.
        log: Counts the bars.
        curve: Records the account's equity.
        on_step: Called after each step.
        total: Number of bars in all, if known.
        first: The curve begins here.
        last: The last instant to run.
    """

    def __init__(
        self,
        pieces: Iterator[Run | Instant],
        slow: SlowSteps,
        strategies: Sequence[ComponentDriver],
        executor: ComponentDriver | None,
        portfolio: ComponentDriver | None,
        log: EventLog,
        curve: EquityCurve | None,
        on_step: OnStep | None,
        total: int | None,
        first: datetime,
        last: datetime,
    ) -> None:
        self._pieces = pieces
        self._slow = slow
        self._strategies = list(strategies)
        self._log, self._curve = log, curve
        self._on_step, self._total = on_step, total
        self._first, self._last = first, last
        self._has_end = last != _LATEST
        self._has_digest = log.has_digest
        self._is_over = self._is_recording = False
        # The current run, the index of its first undelivered bar, and the index after the last
        # quiet one.
        self._run: Run | None = None
        self._place = self._done = 0
        # Steps since `run` was called, of which the log is informed when it returns.
        self._before = self._bars_before = self._steps = self._bars = 0
        self._last_quiet = _LATEST
        self._quiet: dict[str, Bar] = {}
        # Whether no step was quiet: `one_step` sets the last prices of its own bars.
        self._is_first_slow = False
        self._since_look = 0
        self._signals: list[Sent] = []
        # Bars not yet passed to curve and digest: neither is read while nothing happens.
        self._unseen: list[Bar] = []
        self._undigested: list[Bar] = []
        self._largest = float(LARGEST_PRICE)
        self._looks: list[Callable[[Bar], bool]] = []
        # Called directly, where no subclass overrides it.
        self._exchange: PaperExchange | None = None
        self._waiting: Sequence[Container[str]] = []
        self._portfolio: Portfolio | None = None
        self._marks: dict[str, str | Decimal | Bar] | None = None
        self._unread: dict[str, str | Decimal | Bar] = {}
        worker = None if executor is None else executor.component
        if isinstance(worker, PaperExecutor) and _is_plain(executor, PaperExecutor):
            self._exchange = worker.exchange
            self._waiting = worker.exchange.waiting_symbols()
        elif isinstance(worker, Executor):
            self._looks.append(handle_of(worker).observe)
        owner = None if portfolio is None else portfolio.component
        if isinstance(owner, Portfolio) and _is_plain(portfolio, Portfolio):
            self._portfolio = owner
        elif isinstance(owner, Portfolio):
            self._looks.append(handle_of(owner).observe)

    def run(self) -> Awaitable[None] | None:
        """Execute steps until one triggers an event, or a yield to other tasks is due.

        Returns:
            An awaitable to await before the next call; ``None`` at the end of history.

        Raises:
            ComponentError: A component raised.
        """
        log, exchange, portfolio = self._log, self._exchange, self._portfolio
        if portfolio is not None:
            self._marks = portfolio.account.marks
        self._before, self._bars_before = log.steps, log.data
        self._steps = self._bars = 0
        self._is_first_slow = False
        self._quiet = {}
        self._signals = []
        try:
            if self._run is not None and (pending := self._do_run(self._run)) is not None:
                return pending
            if self._is_over:
                return None
            for piece in self._pieces:
                if isinstance(piece, Run):
                    self._place = 0
                    pending = self._do_run(piece)
                else:
                    pending = self._do_instant(piece[0], piece[1])
                if pending is not None or self._is_over:
                    return pending
            return None
        finally:
            if exchange is not None and self._quiet and not self._is_first_slow:
                exchange.set_closes(self._quiet)
            self._tell()
            if self._steps:
                log.add_bars(self._steps, self._bars, self._last_quiet, self._quiet)

    def _do_run(self, run: Run) -> Awaitable[None] | None:
        """Execute the steps of a run from `_place` on, until one triggers an event."""
        first, end, symbol = self._place, len(run.bars), run.symbol
        if self._has_end and run.ends[-1] > self._last:
            end = bisect_right(run.ends, self._last)
        self._run = run
        self._done = first
        if first < end:
            for orders in self._waiting:
                if symbol in orders:
                    self._place = first + 1
                    return self._slow.one_step(run.ends[first], [run.bars[first]])
            try:
                place = self._only(symbol)
                if place < 0:
                    pending = self._let_all(run, first, end)
                else:
                    pending = self._let_one(run, first, end, place)
                if pending is not None:
                    return pending
            finally:
                # Only the bars before an error, or before one that triggered an event, were quiet.
                self._quiet[symbol] = run.bars[self._place - 1]
                self._count(run, first, self._done)
        self._run = None
        self._is_over = end < len(run.bars)
        return self._look()

    def _only(self, symbol: str) -> int:
        """Return the index of the strategy that alone handles a symbol; -1 if there is none."""
        found = -1
        if self._on_step is None and not self._looks:
            for place, strategy in enumerate(self._strategies):
                if strategy.sees(symbol):
                    if found >= 0 or not strategy.started:
                        return -1
                    found = place
        return found

    def _let_one(self, run: Run, first: int, end: int, place: int) -> Awaitable[None] | None:
        """Deliver bars of a run to one strategy, up to a bar that triggers an event."""
        bars = run.bars if end - first == len(run.bars) else run.bars[first:end]
        left = iter(bars)
        marks = self._unread if self._marks is None else self._marks
        signals = self._signals
        try:
            pending = self._strategies[place].deliver_run(bars, left, marks, signals)
        finally:
            # A list iterator knows exactly how many items are left.
            self._place = end - length_hint(left)
            self._done = self._place - 1
        if pending is None and not signals:
            self._done = end
            return None
        bar = run.bars[self._done]
        return self._slow.go_on(bar.end, [bar], signals, pending, place + 1)

    def _let_all(self, run: Run, first: int, end: int) -> Awaitable[None] | None:
        """Deliver bars of a run to all components, up to a bar that triggers an event."""
        marks, symbol, signals = self._marks, run.symbol, self._signals
        strategies, looks, on_step = self._strategies, self._looks, self._on_step
        steps, count = self._before + self._steps, self._bars_before + self._bars
        for step in range(first, end):
            bar, time = run.bars[step], run.ends[step]
            self._place = step + 1
            if marks is not None:
                marks[symbol] = bar
            for observe in looks:
                if observe(bar):
                    self._is_first_slow = not self._steps and step == first
                    return self._slow.one_step(time, [bar])
            for place, strategy in enumerate(strategies, 1):
                pending = strategy.deliver_bar(bar, time, signals)
                if pending is not None or signals:
                    return self._slow.go_on(time, [bar], signals, pending, place)
            self._done = step + 1
            if on_step is not None:
                done = step + 1 - first
                on_step(steps + done, time, count + done, self._total)
        return None

    def _count(self, run: Run, first: int, end: int) -> None:
        """Record quiet steps of a run."""
        if first == end:
            return
        self._tell()
        self._steps += end - first
        self._bars += end - first
        self._since_look += end - first
        self._last_quiet = run.ends[end - 1]
        if self._has_digest:
            self._log.digest_bars(run.bars[first:end])
        if self._curve is not None:
            if not self._is_recording:
                first = max(first, bisect_left(run.ends, self._first))
                self._is_recording = first < end
            self._curve.record_run(run, first, end, self._log.account)

    def _do_instant(self, time: datetime, data: list[Item]) -> Awaitable[None] | None:
        """Execute a step; a returned awaitable must be awaited before the next one."""
        if self._has_end and time > self._last:
            self._is_over = True
            return None
        if not self._is_quiet(data, self._quiet):
            self._is_first_slow = not self._steps
            return self._slow.one_step(time, data)
        found = cast("list[Bar]", data)
        signals = self._signals
        for place, strategy in enumerate(self._strategies, 1):
            pending = strategy.deliver_bars(found, time, signals)
            if pending is not None or signals:
                return self._slow.go_on(time, data, signals, pending, place)
        self._steps += 1
        self._bars += len(found)
        self._since_look += 1
        self._last_quiet = time
        if self._has_digest:
            self._undigested += found
        curve = self._curve
        if curve is not None and (self._is_recording or time >= self._first):
            self._is_recording = True
            if len(found) == 1:
                self._unseen.append(found[0])
            else:
                self._tell()
                curve.record(time, self._log.account, data)
        if self._on_step is not None:
            self._on_step(
                self._before + self._steps, time, self._bars_before + self._bars, self._total
            )
        return self._look()

    def _look(self) -> Awaitable[None] | None:
        """Return an awaitable that yields to other tasks, from time to time."""
        if self._since_look < _LOOK_EVERY:
            return None
        self._since_look = 0
        self._tell()
        return self._slow.give_way()

    def _tell(self) -> None:
        """Pass the pending bars to curve and log."""
        if self._unseen and self._curve is not None:
            self._curve.record_bars(self._unseen, self._log.account)
            self._unseen.clear()
        if self._undigested:
            self._log.digest_bars(self._undigested)
            self._undigested.clear()

    def _is_quiet(self, data: Sequence[Item], quiet: dict[str, Bar]) -> bool:
        """Update executor and portfolio for an instant; return whether that triggers no event."""
        marks, waiting = self._marks, self._waiting
        for item in data:
            if not isinstance(item, Bar) or item.close >= self._largest:
                return False
            symbol = item.symbol
            for orders in waiting:
                if symbol in orders:
                    return False
            quiet[symbol] = item
            if marks is not None:
                marks[symbol] = item
            for observe in self._looks:
                if observe(item):
                    return False
        return True


def _data_overrides(component: object, base: type) -> frozenset[str]:
    """Return the methods that a component overrides, of those that this loop skips."""
    return overrides_of(component, base) & _DATA_HANDLERS


def _is_plain(driver: ComponentDriver | None, base: type) -> bool:
    """Return whether quiet bars may be skipped: no handler and no risk gate needs them."""
    return (
        driver is not None and not driver.is_gated and not _data_overrides(driver.component, base)
    )
