"""The steps of a backtest that cause nothing, as most do: one bar after another, in one loop."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Container, Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Protocol, cast

from ingenium.backtest.curve import EquityCurve
from ingenium.backtest.parts import Part
from ingenium.brokers import PaperExecutor
from ingenium.components import Executor, Portfolio
from ingenium.components.base import Sent
from ingenium.exchange import PaperExchange
from ingenium.lockstep import EventLog, Item, OnStep
from ingenium.trading import Bar
from ingenium.trading.account import LARGEST_PRICE

__all__ = ["QuickSteps", "SlowSteps"]

_LOOK_EVERY = 64
"""Steps between two looks at the time."""
_LATEST = datetime.max.replace(tzinfo=UTC)


class SlowSteps(Protocol):
    """Does the steps that cause something."""

    def one_step(self, time: datetime, data: Sequence[Item]) -> Awaitable[None]:
        """Do a whole step."""
        ...

    def go_on(
        self,
        time: datetime,
        data: Sequence[Item],
        signals: list[Sent],
        pending: Awaitable[None] | None,
        place: int,
    ) -> Awaitable[None]:
        """Finish a step from the strategy at ``place`` on, once what is pending is done."""
        ...

    def give_way(self) -> Awaitable[None] | None:
        """Return what lets other tasks have their turn; ``None`` while none is due."""
        ...


class QuickSteps:
    """Does steps for as long as they cause nothing, and leaves the others to somebody else.

    What the log has to know of quiet bars it is told of many at once, as nobody reads it before.

    Args:
        instants: The history, instant by instant.
        slow: Does the other steps.
        strategies: See the bars.
        executor: Is asked whether an order waits for a bar.
        portfolio: Takes note of prices.
        log: Counts the bars.
        curve: Takes what the account is worth.
        on_step: Called after each step.
        total: How many bars there will be, if that is known.
        first: The curve begins here.
        last: The last instant to run.
    """

    def __init__(
        self,
        instants: Iterator[tuple[datetime, list[Item]]],
        slow: SlowSteps,
        strategies: Sequence[Part],
        executor: Part | None,
        portfolio: Part | None,
        log: EventLog,
        curve: EquityCurve | None,
        on_step: OnStep | None,
        total: int | None,
        first: datetime,
        last: datetime,
    ) -> None:
        self._instants = instants
        self._slow = slow
        self._strategies = list(strategies)
        self._log, self._curve = log, curve
        self._on_step, self._total = on_step, total
        self._first, self._last = first, last
        self._largest = float(LARGEST_PRICE)
        self._looks: list[Callable[[Bar], bool]] = []
        # Asked directly, where nobody has written a look of their own.
        self._exchange: PaperExchange | None = None
        self._waiting: list[Container[str]] = []
        self._portfolio: Portfolio | None = None
        self._marks: dict[str, str | Decimal | Bar] | None = None
        worker = None if executor is None else executor.component
        if isinstance(worker, PaperExecutor) and _looks_as(PaperExecutor, worker, "on_data"):
            self._exchange = worker.exchange
        elif isinstance(worker, Executor):
            self._looks.append(worker.look)
        owner = None if portfolio is None else portfolio.component
        if isinstance(owner, Portfolio) and _looks_as(Portfolio, owner, "on_data", "on_bar"):
            self._portfolio = owner
        elif isinstance(owner, Portfolio):
            self._looks.append(owner.look)

    def run(self) -> Awaitable[None] | None:
        """Do steps until one causes something, or other tasks are due.

        Returns:
            What to await before the next call; ``None`` at the end of history.

        Raises:
            ComponentError: A component raised.
        """
        log, curve, on_step = self._log, self._curve, self._on_step
        exchange, portfolio = self._exchange, self._portfolio
        closes: dict[str, str | Bar] | None = None
        if exchange is not None:
            closes, self._waiting = exchange.watch()
        if portfolio is not None:
            self._marks = portfolio.account.marks
        has_digest = log.has_digest
        account = log.account
        before, bars_before = log.steps, log.data
        steps = bars = 0
        last: datetime | None = None
        # The last bar of each symbol, and those that curve and digest have not taken in yet: nobody
        # looks at any of it while nothing happens.
        quiet: dict[str, Bar] = {}
        unseen: list[Bar] = []
        undigested: list[Bar] = []
        is_recording = False
        has_end = self._last != _LATEST
        signals: list[Sent] = []
        try:
            for time, data in self._instants:
                if has_end and time > self._last:
                    return None
                if not self._is_quiet(data, quiet):
                    return self._slow.one_step(time, data)
                found = cast("list[Bar]", data)
                for place, strategy in enumerate(self._strategies, 1):
                    pending = strategy.let_bars(found, time, signals)
                    if pending is not None or signals:
                        return self._slow.go_on(time, data, signals, pending, place)
                steps += 1
                bars += len(found)
                last = time
                if has_digest:
                    undigested += found
                if curve is not None and (is_recording or time >= self._first):
                    is_recording = True
                    if len(found) == 1:
                        unseen.append(found[0])
                    else:
                        self._show(unseen)
                        curve.record(time, account, data)
                if on_step is not None:
                    on_step(before + steps, time, bars_before + bars, self._total)
                if not (before + steps) % _LOOK_EVERY:
                    self._show(unseen)
                    self._digest(undigested)
                    pause = self._slow.give_way()
                    if pause is not None:
                        return pause
            return None
        finally:
            if closes is not None:
                closes.update(quiet)
            self._show(unseen)
            self._digest(undigested)
            if last is not None:
                log.add_bars(steps, bars, last, quiet)

    def _show(self, unseen: list[Bar]) -> None:
        """Show the curve the bars that it has not seen yet."""
        if self._curve is not None:
            self._curve.record_bars(unseen, self._log.account)
        unseen.clear()

    def _digest(self, undigested: list[Bar]) -> None:
        """Digest the bars that have not been digested yet."""
        self._log.digest_bars(undigested)
        undigested.clear()

    def _is_quiet(self, data: Sequence[Item], quiet: dict[str, Bar]) -> bool:
        """Let executor and portfolio take note of an instant; whether that is all they do."""
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
            for look in self._looks:
                if look(item):
                    return False
        return True


def _looks_as(base: type, component: object, *handlers: str) -> bool:
    """Whether a component takes its looks as its base class does."""
    cls = type(component)
    return all(getattr(cls, name) is getattr(base, name) for name in ("look", *handlers))
