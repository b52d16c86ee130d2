"""Which day a step belongs to, and how many of them make a year."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta, tzinfo
from decimal import Decimal
from pathlib import Path
from random import Random
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingenium import App, Ingestor, backtest
from ingenium.backtest import EquityCurve
from ingenium.backtest.report.charts import time_ticks
from ingenium.backtest.report.months import monthly_returns
from ingenium.backtest.trading_days import day_of, end_of, periods_in_year
from ingenium.brokers import PaperExecutor
from ingenium.cli.backtest import backtest as command
from ingenium.errors import ConfigError
from ingenium.ingestors import CsvIngestor
from ingenium.portfolios import FixedQuantity
from ingenium.trading import Account, Bar

NEW_YORK = ZoneInfo("America/New_York")
ZONES = [UTC, NEW_YORK, ZoneInfo("Asia/Tokyo"), ZoneInfo("Asia/Kolkata"), ZoneInfo("Asia/Beirut")]
"""Clocks of the last one go forward at midnight, and back at it."""
MONDAY = date(2024, 1, 1)


def days(first: date, count: int, weekdays: str = "1111100") -> list[int]:
    """Return so many days from one on that fall on certain weekdays, Monday first."""
    found: list[int] = []
    day = first
    while len(found) < count:
        if weekdays[day.weekday()] == "1":
            found.append(day.toordinal())
        day += timedelta(days=1)
    return found


def months(count: int, step: int = 1) -> list[int]:
    """Return the last days of months."""
    ends = []
    for number in range(0, count * step, step):
        year, month = divmod(2023 * 12 + number + 1, 12)
        ends.append(date(year, month + 1, 1).toordinal() - 1)
    return ends


def without(ordinals: Sequence[int], first: int, last: int) -> list[int]:
    return [day for place, day in enumerate(ordinals) if not first <= place < last]


@pytest.mark.parametrize("count", [3, 4, 10, 30, 129, 260, 1300])
@pytest.mark.parametrize("offset", range(7))
@pytest.mark.parametrize(
    ("weekdays", "expected"),
    [
        ("1111100", 252),
        ("1111111", 365),
        # Currencies open on Sunday evening.
        ("1111101", 313),
        # Tel Aviv and the Gulf.
        ("1111001", 252),
    ],
)
def test_daily_values_are_counted_by_their_weekdays_however_few(
    count: int, offset: int, weekdays: str, expected: int
) -> None:
    if weekdays.endswith("1") and count < 10:
        return  # a Sunday alone may be one of seven
    found = periods_in_year(days(MONDAY + timedelta(days=offset), count, weekdays))
    assert found == expected


@pytest.mark.parametrize(
    ("ordinals", "expected"),
    [
        ([], 252),
        (days(MONDAY, 1), 252),
        (days(MONDAY, 2), 252),
        # A Friday and its Monday, or two Sundays apart from a week: stocks.
        (days(date(2024, 1, 5), 2), 252),
        (days(date(2024, 1, 6), 2, "1111111"), 365),
        # A Friday and the Sunday evening behind it.
        (days(date(2024, 1, 5), 2, "1111101"), 313),
        # One Saturday session in a month of stocks.
        (sorted([*days(MONDAY, 20), date(2024, 1, 20).toordinal()]), 252),
        # A hole of six weeks, in a short history and in a long one.
        (without(days(MONDAY, 90), 20, 50), 252),
        (without(days(MONDAY, 700), 200, 330), 252),
        (without(days(MONDAY, 700, "1111111"), 200, 330), 365),
        # Holidays of a week twice a year.
        (without(without(days(MONDAY, 260), 190, 195), 27, 32), 252),
    ],
)
def test_daily_values_with_few_days_holidays_or_holes(ordinals: list[int], expected: int) -> None:
    assert periods_in_year(ordinals) == expected


@pytest.mark.parametrize("count", [2, 3, 12, 40])
def test_longer_values_are_counted_by_their_distance_from_two_on(count: int) -> None:
    weeks = [MONDAY.toordinal() + 7 * n for n in range(count)]
    assert periods_in_year(weeks) == 52
    assert periods_in_year(months(count)) == 12
    assert periods_in_year(months(count, 3)) == 4
    assert periods_in_year(months(count, 6)) == 2
    assert periods_in_year(months(count, 12)) == 1
    assert periods_in_year([MONDAY.toordinal() + 14 * n for n in range(count)]) == 26


def test_february_alone_is_a_month() -> None:
    ends = [date(2023, 1, 31), date(2023, 2, 28), date(2023, 3, 31)]
    assert periods_in_year([day.toordinal() for day in ends[:2]]) == 12
    assert periods_in_year([day.toordinal() for day in ends]) == 12


def test_weekly_values_on_other_weekdays_where_friday_is_a_holiday_are_weekly() -> None:
    walk = Random(3)
    weeks = [date(2024, 1, 5).toordinal() + 7 * n - (walk.random() < 0.2) for n in range(30)]
    assert periods_in_year(weeks) == 52


@given(st.lists(st.integers(1, 3_000_000), unique=True, max_size=40))
def test_periods_in_year_of_any_days_is_a_number_from_1_to_365(ordinals: list[int]) -> None:
    assert 1 <= periods_in_year(sorted(ordinals)) <= 366


@given(
    st.datetimes(datetime(1990, 1, 1), datetime(2035, 1, 1)),  # noqa: DTZ001
    st.sampled_from(ZONES),
)
def test_day_of_an_instant_is_that_of_the_clocks_and_ends_at_midnight(
    naive: datetime, zone: tzinfo
) -> None:
    time = naive.replace(tzinfo=UTC, microsecond=0)
    local = (time - timedelta(microseconds=1)).astimezone(zone)
    day = day_of(time.timestamp(), zone)
    assert day == local.date().toordinal()
    end = end_of(day, zone)
    assert time.timestamp() <= end
    assert day_of(end, zone) == day
    assert day_of(end + 1, zone) == day + 1


def test_days_of_a_curve_equal_those_found_one_step_at_a_time() -> None:
    walk = Random(7)
    for zone in ZONES:
        curve = EquityCurve(100.0, zone=zone)
        time = datetime(2024, 2, 20, tzinfo=UTC)
        expected: dict[int, int] = {}
        for place in range(3000):
            time += timedelta(minutes=walk.choice([1, 7, 30, 60]))
            curve.record(time, Account(Decimal(100)))
            local = (time - timedelta(microseconds=1)).astimezone(zone)
            expected[local.date().toordinal()] = place
        assert list(curve.days()) == list(expected.items())


class Sessions(Ingestor):
    """Hours of sessions in a zone, each day's worth one step up."""

    def __init__(self, zone: tzinfo, first: date, opens: int, hours: int, count: int) -> None:
        super().__init__(name="sessions")
        self.zone = zone
        self.first, self.opens, self.hours, self.count = first, opens, hours, count

    def read_bars(self) -> Iterator[Bar]:
        for number, ordinal in enumerate(days(self.first, self.count)):
            begin = datetime.fromordinal(ordinal).replace(hour=self.opens, tzinfo=self.zone)
            for hour in range(self.hours):
                price = f"{100 + number}"
                yield Bar.make(
                    "X",
                    begin.astimezone(UTC) + timedelta(hours=hour),
                    open=price,
                    high=price,
                    low=price,
                    close=price,
                    volume="1000",
                    period=timedelta(hours=1),
                )


