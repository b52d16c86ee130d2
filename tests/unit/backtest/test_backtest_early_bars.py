"""Bars that are known before they are over are found and named; honest data is left alone."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import pytest
from support.running import ingenium

from ingenium import App, DataEvent, Ingestor
from ingenium.backtest import check_lookahead
from ingenium.backtest.early_bars import EarlyBars
from ingenium.brokers import PaperExecutor
from ingenium.events import Ohlc
from ingenium.ingestors import CsvIngestor
from ingenium.portfolios import FixedQuantity
from ingenium.strategies import RsiStrategy

EXAMPLES = Path(__file__).parents[3] / "examples" / "data"
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
MONDAY = datetime(2024, 1, 1, tzinfo=UTC)
THIN = Random(1)


class Own(Ingestor):
    """Feeds bars whose times it says itself."""

    def __init__(self, events: list[DataEvent]) -> None:
        super().__init__("own")
        self.events = events

    def read(self) -> Iterator[DataEvent]:
        return iter(self.events)


def event(
    known: datetime, start: datetime | None = None, period: str | None = None, symbol: str = "A"
) -> DataEvent:
    ohlc = Ohlc(open="1", high="1", low="1", close="1", volume="1", period=period, timestamp=start)
    return DataEvent(type="ohlc", symbol=symbol, timestamp=known.isoformat(), ohlc=ohlc)


def problems(events: list[DataEvent]) -> list[tuple[str, str]]:
    early = EarlyBars()
    ingestor = Own(events)
    for each in events:
        early.see(ingestor, each)
    return list(early.problems())


def of_files(*paths: Path, **arguments: object) -> list[tuple[str, str]]:
    early = EarlyBars()
    ingestor = CsvIngestor(list(paths), name="prices", **arguments)  # type: ignore[arg-type]
    for each in ingestor.read():
        early.see(ingestor, each)
    return list(early.problems())


def weekdays(count: int) -> list[datetime]:
    days = [MONDAY + i * DAY for i in range(2 * count)]
    return [day for day in days if day.weekday() < 5][:count]


def session(hours: list[float], days: int = 8) -> list[datetime]:
    return [day + hour * HOUR for day in weekdays(days) for hour in hours]


def write(path: Path, times: list[datetime]) -> Path:
    rows = "".join(f"{time:%Y-%m-%d %H:%M:%S},1,1,1,1,100\n" for time in times)
    path.write_text("time,open,high,low,close,volume\n" + rows)
    return path


HONEST = {
    "days": [event(day + DAY, day, "1d") for day in weekdays(30)],
    "days that state no start": [event(day + DAY, None, "1d") for day in weekdays(30)],
    "days that state nothing, known after them": [event(day + DAY) for day in weekdays(30)],
    "days known at the close of their session": [
        event(day + 21 * HOUR, day + 14.5 * HOUR, "390m") for day in weekdays(30)
    ],
    "days around the clock that state nothing": [event(MONDAY + i * DAY) for i in range(30)],
    "weeks from Monday to Friday": [
        event(MONDAY + i * 7 * DAY + 5 * DAY, MONDAY + i * 7 * DAY, "5d") for i in range(20)
    ],
    "hours with a short first one": [
        event(time + (HOUR / 2 if time.minute else HOUR), time, "30m" if time.minute else "1h")
        for time in session([14.5, 15, 16, 17, 18, 19, 20])
    ],
    "four hours, two a day": [event(t + 4 * HOUR, t, "4h") for t in session([14.5, 18.5])],
    "minutes with many missing": [
        event(t + HOUR / 60, t, "1m")
        for t in (MONDAY + i * HOUR / 60 for i in range(2_000))
        if THIN.random() < 0.4
    ],
    "hours and days of one symbol": sorted(
        [event(t + HOUR, t, "1h") for t in (MONDAY + i * HOUR for i in range(240))]
        + [event(t + DAY, t, "1d") for t in (MONDAY + i * DAY for i in range(10))],
        key=lambda each: each.timestamp,
    ),
    "one bar": [event(MONDAY + HOUR, MONDAY, "1h")],
}


@pytest.mark.parametrize("name", HONEST)
def test_honest_bars_are_left_alone(name: str) -> None:
    assert problems(HONEST[name]) == []


EARLY = {
    "event at the start of its bar": (
        [event(day, day, "1d") for day in weekdays(30)],
        (
            "A's bar of 2024-01-01T00:00:00Z is known at 2024-01-01T00:00:00Z, before it ends at "
            "2024-01-02T00:00:00Z (30 of 30 bars): make the timestamp"
        ),
    ),
    "one event too early": (
        [
            event(t + (HOUR if i != 7 else HOUR / 2), t, "1h")
            for i, t in enumerate(session([9, 10]))
        ],
        (
            "A's bar of 2024-01-04T10:00:00Z is known at 2024-01-04T10:30:00Z, before it ends at "
            "2024-01-04T11:00:00Z (1 of 16 bars)"
        ),
    ),
    "start without a period": (
        [event(t, t) for t in session([9, 10, 11, 12])],
        (
            "A's bar of 2024-01-01T09:00:00Z is known at its start, at 2024-01-01T09:00:00Z, "
            "though bars are 1h apart"
        ),
    ),
    "date as the time of its close": (
        [event(day) for day in weekdays(30)],
        "A's bar of Monday 2024-01-01T00:00:00Z is known at the midnight with which that day",
    ),
    "date as the end of a day": (
        [event(day, None, "1d") for day in weekdays(30)],
        "is known at the midnight with which that day begins",
    ),
    "a minute for an hour": (
        [event(t + HOUR / 60, t, "1m") for t in session([9, 10, 11, 12])],
        (
            "is known after 1m, at 2024-01-01T09:01:00Z, though bars are 1h apart (25 of 32 bars): "
            "leave period out or pass period='1h'"
        ),
    ),
    "an hour for a day at its open": (
        [event(day + 15.5 * HOUR, day + 14.5 * HOUR, "1h") for day in weekdays(30)],
        "is known after 1h, at 2024-01-01T15:30:00Z, though bars are 1d apart",
    ),
    "a day for a month": (
        [event(t + DAY, t, "1d") for t in (MONDAY.replace(month=m) for m in range(1, 13))],
        "is known after 1d, at 2024-01-02T00:00:00Z, though bars are 31d apart",
    ),
    "half an hour with hours": (
        [event(t + HOUR / 2, t, "30m") for t in session([14.5, 15, 16, 17, 18, 19, 20])],
        "A's bar of 2024-01-01T15:00:00Z is known after 30m",
    ),
}


@pytest.mark.parametrize("name", EARLY)
def test_bar_that_is_known_early_is_named_with_a_cure(name: str) -> None:
    events, text = EARLY[name]
    [(ingestor, problem)] = problems(events)
    assert ingestor == "own"
    assert text in problem


def test_several_symbols_are_one_line() -> None:
    events = [event(day, day, "1d", symbol) for day in weekdays(5) for symbol in "ABC"]
    [(_, problem)] = problems(events)
    assert problem.endswith("; so are bars of 2 other symbols")


def test_event_without_a_bar_is_passed_over() -> None:
    assert problems([DataEvent(type="news", symbol="A", timestamp=MONDAY.isoformat())]) == []


def test_files_are_named_and_the_shipped_ones_are_honest(tmp_path: Path) -> None:
    assert of_files(*sorted(EXAMPLES.glob("*.csv"))) == []
    hours = write(tmp_path / "H.csv", [MONDAY + i * HOUR for i in range(60)])
    short = write(tmp_path / "S.csv", session([14.5, 15, 16, 17, 18, 19, 20]))
    assert of_files(hours, short) == []
    [(name, problem)] = of_files(hours, short, period="30m")
    assert name == "prices"
    assert problem.startswith("reads H.csv: H's bar of 2024-01-01T00:00:00Z is known after 30m")
    assert "other symbols" in problem


def test_check_finds_them_in_an_app() -> None:
    def app() -> App:
        return App(
            ingestors=[Own([event(day, day, "1d") for day in weekdays(30)])],
            strategies=[RsiStrategy()],
            portfolio=FixedQuantity(1),
            executor=PaperExecutor(),
        )

    [found] = check_lookahead(app, cuts=1)
    assert found.component == "own"
    assert str(found).startswith("own feeds A's bar of 2024-01-01T00:00:00Z is known at")


APP = """
from ingenium import App
from ingenium.brokers import PaperExecutor
from ingenium.ingestors import CsvIngestor
from ingenium.portfolios import FixedQuantity
from ingenium.strategies import RsiStrategy

app = App(ingestors=[CsvIngestor("H.csv", period="1m")], strategies=[RsiStrategy()],
          portfolio=FixedQuantity(10), executor=PaperExecutor())
"""


def test_command_line_names_the_file_and_exits_1(tmp_path: Path) -> None:
    write(tmp_path / "H.csv", [MONDAY + i * HOUR for i in range(60)])
    (tmp_path / "app.py").write_text(APP)
    done = ingenium("backtest", "app.py", "--check-lookahead", cwd=tmp_path)
    assert done.code == 1
    assert (
        "look-ahead: csv-ingestor reads H.csv: H's bar of 2024-01-01T00:00:00Z is known after 1m"
        in done.out.replace("\n", " ")
    )
