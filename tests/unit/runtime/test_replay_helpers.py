"""Small decisions of a replay: whose data counts, what comes first, why nothing came."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from ingenium import App, Bar, DataEvent, External, Ingestor, Portfolio, SignalEvent, Strategy
from ingenium.brokers import PaperExecutor
from ingenium.bus.base import Message
from ingenium.bus.envelope import headers_for
from ingenium.errors import DecodeError
from ingenium.events import ExecutionEvent, Ohlc, OrderEvent, StopLoss, encode
from ingenium.runtime.history_join import HistoryJoin
from ingenium.runtime.replay.event_log import EventLog, Step
from ingenium.runtime.replay.feed import prefers_bars, time_of
from ingenium.runtime.replay.outcomes import OrderOutcomes
from ingenium.runtime.replay.problems import unheard_symbols, why_nothing_came
from ingenium.runtime.replay.signal_order import SignalOrder
from ingenium.trading import Order

START = datetime(2024, 1, 3, 14, 30, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


class Empty(Ingestor):
    def read(self) -> Iterator[DataEvent]:
        """Have no history."""
        return iter(())


def app(*strategies: Strategy | External) -> App:
    return App(name="app", ingestors=[Empty()], strategies=strategies, portfolio=Portfolio(1_000),
               executor=PaperExecutor())  # fmt: skip


class Named(Strategy):
    def __init__(self, name: str, symbols: list[str] | None = None) -> None:
        super().__init__(name=name, symbols=symbols)


# The order of signals.


def signal(source: str, symbol: str, kind: str = "ingenium.signal.long", strength: str = "") -> Any:
    event = SignalEvent(id="s", symbol=symbol, signal=kind, strength=strength or None)
    headers = headers_for(event, source) if source else {}
    return Message("ingenium.strategy.signal", encode(event), headers)


def texts(order: SignalOrder, *messages: Message) -> list[str]:
    return [message.payload.decode() for message in order.sort(messages)]


def payloads(*messages: Message) -> list[str]:
    return [message.payload.decode() for message in messages]


def test_signals_come_by_strategy_and_keep_their_order_within_one() -> None:
    order = SignalOrder(app(Named("b"), Named("a"), External("strategy", name="x", reports=True)))
    x, a2, a1, b = signal("x", "A"), signal("a", "B"), signal("a", "A"), signal("b", "Z")
    stranger = signal("nobody", "A")
    assert texts(order, stranger, x, a2, a1, b) == payloads(b, a2, a1, x, stranger)


def test_signals_of_a_program_that_reports_nothing_come_by_symbol() -> None:
    order = SignalOrder(app(Named("b"), External("strategy", name="x")))
    named = signal("x", "B"), signal("x", "A")
    assert texts(order, *named) == payloads(*named[::-1])
    # Without a source they are of the one program there is, and keep their order in a symbol.
    long, short = signal("", "A"), signal("", "A", "ingenium.signal.flat")
    assert texts(order, long, short) == payloads(long, short)
    assert texts(order, short, long) == payloads(short, long)
    assert texts(order, signal("", "A"), signal("b", "B")) == payloads(
        signal("b", "B"), signal("", "A")
    )


def test_nameless_signals_of_several_programs_come_by_content() -> None:
    order = SignalOrder(app(External("strategy", name="x"), External("strategy", name="y")))
    flat, long = signal("", "A", "ingenium.signal.flat"), signal("", "A")
    weak, strong = signal("", "A", strength="0.1"), signal("", "A", strength="0.9")
    assert texts(order, strong, weak, long, flat) == payloads(flat, long, weak, strong)
    # Where the source is known, the order of one program counts.
    assert texts(order, signal("y", "A"), signal("y", "A", "ingenium.signal.flat")) == payloads(
        signal("y", "A"), signal("y", "A", "ingenium.signal.flat")
    )


def test_signal_that_cannot_be_read_comes_first_of_its_program() -> None:
    order = SignalOrder(app(External("strategy", name="x")))
    broken = Message("ingenium.strategy.signal", b"{", {})
    assert order.sort([signal("", "A"), broken])[0] is broken


# Which of its two methods gives an ingestor's history.


class Bars(Ingestor):
    def read_bars(self) -> Iterator[Bar]:
        """Have no history."""
        return iter(())


class BarsBelow(Empty):
    def read_bars(self) -> Iterator[Bar]:
        """Have no history."""
        return iter(())


class ReadBelow(Bars):
    def read(self) -> Iterator[DataEvent]:
        """Have no history."""
        return iter(())


@pytest.mark.parametrize(
    ("cls", "expected"), [(Bars, True), (Empty, False), (BarsBelow, True), (ReadBelow, False)]
)
def test_method_that_is_overridden_last_counts(cls: type[Ingestor], expected: bool) -> None:
    assert prefers_bars(cls()) is expected


def test_method_that_an_object_brings_itself_counts() -> None:
    ingestor = Bars()
    ingestor.read = lambda: iter(())  # type: ignore[method-assign]
    assert not prefers_bars(ingestor)
    ingestor.read_bars = lambda: iter(())  # type: ignore[method-assign]
    assert prefers_bars(ingestor)


@pytest.mark.parametrize(
    ("timestamp", "begin", "period", "expected"),
    [
        ("2024-01-03T14:31:00Z", None, "", START + MINUTE),
        ("2024-01-03T14:32:00Z", START, "1m", START + 2 * MINUTE),
        ("", START, "1m", START + MINUTE),
        ("", START, "", START),
        ("yesterday", START, "5m", START + 5 * MINUTE),
    ],
)
def test_time_at_which_data_was_known(
    timestamp: str, begin: datetime | None, period: str, expected: datetime
) -> None:
    ohlc = Ohlc(open="1", high="1", low="1", close="1", timestamp=begin, period=period)
    assert time_of(DataEvent(symbol="A", timestamp=timestamp, ohlc=ohlc)) == expected


def test_data_that_was_known_at_no_time_is_refused() -> None:
    with pytest.raises(DecodeError, match="Timestamp"):
        time_of(DataEvent(symbol="A"))


# Why nothing came.


class Counts:
    def __init__(self, data: int, symbols: str, signals: int = 0, sent: int = 0) -> None:
        self.data, self.signals = data, signals
        self.symbols: dict[str, None] = dict.fromkeys(symbols)
        self.signals_of = {"a": signals}
        self.outcomes = OrderOutcomes()
        self.outcomes.sent = sent


WAITS = "strategy 'a' waits for C, which nobody sent: there was A, B"


@pytest.mark.parametrize(
    ("counts", "strategies", "expected"),
    [
        (Counts(0, ""), [Named("a")], "no data came, so nothing could happen"),
        (Counts(3, "AB"), [Named("a", ["C"])], WAITS),
        (Counts(3, "AB", signals=1), [Named("a", ["C"])], ""),
        (Counts(3, "AB", sent=1), [Named("a", ["C"])], ""),
        (Counts(3, "AB"), [], ""),
        (Counts(3, "AB"), [Named("a")], ""),
        (Counts(3, "AB"), [Named("a", ["C", "B"])], ""),
        (Counts(3, "AB"), [Named("a", ["C"]), Named("b")], ""),
        (Counts(3, "AB"), [Named("a", ["C"]), External("strategy", name="x")], ""),
        (Counts(3, "AB"), [Named("a", ["C"]), Named("b", ["a"])],
         f"{WAITS}; strategy 'b' waits for a, which nobody sent; A differs in case: there was"),
    ],
)  # fmt: skip
def test_replay_that_could_not_trade_says_why(
    counts: Counts, strategies: list[Any], expected: str
) -> None:
    found = why_nothing_came(counts, app(*strategies))
    assert found.startswith(expected)
    assert isinstance(found, str)
    assert bool(found) is bool(expected)


def test_symbols_that_nobody_sent_are_named_up_to_eight() -> None:
    missing = [f"M{i}" for i in range(11)]
    lines = list(unheard_symbols(Named("a", ["A", *missing]), list("KJIHGFEDCBA")))
    assert len(lines) == 9
    assert "M0, which nobody sent" in lines[0]
    assert lines[0].endswith("there was A, B, C, D, E, F, G, H, I, J, ...")
    assert "M7, which nobody sent" in lines[7]
    assert lines[8] == "strategy 'a' waits for 3 more symbols that nobody sent"
    assert len(list(unheard_symbols(Named("a", missing[:8]), ["A"]))) == 8


# Where history ends and live data begins.


def bar(minute: int, symbol: str = "A", period: timedelta = MINUTE) -> DataEvent:
    start = START + minute * MINUTE
    return Bar.make(symbol, start, open="1", high="1", low="1", close="1", period=period).event


class Join:
    def __init__(self) -> None:
        self.lines: list[str] = []
        self.join = HistoryJoin("rsi", self.lines.append)

    def history(self, *minutes: int, period: timedelta = MINUTE) -> None:
        for minute in minutes:
            self.join.add("A", START + minute * MINUTE + period, period)

    def repeats(self, event: DataEvent) -> bool:
        return self.join.repeats(event, START + timedelta(hours=5))


def test_live_bar_that_history_had_is_skipped_once_and_counted() -> None:
    it = Join()
    it.history(0, 1, 2)
    assert [it.repeats(bar(minute)) for minute in (1, 2, 3, 4)] == [True, True, False, False]
    assert it.join.repeated == 2
    assert it.lines == []
    assert it.join.times() == {"A": START + 5 * MINUTE}


def test_bars_of_two_lengths_that_end_together_are_told_apart() -> None:
    it = Join()
    it.history(4)
    it.join.add("A", START + 5 * MINUTE, 5 * MINUTE)
    assert it.repeats(bar(4))
    assert it.repeats(bar(0, period=5 * MINUTE))
    assert not it.repeats(bar(3, period=2 * MINUTE))
    assert it.repeats(bar(3, period=2 * MINUTE))
    # The next minute has only the lengths that came with it.
    assert not it.repeats(bar(5))
    it.join.expect_repeats()
    assert it.repeats(bar(5))
    assert not it.repeats(bar(1, period=5 * MINUTE))


def test_repeats_end_with_the_first_newer_bar() -> None:
    it = Join()
    it.history(0, 1, 2)
    assert not it.repeats(bar(3))
    # A correction of an old bar is news again.
    assert not it.repeats(bar(1))
    it.join.expect_repeats()
    assert it.repeats(bar(1))


def test_symbol_without_history_starts_cold_and_one_line_says_so() -> None:
    it = Join()
    it.history(0)
    assert not it.repeats(bar(1, "B"))
    assert not it.repeats(bar(2, "B"))
    [line] = it.lines
    assert line.startswith("B: there is no history of it, so rsi starts cold with it")


def test_live_bars_of_another_length_are_a_problem() -> None:
    it = Join()
    it.history(0)
    assert not it.repeats(bar(1, period=5 * MINUTE))
    [line] = it.lines
    assert line.startswith("A: history has bars of 1m, and live ones are of 5m")


# What a log counts.


def test_log_counts_each_kind_and_the_signals_of_each_strategy() -> None:
    log = EventLog(Decimal(1_000))
    data = Message("ingenium.ingestor.data.A", encode(bar(0)), {})
    log.add(Step(START, [data], [signal("a", "A"), signal("b", "A"), signal("a", "B")], [], []))
    log.add(Step(START + MINUTE, [data, data], [signal("a", "A")], [], []))
    assert log.signals_of == {"a": 3, "b": 1}
    assert (log.steps, log.data, log.signals) == (2, 3, 4)
    assert log.last == START + MINUTE


@pytest.mark.parametrize("legs", [{"take_profit": "9"},
                                  {"stop_loss": StopLoss(stop_price="1")}])  # fmt: skip
def test_fill_of_a_protective_order_is_booked_by_the_order_that_it_came_with(
    legs: dict[str, Any],
) -> None:
    log = EventLog(Decimal(1_000))
    event = OrderEvent(
        id="o1", symbol="A", side="buy", quantity="10", type="market", time_in_force="gtc", **legs
    )
    [leg] = Order.from_event(event).protective_orders()
    made = Message("ingenium.portfolio.order", encode(event), {})
    fills = [
        ExecutionEvent(
            id=f"e{price}", order_id=order_id, symbol="A", update="filled", quantity="10",
            price=price, leaves_quantity="0", timestamp=START,
        )
        for order_id, price in (("o1", "5"), (leg.id, "7"))
    ]  # fmt: skip
    log.add(
        Step(
            START,
            [],
            [],
            [made],
            [Message("ingenium.executor.execution", encode(each), {}) for each in fills],
        )
    )
    assert [fill.side.value for fill in log.fills] == ["buy", "sell"]
    # Bought ten at 5 and sold them at 7.
    assert log.account.cash == 1_020
    assert log.account.positions == {}
    assert log.traded_value == 120