@pytest.mark.parametrize(
    ("zone", "opens", "hours"),
    [(ZoneInfo("Asia/Tokyo"), 8, 7), (NEW_YORK, 16, 7), (ZoneInfo("Australia/Sydney"), 10, 6)],
)
def test_session_over_midnight_in_utc_is_one_day_in_its_zone(
    zone: ZoneInfo, opens: int, hours: int
) -> None:
    def make() -> App:
        return App(ingestors=[Sessions(zone, MONDAY, opens, hours, 30)])

    result = backtest.run(make)
    assert len(list(result.equity.days())) == 30
    assert result.stats.periods_per_year == 252
    assert result.manifest.timezone == zone.key
    if zone.key != "Australia/Sydney":
        assert len(list(backtest.run(make, timezone="UTC").equity.days())) > 30


def test_zone_of_several_ingestors_is_theirs_when_it_is_one_else_utc() -> None:
    class Others(Sessions):
        def __init__(self, zone: tzinfo) -> None:
            super().__init__(zone, MONDAY, 10, 2, 3)
            self.name = "others"

    tokyo = ZoneInfo("Asia/Tokyo")
    for zone, expected in ((NEW_YORK, "America/New_York"), (tokyo, "UTC")):
        app = App(ingestors=[Sessions(NEW_YORK, MONDAY, 10, 2, 3), Others(zone)])
        assert backtest.run(app).manifest.timezone == expected


def write(folder: Path, first: date, count: int) -> Path:
    path = folder / "X.csv"
    rows = [
        f"{date.fromordinal(day)},{100 + n},{100 + n},{100 + n},{100 + n},1000"
        for n, day in enumerate(days(first, count))
    ]
    path.write_text("\n".join(["Date,Open,High,Low,Close,Volume", *rows, ""]))
    return path


