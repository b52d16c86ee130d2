"""Times of day that are written as numbers, in a column beside the date."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ingenium.errors import DataFileError
from ingenium.ingestors import CsvIngestor
from ingenium.trading import Bar

MIDNIGHT = datetime(2024, 1, 3, tzinfo=UTC)


def read(folder: Path, clocks: list[str], **arguments: object) -> list[Bar]:
    path = folder / "X.csv"
    day = str(arguments.pop("day", "2024-01-03"))
    rows = "".join(f"{day},{clock},10,12,9,11,5\n" for clock in clocks)
    path.write_text(f"Date,Time,Open,High,Low,Close,Volume\n{rows}")
    return list(CsvIngestor(path, **arguments).read_bars())  # type: ignore[arg-type]


@pytest.mark.parametrize("form", ["%H%M", "%H%M%S"])
@pytest.mark.parametrize("zeros", [True, False])
@pytest.mark.parametrize(("minutes", "count"), [(1, 400), (5, 288), (15, 96), (30, 48), (60, 24)])
def test_number_means_the_same_in_every_row(
    tmp_path: Path, form: str, zeros: bool, minutes: int, count: int
) -> None:
    period = timedelta(minutes=minutes)
    starts = [MIDNIGHT + number * period for number in range(count)]
    clocks = [start.strftime(form) for start in starts]
    bars = read(tmp_path, clocks if zeros else [str(int(clock)) for clock in clocks])
    assert [(bar.start, bar.end) for bar in bars] == [(start, start + period) for start in starts]


@pytest.mark.parametrize("clocks", [["9", "10", "11"], ["0", "1", "2"], ["0", "15", "30", "45"]])
def test_number_that_may_count_anything_is_refused(tmp_path: Path, clocks: list[str]) -> None:
    with pytest.raises(DataFileError, match="may count hours, minutes or seconds: write it as"):
        read(tmp_path, clocks)


@pytest.mark.parametrize(
    ("clocks", "line"),
    [
        # Minutes of the first hour in the sample, seconds in what follows.
        (["930", "931", *["932"] * 1_000, "93300"], 1_004),
        (["093000", "093100", "0932"], 4),
    ],
)
def test_number_of_other_digits_than_the_first_is_a_bad_row(
    tmp_path: Path, clocks: list[str], line: int
) -> None:
    path = tmp_path / "X.csv"
    rows = "".join(f"2024-01-03,{clock},10,12,9,11,5\n" for clock in clocks)
    path.write_text(f"Date,Time,Open,High,Low,Close,Volume\n{rows}")
    ingestor = CsvIngestor(path, period="1m", on_bad_row="skip")
    assert len(list(ingestor.read_bars())) in {2, 3}
    (reason,) = {row.reason for row in ingestor.skipped if row.line == line}
    assert "cannot be read: the first ones of the file have" in reason


def test_date_format_of_the_date_does_beside_a_time_of_day(tmp_path: Path) -> None:
    bars = read(
        tmp_path,
        ["100500", "101000", "101500"],
        day="030124",
        date_format="%d%m%y",
        timezone="Europe/Moscow",
    )
    # Moscow is three hours ahead.
    assert [bar.start for bar in bars] == [
        datetime(2024, 1, 3, 7, minute, tzinfo=UTC) for minute in (5, 10, 15)
    ]
    bars = read(
        tmp_path, ["9:30 AM", "1:30 PM"], day="Jan 3 24", date_format="%b %d %y", period="4h"
    )
    assert [bar.start.hour for bar in bars] == [9, 13]


@pytest.mark.parametrize("on_bad_row", ["raise", "skip"])
def test_file_of_which_no_time_can_be_read_says_why(tmp_path: Path, on_bad_row: str) -> None:
    path = tmp_path / "X.csv"
    path.write_text(
        "Date,Open,High,Low,Close,Volume\n"
        "2024-01-03 09:30,10,12,9,11,5\n2024-01-03 09:31,10,12,9,11,5\n"
    )
    with pytest.raises(DataFileError, match=r"does not fit date_format '%d\.%m\.%Y %H:%M'"):
        list(
            CsvIngestor(
                path,
                date_format="%d.%m.%Y %H:%M",
                on_bad_row=on_bad_row,  # type: ignore[arg-type]
            ).read_bars()
        )


@pytest.mark.parametrize("clock", ["16", "1600", "160000", "16:00"])
def test_date_is_the_time_where_the_time_of_day_is_not_to_be_read(
    tmp_path: Path, clock: str
) -> None:
    path = tmp_path / "X.csv"
    path.write_text(
        "Date,Time,Open,High,Low,Close,Volume\n"
        f"2024-01-03,{clock},10,12,9,11,5\n2024-01-04,{clock},10,12,9,11,5\n"
    )
    bars = list(CsvIngestor(path, columns={"clock": None}).read_bars())
    assert [(bar.start, bar.end) for bar in bars] == [
        (MIDNIGHT, MIDNIGHT + timedelta(days=1)),
        (MIDNIGHT + timedelta(days=1), MIDNIGHT + timedelta(days=2)),
    ]
