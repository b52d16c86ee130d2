"""What orders said that came before: tells one that comes again from another under its id."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from decimal import Decimal, InvalidOperation

import msgspec

from ingenium.events import OrderEvent, ReplaceEvent, encode
from ingenium.state.rows import LogRow, read_row, write_json

__all__ = ["CONTENT", "KEPT", "OrderContents", "content_of"]

CONTENT = "content"
"""Kind of the rows in a log."""
KEPT = 10_000
"""How many of the newest are remembered."""

_NO_CONTENT = {"Id", "Timestamp"}


class OrderContents:
    """The contents of orders by id: those of the newest."""

    def __init__(self) -> None:
        self._known: dict[str, str] = {}
        # Over a plain bus nobody saves them.
        self._new: deque[LogRow] = deque(maxlen=KEPT)

    def note(self, event: OrderEvent | ReplaceEvent) -> str:
        """Take note of an order, or compare it with the one of that id.

        Returns:
            What the one of that id said, when this one says something else; empty otherwise.
        """
        said = content_of(event)
        known = self._known.get(event.id)
        if known is None and event.id:
            self._add(event.id, said)
            self._new.append((CONTENT, event.id, write_json(said)))
        return "" if known in {None, said} else known or ""

    def __contains__(self, order_id: str) -> bool:
        """Whether what an order of that id said is known."""
        return order_id in self._known

    def take_log(self) -> list[LogRow]:
        """Return what was noted since the last call."""
        new = list(self._new)
        self._new.clear()
        return new

    def restore_log(self, rows: Iterable[LogRow]) -> list[LogRow]:
        """Take back rows of `take_log`; returns those of other kinds."""
        others: list[LogRow] = []
        for row in rows:
            kind, order_id, data = row
            if kind == CONTENT:
                self._add(order_id, read_row(str, data, f"{kind} {order_id}"))
            else:
                others.append(row)
        return others

    def _add(self, order_id: str, said: str) -> None:
        self._known[order_id] = said
        if len(self._known) > KEPT:
            del self._known[next(iter(self._known))]


def content_of(event: OrderEvent | ReplaceEvent) -> str:
    """Return what an order asks for, in words, the same for equal orders however they are written.

    Its id and its time are no part of it.
    """
    fields: dict[str, object] = msgspec.json.decode(encode(event))
    words = {name: _word(each) for name, each in fields.items() if name not in _NO_CONTENT}
    return ", ".join(f"{name} {text}" for name, text in sorted(words.items()) if text)


def _word(value: object) -> str:
    if isinstance(value, dict):
        return " ".join(f"{name} {_word(each)}" for name, each in sorted(value.items()) if each)
    text = "" if value in (None, False) else str(value)
    try:
        number = Decimal(text)
    except InvalidOperation:
        return text
    # "1.0" asks for the same as "1".
    return f"{number.normalize():f}" if number.is_finite() and abs(number.adjusted()) < 40 else text
