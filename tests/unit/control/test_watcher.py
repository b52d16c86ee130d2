"""What one stream sends: the newest of a key, and every fill until too many wait."""

from __future__ import annotations

import pytest

from ingenium.control._gen.ingenium.control.v1 import (
    components_pb,
    events_pb,
    transactions_pb,
    watch_pb,
)
from ingenium.control.watcher import MOST_WAITING, Watcher

Topic = watch_pb.Topic


def _sent(watcher: Watcher) -> list[tuple[int, str, object]]:
    found: list[tuple[int, str, object]] = []
    for number, answer in watcher.take():
        assert answer.update is not None
        found.append((number, answer.update.field, answer.update.value))
    return found


def test_only_the_newest_of_a_key_is_sent_and_in_the_order_of_changes() -> None:
    watcher = Watcher([Topic.COMPONENTS], events_pb.EventFilter())
    for name, handled in (("a", 1), ("b", 1), ("a", 2)):
        watcher.put(name, components_pb.Component(name=name, handled=handled))
    assert watcher.changed.is_set()
    sent = [value for _, _, value in _sent(watcher)]
    assert sent == [
        components_pb.Component(name="b", handled=1),
        components_pb.Component(name="a", handled=2),
    ]
    assert not watcher.changed.is_set()
    assert _sent(watcher) == []


def test_topics_and_filters_keep_others_out() -> None:
    wanted = events_pb.EventFilter(type="OrderEvent", symbol="AAPL")
    watcher = Watcher([Topic.EVENTS], wanted)
    watcher.put("a", components_pb.Component(name="a"))
    watcher.hear(1, transactions_pb.Transaction(symbol="AAPL"), "AAPL")
    watcher.hear(2, events_pb.BusEvent(type="SignalEvent"), "AAPL")
    watcher.hear(3, events_pb.BusEvent(type="OrderEvent"), "MSFT")
    watcher.hear(4, events_pb.BusEvent(type="OrderEvent", id="x"), "AAPL")
    assert [(number, field) for number, field, _ in _sent(watcher)] == [(4, "event")]


@pytest.mark.parametrize("more", [0, 1, 7])
def test_slow_reader_loses_the_oldest_and_is_told_how_many(more: int) -> None:
    watcher = Watcher([Topic.TRANSACTIONS], events_pb.EventFilter())
    for number in range(1, MOST_WAITING + more + 1):
        watcher.hear(number, transactions_pb.Transaction(id=str(number)), "")
    sent = _sent(watcher)
    if more:
        number, field, missed = sent.pop(0)
        assert (number, field) == (0, "missed")
        assert isinstance(missed, watch_pb.Missed)
        assert (missed.count, missed.reason) == (more, "slow reader")
    assert [number for number, _, _ in sent] == list(range(more + 1, MOST_WAITING + more + 1))
