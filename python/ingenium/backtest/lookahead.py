"""Detect look-ahead bias of components.

The history is cut at random points, and the data after a cut is scrambled. Decisions before the
cut must stay the same; a component that decides otherwise has used later data. A component that
reads prices from its own file is not affected by scrambled data, so the files that components
open are watched too. Bars published before their period ends are found by the intervals between
them.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from random import Random

from ingenium.backtest.early_bars import EarlyBars
from ingenium.backtest.engine import Replay
from ingenium.backtest.file_watch import FileWatch
from ingenium.components import (
    App,
    Handling,
    HandlingKind,
    Ingestor,
    Middleware,
    Outcome,
    load_app,
)
from ingenium.components.handle import event_of
from ingenium.errors import BacktestError, ConfigError
from ingenium.events import DataEvent, Ohlc, encode
from ingenium.runtime.replay import time_of
from ingenium.trading.numbers import format_decimal, parse_price

__all__ = ["Lookahead", "check_lookahead"]

_LOADING = "\0loading"
_FEEDING = "\0feeding"
_FINEST = Decimal("0.0001")


@dataclass(frozen=True, slots=True)
class Lookahead:
    """A finding of the check.

    Attributes:
        component: Name of the component; empty for the app's own code.
        problem: Description of the problem.
    """

    component: str
    problem: str

    def __str__(self) -> str:
        return f"{self.component or 'the app'} {self.problem}"


@dataclass(frozen=True, slots=True)
class _Decision:
    time: datetime
    component: str
    event: bytes


def check_lookahead(
    app: Callable[[], App] | str,
    *,
    cuts: int = 5,
    seed: int = 1,
    on_run: Callable[[int, int], None] = lambda _run, _of: None,
) -> list[Lookahead]:
    """Check for components that use later data, and for bars published before their period ends.

    Args:
        app: A function that makes the app, or its name as on a command line; each run needs a
            fresh app.
        cuts: Number of points to cut at.
        seed: Seed for the cuts and for the scrambled data.
        on_run: Called before each run with its number and the total.

    Returns:
        The findings; an empty result does not prove that no component uses later data.

    Raises:
        BacktestError: The app cannot be backtested, or is one object instead of a factory.
        ComponentError: A component raised.
        ConfigError: ``cuts`` is below 1.
    """
    if isinstance(app, App):
        raise BacktestError(
            "each run needs a fresh app: pass a function that makes it, or its name"
        )
    if cuts < 1:
        raise ConfigError(f"cuts is {cuts}: use at least 1")
    make: Callable[[], App] = (lambda: load_app(app)) if isinstance(app, str) else app
    watch = FileWatch()
    early = EarlyBars()
    on_run(1, cuts + 1)
    with watch.watching():
        true, times = _decisions(make, watch, None, seed, early)
    data = [Lookahead(name, problem) for name, problem in early.problems()]
    found = _file_problems(watch)
    usable = times[len(times) // 5 : -1]
    chosen = sorted(Random(seed).sample(usable, min(cuts, len(usable))))  # noqa: S311
    for number, cut in enumerate(chosen):
        on_run(number + 2, len(chosen) + 1)
        scrambled, _ = _decisions(make, FileWatch(), cut, seed + number)
        problem = _difference(true, scrambled, cut)
        if problem is not None and problem.component not in {f.component for f in found}:
            found.append(problem)
    return data + found


def _decisions(
    make: Callable[[], App],
    watch: FileWatch,
    cut: datetime | None,
    seed: int,
    early: EarlyBars | None = None,
) -> tuple[list[_Decision], list[datetime]]:
    """Run an app with scrambled data after a cut, and return the decisions up to the cut."""
    recorder = _DecisionRecorder(watch)
    times: list[datetime] = []
    with watch.at_work(_LOADING):
        app = make()
    for component in app.components:
        if isinstance(component, Ingestor):
            _feed(component, watch, cut, seed, early)

    def on_step(step: int, time: datetime, count: int, total: int | None) -> None:
        times.append(time)

    asyncio.run(Replay(app, on_step=on_step, end=cut, middleware=[recorder]).run())
    return recorder.decisions, times


class _DecisionRecorder(Middleware):
    """Records the events that components send, and tells the watch which component runs."""

    def __init__(self, watch: FileWatch) -> None:
        self._watch = watch
        self.decisions: list[_Decision] = []

    def before(self, handling: Handling) -> None:
        if not isinstance(handling.component, Ingestor):
            self._watch.by = handling.component.name

    def after(self, handling: Handling, outcome: Outcome) -> None:
        self._watch.by = ""
        component = handling.component
        # A run up to a cut stops there, which is not a decision.
        if handling.kind is not HandlingKind.STOP and not isinstance(component, Ingestor):
            self.decisions.extend(
                _Decision(handling.time, component.name, encode(event_of(each)))
                for each in outcome.sent
            )


def _feed(
    ingestor: Ingestor,
    watch: FileWatch,
    cut: datetime | None,
    seed: int,
    early: EarlyBars | None,
) -> None:
    """Make an ingestor return scrambled events after a cut, for every caller.

    The method of this one object is replaced: a reader given to the run would not be seen by a
    strategy that holds the ingestor and asks it for later bars, which is what this check is for.
    """
    read = ingestor.read
    scramble = _Scramble(seed)

    def changed(event: DataEvent) -> DataEvent:
        if early is not None:
            early.see(ingestor, event)
        return event if cut is None or time_of(event) <= cut else scramble.event(event)

    def read_plain(source: Iterator[DataEvent]) -> Iterator[DataEvent]:
        while True:
            with watch.at_work(_FEEDING):
                event = next(source, None)
            if event is None:
                return
            yield changed(event)

    async def read_async(source: AsyncIterator[DataEvent]) -> AsyncIterator[DataEvent]:
        async for event in source:
            yield changed(event)

    def read_changed() -> Iterator[DataEvent] | AsyncIterator[DataEvent]:
        with watch.at_work(_FEEDING):
            source = read()
        if isinstance(source, AsyncIterator):
            return read_async(source)
        return read_plain(iter(source))

    ingestor.read = read_changed  # type: ignore[method-assign]


class _Scramble:
    """Replaces prices by a random walk for each symbol."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._walks: dict[str, Random] = {}
        self._factors: dict[str, Decimal] = {}

    def event(self, event: DataEvent) -> DataEvent:
        bar = event.ohlc
        if bar is None:
            return event
        walk = self._walks.setdefault(event.symbol, Random(f"{self._seed} {event.symbol}"))  # noqa: S311
        factor = self._factors.get(event.symbol, Decimal(1))
        step = Decimal(f"{walk.uniform(0.8, 1.25):.4f}")
        self._factors[event.symbol] = factor = min(max(factor * step, Decimal("0.2")), Decimal(5))

        def other(text: str, name: str) -> str:
            price = parse_price(text, "DataEvent", f"Ohlc.{name}") * factor
            return format_decimal(max(price.quantize(_FINEST), _FINEST))

        return DataEvent(
            id=event.id,
            type=event.type,
            symbol=event.symbol,
            timestamp=event.timestamp,
            ohlc=Ohlc(
                open=other(bar.open, "Open"),
                high=other(bar.high, "High"),
                low=other(bar.low, "Low"),
                close=other(bar.close, "Close"),
                volume=bar.volume,
                period=bar.period,
                timestamp=bar.timestamp,
            ),
        )


