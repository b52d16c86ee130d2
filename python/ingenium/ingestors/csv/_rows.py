"""Convert the rows of one file or symbol to bars in time order."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from ingenium.clock import format_time
from ingenium.errors import DataFileError
from ingenium.ingestors.csv._adjustments import watch_adjustments
from ingenium.ingestors.csv._bad_rows import BadRows
from ingenium.ingestors.csv._bar_times import BarTimes
from ingenium.ingestors.csv._cells import check_ticker, make_time_of
from ingenium.ingestors.csv._columns import Layout
from ingenium.ingestors.csv._files import READ_ERRORS, BarFile
from ingenium.ingestors.csv._groups import Rows
from ingenium.ingestors.csv._header import NEEDED, known_fields
from ingenium.ingestors.csv._held_bars import HeldBars, Item
from ingenium.ingestors.csv._notes import ReadingNotes
from ingenium.ingestors.csv._prices import OutsideError, PriceRules, Prices, make_prices_of
from ingenium.ingestors.csv._tables import BrokenRow
from ingenium.ingestors.csv._times import ReadTime
from ingenium.trading.bar import Bar

__all__ = ["RowReader"]


_NO_PRICES: Prices = (("", "", "", "", ""), 0.0, 0.0, 0.0, 0.0, 0.0)


class RowReader:
    """Reads rows of one file as bars.

    Args:
        file: The file.
        number: Number of the file among those read together.
        layout: Layout of the file.
        read_time: Reads its times.
        times_of: Creates the `BarTimes` of a symbol.
        bad_rows: Collects rows that cannot be used.
        name_bar: Makes the id of a bar's event.
        rules: Rules for reading prices.
        notes: Counts changed values.
    """

    def __init__(
        self,
        file: BarFile,
        number: int,
        layout: Layout,
        read_time: ReadTime,
        times_of: Callable[[str], BarTimes],
        bad_rows: BadRows,
        name_bar: Callable[[Bar], str],
        rules: PriceRules,
        notes: ReadingNotes,
    ) -> None:
        self.file = file
        self.number = number
        self.layout = layout
        self.times_of = times_of
        self._name_bar = name_bar
        self.bad_rows = bad_rows
        self._time_of = make_time_of(layout, read_time)
        self._prices_of = watch_adjustments(
            make_prices_of(layout, rules, file.name, notes), layout, rules, file.name, notes
        )

    def of_one_symbol(self, rows: Rows, symbol: str, ticker: str = "") -> Iterator[Item]:
        """Yield the bars of rows that all have one symbol.

        Args:
            rows: The rows.
            symbol: The symbol of the bars.
            ticker: Required cell of the symbol column in every row; empty for any.

        Raises:
            DataFileError: A row cannot be used, is out of order, or the file cannot be read.
        """
        time_of, prices_of, item = self._time_of, self._prices_of, self.item
        times = self.times_of(symbol)
        period, ending = times.period, times.ending
        only = self.layout["symbol"] if ticker else -1
        last: datetime | None = None
        due: datetime | None = None
        # The previous bar, which ends where this one starts if it would overlap it.
        held = _NO_PRICES
        held_line = 0
        width = self.layout.width
        with self._reading(rows):
            for row in rows:
                line = rows.line_num
                if len(row) != width and not self._fit(row, line):
                    continue
                try:
                    time = time_of(row, last)
                    if last is not None and time <= last:
                        if only >= 0 and row[only] != ticker:
                            raise self._other_ticker(row[only], ticker, symbol, line)
                        self._check_order(time, last, line)
                    prices = prices_of(row, line)
                    usual = due
                    due = time + period
                except (ValueError, OverflowError) as failure:
                    error = self._cause(row, line, failure)
                    if error is None:
                        continue
                    if self._is_final(error) and last is not None and not ending:
                        length = times.longest(last)
                        yield item(last, last + length, length, symbol, held, held_line)
                    if isinstance(error, DataFileError):
                        raise error from failure
                    self._report(row, line, error)
                    continue
                if only >= 0 and row[only] != ticker:
                    raise self._other_ticker(row[only], ticker, symbol, line)
                if last is None:
                    if ending:
                        length = times.longest(time)
                        yield item(time - length, time, length, symbol, prices, line)
                elif time == usual and not ending:
                    yield item(last, time, period, symbol, held, held_line)
                elif ending:
                    length = times.length(time, time - last, line)
                    yield item(time - length, time, length, symbol, prices, line)
                else:
                    length = times.length(last, time - last, line)
                    yield item(last, last + length, length, symbol, held, held_line)
                last, held, held_line = time, prices, line
            if last is not None and not ending:
                length = times.longest(last)
                yield item(last, last + length, length, symbol, held, held_line)

    def of_many_symbols(self, rows: Rows) -> Iterator[Item]:
        """Yield the bars of rows in time order, with symbols mixed.

        Raises:
            DataFileError: A row cannot be used, is out of order, or the file cannot be read.
        """
        column = self.layout["symbol"]
        known: dict[str, datetime] = {}
        times_of: dict[str, BarTimes] = {}
        held = HeldBars()
        now: datetime | None = None
        width = self.layout.width
        with self._reading(rows):
            for row in rows:
                line = rows.line_num
                if len(row) != width and not self._fit(row, line):
                    continue
                symbol = row[column]
                try:
                    last = known.get(symbol)
                    if last is None:
                        check_ticker(symbol)
                    time = self._time_of(row, last)
                    if now is not None and time < now:
                        # Other symbols may have shown that the repeated hour has started.
                        time = self._time_of(row, time)
                        if time < now:
                            self._check_order(time, now, line)
                    if time == last:
                        raise ValueError(f"{symbol} at {format_time(time)} came already")
                    prices = self._prices_of(row, line)
                    times = times_of.get(symbol)
                    if times is None:
                        times = times_of[symbol] = self.times_of(symbol)
                    length = times.period if times.is_plain else times.longest(time)
                    end = time + length
                    if time != now:
                        yield from held.advance(time)
                        now = time
                    if times.ending:
                        if last is not None:
                            length = times.length(time, time - last, line)
                        held.end(self.item(time - length, time, length, symbol, prices, line))
                    else:
                        held.add(self.item(time, end, length, symbol, prices, line), times)
                except (ValueError, OverflowError) as failure:
                    error = self._cause(row, line, failure)
                    if error is None:
                        continue
                    if self._is_final(error):
                        yield from held.flush()
                    if isinstance(error, DataFileError):
                        raise error from failure
                    self._report(row, line, error)
                    continue
                known[symbol] = time
            yield from held.flush()

    def item(
        self,
        start: datetime,
        end: datetime,
        length: timedelta,
        symbol: str,
        prices: Prices,
        line: int,
    ) -> Item:
        """Make the bar of a row."""
        texts, open_, high, low, close, volume = prices
        bar = Bar(
            symbol, start, end, open_, high, low, close, volume, length, texts, self._name_bar
        )
        return end, symbol, self.number, line, bar

    def _check_order(self, start: datetime, last: datetime, line: int) -> None:
        """Raise for a row that is not later than the previous one."""
        if start == last:
            raise ValueError(f"{format_time(start)} came already")
        raise DataFileError(
            f"{self.file.name}, line {line}: {format_time(start)} comes after {format_time(last)}: "
            "sort the file by time"
        )

    def _fit(self, row: list[str], line: int) -> bool:
        """Return whether a row has its width, without empty cells at its end; else report it."""
        if isinstance(row, BrokenRow):
            self._report(row, line, ValueError(row.reason))
            return False
        width = self.layout.width
        while len(row) > width and not row[-1].strip():
            row.pop()
        if len(row) == width:
            return True
        if any(cell.strip() for cell in row):
            error = ValueError(f"has {len(row)} fields, expected {width}")
            self._report(row, line, error)
        return False

    def _other_ticker(self, other: str, ticker: str, symbol: str, line: int) -> DataFileError:
        return DataFileError(
            f"{self.file.name}, line {line}: holds {other!r} beside {ticker!r}, so "
            f"they cannot all be {symbol!r}: leave symbol out"
        )

    def _cause(self, row: list[str], line: int, error: Exception) -> Exception | None:
        """Return the error of a row that cannot be used; ``None`` if all cells are empty."""
        cells = tuple(cell.strip() for cell in row)
        if not any(cells):
            return None
        header = self.layout.header
        if not header:
            return error
        if cells == header:
            return ValueError("is the header once more")
        if known_fields(cells, {}).issuperset(NEEDED):
            return DataFileError(
                f"{self.file.name}, line {line}: another header begins there, "
                f"{', '.join(cells)!r}, so columns may have changed places: split the file"
            )
        return error

    def _is_final(self, error: Exception) -> bool:
        """Return whether an error about a row ends the reading."""
        if isinstance(error, OutsideError):
            return False
        return self.bad_rows.raises or isinstance(error, DataFileError)

    def _report(self, row: list[str], line: int, error: Exception) -> None:
        """Report a bad row; a row over several lines, due to a quote, is never skipped."""
        breaks = sum(cell.count("\n") for cell in row)
        if breaks:
            # A cell that ends only at the end of the file contains the last line break too.
            first = line - breaks + row[-1].endswith("\n")
            until = f" before line {line}" if line > first else ""
            raise DataFileError(
                f"{self.file.name}, line {first}: a quote that begins there does not end{until}: "
                "end it, or take it out"
            )
        if isinstance(error, OutsideError):
            self.bad_rows.drop(self.file.name, line, str(error))
        else:
            self.bad_rows.report(self.file.name, line, str(error))

    @contextmanager
    def _reading(self, rows: Rows) -> Iterator[None]:
        """Add file and line to errors of reading."""
        try:
            yield
        except csv.Error as error:
            raise DataFileError(
                f"{self.file.name}, line {rows.line_num}: is not valid CSV: {error}; look for an "
                "unclosed quote"
            ) from error
        except READ_ERRORS as error:
            raise self.file.failed(error, rows.line_num) from error
