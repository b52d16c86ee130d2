"""Ingestor for history in files."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Literal

from ingenium.clock import format_time
from ingenium.components import DataNote, Ingestor
from ingenium.errors import ConfigError, DataFileError, DecodeError
from ingenium.events import DataEvent
from ingenium.ingestors.csv._bad_rows import BadRow, BadRows, OnBadRow
from ingenium.ingestors.csv._columns import check_columns
from ingenium.ingestors.csv._files import PathArgument, Source, absolute_paths
from ingenium.ingestors.csv._held_bars import Item
from ingenium.ingestors.csv._notes import ReadingNotes
from ingenium.ingestors.csv._prices import Outside, PriceRules
from ingenium.ingestors.csv._series import Options, count_rows, read_file, why_not
from ingenium.ingestors.csv._sources import find_sources
from ingenium.ingestors.csv._zones import Zone, load_zone
from ingenium.subjects.names import check_symbol
from ingenium.trading import Bar
from ingenium.trading.bar import format_period, parse_period

__all__ = ["CsvIngestor"]


class CsvIngestor(Ingestor):
    """Reads bars from CSV files in the formats of many vendors.

    The same rows are read from JSON lines, Parquet, Arrow and Feather files, and from zip archives;
    Parquet, Arrow and Feather need ``ingenium[arrow]``.

    Delimiter, compression, columns, time format and bar length are detected; an ambiguity is an
    error that names the argument to pass. Files are read as a stream and merged by time and
    symbol; prices keep the decimal text of the source, in plain notation.

    Args:
        paths: Files, folders (for the price files directly in them) and patterns such as
            ``"data/*.csv"``; relative ones are resolved against the current folder when the
            ingestor is created.
        symbol: The symbol of all rows. When left out, that of the file's symbol column, else the
            file's name: ``AAPL`` for ``AAPL.csv``.
        period: Length of the bars, such as ``"5m"``; when left out it is detected from the
            distances between rows, and a bar also ends where the next one of its symbol starts.
        timezone: Time zone of times that state none, and of dates; an IANA name. Figures and months
            of a backtest use days of this zone.
        columns: Columns by field, if the header's words are unusual or missing: from ``time``,
            ``clock``, ``open``, ``high``, ``low``, ``close``, ``volume``, ``adj_close`` and
            ``symbol`` to a column's name or its index from 0; ``None`` for a field not to read.
            Overrides detection.
        adjusted: Scale prices to the adjusted close, for splits and dividends; each becomes
            ``price * adjusted close / close``, rounded half to even to 8 decimals. Volumes are
            unchanged.
        on_bad_row: ``"raise"`` for an error at the first row that cannot be used, ``"skip"`` to log
            it, keep it in `skipped` and continue. A row out of order is always an error.
        decimal: Decimal sign of numbers, ``"."`` or ``","``; detected when left out.
        scale: Exact factor of prices, if a file has them as whole numbers: ``"0.01"`` for cents,
            ``"1e-9"`` for nanounits. Volumes are unchanged.
        outside: Handling of an open or close beyond low and high, as settlement prices of futures
            can be: ``"raise"`` makes it a bad row, ``"clip"`` moves it to the nearer of low and
            high, ``"keep"`` extends low or high to it, ``"drop"`` leaves the bar out. All are
            counted in `notes`.
        allow_nonpositive: Accept zero and negative prices, as of spreads and oil in April 2020.
        newest_first: Read files sorted from newest to oldest row; loads them into memory.
        date_format: Format of the times, as for ``datetime.strptime``; detected when left out.
        stamp: Whether the time of a row is the ``"start"`` or the ``"end"`` of its bar. A date as
            the end is the end of that day.
        name: See `Component`.

    Raises:
        ConfigError: An argument is invalid.
        SubjectError: The symbol cannot be part of a subject.
        ComponentError: The name is invalid.
    """

    def __init__(
        self,
        paths: PathArgument | Sequence[PathArgument],
        symbol: str | None = None,
        *,
        period: str | timedelta | None = None,
        timezone: str = "UTC",
        columns: Mapping[str, str | int | None] | None = None,
        adjusted: bool = False,
        on_bad_row: OnBadRow = "raise",
        decimal: Literal[".", ","] | None = None,
        scale: str | float | Decimal | None = None,
        outside: Outside = "raise",
        allow_nonpositive: bool = False,
        newest_first: bool = False,
        date_format: str | None = None,
        stamp: Literal["start", "end"] = "start",
        name: str | None = None,
    ) -> None:
        super().__init__(name)
        if symbol is not None:
            check_symbol(symbol)
        if on_bad_row not in {"raise", "skip"}:
            raise ConfigError(f"on_bad_row is {on_bad_row!r}: pass 'raise' or 'skip'")
        if outside not in {"raise", "clip", "keep", "drop"}:
            raise ConfigError(f"outside is {outside!r}: pass 'raise', 'clip', 'keep' or 'drop'")
        if decimal not in {None, ".", ","}:
            raise ConfigError(f"decimal is {decimal!r}: pass '.' or ','")
        if adjusted and allow_nonpositive:
            raise ConfigError(
                "adjusted and allow_nonpositive exclude each other: a price of 0 or below has no "
                "ratio to an adjusted one; leave one of them out"
            )
        if stamp not in {"start", "end"}:
            raise ConfigError(f"stamp is {stamp!r}: pass 'start' or 'end'")
        self._paths = absolute_paths(paths)
        zone = load_zone(timezone)
        self.zone = UTC if zone is None else zone
        self._options = Options(
            symbol=symbol,
            period=_period(period),
            zone=Zone(zone),
            columns=check_columns(columns or {}),
            prices=PriceRules(
                adjusted=adjusted,
                scale=_scale(scale),
                outside=outside,
                nonpositive=allow_nonpositive,
            ),
            decimal=decimal,
            newest_first=newest_first,
            date_format=date_format,
            ending=stamp == "end",
        )
        self._bad_rows = BadRows(on_bad_row)
        self._notes = ReadingNotes()

    @property
    def skipped(self) -> list[BadRow]:
        """Rows skipped by the last reading, at most the first thousand."""
        return list(self._bad_rows.rows)

    @property
    def skipped_count(self) -> int:
        """Number of rows skipped by the last reading."""
        return self._bad_rows.count

    def notes(self) -> Sequence[DataNote]:
        """Return the values that the last reading skipped, clipped or guessed, by file."""
        return (*self._bad_rows.notes(), *self._notes.all())

    def total(self) -> int:
        """Return the number of rows in the files, counted by lines, including bad rows.

        Raises:
            DataFileError: A file cannot be read.
        """
        return sum(count_rows(source, self._options) for source in self._sources())

    def files(self) -> Sequence[Path]:
        """Return the files that are read.

        Raises:
            DataFileError: A path matches nothing.
        """
        return list(dict.fromkeys(source.path for source in self._sources()))

    def _sources(self, notes: ReadingNotes | None = None) -> list[Source]:
        return find_sources(self._paths, lambda source: why_not(source, self._options), notes)

    def read(self) -> Iterator[DataEvent]:
        """Yield the events of `read_bars`."""
        return (bar.event for bar in self.read_bars())

    def read_bars(self) -> Iterator[Bar]:
        """Yield the bars of all files by time and symbol.

        ``timestamp`` of a bar's event is its end, when it became known; ``ohlc.timestamp`` is its
        start, as in the files.

        Raises:
            DataFileError: A file cannot be read; the message states file, line and reason.
        """
        bad_rows = self._bad_rows
        bad_rows.clear()
        self._notes.clear()
        files = self._sources(self._notes)
        series = [
            read_file(source, number, self._options, bad_rows, self._notes, self._handle.name_bar)
            for number, source in enumerate(files)
        ]
        count = 0
        try:
            if len(series) == 1:
                for item in series[0]:
                    count += 1
                    yield item[4]
            else:
                for item in self._without_repeats(heapq.merge(*series), [f.name for f in files]):
                    count += 1
                    yield item[4]
        finally:
            for one in series:
                one.close()
        bad_rows.summarize()
        if not count:
            first = bad_rows.rows[0]
            raise DataFileError(
                f"no row of {first.file} can be used; the first, line {first.line}: {first.reason}"
            )

    def _without_repeats(self, items: Iterator[Item], names: Sequence[str]) -> Iterator[Item]:
        """Pass on unique bars, and report bars that occur in several files."""
        last: tuple[datetime, str] | None = None
        seen: dict[timedelta, int] = {}
        for item in items:
            end, symbol, number, line, bar = item
            if (end, symbol) != last:
                last = (end, symbol)
                seen.clear()
            other = seen.setdefault(bar.period, number)
            if other != number:
                self._bad_rows.report(
                    names[number],
                    line,
                    f"{symbol} at {format_time(end)} came already, from {names[other]}",
                )
                continue
            yield item


def _scale(scale: str | float | Decimal | None) -> Decimal | None:
    if scale is None:
        return None
    try:
        # A float means the decimal that it is written as: 0.01 is a hundredth.
        factor = Decimal(str(scale))
    except (InvalidOperation, ValueError):
        factor = Decimal(0)
    if isinstance(scale, bool) or not factor.is_finite() or factor <= 0:
        raise ConfigError(f"scale is {scale!r}: pass a number above 0, such as '0.01' for cents")
    return factor


def _period(period: str | timedelta | None) -> timedelta | None:
    if period is None:
        return None
    try:
        if isinstance(period, str):
            period = parse_period(period)
        format_period(period)
        if period.microseconds:
            raise ValueError("times of rows have no parts of seconds")
    except (DecodeError, ValueError, TypeError) as error:
        raise ConfigError(
            f"period {period!r} does not fit: pass a number and a unit of s, m, h, d or w, such as "
            "'5m'"
        ) from error
    return period