def _difference(
    true: list[_Decision], scrambled: list[_Decision], cut: datetime
) -> Lookahead | None:
    """Return the component whose decisions before the cut differ, though its data did not."""
    before = [decision for decision in true if decision.time <= cut]
    for one, other in zip(before, scrambled, strict=False):
        if one != other:
            first = min(one, other, key=lambda decision: decision.time)
            return _changed(first, cut)
    if len(before) != len(scrambled):
        longer = before if len(before) > len(scrambled) else scrambled
        return _changed(longer[min(len(before), len(scrambled))], cut)
    return None


def _changed(decision: _Decision, cut: datetime) -> Lookahead:
    return Lookahead(
        decision.component,
        f"decides otherwise at {decision.time.isoformat()} when only prices after "
        f"{cut.isoformat()} change, so it knows them (or depends on chance)",
    )


def _file_problems(watch: FileWatch) -> list[Lookahead]:
    fed = {**watch.opened.get(_FEEDING, {}), **watch.opened.get("", {})}
    found = [
        Lookahead(
            "", f"reads {Path(name).name} while it is loaded, which is what an ingestor feeds"
        )
        for name in watch.opened.get(_LOADING, {})
        if name in fed
    ]
    for component, names in watch.opened.items():
        if component in {_LOADING, _FEEDING, ""}:
            continue
        files = ", ".join(Path(name).name for name in names)
        found.append(
            Lookahead(
                component, f"reads {files} while it handles events, where the future may stand"
            )
        )
    return found
