"""Reasons to distrust the figures of a backtest, one line each."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta, tzinfo
from decimal import Decimal
from itertools import islice

from ingenium.backtest.equity_curve import EquityCurve
from ingenium.backtest.instruments import is_currency_pair, point_value, quote_currencies
from ingenium.backtest.price_jumps import Jump, find_jumps
from ingenium.exchange import FillCounters
from ingenium.runtime.replay import EventLog
from ingenium.trading.money import EXACT, ZERO
from ingenium.trading.tally import counted, day_of

__all__ = ["as_asked", "backtest_problems"]

_MOST = 6
_GAP = timedelta(days=5)
_USUAL_GAPS = 5
_MARGIN, _PAIR_MARGIN = 4.0, 30.0
_INSTANT = timedelta(microseconds=1)


def backtest_problems(
    log: EventLog,
    curve: EquityCurve,
    notes: FillCounters,
    *,
    start: date | None,
    end: date | None,
    first: datetime | None,
) -> list[str]:
    """Return problems in a backtest's prices, account and options that make its figures doubtful.

    Args:
        log: Event log of the run.
        curve: Equity and prices.
        notes: Counters of the exchange.
        start: Requested end of the warm-up.
        end: Requested last instant.
        first: First time of the data that was not run; ``None`` if all was.
    """
    if not log.data:
        if end is None or first is None:
            return []
        return [f"end {as_asked(end)} is before the first bar, which is known on {day_of(first)}"]
    lines: list[str] = []
    if start is not None and not len(curve):
        lines.append(
            f"start {as_asked(start)} is after the end of the data, {day_of(log.last)}: all "
            f"{log.data:,} bars were the warm-up, and nothing was traded"
        )
    lines += _of_exchange(notes)
    traded = _Traded(log)
    lines += _cut(list(traded.ended_early(curve)), "symbols ended early while held")
    lines += _cut(list(traded.jumps(curve)), "jumps of prices look like splits")
    lines += _of_symbols(list(traded.fills_of))
    lines += _of_equity(curve, list(traded.fills_of))
    return lines


def as_asked(time: date | None) -> str:
    """Format a day or an instant as requested."""
    if time is None or isinstance(time, datetime):
        return day_of(time)
    return time.isoformat()


def _cut(lines: list[str], what: str) -> list[str]:
    if len(lines) > _MOST:
        return [*lines[:_MOST], f"{len(lines) - _MOST:,} more {what}"]
    return lines


def _of_exchange(notes: FillCounters) -> Iterator[str]:
    if notes.skipped_fills:
        yield (
            f"{counted(notes.skipped_fills, 'time')} an order waited on, since the part of the "
            "bar's volume that it may have is less than its smallest step (one share): raise the "
            "policy's volume_cap, or trade what has more volume"
        )
    if notes.bars_without_volume:
        yield (
            f"{counted(notes.bars_without_volume, 'bar')} without volume filled nothing, as the "
            "policy says"
        )
    if notes.reduced_orders:
        yield (
            f"{counted(notes.reduced_orders, 'order')} got only what the account could pay, or had "
            "to sell, and the rest was canceled"
        )


class _Traded:
    """Position of each symbol, step by step."""

    def __init__(self, log: EventLog) -> None:
        self._log = log
        self.fills_of: dict[str, tuple[list[datetime], list[Decimal]]] = {}
        self._orders: dict[str, list[tuple[datetime, str]]] = {}
        for fill, step in zip(log.fills, log.fill_times, strict=True):
            steps, held = self.fills_of.setdefault(fill.symbol, ([], []))
            steps.append(step)
            held.append(EXACT.add(held[-1] if held else ZERO, fill.signed_quantity))
            self._orders.setdefault(fill.symbol, []).append((step, fill.order_id))

    def _held(self, symbol: str, time: datetime) -> Decimal:
        """Return the position after the step of a time."""
        steps, held = self.fills_of[symbol]
        place = bisect_right(steps, time)
        return held[place - 1] if place else ZERO

    def ended_early(self, curve: EquityCurve) -> Iterator[str]:
        """Yield the held symbols whose bars ended long before those of others."""
        tracks = curve.prices.tracks
        last = max((track.times[-1] for track in tracks.values()), default=0.0)
        account = self._log.account
        for symbol, quantity in account.quantities.items():
            track = tracks.get(symbol)
            if track is None:
                continue
            usual = (track.times[-1] - track.times[0]) / max(track.bars - 1, 1)
            if last - track.times[-1] <= max(_GAP.total_seconds(), _USUAL_GAPS * usual):
                continue
            price = account.price(symbol)
            ended, goes_on = (_session(each, curve.zone) for each in (track.times[-1], last))
            yield (
                f"{symbol} has no bars after {ended}, and others go on to {goes_on}: "
                f"{quantity:f} are still held, counted at the last price "
                f"{'-' if price is None else format(price, 'f')}; if the symbol was delisted, "
                "the position was worth something else"
            )

    def jumps(self, curve: EquityCurve) -> Iterator[str]:
        """Yield the jumps that may be splits, during a position or a working order."""
        for symbol in self.fills_of:
            track = curve.prices.tracks.get(symbol)
            for jump in () if track is None else find_jumps(track):
                if quantity := self._held(symbol, jump.known):
                    change = float(quantity) * (jump.after - jump.before)
                    word = "gain" if change > 0 else "loss"
                    what = f"{quantity:f} held, a {word} of {abs(change):,.2f}"
                elif order_id := self._order_over(symbol, jump):
                    what = f"order {order_id} sent before and filled after"
                else:
                    continue
                yield _said(symbol, jump, what, curve.zone)

    def _order_over(self, symbol: str, jump: Jump) -> str:
        """Return the id of an order sent before a jump and filled after it."""
        for step, order_id in self._orders[symbol]:
            sent = self._log.sent_at(order_id)
            if step > jump.known and sent is not None and sent <= jump.known:
                return order_id
        return ""


def _said(symbol: str, jump: Jump, what: str, zone: tzinfo) -> str:
    ratio = jump.ratio
    kind = "a split" if ratio < 1 else "a reverse split"
    return (
        f"{symbol} opened at {jump.after:g} on {_session(jump.time.timestamp(), zone)} after "
        f"{jump.before:g} ({jump.after / jump.before - 1:+.0%}), with {what}: that looks like "
        f"{kind} of {ratio.denominator} for {ratio.numerator}, or is a real move; if it is a "
        "split, read adjusted prices (adjusted=True)"
    )


def _session(stamp: float, zone: tzinfo) -> str:
    """Format the day of a bar from its end: a bar that ends at midnight is of the day before."""
    return f"{datetime.fromtimestamp(stamp, zone) - _INSTANT:%Y-%m-%d}"


def _of_symbols(symbols: Sequence[str]) -> Iterator[str]:
    quoted = quote_currencies(symbols)
    if len(set(quoted.values())) > 1:
        shown = ", ".join(f"{symbol} in {money}" for symbol, money in islice(quoted.items(), _MOST))
        yield (
            f"{len(set(quoted.values()))} currencies are added up as if they were one: {shown}"
            f"{', ...' * (len(quoted) > _MOST)}; nothing is converted, so trade what is quoted in "
            "one currency, or convert the prices"
        )
    futures = {symbol: value for symbol in symbols if (value := point_value(symbol)) is not None}
    if futures:
        shown = ", ".join(f"{s} {value:,g}" for s, value in islice(futures.items(), _MOST))
        yield (
            "futures are booked at 1 a point, but their point values differ "
            f"({shown}{', ...' * (len(futures) > _MOST)}): multiply the prices, or the "
            "quantities and fees, by that"
        )


def _of_equity(curve: EquityCurve, symbols: Sequence[str]) -> Iterator[str]:
    equity, times = curve.equity, curve.timestamps
    lowest = min(equity, default=1.0)
    if lowest <= 0 < curve.starting_equity:
        first = next(place for place, value in enumerate(equity) if value <= 0)
        day = _session(times[first], curve.zone)
        yield (
            f"equity was {equity[first]:,.2f} on {day}, and {lowest:,.2f} at "
            "its lowest: a broker would have closed all positions before; here the run went on"
        )
    exposure = curve.exposure
    pairs = bool(symbols) and all(map(is_currency_pair, symbols))
    limit = _PAIR_MARGIN if pairs else _MARGIN
    highest = max(exposure, default=0.0)
    if highest > limit:
        first = next(place for place, value in enumerate(exposure) if value > limit)
        day = _session(times[first], curve.zone)
        yield (
            f"positions were {exposure[first]:.1f} times equity on {day}, and "
            f"{highest:.1f} times at the most: beyond {limit:g} times a broker calls for margin "
            "and closes positions; here nothing does"
        )
