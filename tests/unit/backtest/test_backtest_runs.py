"""Bars that are worked off together give what they give one by one."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import chain
from zoneinfo import ZoneInfo

import pytest

from ingenium import App, Bar, DataEvent, Ingestor, Signal, Strategy, backtest
from ingenium.backtest import BacktestResult
from ingenium.brokers import PaperExecutor
from ingenium.components import handle_of
from ingenium.errors import BacktestError, DataFileError
from ingenium.exchange import FillPolicy
from ingenium.portfolios import FixedQuantity
from ingenium.runtime.replay import Feed, Run, merged, next_turn

START = datetime(2024, 1, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
GAPS = [timedelta(0), timedelta(seconds=0.25), timedelta(seconds=61), timedelta(hours=3)]


def bar(symbol: str, start: datetime, price: str = "100") -> Bar:
    return Bar.make(
        symbol, start, open=price, high=f"{price}.5", low=price, close=price, volume="1000",
        period=MINUTE,
    )  # fmt: skip


def minutes(count: int, symbol: str = "A") -> list[Bar]:
    return [bar(symbol, START + MINUTE * i, str(100 + i % 9)) for i in range(count)]


def walk(seed: int, symbols: str = "A", oddness: float = 0.02) -> list[Bar]:
    """Make bars that mostly come a minute after each other, and mostly stay with their symbol."""
    choose = random.Random(seed)
    bars: list[Bar] = []
    start, symbol = START, symbols[0]
    for _ in range(400):
        if choose.random() < oddness:
            symbol = choose.choice(symbols)
        bars.append(bar(symbol, start, str(choose.randint(90, 110))))
        start += choose.choice(GAPS) if choose.random() < oddness else MINUTE
    return bars


class Given(Ingestor):
    """Gives bars."""

    def __init__(
        self, bars: Sequence[Bar], error: Exception | None = None, name: str = "given"
    ) -> None:
        super().__init__(name)
        self.bars, self.error = bars, error

    def read_bars(self) -> Iterator[Bar]:
        for one in self.bars:
            # Each run has its own, which the ingestor names.
            yield Bar.from_event(one.event)
        if self.error is not None:
            raise self.error


class GivenEvents(Ingestor):
    """Gives the same one by one, as events."""

    def __init__(self, bars: Sequence[Bar], name: str = "given") -> None:
        super().__init__(name)
        self.bars = bars

    def read(self) -> Iterator[DataEvent]:
        return (one.event for one in self.bars)


class Seeing(Strategy):
    """Writes down what a handler can see, and speaks from time to time."""

    def __init__(
        self,
        portfolio: FixedQuantity,
        symbols: Sequence[str] | None = None,
        every: int = 0,
        fails_on: int = 0,
        name: str = "seeing",
    ) -> None:
        super().__init__(symbols, name=name)
        self.portfolio, self.every, self.fails_on = portfolio, every, fails_on
        self.seen: list[object] = []

    def on_bar(self, bar: Bar) -> None:
        price, held = self.portfolio.price(bar.symbol), self.portfolio.position(bar.symbol)
        self.seen.append((self.now, bar.symbol, bar.close, price, held.quantity))
        if len(self.seen) == self.fails_on:
            raise ValueError("no more")
        if self.every and not len(self.seen) % self.every:
            self.send_signal(bar.symbol, (Signal.LONG, Signal.SHORT)[int(bar.close) % 2])


class Awaiting(Seeing):
    async def on_bar(self, bar: Bar) -> None:  # type: ignore[override]
        await asyncio.sleep(0)
        super().on_bar(bar)


def run(
    ingestors: Sequence[Ingestor],
    *kinds: type[Seeing],
    every: int = 0,
    fails_on: int = 0,
    has_steps: bool = False,
    start: datetime | None = None,
    end: datetime | None = None,
    symbols: Sequence[str] | None = None,
) -> tuple[BacktestResult, list[object]]:
    """Run, and return the result and what was seen on the way."""
    portfolio = FixedQuantity(5)
    strategies = [
        kind(portfolio, symbols, every, fails_on, f"seeing-{place}")
        for place, kind in enumerate(kinds)
    ]
    app = App(
        ingestors=list(ingestors),
        strategies=strategies,
        portfolio=portfolio,
        executor=PaperExecutor(FillPolicy(volume_cap=None)),
    )
    steps: list[object] = []
    result = backtest.run(
        app,
        start=start,
        end=end,
        on_step=(lambda step, time, count, _: steps.append((step, time, count)))
        if has_steps
        else None,
    )
    return result, [steps, *(strategy.seen for strategy in strategies)]


def said(result: BacktestResult) -> list[object]:
    """Return all that a result says, floats to the bit."""
    curve = result.equity
    tracks = [
        (symbol, track.bars, *map(bytes, (track.times, track.high, track.low, track.close)))
        for symbol, track in curve.prices.tracks.items()
    ]
    columns = (curve.timestamps, curve.equity, curve.exposure, curve.benchmark)
    replay = result.replay
    counts = (replay.steps, replay.first, replay.last, replay.data, replay.orders)
    return [
        result.events_digest, result.stats, counts, replay.trades, replay.account.cash,
        *map(bytes, columns), tracks,
    ]  # fmt: skip


@pytest.mark.parametrize("kinds", [(Seeing,), (Seeing, Seeing), (Awaiting,)], ids=str)
@pytest.mark.parametrize("has_steps", [False, True])
@pytest.mark.parametrize(
    ("seed", "symbols", "every"),
    [(1, "A", 0), (2, "A", 1), (3, "A", 17), (4, "AB", 17), (5, "ABC", 90)],
)
def test_run_of_bars_gives_what_their_events_give_one_by_one(
    seed: int, symbols: str, every: int, has_steps: bool, kinds: tuple[type[Seeing], ...]
) -> None:
    bars = walk(seed, symbols)
    together, seen = run([Given(bars)], *kinds, every=every, has_steps=has_steps)
    alone, seen_alone = run([GivenEvents(bars)], *kinds, every=every, has_steps=has_steps)
    assert seen == seen_alone
    assert said(together) == said(alone)


@pytest.mark.parametrize("gap", [timedelta(0), timedelta(seconds=1)])
def test_run_start_and_end_in_the_middle_of_a_run_cut_it_there(gap: timedelta) -> None:
    bars = walk(6)
    between = {"start": bars[100].end + gap, "end": bars[299].end + gap}
    together, seen = run([Given(bars)], Seeing, every=7, **between)  # type: ignore[arg-type]
    alone, seen_alone = run([GivenEvents(bars)], Seeing, every=7, **between)  # type: ignore[arg-type]
    assert seen == seen_alone
    assert said(together) == said(alone)


def test_run_error_behind_the_end_is_not_met() -> None:
    bars = minutes(300)
    result, _ = run([Given(bars, DataFileError("row 301 is bad"))], Seeing, end=bars[150].end)
    assert result.replay.steps == 151


def test_run_strategy_of_other_symbols_sees_none_of_them() -> None:
    bars = walk(7, "AB")
    result, [_, seen] = run([Given(bars)], Seeing, symbols=["B"])
    assert len(seen) == sum(one.symbol == "B" for one in bars)  # type: ignore[arg-type]
    assert said(result) == said(run([GivenEvents(bars)], Seeing, symbols=["B"])[0])


@pytest.mark.parametrize("count", [2, 63, 64, 65, 66, 130, 200])
def test_run_error_of_the_data_comes_after_the_bars_before_it(count: int) -> None:
    with pytest.raises(
        BacktestError, match="'given' failed while reading: OSError: gone"
    ) as caught:
        run([Given(minutes(count), OSError("gone"))], Seeing)
    partial = caught.value.partial
    assert isinstance(partial, BacktestResult)
    # The instant of the last bar may not have been over.
    assert (partial.replay.steps, len(partial.equity)) == (count - 1, count - 1)


def test_run_bar_out_of_order_in_the_middle_of_a_run_is_refused_when_its_turn_comes() -> None:
    bars = minutes(100)
    with pytest.raises(BacktestError, match="comes after 2024-01-01T01:40:00") as caught:
        run([Given([*bars, bars[20], *minutes(150)[101:]])], Seeing)
    assert isinstance(caught.value.partial, BacktestResult)
    assert caught.value.partial.replay.steps == 99


@pytest.mark.parametrize("count", [1, 2])
def test_run_strategy_that_raises_in_a_run_leaves_what_came_before(count: int) -> None:
    with pytest.raises(
        BacktestError, match="failed on DataEvent of A at 2024-01-01T01:41"
    ) as caught:
        run([Given(minutes(300))], *[Seeing] * count, fails_on=101)
    partial = caught.value.partial
    assert isinstance(partial, BacktestResult)
    assert (partial.replay.steps, len(partial.equity)) == (100, 100)


class Starting(Given):
    """Wants to be told when it starts, so that all goes one by one until it has."""

    def on_start(self) -> None:
        self.started_at = self.now


@pytest.mark.parametrize("seed", range(6))
def test_run_of_several_ingestors_merges_as_their_events_are_merged(seed: int) -> None:
    symbols = ["A", "AB", "BC"] if seed % 2 else ["A", "B", "C"]
    walks = [walk(10 * seed + i, symbols[i], 0.1) for i in range(3)]
    bars = [Given(walks[i], name=f"given-{i}") for i in range(3)]
    # One whose events are only known one by one makes nothing of the others different.
    events: list[Ingestor] = [GivenEvents(walks[i], f"given-{i}") for i in range(3)]
    together, seen = run(bars, Seeing, every=11)
    alone, seen_alone = run(events, Seeing, every=11)
    assert seen == seen_alone
    assert said(together) == said(alone)


def test_merged_feeds_have_the_order_of_next_turn() -> None:
    lists = [[bar("B", START), bar("C", START)], [bar("A", START), bar("B", START)], []]
    feeds = [Feed(Given(bars, name=f"given-{i}")) for i, bars in enumerate(lists)]

    async def by_turns() -> list[str]:
        found: list[str] = []
        turning = [Feed(Given(bars, name=f"given-{i}")) for i, bars in enumerate(lists)]
        for feed in turning:
            await feed.start()
        while any(heads := [feed.head for feed in turning]):
            turn = next_turn(heads)
            taken = turning[turn.feed].take_now(turn.until_symbol)
            found += [f"{item.symbol} of {turn.feed}" for item in taken]
        return found

    for feed in feeds:
        asyncio.run(feed.start())
    [instant] = merged(feeds)
    assert not isinstance(instant, Run)
    items = [item for item in instant[1] if isinstance(item, Bar)]
    sources = {id(handle_of(feed.ingestor)): place for place, feed in enumerate(feeds)}
    assert [
        f"{item.symbol} of {sources[id(getattr(item.name, '__self__'))]}"  # noqa: B009
        for item in items
    ] == asyncio.run(by_turns())


def test_run_error_of_one_ingestor_comes_when_its_turn_has_come() -> None:
    late = [bar("B", START + MINUTE * 10 * i) for i in range(5)]
    ingestors = [Given(minutes(300)), Given(late, OSError("gone"), "late")]
    with pytest.raises(BacktestError, match="'late' failed while reading: OSError: gone") as caught:
        run(ingestors, Seeing)
    assert isinstance(caught.value.partial, BacktestResult)
    # The 40th minute is not whole, and those before it are done.
    assert caught.value.partial.replay.steps == 40


def test_run_ingestor_that_wants_to_start_later_is_started_at_its_first_bar() -> None:
    late = Starting(minutes(200, "B")[100:], name="late")
    result, _ = run([Given(minutes(200)), late], Seeing)
    assert late.started_at == late.bars[0].end
    assert (result.replay.steps, result.replay.data) == (200, 300)


def pieces_of(bars: Sequence[Bar]) -> list[Run | list[str]]:
    """Return the pieces of a feed; of instants the symbols."""
    feed = Feed(Given(bars))
    asyncio.run(feed.start())
    return [
        piece if isinstance(piece, Run) else [item.symbol for item in piece[1]]
        for piece in feed.pieces()
    ]


def test_pieces_of_one_symbol_are_runs_and_the_last_instant() -> None:
    bars = minutes(150)
    *runs, last = pieces_of(bars)
    assert last == ["A"]
    assert all(isinstance(piece, Run) and piece.symbol == "A" for piece in runs)
    found = [piece for piece in runs if isinstance(piece, Run)]
    assert list(chain.from_iterable(piece.bars for piece in found)) == bars[:-1]
    for piece in found:
        assert piece.ends == [one.end for one in piece.bars]
        assert piece.closes == [one.close for one in piece.bars]
        assert piece.step == 60


def test_pieces_of_instants_with_several_bars_are_instants() -> None:
    bars = list(chain.from_iterable(zip(minutes(100), minutes(100, "B"), strict=True)))
    assert pieces_of(bars) == [["A", "B"]] * 100


@pytest.mark.parametrize("zone", [UTC, ZoneInfo("America/New_York")])
@pytest.mark.parametrize("step", [1, 60, 86_400, 0.1, 90_061.5])
@pytest.mark.parametrize("microseconds", [0, 1])
def test_stamps_of_run_are_timestamps(zone: ZoneInfo, step: float, microseconds: int) -> None:
    # Over the day on which New York puts its clocks forward.
    first = datetime(2024, 3, 9, tzinfo=UTC) + timedelta(microseconds=microseconds)
    ends = [(first + timedelta(seconds=step) * i).astimezone(zone) for i in range(150)]
    feed = Feed(Given([]))
    bars = [
        Bar("A", end, end, 1.0, 1.0, 1.0, 1.0, 1.0, MINUTE, None, handle_of(feed.ingestor).name_bar)
        for end in ends
    ]
    feed = Feed(Bare(bars))
    asyncio.run(feed.start())
    runs = [piece for piece in feed.pieces() if isinstance(piece, Run)]
    assert [stamp for piece in runs for stamp in piece.stamps(0, len(piece.bars))] == [
        end.timestamp() for end in ends[:-1]
    ]
    assert list(runs[0].stamps(3, 5)) == [end.timestamp() for end in ends[3:5]]


class Bare(Given):
    """Gives the bars themselves."""

    def read_bars(self) -> Iterator[Bar]:
        return iter(self.bars)
