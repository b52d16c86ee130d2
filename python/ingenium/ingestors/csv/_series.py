"""Read one file as bars in time order."""

from __future__ import annotations

import csv
import heapq
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import islice, pairwise
from typing import cast

from ingenium.clock import format_time
from ingenium.errors import DataFileError, SubjectError
from ingenium.ingestors.csv._bad_rows import BadRows
from ingenium.ingestors.csv._bar_times import BarTimes
from ingenium.ingestors.csv._cells import check_ticker, find_clock_digits, make_time_of, no_time
from ingenium.ingestors.csv._clocks import zone_in_name
from ingenium.ingestors.csv._columns import Columns, Layout, find_layout
from ingenium.ingestors.csv._decimals import decimal_sign
from ingenium.ingestors.csv._files import READ_ERRORS, BarFile, Source
from ingenium.ingestors.csv._groups import ListRows, Rows
from ingenium.ingestors.csv._held_bars import Item
from ingenium.ingestors.csv._notes import ReadingNotes
from ingenium.ingestors.csv._period import Lengths
from ingenium.ingestors.csv._prices import PriceRules
from ingenium.ingestors.csv._rows import RowReader
from ingenium.ingestors.csv._sources import open_file
from ingenium.ingestors.csv._times import Times, find_times
from ingenium.ingestors.csv._zones import Zone
from ingenium.trading import Bar

__all__ = ["Options", "count_rows", "read_file", "why_not"]

_SAMPLE = 1_000
_SAMPLE_OF_SYMBOL = 100

Learn = Callable[[str, Iterable[list[str]]], None]
"""Called with a symbol and its rows, of which the first are read."""


@dataclass(frozen=True)
class Options:
    """Options of the user; see `CsvIngestor`."""

    symbol: str | None
    period: timedelta | None
    zone: Zone
    columns: Columns
    prices: PriceRules
    decimal: str | None
    newest_first: bool
    date_format: str | None
    ending: bool


def count_rows(source: Source, options: Options) -> int:
    """Return the number of rows of a file, counted by lines.

    Raises:
        DataFileError: The file cannot be read.
    """
    file = open_file(source)
    return file.count_rows(_layout(file, options))


def why_not(source: Source, options: Options) -> str:
    """Return why a file has no bars; empty if it has some."""
    try:
        _layout(open_file(source), options)
    except DataFileError as error:
        return str(error).removeprefix(source.name).lstrip(": ").partition(": write one")[0]
    return ""


def read_file(
    source: Source,
    number: int,
    options: Options,
    bad_rows: BadRows,
    notes: ReadingNotes,
    name_bar: Callable[[Bar], str],
) -> Generator[Item, None, None]:
    """Yield the bars of a file, by time and symbol.

    Args:
        source: The file.
        number: Number of the file among those read together.
        options: Options of the user.
        bad_rows: Collects rows that cannot be used.
        notes: Collects guesses and clipped values.
        name_bar: Makes the id of a bar's event.

    Raises:
        DataFileError: The file cannot be read.
    """
    file = open_file(source)
    layout = _layout(file, options, notes)
    for guess in layout.guesses:
        notes.guess(file.name, guess)
    if options.prices.adjusted and "adj_close" not in layout.columns:
        raise DataFileError(
            f"{file.name} has no column for the adjusted close: leave adjusted out, or say which "
            "one it is with columns={'adj_close': '...'}"
        )
    options = _in_stated_zone(file.name, layout, options, notes)
    sample = _sample(file, layout)
    if "clock" in layout.columns:
        texts = (row[layout["clock"]] for row in sample)
        layout = replace(layout, clock_digits=find_clock_digits(file.name, texts))
    times = _times(file, layout, options, sample)
    if times.guess:
        notes.guess(file.name, times.guess)
    series = _series(layout, times, reversed(sample) if options.newest_first else sample)
    if options.period is None and not times.date_only and not any(series.values()):
        raise no_time(file.name, layout, times.read, sample[0])
    _check_direction(file, series.values(), options.newest_first)
    lengths = Lengths(file.name, series, times.date_only) if options.period is None else None

    def times_of(symbol: str) -> BarTimes:
        period = options.period
        if period is None and lengths is not None:
            period = lengths.of(symbol)
            notes.guess(file.name, lengths.said(period))
        return BarTimes(
            file.name,
            cast("timedelta", period),
            given=lengths is None,
            zone=options.zone,
            date_only=times.date_only,
            ending=options.ending,
            notes=notes,
        )

    def learn(symbol: str, rows: Iterable[list[str]]) -> None:
        """Add the times of the first rows of a symbol, which the sample may lack."""
        if lengths is not None and lengths.rows_of(symbol) < _SAMPLE_OF_SYMBOL:
            first = [row for row in islice(rows, _SAMPLE_OF_SYMBOL) if len(row) >= layout.width]
            read = _series(layout, times, first)
            lengths.learn(symbol, read.get(symbol, ()))

    reader = RowReader(
        file,
        number,
        layout,
        times.read,
        times_of,
        bad_rows,
        name_bar,
        replace(options.prices, decimal_comma=_decimal_comma(file, layout, options, sample)),
        notes,
    )
    if "symbol" in layout.columns and options.symbol is None:
        yield from _by_column(file, layout, reader, learn, options.newest_first)
        return
    symbol = _symbol(file, layout, options)
    ticker = sample[0][layout["symbol"]] if "symbol" in layout.columns else ""
    with _open_rows(file, layout) as rows:
        in_order: Rows = rows
        if options.newest_first:
            in_order = ListRows(reversed([(rows.line_num, row) for row in rows]))
        yield from reader.of_one_symbol(in_order, symbol, ticker)


