"""No bar is known before it is over: made calendars, whose true ends the test knows itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from pathlib import Path
from random import Random
from zoneinfo import ZoneInfo

import pytest

from ingenium.errors import DataFileError
from ingenium.ingestors import CsvIngestor
from ingenium.trading import Bar

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


@dataclass(frozen=True)
class Truth:
    """A bar as its maker knows it: UTC moments, and its time as the file writes it."""

    start: datetime
    end: datetime
    text: str


def local(zone: ZoneInfo, day: date, minutes: int) -> datetime:
    """Return the moment at which clocks show so many minutes after midnight."""
    naive = datetime.combine(day, time()) + timedelta(minutes=minutes)
    return naive.replace(tzinfo=zone).astimezone(UTC)


def weekdays(first: date, count: int) -> Iterator[date]:
    day = first
    for _ in range(count):
        if day.weekday() < 5:
            yield day
        day += DAY


def cuts(opening: int, closing: int, length: int, offset: int) -> list[tuple[int, int]]:
    """Cut a session into bars that begin at multiples of a length, counted from an offset."""
    edges = [opening]
    edge = opening - (opening - offset) % length + length
    while edge < closing:
        edges.append(edge)
        edge += length
    return list(zip(edges, [*edges[1:], closing], strict=True))


def session_bars(
    zone: str, first: date, count: int, opening: int, closing: int, length: int, offset: int
) -> list[Truth]:
    tz = ZoneInfo(zone)
    bars = []
    for day in weekdays(first, count):
        for start, end in cuts(opening, closing, length, offset):
            begins = local(tz, day, start)
            text = f"{begins.astimezone(tz):%Y-%m-%d %H:%M:%S}"
            bars.append(Truth(begins, local(tz, day, end), text))
    return bars


def clock_bars(zone: str, first: date, days: int, hours: int) -> list[Truth]:
    """Make bars around the clock that begin at the same local times each day."""
    tz = ZoneInfo(zone)
    starts = [
        local(tz, first + day * DAY, hour * 60)
        for day in range(days)
        for hour in range(0, 24, hours)
    ]
    # An hour that clocks skip is none.
    starts = list(dict.fromkeys([*starts, local(tz, first + days * DAY, 0)]))
    return [
        Truth(start, end, f"{start.astimezone(tz):%Y-%m-%d %H:%M:%S}")
        for start, end in pairwise(starts)
    ]


def date_bars(zone: str, days: list[date], last: date) -> list[Truth]:
    """Make bars that last from each date's midnight to that of the next one."""
    tz = ZoneInfo(zone)
    edges = [local(tz, day, 0) for day in [*days, last]]
    return [
        Truth(start, end, f"{day:%Y-%m-%d}")
        for day, start, end in zip(days, edges, edges[1:], strict=False)
    ]


def months(first: date, count: int, step: int = 1) -> list[date]:
    return [
        date(
            first.year + (first.month - 1 + i * step) // 12,
            (first.month - 1 + i * step) % 12 + 1,
            1,
        )
        for i in range(count)
    ]


def read(
    folder: Path, bars: list[Truth], *, backwards: bool = False, **arguments: object
) -> list[Bar]:
    rows = [f"{bar.text},{i + 1},{i + 1},{i + 1},{i + 1}\n" for i, bar in enumerate(bars)]
    path = folder / "X.csv"
    path.write_text("time,open,high,low,close\n" + "".join(reversed(rows) if backwards else rows))
    return list(CsvIngestor(path, newest_first=backwards, **arguments).read_bars())  # type: ignore[arg-type]


def read_or_asked(folder: Path, bars: list[Truth], **arguments: object) -> list[Bar] | None:
    """Return the bars, or none where the user is asked for their length."""
    try:
        return read(folder, bars, **arguments)  # type: ignore[arg-type]
    except DataFileError as error:
        if "pass period" in str(error):
            return None
        raise


def check(read_bars: list[Bar], truths: list[Truth]) -> None:
    """Hold what was read against the truth: no bar early, and none twice or out of order."""
    assert [bar.end for bar in read_bars] == sorted(bar.end for bar in read_bars)
    for bar in read_bars:
        truth = truths[round(bar.close) - 1]
        assert bar.start == truth.start
        assert bar.end >= truth.end, f"{truth} is known at {bar.end}"
        assert bar.end == bar.start + bar.period


