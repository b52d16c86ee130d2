"""Bar lengths in one file, by symbol."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from ingenium.errors import DataFileError
from ingenium.trading.bar_length import DAY, MONTHS, find_length, format_length

__all__ = ["Lengths"]

_SECOND = timedelta(seconds=1)


class Lengths:
    """Lengths of the bars of one file, by symbol.

    Args:
        name: Name of the file, for errors.
        series: The first times of each symbol, in order.
        date_only: Whether the times are days.
    """

    def __init__(
        self, name: str, series: Mapping[str, Sequence[datetime]], date_only: bool
    ) -> None:
        self._name = name
        self._date_only = date_only
        self._of: dict[str, timedelta] = {}
        self._kinds: Counter[timedelta] = Counter()
        self._rows: dict[str, int] = {}
        self._kinds_of: dict[str, Counter[timedelta]] = {}
        self._shown: timedelta | None = None
        self._single: timedelta | None = None
        for symbol, times in series.items():
            self.learn(symbol, times)

    def learn(self, symbol: str, times: Sequence[datetime]) -> None:
        """Add the times of a symbol, unless as many were seen before."""
        if len(times) <= self.rows_of(symbol):
            return
        self._rows[symbol] = len(times)
        length, distances = find_length(times)
        self._kinds.update(distances.kinds)
        self._kinds_of[symbol] = distances.kinds
        if length is None:
            return
        self._of[symbol] = length
        if distances.kinds.total() > 1:
            self._shown = max(length, self._shown or length)
        else:
            self._single = max(length, self._single or length)

    def rows_of(self, symbol: str) -> int:
        """Return the number of times seen of a symbol."""
        return self._rows.get(symbol, 0)

    def of(self, symbol: str) -> timedelta:
        """Return the length of a symbol's longest bars; that of other symbols if it has few rows.

        Raises:
            DataFileError: The length cannot be determined.
        """
        length = self._of.get(symbol)
        usual = self._shown or self._single
        if self.rows_of(symbol) < 3 and usual is not None:
            # A single distance may be a night, or a week without trades.
            length = max(length, usual) if length is not None and self._date_only else usual
        if length is None and usual in self._kinds_of.get(symbol, ()):
            length = usual
        if length is None:
            kinds = self._kinds_of.get(symbol) or self._kinds
            if not kinds:
                if self._date_only:
                    return DAY
                raise DataFileError(
                    f"{self._name}: one row does not show how long a bar is: pass period, such as "
                    "period='1m'"
                )
            of = f" of {symbol}" if symbol in self._kinds_of else ""
            said = " or ".join(format_length(kind) for kind, _ in kinds.most_common(3))
            raise DataFileError(
                f"{self._name}: rows{of} are {said} apart, which does not show how long a bar is: "
                "pass period, the length of the longest bars, such as period='4h'"
            )
        if length % _SECOND:
            raise DataFileError(
                f"{self._name}: bars are {length.total_seconds()} seconds apart, like ticks: pass "
                "period, such as period='1s'"
            )
        return length

    def said(self, length: timedelta) -> str:
        """Describe the evidence for a length, for a note."""
        until = "up to " if length in MONTHS else ""
        why = "as far apart as rows are" if self._kinds else "as the only time is a date"
        return f"bars last {until}{format_length(length)}, {why}"