def _layout(file: BarFile, options: Options, notes: ReadingNotes | None = None) -> Layout:
    symbols = [options.symbol or "", file.source.stem]
    try:
        return find_layout(file.name, file.head, options.columns, symbols)
    except DataFileError:
        for encoding in file.other_encodings():
            with suppress(DataFileError):
                layout = find_layout(file.name, file.head, options.columns, symbols)
                if notes is not None:
                    notes.guess(file.name, f"its text is in {encoding}, as the header shows")
                return layout
        raise


def _in_stated_zone(name: str, layout: Layout, options: Options, notes: ReadingNotes) -> Options:
    """Apply the time zone in the names of time columns."""
    for field in ("time", "clock"):
        if field not in layout.columns or not layout.header:
            continue
        cell = layout.header[layout[field]]
        stated = zone_in_name(cell)
        if stated == "UTC" and not options.zone.is_utc:
            notes.guess(name, f"times are UTC, as {cell!r} says")
            return replace(options, zone=Zone(None))
        if stated in {"", "UTC"} or not options.zone.is_utc:
            continue
        if field in options.columns:
            notes.guess(name, f"times are read as UTC, though {cell!r} says {stated}")
        else:
            raise DataFileError(
                f"{name}: {cell!r} says that times are of {stated}: pass its timezone, a name of "
                "the IANA list, such as 'Europe/Athens' for EET; or, if they are UTC, "
                f"columns={{{field!r}: {cell!r}}}"
            )
    return options


def _by_column(
    file: BarFile, layout: Layout, reader: RowReader, learn: Learn, newest_first: bool
) -> Iterator[Item]:
    """Yield the bars of a file with a column of symbols."""
    if newest_first:
        lists: dict[str, list[tuple[int, list[str]]]] = {}
        with _open_rows(file, layout) as rows:
            for row in rows:
                symbol = row[layout["symbol"]] if len(row) > layout["symbol"] else ""
                lists.setdefault(symbol, []).append((rows.line_num, row))
        for symbol, rows_of_symbol in lists.items():
            rows_of_symbol.reverse()
            learn(symbol, (row for _, row in rows_of_symbol))
        yield from heapq.merge(
            *(_of_ticker(reader, ListRows(lists[symbol]), symbol) for symbol in sorted(lists))
        )
        return
    with _open_groups(file, layout) as groups:
        if groups is not None:
            parts = dict(sorted(groups.items()))
            for symbol, rows in parts.items():
                learn(symbol, rows)
            yield from heapq.merge(*(_of_ticker(reader, parts[each], each) for each in parts))
            return
    with _open_rows(file, layout) as rows:
        yield from reader.of_many_symbols(rows)


def _of_ticker(reader: RowReader, rows: Rows, symbol: str) -> Iterator[Item]:
    """Yield the bars of rows with the same cell in the symbol column."""
    try:
        check_ticker(symbol)
    except ValueError as error:
        for row in rows:
            if any(row):
                reader.bad_rows.report(reader.file.name, rows.line_num, str(error))
        return
    yield from reader.of_one_symbol(rows, symbol)


@contextmanager
def _open_rows(file: BarFile, layout: Layout) -> Iterator[Rows]:
    """Open a file's rows after its header."""
    try:
        with file.open_rows(layout) as rows:
            yield rows
    except READ_ERRORS as error:
        raise file.failed(error) from error


@contextmanager
def _open_groups(file: BarFile, layout: Layout) -> Iterator[dict[str, Rows] | None]:
    """Open a file's rows by symbol; ``None`` if symbols are mixed."""
    try:
        with file.open_groups(layout) as groups:
            yield groups
    except (*READ_ERRORS, csv.Error) as error:
        raise file.failed(error) from error


