"""What the words about trading in a stream come to."""

from __future__ import annotations

from collections.abc import Iterable

from ingenium.bus.stream import Record
from ingenium.events import ControlEvent, TradingState, decode
from ingenium.risk.trading_switch import is_operator
from ingenium.subjects.names import TRADING

__all__ = ["said"]

_FROM_MILD = (TradingState.ACTIVE, TradingState.REDUCING, TradingState.HALTED)


def said(records: Iterable[Record]) -> TradingState:
    """Return the state of trading that some messages say.

    An operator sets it, and a component only makes it stricter. A message that comes twice was
    said when it came first.
    """
    state = TradingState.ACTIVE
    heard: set[str] = set()
    for record in records:
        if record.message.subject == TRADING:
            event = decode(ControlEvent, record.message.payload)
            if event.id:
                if event.id in heard:
                    continue
                heard.add(event.id)
            word = TradingState(event.state)
            if is_operator(event.sender) or _FROM_MILD.index(word) > _FROM_MILD.index(state):
                state = word
    return state
