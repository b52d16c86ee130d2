"""What an ingestor yields or sends that is no event is named, with the cure."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from ingenium import App, Bar, Ingestor, Strategy, backtest
from ingenium.brokers import PaperExecutor
from ingenium.errors import BacktestError, ComponentError, ConfigError
from ingenium.events import DataEvent, Ohlc
from ingenium.portfolios import FixedQuantity
from ingenium.strategies import SmaCross
from ingenium.testing import bar, run

START = datetime(2024, 1, 2, tzinfo=UTC)
MAKE = "or make the event with Bar.make(...).event"


def event(**changes: Any) -> DataEvent:
    """An event as `Bar.make` would not make it."""
    prices = {name: changes.pop(name, "1") for name in ("open", "high", "low", "close")}
    made = {"symbol": "A", "timestamp": "2024-01-02T00:00:00Z", "type": "ohlc"} | changes
    return DataEvent(ohlc=Ohlc(**prices), **made)


WRONG = [
    (None, "got None: pass a DataEvent"),
    ("AAPL", r"got 'AAPL' \(str\): pass a DataEvent"),
    ({"symbol": "A"}, r"got {'symbol': 'A'} \(dict\): pass a DataEvent"),
    (event(timestamp=START), r"wrong Timestamp: .* \(datetime\): pass time.isoformat\(\), or make"),
    (event(open=1.5), r"wrong Ohlc.Open: expected a string, found 1.5 \(float\): pass text, or"),
    (event(close=Decimal(7)), r"wrong Ohlc.Close: expected a string, found Decimal\('7'\)"),
    (event(symbol=b"A"), r"wrong Symbol: expected a string, found b'A' \(bytes\): pass text"),
]


class Source(Ingestor):
    """Yields a good bar, an item, and a good bar."""

    def __init__(self, item: Any) -> None:
        super().__init__("source")
        self.item = item

    def items(self) -> Iterator[Any]:
        yield Bar.make("A", START - timedelta(1), open="1", high="1", low="1", close="1").event
        yield self.item
        yield Bar.make("A", START + timedelta(9), open="1", high="1", low="1", close="1").event


class Reading(Source):
    def read(self) -> Iterator[DataEvent]:
        return self.items()


class ReadingLater(Source):
    async def read(self) -> AsyncIterator[DataEvent]:
        for item in self.items():
            yield item


class Sending(Source):
    async def ingest(self) -> None:
        for item in self.items():
            self.send_data(item)


def backtest_of(source: Ingestor) -> None:
    backtest.run(
        App(
            ingestors=[source],
            strategies=[SmaCross(fast=2, slow=4)],
            portfolio=FixedQuantity(1),
            executor=PaperExecutor(),
        )
    )


@pytest.mark.parametrize(("item", "text"), WRONG)
@pytest.mark.parametrize("source", [Reading, ReadingLater])
def test_item_of_history_that_is_no_event_ends_the_run(
    source: type[Source], item: object, text: str
) -> None:
    with pytest.raises(BacktestError, match=f"ingestor 'source' failed while reading: .*{text}"):
        backtest_of(source(item))


@pytest.mark.parametrize(("item", "text"), WRONG)
def test_item_that_is_sent_and_no_event_is_refused(item: object, text: str) -> None:
    with pytest.raises(ComponentError, match=rf"send_data\(\) .*{text}"):
        run(Sending(item), [])


class Empty(Ingestor):
    def read(self) -> Iterator[DataEvent]:
        return None  # type: ignore[return-value]


def test_read_that_returns_nothing_is_an_error() -> None:
    with pytest.raises(BacktestError, match="it returned None: yield events in it"):
        backtest_of(Empty())


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"open": 1.5}, "open of a bar of 'A' is 1.5: pass text, such as '12.50'"),
        ({"volume": 3}, "volume of a bar of 'A' is 3: pass text"),
        ({"low": None}, "low of a bar of 'A' is None: pass text"),
        ({"start": "2024-01-02"}, "start of a bar of 'A' is '2024-01-02': pass a datetime"),
        ({"period": "5m"}, "period of a bar of 'A' is '5m': pass a timedelta"),
    ],
)
def test_argument_of_a_bar_of_the_wrong_type_is_named(changes: dict[str, Any], text: str) -> None:
    made: dict[str, Any] = {"start": START, "open": "1", "high": "1", "low": "1", "close": "1"}
    made |= changes
    with pytest.raises(ConfigError, match=text):
        Bar.make("A", **made)


class Nameless(Strategy):
    def on_bar(self, bar: Bar) -> None:
        self.send_signal(None, "long")  # type: ignore[arg-type]


def test_signal_without_a_symbol_is_refused_in_the_handler() -> None:
    with pytest.raises(ComponentError, match="SubjectError: symbol None is not a string"):
        run(Nameless(), [bar()])
