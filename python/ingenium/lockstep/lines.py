"""What an event adds to the digest of a replay: its subject and its payload."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import datetime

from ingenium.clock import format_time
from ingenium.components.ingestor import source_named_by
from ingenium.events import Event, encode
from ingenium.ids import make_id
from ingenium.subjects import data_subject, subject_of
from ingenium.trading import Bar
from ingenium.trading.bar import format_period

__all__ = ["BarLines", "line_of"]

_PLAIN = re.compile(r"[A-Za-z0-9./^=_:-]+", re.ASCII).fullmatch
_OF_NUMBERS = b"0123456789.,"


def line_of(event: Event) -> bytes:
    """Return subject and payload of an event, as a bus carries them."""
    return b"%b %b\n" % (subject_of(event).encode(), encode(event))


class BarLines:
    """Writes what `line_of` gives for the events of bars, in a fifth of the time.

    It makes no event. A bar with anything that JSON writes in another way is left to `line_of`.
    """

    def __init__(self) -> None:
        self._heads: dict[str, str] = {}
        # The end of a bar is the start of the next one.
        self._end: datetime | None = None
        self._end_text = ""
        # The ingestor that has named the last bar, where it names bars as they all do.
        self._namer: Callable[[Bar], str] | None = None
        self._source: str | None = None

    def lines_of(self, bars: Sequence[Bar]) -> bytes:
        """Return subject and payload of each bar's event, one behind the other."""
        lines: list[bytes] = []
        for bar in bars:
            line = self._quick_line(bar)
            lines.append(line_of(bar.event) if line is None else line.encode("ascii"))
        return b"".join(lines)

    def _quick_line(self, bar: Bar) -> str | None:
        texts, symbol, start, end = bar.number_texts, bar.symbol, bar.start, bar.end
        if (
            # What an event says, another one may say in other words.
            bar.has_event
            or start.microsecond
            or end.microsecond
            # A pattern takes three times as long.
            or ",".join(texts).encode("ascii", "replace").translate(None, _OF_NUMBERS)
            or not bar.period
        ):
            return None
        head = self._heads.get(symbol)
        if head is None:
            if _PLAIN(symbol) is None:
                return None
            head = f'{data_subject(symbol)} {{"Type":"data.type.ohlc","Symbol":"{symbol}"'
            self._heads[symbol] = head
        begin = self._end_text if start == self._end else format_time(start)
        stop = format_time(end)
        self._end, self._end_text = end, stop
        open_, high, low, close, volume = texts
        period = format_period(bar.period)
        namer = bar.name
        if namer != self._namer:
            self._namer = namer
            self._source = source_named_by(namer)
        if self._source is not None:
            event_id = make_id("data", self._source, symbol, stop, period, close)
        elif _PLAIN(event_id := bar.id) is None:
            return None
        return (
            f'{head},"Timestamp":"{stop}","Ohlc":{{"Open":"{open_}","High":"{high}","Low":"{low}",'
            f'"Close":"{close}","Volume":"{volume}","Period":"{period}",'
            f'"Timestamp":"{begin}"}},"Id":"{event_id}"}}\n'
        )
