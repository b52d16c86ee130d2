"""Times as vendors write them: zones behind them, counts, languages, years of two digits."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from ingenium.errors import DataFileError
from ingenium.ingestors import CsvIngestor
from ingenium.ingestors.csv._times import find_times
from ingenium.ingestors.csv._zones import Zone, load_zone

TODAY = date(2026, 11, 29)


def read(*texts: str, zone: str = "UTC", date_format: str | None = None) -> list[datetime]:
    times = find_times(
        "X.csv", texts, lambda: texts, Zone(load_zone(zone)), date_format, today=TODAY
    )
    found: list[datetime] = []
    for text in texts:
        found.append(times.read(text, found[-1] if found else None))
    return found


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


# One moment, half past nine in the morning of 22 January 2024, at different places.
FORMS = [
    "2024-01-22 {}",
    "01/22/2024 {}",
    "22/01/2024 {}",
    "22.01.2024 {}",
    "22 Jan 2024 {}",
    "Jan 22, 2024 {}",
    "22-Jan-24 {}",
    "20240122 {}",
    "2024-Jan-22 {}",
]
PLACES = {
    "-0500": "14:30",
    "-05:00": "14:30",
    "-05:30": "15:00",
    "-0930": "19:00",
    "+0530": "04:00",
    "+05:30": "04:00",
    "+05": "04:30",
    " -0500": "14:30",
    " GMT+1": "08:30",
    " GMT-5": "14:30",
    " UTC+01:00": "08:30",
    " UTC-03:30": "13:00",
    " Z": "09:30",
    "Z": "09:30",
    " UTC": "09:30",
    " EST": "14:30",
    " EDT": "13:30",
    " PST": "17:30",
    " CET": "08:30",
    " JST": "00:30",
    " ET": "14:30",
    " America/New_York": "14:30",
    " US/Eastern": "14:30",
    " Europe/Berlin": "08:30",
    " Asia/Kolkata": "04:00",
    " Etc/GMT+5": "14:30",
    " Central European Time": "08:30",
    " (EST)": "14:30",
    " GMT-0500 (Eastern Standard Time)": "14:30",
    " -0500 EST": "14:30",
    "-05:00[America/New_York]": "14:30",
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("form", FORMS)
def test_zone_behind_a_time_is_its_zone(form: str, place: str) -> None:
    # The zone of the file is not asked.
    [found] = read(form.format(f"09:30:00{place}"), zone="Australia/Sydney")
    assert found == utc(f"2024-01-22T{PLACES[place]}")
    [found] = read(form.format(f"9:30 AM{place if place != 'Z' else ' Z'}"), zone="Asia/Tokyo")
    assert found == utc(f"2024-01-22T{PLACES[place]}")


def test_name_of_a_place_knows_its_summer_time_and_an_abbreviation_does_not() -> None:
    assert read("2024-07-02 09:30:00 America/New_York") == [utc("2024-07-02T13:30")]
    assert read("2024-07-02 09:30:00 ET") == [utc("2024-07-02T13:30")]
    assert read("2024-07-02 09:30:00 EST") == [utc("2024-07-02T14:30")]


@pytest.mark.parametrize("zone", ["CST", "IST", "BST", "AST"])
def test_abbreviation_of_several_zones_is_refused_with_a_cure(tmp_path: Path, zone: str) -> None:
    path = tmp_path / "X.csv"
    path.write_text(
        "time,open,high,low,close\n"
        f"2024-01-02 09:30:00 {zone},1,1,1,1\n2024-01-02 09:31:00 {zone},1,1,1,1\n"
    )
    with pytest.raises(DataFileError, match=f"line 2: .* zone '{zone}', which .* pass its timezon"):
        list(CsvIngestor(path, period="1m").read_bars())
    cured = CsvIngestor(
        path, timezone="America/Chicago", date_format=f"%Y-%m-%d %H:%M:%S {zone}"
    ).read_bars()
    assert [bar.start for bar in cured] == [utc("2024-01-02T15:30"), utc("2024-01-02T15:31")]


@pytest.mark.parametrize(
    ("zone", "problem"),
    [
        ("XYZ", "not a known time zone"),
        ("Mars/Base", "not a known time zone"),
        ("+25:00", "no zone has"),
        ("PM AM", "not a known time zone"),
    ],
)
def test_zone_that_is_none_is_refused(zone: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        read(f"2024-01-02 11:30:00 {zone}")


@pytest.mark.parametrize(
    ("texts", "first", "step"),
    [
        # Each count of days, hours and minutes, in each unit, before, around and after 1970.
        (["-172800", "-86400", "0", "86400"], "1969-12-30", timedelta(days=1)),
        (["-172800000", "-86400000", "0"], "1969-12-30", timedelta(days=1)),
        (["-86400000000", "0", "86400000000"], "1969-12-31", timedelta(days=1)),
        (["-86400000000000", "0", "86400000000000"], "1969-12-31", timedelta(days=1)),
        (["0", "3600", "7200"], "1970-01-01", timedelta(hours=1)),
        (["0", "3600000", "7200000"], "1970-01-01", timedelta(hours=1)),
        (["0", "60", "120"], "1970-01-01", timedelta(minutes=1)),
        (["0", "60000", "120000"], "1970-01-01", timedelta(minutes=1)),
        (["0.0", "86400.0", "172800.0"], "1970-01-01", timedelta(days=1)),
        (["-631152000", "-631065600"], "1950-01-01", timedelta(days=1)),
        (["-631152000000", "-631065600000"], "1950-01-01", timedelta(days=1)),
        (["94694400", "94780800"], "1973-01-01", timedelta(days=1)),
        (["631152000000", "631238400000"], "1990-01-01", timedelta(days=1)),
        (["1704067200", "1704153600"], "2024-01-01", timedelta(days=1)),
        (["1704067200.0", "1704067260.0"], "2024-01-01", timedelta(minutes=1)),
        (["1704067200000.0", "1704067260000.0"], "2024-01-01", timedelta(minutes=1)),
        (["1704067200000000", "1704067260000000"], "2024-01-01", timedelta(minutes=1)),
        (["1704067200000000000", "1704067260000000000"], "2024-01-01", timedelta(minutes=1)),
    ],
)  # fmt: skip
def test_count_since_1970_of_any_sign_and_unit(
    texts: list[str], first: str, step: timedelta
) -> None:
    assert read(*texts) == [utc(first) + i * step for i in range(len(texts))]
    assert read(*reversed(texts)) == [utc(first) + i * step for i in range(len(texts))][::-1]


def test_count_of_seconds_before_1970_keeps_its_fraction() -> None:
    found = read("-86400.5", "-0.5", "86399.5")
    assert found == [utc("1969-12-30T23:59:59.5") + i * timedelta(days=1) for i in range(3)]


@pytest.mark.parametrize(
    "texts",
    [
        ["2020", "2021", "2022"],
        ["202401", "202402"],
        ["0", "1", "2"],
        ["930", "931"],
        ["45293"],
        ["93000", "93100"],
        ["240102", "240103"],
    ],
)
def test_number_that_may_be_anything_is_an_error_with_a_cure(texts: list[str]) -> None:
    with pytest.raises(DataFileError, match=r"time '\d+' may be a count .* pass date_format"):
        read(*texts)


def test_year_and_month_are_read_when_told() -> None:
    assert read("2020", "2021", date_format="%Y") == [utc("2020-01-01"), utc("2021-01-01")]
    assert read("202402", date_format="%Y%m") == [utc("2024-02-01")]


def test_count_that_a_spreadsheet_has_shortened_is_refused() -> None:
    with pytest.raises(DataFileError, match=r"'1.70419E\+12' is a number that a spreadsheet has"):
        read("1.70419E+12", "1.70419E+12")


def test_days_of_a_spreadsheet_are_read_where_they_cannot_be_anything_else() -> None:
    # 45293 is 2 January 2024, a Tuesday, by the calendar of every spreadsheet.
    assert read("45293", "45294", "45296") == [utc(f"2024-01-0{day}") for day in (2, 3, 5)]
    times = ["45293.395833333336", "45293.396527777775", "45293.397222222222"]
    assert read(*times, zone="America/New_York") == [
        utc(f"2024-01-02T14:{minute}") for minute in (30, 31, 32)
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("20240102  09:30:00", "2024-01-02T09:30"),
        ("2024-01-02   09:30:00", "2024-01-02T09:30"),
        ("01/22/2024  09:30", "2024-01-22T09:30"),
        ("22.01.2024  09:30", "2024-01-22T09:30"),
        ("Jan  2,  2024  9:30 PM", "2024-01-02T21:30"),
        ("2024-01-02 9:30\u202fPM", "2024-01-02T21:30"),
        ("2024-01-02 9:30 a.m.", "2024-01-02T09:30"),
        ("2024-01-02 9:30 p. m.", "2024-01-02T21:30"),
        ("2024-01-02 09.30", "2024-01-02T09:30"),
        ("02.01.2024 09.30.15", "2024-01-02T09:30:15"),
        ("2024-01-02 24:00", "2024-01-03T00:00"),
        ("2024-01-02T09:30:00.123456789Z", "2024-01-02T09:30:00.123456"),
        ("2024/01/02 09:30:00.123456789", "2024-01-02T09:30:00.123456"),
        ("20240102-09:30:00.250", "2024-01-02T09:30:00.25"),
        ("2024010209", "2024-01-02T09:00"),
        ("Tue Jan  2 09:30:00 2024", "2024-01-02T09:30"),
        ("Tue Jan 02 09:30:00 EST 2024", "2024-01-02T14:30"),
        ("Tue, 02 Jan 2024 09:30:00 +0100", "2024-01-02T08:30"),
        ("02JAN2024:09:30:00", "2024-01-02T09:30"),
        ("2024-01-02 15:04:05.000 +0000 UTC", "2024-01-02T15:04:05"),
    ],
)
def test_spaces_halves_and_points_of_a_time(text: str, expected: str) -> None:
    assert read(text) == [utc(expected)]


MONTHS = {
    "English": "January February March April May June July August September October November "
    "December",
    "German": "Januar Februar März April Mai Juni Juli August September Oktober November Dezember",
    "French": "janvier février mars avril mai juin juillet août septembre octobre novembre "
    "décembre",
    "Spanish": "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre "
    "diciembre",
    "Italian": "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre "
    "novembre dicembre",
    "Portuguese": "janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro "
    "dezembro",
    "Dutch": "januari februari maart april mei juni juli augustus september oktober november "
    "december",
    "Polish": "stycznia lutego marca kwietnia maja czerwca lipca sierpnia września października "
    "listopada grudnia",
    "Turkish": "Ocak Şubat Mart Nisan Mayıs Haziran Temmuz Ağustos Eylül Ekim Kasım Aralık",
    "Russian": "января февраля марта апреля мая июня июля августа сентября октября ноября декабря",
}  # fmt: skip


@pytest.mark.parametrize("language", MONTHS)
def test_names_of_months(language: str) -> None:
    names = MONTHS[language].split()
    assert len(names) == 12
    for number, name in enumerate(names, 1):
        expected = [utc(f"2024-{number:02}-05")]
        assert read(f"5 {name} 2024") == expected
        assert read(f"05. {name.upper() if language != 'Turkish' else name} 2024") == expected
        short = name[:3] if not name.startswith("jui") else name[:4]
        assert read(f"05-{short}-24") == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("5 de mayo de 2024", "2024-05-05"),
        ("5 мая 2024 г.", "2024-05-05"),
        ("2024年1月2日", "2024-01-02"),
        ("2024年1月2日(火)", "2024-01-02"),
        ("2024年1月2日 09:30", "2024-01-02T09:30"),
        ("2024年1月2日 午後3時05分", "2024-01-02T15:05"),
        ("2024年1月2日 上午9:30", "2024-01-02T09:30"),
        ("2024년 1월 2일 오후 3:05", "2024-01-02T15:05"),
        ("2nd January 2024", "2024-01-02"),
        ("2024-Jan-02", "2024-01-02"),
    ],
)
def test_dates_in_words(text: str, expected: str) -> None:
    assert read(text) == [utc(expected)]


@pytest.mark.parametrize(
    ("text", "year"),
    [
        ("13/01/69", 1969),
        ("13/01/99", 1999),
        ("13/01/00", 2000),
        ("13/01/26", 2026),
        ("15/12/26", 2026),
        ("13/01/27", 1927),
        ("13/06/68", 1968),
        ("13-Jun-45", 1945),
    ],
)
def test_year_of_two_digits_does_not_lie_in_the_future(text: str, year: int) -> None:
    assert read(text)[0].year == year
    if "/" in text:
        assert read(text, date_format="%d/%m/%y")[0].year == year


def test_year_of_two_digits_may_stand_first() -> None:
    days = [utc(f"2024-01-{day:02}") for day in (2, 3, 31)]
    assert read("24-01-02", "24-01-03", "24-01-31") == days
    assert read("02-01-24", "03-01-24", "31-01-24") == days
    assert read("99-01-31", "99-02-01")[0] == utc("1999-01-31")
    with pytest.raises(DataFileError, match="leave open which number is the year: pass date_for"):
        read("24-01-15", "24-02-15")


def test_what_was_taken_for_granted_is_noted(tmp_path: Path) -> None:
    path = tmp_path / "X.csv"
    path.write_text("time,open,high,low,close\n45293,1,1,1,1\n45294,1,1,1,1\n45295,1,1,1,1\n")
    ingestor = CsvIngestor(path)
    assert [bar.period for bar in ingestor.read_bars()] == [timedelta(days=1)] * 3
    assert [note.text for note in ingestor.notes()] == [
        "times are days of a spreadsheet, counted from 1900",
        "bars last 1d, as far apart as rows are",
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # The same moment in 1973, from which on a count shows its unit by its size.
        ("100000000", "1973-03-03T09:46:40"),
        ("100000000000", "1973-03-03T09:46:40"),
        ("100000000000000", "1973-03-03T09:46:40"),
        ("100000000000000000", "1973-03-03T09:46:40"),
        ("-100000000000", "1966-10-31T14:13:20"),
        ("99999999999", "5138-11-16T09:46:39"),
    ],
)
def test_size_of_a_count_shows_its_unit(text: str, expected: str) -> None:
    assert read(text) == [utc(expected)]


def _headed(folder: Path, name: str, **arguments: object) -> tuple[list[datetime], list[str]]:
    path = folder / "X.csv"
    rows = "".join(f"2024-07-01 09:3{minute},10,12,9,11,5\n" for minute in range(3))
    path.write_text(f"{name},Open,High,Low,Close,Volume\n{rows}")
    ingestor = CsvIngestor(path, **arguments)  # type: ignore[arg-type]
    starts = [bar.start for bar in ingestor.read_bars()]
    return starts, [note.text for note in ingestor.notes()]


@pytest.mark.parametrize(
    "name", ["Gmt time", "GMT Time", "Time (UTC)", "utc_time", "Datetime (GMT)"]
)
def test_column_that_says_utc_is_in_utc(tmp_path: Path, name: str) -> None:
    starts, notes = _headed(tmp_path, name, timezone="America/New_York")
    assert starts[0] == datetime(2024, 7, 1, 9, 30, tzinfo=UTC)
    assert f"times are UTC, as {name!r} says" in notes
    starts, notes = _headed(tmp_path, name)
    assert starts[0] == datetime(2024, 7, 1, 9, 30, tzinfo=UTC)
    assert len(notes) == 1


@pytest.mark.parametrize(
    "name", ["Time (EET)", "Date (CST)", "Time [Europe/Berlin]", "Datetime (UTC+3)"]
)
def test_column_that_says_another_zone_needs_timezone(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataFileError, match=r"says that times are of .*: pass its timezone"):
        _headed(tmp_path, name)
    # Athens is three hours ahead in summer.
    starts, _ = _headed(tmp_path, name, timezone="Europe/Athens")
    assert starts[0] == datetime(2024, 7, 1, 6, 30, tzinfo=UTC)
    starts, notes = _headed(tmp_path, name, columns={"time": name})
    assert starts[0] == datetime(2024, 7, 1, 9, 30, tzinfo=UTC)
    assert notes[0].startswith(f"times are read as UTC, though {name!r} says ")


@pytest.mark.parametrize(
    "name", ["Time (ms)", "Date (dd/mm/yyyy)", "Timestamp (local)", "日期(年)"]
)
def test_what_else_stands_in_brackets_says_no_zone(tmp_path: Path, name: str) -> None:
    starts, notes = _headed(tmp_path, name, timezone="Europe/Athens")
    assert starts[0] == datetime(2024, 7, 1, 6, 30, tzinfo=UTC)
    assert len(notes) == 1
