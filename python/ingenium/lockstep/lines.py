"""What an event adds to the digest of a replay: its subject and its payload."""

from __future__ import annotations

import re
from datetime import datetime

from ingenium.clock import format_time
from ingenium.events import Event, encode
from ingenium.subjects import data_subject, subject_of
from ingenium.trading import Bar
from ingenium.trading.bar import format_period

__all__ = ["BarLines", "line_of"]

_PLAIN_SYMBOL = re.compile(r"[A-Za-z0-9./^=_:-]+", re.ASCII).fullmatch
_PLAIN_NUMBERS = re.compile(r"[0-9.,]*", re.ASCII).fullmatch


def line_of(event: Event) -> bytes:
    """Return subject and payload of an event, as a bus carries them."""
    return b"%b %b\n" % (subject_of(event).encode(), encode(event))


class BarLines:
    """Writes what `line_of` gives for the event of a bar, in a quarter of the time.

    It makes no event. A bar with anything that JSON writes in another way is left to `line_of`.
    """

    def __init__(self) -> None:
        self._heads: dict[str, str] = {}
        # The end of a bar is the start of the next one.
        self._last: tuple[datetime | None, str] = None, ""

    def line_of(self, bar: Bar) -> bytes:
        """Return subject and payload of a bar's event."""
        texts, symbol, start, end = bar.texts, bar.symbol, bar.start, bar.end
        if (
            start.microsecond
            or end.microsecond
            or _PLAIN_NUMBERS(",".join(texts)) is None
            or not bar.period
        ):
            return line_of(bar.event)
        head = self._heads.get(symbol)
        if head is None:
            if _PLAIN_SYMBOL(symbol) is None:
                return line_of(bar.event)
            head = f'{data_subject(symbol)} {{"Type":"data.type.ohlc","Symbol":"{symbol}"'
            self._heads[symbol] = head
        known, begin = self._last
        if known != start:
            begin = format_time(start)
        stop = format_time(end)
        self._last = end, stop
        open_, high, low, close, volume = texts
        return (
            f'{head},"Timestamp":"{stop}","Ohlc":{{"Open":"{open_}","High":"{high}","Low":"{low}",'
            f'"Close":"{close}","Volume":"{volume}","Period":"{format_period(bar.period)}",'
            f'"Timestamp":"{begin}"}},"Id":"{bar.id}"}}\n'
        ).encode("ascii")