NEW_YORK, BERLIN, TOKYO = "America/New_York", "Europe/Berlin", "Asia/Tokyo"
JANUARY = date(2024, 1, 2)
CALENDARS = {
    "half hours of a session": (NEW_YORK, session_bars(NEW_YORK, JANUARY, 12, 570, 960, 30, 570)),
    "hours from half past": (NEW_YORK, session_bars(NEW_YORK, JANUARY, 12, 570, 960, 60, 570)),
    "hours with a short first": (NEW_YORK, session_bars(NEW_YORK, JANUARY, 12, 570, 960, 60, 0)),
    "two hours with a short first": (
        NEW_YORK,
        session_bars(NEW_YORK, JANUARY, 12, 570, 960, 120, 0),
    ),
    "three hours, all unlike": (NEW_YORK, session_bars(NEW_YORK, JANUARY, 12, 570, 960, 180, 0)),
    "four hours, two a day": (NEW_YORK, session_bars(NEW_YORK, JANUARY, 12, 570, 960, 240, 570)),
    "four hours of the clock": (NEW_YORK, session_bars(NEW_YORK, JANUARY, 12, 570, 960, 240, 0)),
    "four hours in Europe": (BERLIN, session_bars(BERLIN, JANUARY, 12, 540, 1050, 240, 0)),
    "six hours in Europe": (BERLIN, session_bars(BERLIN, JANUARY, 12, 540, 1050, 360, 0)),
    "a night of futures": (NEW_YORK, session_bars(NEW_YORK, JANUARY, 12, -360, 1020, 60, 0)),
    "four hours of futures": (NEW_YORK, session_bars(NEW_YORK, JANUARY, 30, -360, 1020, 240, -360)),
    "hours over spring": (NEW_YORK, clock_bars(NEW_YORK, date(2024, 3, 7), 8, 1)[:-1]),
    "four hours over spring": (NEW_YORK, clock_bars(NEW_YORK, date(2024, 3, 7), 8, 4)),
    "four hours over autumn": (NEW_YORK, clock_bars(NEW_YORK, date(2024, 10, 30), 9, 4)),
    "days with times over autumn": (BERLIN, clock_bars(BERLIN, date(2024, 10, 20), 14, 24)),
    "days with times over spring": (BERLIN, clock_bars(BERLIN, date(2024, 3, 25), 14, 24)),
    "days over autumn": (
        NEW_YORK,
        date_bars(NEW_YORK, [date(2024, 10, 28) + i * DAY for i in range(12)], date(2024, 11, 9)),
    ),
    "weeks over autumn": (
        NEW_YORK,
        date_bars(
            NEW_YORK, [date(2024, 9, 2) + i * 7 * DAY for i in range(15)], date(2024, 12, 16)
        ),
    ),
    "days of a stock": (
        TOKYO,
        [
            Truth(local(ZoneInfo(TOKYO), day, 0), local(ZoneInfo(TOKYO), day, 1440), f"{day}")
            for day in weekdays(JANUARY, 40)
        ],
    ),
    "three days": (
        "UTC",
        date_bars("UTC", [date(2024, 1, 1) + i * 3 * DAY for i in range(20)], date(2024, 3, 1)),
    ),
    "months": ("UTC", date_bars("UTC", months(date(2023, 1, 1), 14), date(2024, 3, 1))),
    "months in a zone": (
        NEW_YORK,
        date_bars(NEW_YORK, months(date(2023, 1, 1), 14), date(2024, 3, 1)),
    ),
    "quarters": ("UTC", date_bars("UTC", months(date(2020, 1, 1), 9, 3), date(2022, 4, 1))),
    "years": ("UTC", date_bars("UTC", months(date(1990, 1, 1), 9, 12), date(1999, 1, 1))),
}


# Each day has another last bar than the distances show.
ASKED = {
    "three hours, all unlike",
    "four hours, two a day",
    "four hours of the clock",
    "four hours in Europe",
    "six hours in Europe",
}


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("name", CALENDARS)
def test_no_bar_is_known_before_it_is_over(tmp_path: Path, name: str, backwards: bool) -> None:
    zone, truths = CALENDARS[name]
    bars = read_or_asked(tmp_path, truths, backwards=backwards, timezone=zone)
    assert (bars is None) == (name in ASKED)
    if bars is not None:
        assert len(bars) == len(truths)
        check(bars, truths)


# One distance is taken for the length of a bar, and the notes say so.
MISLEADING_START = {
    "hours with a short first",
    "two hours with a short first",
    "three hours, all unlike",
    "four hours in Europe",
    "six hours in Europe",
    "three days",
}
FEW_ROWS = [
    (name, rows)
    for name, (_, truths) in CALENDARS.items()
    for rows in (1, 2, 3, 5)
    # One date is taken for a day, and the notes say so.
    if not (rows == 1 and ":" not in truths[0].text)
    and not (rows == 2 and name in MISLEADING_START)
]


@pytest.mark.parametrize(("name", "rows"), FEW_ROWS)
def test_few_rows_are_not_known_early_either(tmp_path: Path, name: str, rows: int) -> None:
    zone, truths = CALENDARS[name]
    bars = read_or_asked(tmp_path, truths[:rows], timezone=zone)
    if bars is not None:
        check(bars, truths)


