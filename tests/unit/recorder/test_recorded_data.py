"""Backtests on recorded market data, from a database and from an export."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ingenium import App, Bar, Ingestor, Strategy
from ingenium.backtest import BacktestResult, run
from ingenium.brokers import PaperExecutor
from ingenium.bus.nats.direct_reader import KeptMessage
from ingenium.errors import BacktestError, ConfigError, RecorderError
from ingenium.events import DataEvent, encode, encode_binary
from ingenium.portfolios import FixedQuantity
from ingenium.recorder.backtest_recording import BacktestRecording
from ingenium.recorder.batch import RecordedStream, WriteBatch
from ingenium.recorder.database import Database
from ingenium.recorder.export import export
from ingenium.recorder.open_writer import open_writer
from ingenium.recorder.recorded_data import RecordedFeed, RecordedIngestor, RecordedWindow
from ingenium.recorder.trading_rows import TradingRows
from ingenium.recorder.typed_rows import TypedRows
from ingenium.strategies import SmaCross
from ingenium.subjects.names import data_subject

T0 = datetime(2024, 1, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
BINARY = b"NATS/1.0\r\nContent-Type: application/protobuf\r\n\r\n"


def bar(symbol: str, minute: int) -> Bar:
    price = str(100 + minute * 7 % 13)
    return Bar.make(
        symbol, T0 + minute * MINUTE, open=price, high=price, low=price, close=price,
        volume="100000", period=MINUTE,
    )  # fmt: skip


class History(Ingestor):
    """Sixty minutes of two symbols."""

    def read_bars(self) -> Iterator[Bar]:
        for minute in range(60):
            yield bar("AAPL", minute)
            yield bar("IBM", minute)


class Live(Ingestor):
    """Has no history."""

    async def ingest(self) -> None:
        raise AssertionError("a backtest does not call it")


def make_app(ingestor: Ingestor, *, warm_up: Ingestor | None = None) -> App:
    strategies: list[Strategy] = [SmaCross(["AAPL", "IBM"], fast=2, slow=5)]
    return App(
        name="demo", ingestors=[ingestor], strategies=strategies, portfolio=FixedQuantity(10),
        executor=PaperExecutor(), warm_up=warm_up,
    )  # fmt: skip


def run_from(window: RecordedWindow) -> BacktestResult:
    """Run the live app on recorded data."""
    app = make_app(Live("feed"), warm_up=History("past"))
    app.use_ingestors([RecordedIngestor(window)])
    return run(app)


@pytest.fixture
def database(tmp_path: Path) -> Database:
    opened = Database(str(tmp_path / "record.db"))
    opened.migrate()
    return opened


def record_live(database: Database, sent: list[Bar]) -> None:
    """Record bars as the stream of a live app, every other one in protobuf."""
    stream, batch = RecordedStream("demo", "DATA"), WriteBatch("demo/DATA", 0, len(sent), 1)
    rows = TypedRows(TradingRows("demo", {}, {}))
    for number, each in enumerate(sent, 1):
        each.event.id = f"data_{number}"
        is_binary = number % 2 == 0
        payload = encode_binary(each.event) if is_binary else encode(each.event)
        subject = data_subject(each.symbol)
        kept = KeptMessage(number, number, subject, BINARY if is_binary else b"", payload)
        rows.add(batch.rows, batch.stream, kept)
    writer = open_writer(database, "demo")
    writer.claim(stream)
    writer.write(batch)
    writer.close()


@pytest.mark.parametrize("kind", ["database", "parquet", "arrow"])
def test_recorded_run_has_the_digest_of_its_original(
    database: Database, tmp_path: Path, kind: str
) -> None:
    with BacktestRecording(database, "demo") as recording:
        original = run(make_app(History("csv")), on_lines=recording.add)
        recording.end(original)
    assert original.fills
    place = database.text
    if kind != "database":
        place = str(tmp_path / "archive")
        export(database, recording.run_id, Path(place), kind)
    again = run_from(RecordedWindow(place, recording.run_id))
    assert again.events_digest == original.events_digest
    assert again.trades == original.trades
    part = run_from(RecordedWindow(place, recording.run_id, T0 + 10 * MINUTE, T0 + 20 * MINUTE))
    # Bars end at minutes 10 to 19: ten of them, of two symbols.
    assert part.replay.data == 20
    assert (part.replay.first, part.replay.last) == (T0 + 10 * MINUTE, T0 + 19 * MINUTE)


def test_late_events_are_put_in_their_place_and_counted(database: Database) -> None:
    sent = [bar("AAPL", minute) for minute in (0, 1, 3, 2, 4)]
    record_live(database, sent)
    ingestor = RecordedIngestor(RecordedWindow(database.text, "demo"))
    assert [event.id for event in ingestor.read()] == [
        "data_1", "data_2", "data_4", "data_3", "data_5",
    ]  # fmt: skip
    (note,) = ingestor.notes()
    assert (note.source, note.count) == ("record.db", 1)


@pytest.mark.parametrize(
    ("window", "text"),
    [
        (("other", None, None), "has no market data of 'other'"),
        (("demo", T0 + 90 * MINUTE, None), "between 2024-01-01 01:30:00.00:00 and its end"),
    ],
)
def test_window_without_data_says_so(
    database: Database, window: tuple[str, datetime | None, datetime | None], text: str
) -> None:
    record_live(database, [bar("AAPL", 0)])
    with pytest.raises(RecorderError, match=text):
        list(RecordedIngestor(RecordedWindow(database.text, *window)).read())


def test_wrong_windows_and_places_are_refused(database: Database, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is not after since"):
        run_from(RecordedWindow(database.text, "demo", T0, T0))
    with pytest.raises(RecorderError, match="is not an export in Parquet or Arrow"):
        list(RecordedIngestor(RecordedWindow(str(tmp_path / "."), "demo")).read())
    with pytest.raises(BacktestError, match="live ingestors"):
        run(make_app(Live("feed")))


class Sent(RecordedFeed):
    """Keeps what it sends, and the pauses, without waiting."""

    def __init__(self, window: RecordedWindow, speed: float) -> None:
        super().__init__(window, speed, pause=self.pause)
        self.sent: list[str | None] = []
        self.pauses: list[float] = []

    async def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)

    def send_data(self, event: DataEvent) -> DataEvent:
        self.sent.append(event.id)
        return event


@pytest.mark.parametrize(("speed", "pauses"), [(1, [0, 0, 60, 180]), (0.5, [0, 0, 120, 360])])
async def test_paced_feed_sends_data_as_far_apart_as_it_was(
    database: Database, speed: float, pauses: list[float]
) -> None:
    record_live(database, [bar("AAPL", 0), bar("IBM", 0), bar("AAPL", 1), bar("AAPL", 3)])
    feed = Sent(RecordedWindow(database.text, "demo"), speed)
    await feed.ingest()
    assert feed.sent == ["data_1", "data_2", "data_3", "data_4"]
    # Each is due from the start, less the few moments that this test has taken.
    assert feed.pauses == pytest.approx(pauses, abs=20)


async def test_feed_without_pauses_sends_all_data(database: Database) -> None:
    record_live(database, [bar("AAPL", minute) for minute in range(0, 3000, 30)])
    feed = Sent(RecordedWindow(database.text, "demo"), speed=0)
    await feed.ingest()
    assert feed.sent == [f"data_{n}" for n in range(1, 101)]
    assert set(feed.pauses) == {0}
    with pytest.raises(ConfigError, match="speed is -1"):
        RecordedFeed(RecordedWindow(database.text, "demo"), -1)