def _sample(file: BarFile, layout: Layout) -> list[list[str]]:
    """Return the first rows that have all cells."""
    sample: list[list[str]] = []
    any_row = False
    with _open_rows(file, layout) as rows:
        try:
            for row in rows:
                any_row = any_row or any(row)
                if len(row) >= layout.width and row[layout["time"]].strip():
                    sample.append(row)
                    if len(sample) == _SAMPLE:
                        break
        except csv.Error as error:
            raise DataFileError(
                f"{file.name}, line {rows.line_num}: is not valid CSV: {error}; look for an "
                "unclosed quote"
            ) from error
    if sample:
        return sample
    if any_row:
        raise DataFileError(
            f"{file.name} has no row of {layout.width} fields, as its first line has: check what "
            "stands between its columns"
        )
    raise DataFileError(f"{file.name} has a header but no rows: it needs one for each bar")


def _times(
    file: BarFile, layout: Layout, options: Options, sample: Sequence[Sequence[str]]
) -> Times:
    place, clock = layout["time"], layout.columns.get("clock")

    def all_texts() -> Iterable[str]:
        with _open_rows(file, layout) as rows:
            for row in rows:
                if len(row) > place:
                    yield row[place].strip()

    times = find_times(
        file.name,
        [row[place].strip() for row in sample],
        all_texts,
        options.zone,
        options.date_format,
        beside_clock=clock is not None,
    )
    date_only = times.date_only and clock is None
    if not (options.ending and date_only):
        return Times(times.read, date_only, times.guess)

    def read_end(text: str, last: datetime | None) -> datetime:
        # A bar whose end is a date ends at the end of that day.
        return options.zone.shift(times.read(text, None), timedelta(days=1))

    return Times(read_end, True, times.guess)


def _series(layout: Layout, times: Times, sample: Iterable[list[str]]) -> dict[str, list[datetime]]:
    """Return the times of each symbol, in row order."""
    time_of = make_time_of(layout, times.read)
    symbol_place = layout.columns.get("symbol")
    series: dict[str, list[datetime]] = {}
    for row in sample:
        known = series.setdefault("" if symbol_place is None else row[symbol_place], [])
        try:
            known.append(time_of(row, known[-1] if known else None))
        except ValueError:
            # Reported with its line when the row is read.
            continue
    return series


def _check_direction(
    file: BarFile, series: Iterable[Sequence[datetime]], newest_first: bool
) -> None:
    """Refuse a file whose direction differs from the user's option."""
    rising = falling = False
    for times in series:
        pairs = list(pairwise(times))
        rising = rising or any(before < after for before, after in pairs)
        falling = falling or any(before > after for before, after in pairs)
        if times and falling and not rising:
            first, last = format_time(times[0]), format_time(times[-1])
            if newest_first:
                raise DataFileError(
                    f"{file.name} runs from the oldest row to the newest, from {last} on: leave "
                    "newest_first out"
                )
            raise DataFileError(
                f"{file.name} runs from the newest row to the oldest, from {first} back to {last}: "
                "pass newest_first=True to read it from its end"
            )


def _decimal_comma(
    file: BarFile, layout: Layout, options: Options, sample: Sequence[Sequence[str]]
) -> bool:
    if options.decimal is not None:
        return options.decimal == ","
    places = [layout[field] for field in ("open", "high", "low", "close")]
    volume = layout.columns.get("volume")
    read = set(layout.columns.values())
    sign = decimal_sign(
        [row[place] for row in sample for place in places],
        [] if volume is None else [row[volume] for row in sample],
        (cell for row in sample for place, cell in enumerate(row) if place not in read),
        layout.delimiter,
    )
    if sign is None:
        raise DataFileError(
            f"{file.name}: prices such as {sample[0][places[0]]!r} may have three decimals or "
            "thousands: pass decimal=',' or decimal='.'"
        )
    return sign == ","


def _symbol(file: BarFile, layout: Layout, options: Options) -> str:
    named = options.symbol or layout.symbol
    symbol = named or file.source.stem
    try:
        check_ticker(symbol)
        if not named and " " in symbol and symbol != symbol.upper():
            raise ValueError(f"{symbol!r} is not the name of an instrument, such as 'BRK B'")
    except SubjectError as error:
        raise DataFileError(
            f"{file.name} gives no symbol: {error}; or pass symbol='...'"
        ) from error
    except ValueError as error:
        raise DataFileError(f"{file.name} gives no symbol: {error}; pass symbol='...'") from error
    return symbol