@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Asia/Tokyo", "Europe/London"])
def test_daily_bars_of_a_zone_are_252_a_year_and_belong_to_its_months(
    tmp_path: Path, zone: str
) -> None:
    """In UTC, Friday's bar of New York ends on Saturday, and January's last one in February."""
    path = write(tmp_path, date(2024, 1, 25), 10)
    result = backtest.run(
        App(
            ingestors=[CsvIngestor(path, timezone=zone)],
            portfolio=FixedQuantity(1),
            executor=PaperExecutor(),
        )
    )
    assert result.stats.periods_per_year == 252
    assert [date.fromordinal(day) for day, _ in result.equity.days()][-1] == date(2024, 2, 7)
    assert set(monthly_returns(result.equity)[2024]) == {0, 1, 2}


@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Asia/Tokyo"])
def test_dates_as_start_and_end_are_days_of_the_zone(tmp_path: Path, zone: str) -> None:
    path = write(tmp_path, MONDAY, 10)
    result = backtest.run(
        lambda: App(ingestors=[CsvIngestor(path, timezone=zone)]),
        start=date(2024, 1, 3),
        end=date(2024, 1, 5),
    )
    # The bar of the 2nd ends when the 3rd begins.
    found = [date.fromordinal(day).day for day, _ in result.equity.days()]
    assert found == [2, 3, 4, 5]
    begin = datetime(2024, 1, 3, tzinfo=UTC if zone == "UTC" else ZoneInfo(zone))
    assert result.manifest.start == begin


def test_months_behind_a_loss_of_all_have_no_return() -> None:
    curve = EquityCurve(100.0)
    for month, equity in ((1, 50), (2, -20), (3, -40), (4, 10), (5, 20)):
        curve.record(datetime(2024, month, 15, tzinfo=UTC), Account(Decimal(equity)))
    assert monthly_returns(curve)[2024] == pytest.approx({1: -0.5, 0: -0.8, 2: -1.4, 5: 1.0})


APP = """
from pathlib import Path
from ingenium import App, Portfolio
from ingenium.brokers import PaperExecutor
from ingenium.ingestors import CsvIngestor

class Plan(Portfolio):
    count = 0
    def on_bar(self, bar):
        self.count += 1
        if self.count in (2, 5):
            self.send_order(bar.symbol, side="buy" if self.count == 2 else "sell", quantity=1)

def app():
    return App(ingestors=[CsvIngestor(Path(__file__).with_name("X.csv"), timezone="Asia/Tokyo")],
               portfolio=Plan(1000), executor=PaperExecutor())
"""


def test_report_and_command_show_times_of_the_zone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path, MONDAY, 12)
    path = tmp_path / "zoned.py"
    path.write_text(APP)
    command(f"{path}:app", trades=5, report=tmp_path / "zoned.html", no_stress=True)
    # Bought at the open of the third day, and sold at that of the sixth; no hours of UTC.
    printed = capsys.readouterr().out
    assert "2024-01-03  2024-01-08" in printed
    page = (tmp_path / "zoned.html").read_text()
    assert "<td>2024-01-03</td><td>2024-01-08</td>" in page
    assert "Returns by month in Asia/Tokyo" in page
    assert '"zone":"Asia/Tokyo"' in page
    command(f"{path}:app", timezone="UTC", start="2024-01-02", end="2024-01-10", json=True)
    said = json.loads(capsys.readouterr().out)
    assert said["manifest"]["timezone"] == "UTC"
    assert said["manifest"]["start"] == "2024-01-02T00:00:00+00:00"
    assert said["manifest"]["end"] == "2024-01-11T00:00:00+00:00"
    with pytest.raises(ConfigError, match="'Mars' is not known"):
        command(f"{path}:app", timezone="Mars")
    with pytest.raises(ConfigError, match="--start '2024-13-01' is not a day"):
        command(f"{path}:app", start="2024-13-01")


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("length", [timedelta(hours=3), timedelta(days=5), timedelta(days=200)])
def test_ticks_of_a_chart_are_round_in_its_zone(zone: tzinfo, length: timedelta) -> None:
    first = datetime(2024, 5, 1, 7, 13, tzinfo=UTC)
    ticks = time_ticks(first.timestamp(), (first + length).timestamp(), zone)
    assert len(ticks) >= 2
    for stamp, text in ticks:
        local = datetime.fromtimestamp(stamp, zone)
        form = "%b %Y" if length.days > 60 else "%b %d" if length.days else "%b %d %H:%M"
        assert text == f"{local:{form}}"
        assert local.minute % 5 == local.second == 0
        if length.days:
            assert local.hour == 0
        if length.days > 60:
            assert local.day == 1