@pytest.mark.parametrize("seed", range(60))
def test_no_bar_is_known_early_whatever_rows_are_missing(tmp_path: Path, seed: int) -> None:
    random = Random(seed)
    name = random.choice(list(CALENDARS))
    zone, truths = CALENDARS[name]
    first = random.randrange(max(len(truths) // 3, 1))
    share = random.choice([0.02, 0.1, 0.3])
    kept = [truth for truth in truths[first:] if random.random() >= share]
    if len(kept) < 8:
        return
    bars = read_or_asked(tmp_path, kept, backwards=random.random() < 0.5, timezone=zone)
    if bars is not None:
        check(bars, kept)


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("name", CALENDARS)
def test_times_that_are_ends_are_when_bars_are_known(
    tmp_path: Path, name: str, backwards: bool
) -> None:
    zone, truths = CALENDARS[name]
    is_dated = ":" not in truths[0].text
    tz = ZoneInfo(zone)
    form = "%Y-%m-%d" if is_dated else "%Y-%m-%d %H:%M:%S"
    # The last day of a bar, or the moment of its end.
    back = timedelta(minutes=1) if is_dated else timedelta()
    ends = [
        Truth(truth.start, truth.end, f"{(truth.end - back).astimezone(tz):{form}}")
        for truth in truths
    ]
    bars = read_or_asked(tmp_path, ends, backwards=backwards, timezone=zone, stamp="end")
    if bars is None:
        assert name in ASKED
        return
    assert [bar.end for bar in bars] == [truth.end for truth in ends]
    assert all(bar.start >= before.end for before, bar in pairwise(bars))
    if name not in {"hours with a short first", "two hours with a short first"}:
        exact = [bar.start == truth.start for bar, truth in zip(bars, ends, strict=True)]
        # The last bar of a session may be short, and so the one before it is not the longest.
        assert sum(exact) >= len(exact) * 0.8


@pytest.mark.parametrize("seed", range(30))
def test_rows_that_turn_into_longer_bars_are_not_known_early(tmp_path: Path, seed: int) -> None:
    random = Random(seed)
    lengths = sorted(random.sample([1, 5, 15, 30, 60, 240, 1_440], 2))
    if random.random() < 0.3:
        lengths.reverse()
    time, truths = datetime(2024, 1, 1, tzinfo=UTC), []
    for minutes in lengths:
        for _ in range(random.randrange(25, 400)):
            end = time + timedelta(minutes=minutes)
            truths.append(Truth(time, end, f"{time:%Y-%m-%d %H:%M}"))
            time = end
        midnight = time.replace(hour=0, minute=0)
        time = midnight if midnight == time else midnight + DAY
    bars = read_or_asked(tmp_path, truths, backwards=random.random() < 0.5)
    if bars is not None:
        check(bars, truths)


@pytest.mark.parametrize("seed", range(30))
@pytest.mark.parametrize("order", ["by time", "by symbol", "backwards"])
def test_symbols_of_other_calendars_are_kept_apart(tmp_path: Path, seed: int, order: str) -> None:
    random = Random(seed)
    named = [(name, bars) for name, (zone, bars) in CALENDARS.items() if zone == NEW_YORK]
    chosen = random.sample([each for each in named if ":" in each[1][0].text], 3)
    rows = [
        (truth.start, symbol, f"{truth.text},S{symbol},{i + 1},{i + 1},{i + 1},{i + 1}\n")
        for symbol, (_, truths) in enumerate(chosen)
        for i, truth in enumerate(truths)
        if random.random() > 0.05
    ]
    rows.sort(key=lambda row: (row[1], row[0]) if order == "by symbol" else row[:2])
    if order == "backwards":
        rows.reverse()
    path = tmp_path / "all.csv"
    path.write_text("time,symbol,open,high,low,close\n" + "".join(row[2] for row in rows))
    ingestor = CsvIngestor(path, timezone=NEW_YORK, newest_first=order == "backwards")
    try:
        bars = list(ingestor.read_bars())
    except DataFileError as error:
        assert "pass period" in str(error)  # noqa: PT017
        assert {name for name, _ in chosen} & ASKED or "up to" in str(error)  # noqa: PT017
        return
    assert len(bars) == len(rows)
    assert [(bar.end, bar.symbol) for bar in bars] == sorted((bar.end, bar.symbol) for bar in bars)
    for symbol, (_, truths) in enumerate(chosen):
        check([bar for bar in bars if bar.symbol == f"S{symbol}"], truths)


@pytest.mark.parametrize(
    ("days", "line"),
    [
        # Yahoo adds the present day to its months: here the 15th of March, of two.
        (["2024-01-01", "2024-02-01", "2024-03-01", "2024-03-15"], 5),
        (["2023-04-01", "2023-07-01", "2023-10-01", "2023-11-20"], 5),
        (["2024-01-02", "2024-02-01", "2024-03-01", "2024-04-01"], None),
    ],
)
def test_month_that_a_row_within_it_ends_is_noted(
    tmp_path: Path, days: list[str], line: int | None
) -> None:
    path = tmp_path / "X.csv"
    path.write_text("Date,Open,High,Low,Close\n" + "".join(f"{day},10,12,9,11\n" for day in days))
    ingestor = CsvIngestor(path)
    bars = list(ingestor.read_bars())
    assert [f"{bar.end:%Y-%m-%d}" for bar in bars[:-1]] == days[1:]
    clipped = [note.text for note in ingestor.notes() if note.kind == "clipped"]
    assert [text.partition(":")[0] for text in clipped] == ([f"line {line}"] if line else [])
