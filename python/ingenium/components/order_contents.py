"""Contents of earlier orders, to distinguish a repeated order from another one under its id."""

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
"""Number of the newest orders that are kept."""

_NO_CONTENT = {"Id", "Timestamp"}


class OrderContents:
    """The contents of the newest orders, by id."""

    def __init__(self) -> None:
        self._known: dict[str, str] = {}
        # Over a plain bus they are not saved.
        self._new: deque[LogRow] = deque(maxlen=KEPT)

    def note(self, event: OrderEvent | ReplaceEvent) -> str:
        """Record an order, or compare it with the one of that id.

        Returns:
            The content of the known order, when this one differs; empty otherwise.
        """
        said = content_of(event)
        known = self._known.get(event.id)
        if known is None and event.id:
            self._add(event.id, said)
            self._new.append((CONTENT, event.id, write_json(said)))
        return "" if known in {None, said} else known or ""

    def __contains__(self, order_id: str) -> bool:
        """Whether the content of an order of that id is known."""
        return order_id in self._known

    def take_log(self) -> list[LogRow]:
        """Return the contents recorded since the last call."""
        new = list(self._new)
        self._new.clear()
        return new

    def restore_log(self, rows: Iterable[LogRow]) -> list[LogRow]:
        """Restore rows of `take_log`; return those of other kinds."""
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
    """Return the content of an order as text, the same for equal orders however written.

    Id and time are not included.
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
    # "1.0" equals "1".
    return f"{number.normalize():f}" if number.is_finite() and abs(number.adjusted()) < 40 else text
