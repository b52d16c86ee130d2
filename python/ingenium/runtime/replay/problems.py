"""Problems of a replay: expected events that never came, with the likely cause, one line each."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from difflib import get_close_matches
from typing import Protocol

from ingenium.components import App, Component, External, Portfolio, Strategy
from ingenium.components.app_checks import meant_handler
from ingenium.components.handle_of import handle_of
from ingenium.components.overrides import overrides_of
from ingenium.indicators import Indicator
from ingenium.runtime.replay.outcomes import OrderOutcomes
from ingenium.trading.tally import counted

__all__ = ["ReplayCounts", "replay_problems", "unheard_symbols", "why_nothing_came"]

_LISTED = 10
_MOST_LINES = 8
_DEEPEST = 4
_MOST_LOOKED_AT = 100


class ReplayCounts(Protocol):
    """The counts of a replay, as in `EventLog`.

    Attributes:
        symbols: The symbols with data.
        signals_of: Signals by the name of the strategy.
        outcomes: Outcomes of the orders.
    """

    symbols: dict[str, None]
    signals_of: dict[str, int]
    outcomes: OrderOutcomes

    @property
    def data(self) -> int:
        """The number of data events."""
        ...

    @property
    def signals(self) -> int:
        """The number of signals."""
        ...


def replay_problems(
    log: ReplayCounts,
    app: App,
    *,
    complete: bool,
    here: Collection[Component] | None = None,
    bars_of: Mapping[str, int] | None = None,
) -> list[str]:
    """Describe expected events that never came, and orders not filled, with the likely cause.

    Args:
        log: The counts.
        app: The app whose components took part.
        complete: Whether the end of history was reached; before it, no event is reported as
            missing.
        here: The components that ran in this process; all when left out. The counts of the others
            are unknown.
        bars_of: Bars by symbol, if they were counted.
    """
    if not log.data:
        return [
            "no data arrived, so nothing was traded: check the files and symbols of the ingestors"
        ]
    known = app.components if here is None else here
    strategies = [each for each in app.strategies if isinstance(each, Strategy)]
    lines = [
        line for strategy in strategies for line in unheard_symbols(strategy, list(log.symbols))
    ]  # fmt: skip
    if complete:
        for strategy in app.strategies:
            lines += _silent(log, strategy, bars_of, ran_here=strategy in known)
    portfolio = app.portfolio
    outcomes = log.outcomes
    denied = outcomes.denied.count
    complaints: list[str] = []
    if isinstance(portfolio, Portfolio):
        complaints = handle_of(portfolio).complaints(_MOST_LINES)
        # Denials are counted by limit below.
        lines += [each for each in complaints if not (denied and " is denied: " in each)]
    if complete and portfolio is not None and not (outcomes.sent or denied or complaints):
        lines += _no_orders(log, app, portfolio)
    return lines + outcomes.lines(complete=complete)


def unheard_symbols(strategy: Strategy, symbols: list[str]) -> Iterator[str]:
    """Name the symbols that a strategy has asked for and no ingestor sent."""
    known = set(symbols)
    missing = [symbol for symbol in strategy.symbols or () if symbol not in known]
    shown = ", ".join(sorted(symbols)[:_LISTED]) + ", ..." * (len(symbols) > _LISTED)
    for symbol in missing[:_MOST_LINES]:
        yield (
            f"strategy {strategy.name!r} waits for {symbol}, which no ingestor "
            f"sent{_meant(symbol, symbols)}: the data has {shown}"
        )
    if len(missing) > _MOST_LINES:
        left = len(missing) - _MOST_LINES
        yield f"strategy {strategy.name!r} waits for {left:,} more symbols that no ingestor sent"


def why_nothing_came(log: ReplayCounts, app: App) -> str:
    """Return why a replay could not trade, whatever its prices; empty when it could.

    That is when there was no data, or each strategy waited only for symbols that no ingestor sent,
    and there was no order either.
    """
    if not log.data:
        return (
            "no data arrived, so nothing was traded: check the files and symbols of the ingestors"
        )
    if log.signals or any(log.signals_of.values()) or log.outcomes.sent or not app.strategies:
        return ""
    symbols = list(log.symbols)
    lines: list[str] = []
    for strategy in app.strategies:
        if not isinstance(strategy, Strategy) or strategy.symbols is None:
            return ""
        if not strategy.symbols or any(symbol in log.symbols for symbol in strategy.symbols):
            return ""
        lines += unheard_symbols(strategy, symbols)
    return "; ".join(lines[:_MOST_LINES])


def _meant(symbol: str, symbols: list[str]) -> str:
    for other in symbols:
        if other.casefold() == symbol.casefold():
            return f"; {other} differs in case"
    near = get_close_matches(symbol, symbols, n=1)
    return f"; did you mean {near[0]}?" if near else ""


def _silent(
    log: ReplayCounts,
    strategy: Strategy | External,
    bars_of: Mapping[str, int] | None,
    *,
    ran_here: bool,
) -> Iterator[str]:
    """Return why a strategy may have sent no signal that counted; empty if it has sent one."""
    sent = log.signals_of
    if isinstance(strategy, External):
        if not log.signals:
            yield f"strategy {strategy.name!r} sent no signal"
        return
    if type(strategy) is Strategy:
        return  # a placeholder for none
    if count := sent.get(strategy.name, 0):
        if not log.signals:
            yield (
                f"strategy {strategy.name!r} sent {counted(count, 'signal')} only in the "
                "warm-up, which is not traded: start the run earlier"
            )
        return
    symbols = strategy.symbols
    heard = [each for each in log.symbols if symbols is None or each in symbols]
    if not heard:
        return  # reported with the symbols
    if not overrides_of(strategy, Strategy) & {"on_bar", "on_data"}:
        meant = meant_handler(strategy)
        yield (
            f"strategy {strategy.name!r} sent no signal: {type(strategy).__name__} overrides "
            f"neither on_bar(self, bar) nor on_data(self, event){f'; {meant}' if meant else ''}"
        )
        return
    if len(heard) == len(log.symbols):
        bars = log.data
    else:
        bars = sum((bars_of or {}).get(each, 0) for each in heard)
    text = f"strategy {strategy.name!r} sent no signal"
    if bars:
        text += f" in {counted(bars, 'bar')}"
    cold = [each for each in _indicators(strategy) if not each.ready] if ran_here else []
    if cold:
        slowest = max(cold, key=lambda each: each.warm_up)
        text += (
            f": its {type(slowest).__name__} has no value before {slowest.warm_up:,} updates, so "
            "use more history or a shorter period"
        )
    yield text


def _indicators(owner: object, depth: int = 0) -> Iterator[Indicator]:
    """Yield the indicators that an object holds, by itself or within what it holds."""
    if isinstance(owner, Indicator):
        yield owner
        return
    if depth == _DEEPEST:
        return
    if isinstance(owner, dict):
        held = list(owner.values())
    elif isinstance(owner, list | tuple):
        held = list(owner)
    else:
        slots = getattr(type(owner), "__slots__", ())
        names = (slots,) if isinstance(slots, str) else slots
        held = [getattr(owner, name, None) for name in names]
        held += getattr(owner, "__dict__", {}).values()
    for each in held[:_MOST_LOOKED_AT]:
        yield from _indicators(each, depth + 1)


def _no_orders(log: ReplayCounts, app: App, portfolio: Component) -> Iterator[str]:
    if not log.signals and any(type(each) is not Strategy for each in app.strategies):
        return  # reported with the strategies
    if not log.signals:
        yield f"portfolio {portfolio.name!r} sent no order"
        return
    text = f"portfolio {portfolio.name!r} sent no order for {counted(log.signals, 'signal')}"
    if isinstance(portfolio, Portfolio) and "on_signal" not in overrides_of(portfolio, Portfolio):
        yield f"{text}: {type(portfolio).__name__} does not override on_signal(self, event)"
    else:
        yield f"{text}: a flat signal sends no order without a position"
