"""Messages that a stream no longer holds: which of them matter, and to whom."""

from __future__ import annotations

import pytest

from ingenium.bus import MemoryBus
from ingenium.bus.base import Incident, IncidentKind
from ingenium.bus.stream import StreamState, check_gap
from ingenium.components import Component, Portfolio, Strategy
from ingenium.errors import StreamError
from ingenium.runtime.durable.resume import check_history

# First and last message, missing ones, the position and the stream it is of, and the fault.
GAPS = [
    (1, 9, (), 0, "", ""),
    (5, 9, (), 0, "", ""),
    (5, 9, (6,), 0, "", ""),
    (1, 9, (), 0, "now", ""),
    (2, 9, (), 0, "now", "no longer holds messages 1 to 1"),
    (5, 9, (), 4, "now", ""),
    (5, 9, (), 4, "", ""),
    (5, 9, (), 3, "now", "no longer holds messages 4 to 4"),
    (5, 9, (), 3, "", "no longer holds messages 4 to 4"),
    (1, 9, (), 9, "now", ""),
    (1, 9, (), 10, "now", "ends at message 9, before message 10"),
    (1, 9, (3, 5, 7), 2, "now", "no longer holds 3 messages between 3 and 7"),
    (1, 9, (3, 5, 7), 3, "now", "no longer holds 2 messages between 5 and 7"),
    (1, 9, (3, 5, 7), 7, "now", ""),
    (1, 9, (), 4, "then", "was recreated at now, and the messages of the stream of then"),
]


@pytest.mark.parametrize(("first", "last", "missing", "after", "created", "fault"), GAPS)
def test_messages_after_a_position(
    first: int, last: int, missing: tuple[int, ...], after: int, created: str, fault: str
) -> None:
    state = StreamState("now", first, last, missing=missing)
    if not fault:
        check_gap("S", state, after, created)
        return
    with pytest.raises(StreamError) as raised:
        check_gap("S", state, after, created)
    assert str(raised.value).startswith(f"stream S {fault}")


GONE = "stream S no longer holds messages 1 to 4"


def check(component: Component, first: int, *, adopt: bool) -> list[Incident]:
    bus = MemoryBus()
    incidents: list[Incident] = []
    bus.on_incident(incidents.append)
    check_history(bus, component, "S", StreamState("now", first, 9), adopt=adopt)
    return incidents


def test_books_are_made_from_all_messages_of_a_stream() -> None:
    portfolio = Portfolio(name="p")
    assert check(portfolio, 1, adopt=False) == []
    assert check(Strategy(), 5, adopt=False) == []
    with pytest.raises(StreamError, match=f"books of portfolio 'p' cannot be made anew: {GONE}"):
        check(portfolio, 5, adopt=False)
    [incident] = check(portfolio, 5, adopt=True)
    assert incident.kind is IncidentKind.GAP
    assert incident.detail.startswith(GONE)
    assert incident.detail.endswith(": taken as it is")
