"""What a gate remembers: the newest orders, and its own decisions until they are announced."""

from __future__ import annotations

import pytest
from support.risk_orders import NOW, View, at, gate, order

from ingenium.events import DenialReason, TradeUpdate, TradingState
from ingenium.exchange import ExecutionReport
from ingenium.risk import TradingSwitch
from ingenium.risk import gate as gate_module


def test_order_that_was_sent_again_is_among_the_newest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate_module, "_REMEMBERED_ORDERS", 2)
    risk = gate(duplicate_seconds=10)
    for quantity, seconds in ((1, 0), (2, 1), (1, 20), (3, 21)):
        assert risk.check(order(quantity=quantity), View(), at(seconds)) is None
    # Of one, two and three the order of two is the oldest, since that of one was sent again.
    denial = risk.check(order(quantity=1), View(), at(22))
    assert denial is not None
    assert denial.reason is DenialReason.DUPLICATE


def test_each_own_decision_is_announced_by_itself() -> None:
    switch = TradingSwitch()
    assert switch.decide(TradingState.REDUCING, "a loss", "portfolio", NOW)
    assert not switch.decide(TradingState.REDUCING, "again", "portfolio", NOW)
    assert switch.decide(TradingState.HALTED, "a fault", "portfolio", NOW)
    first, second = switch.unannounced()
    assert [first.reason, second.reason] == ["a loss", "a fault"]
    switch.announced(first, "control_1")
    assert switch.unannounced() == [second]
    switch.announced(second, "control_2")
    assert switch.unannounced() == []
    switch.retracted("control_1")
    assert switch.unannounced() == [first]
    switch.announced(first, "control_3")
    switch.retracted("control_1")
    assert switch.unannounced() == []


def test_report_of_an_order_is_certain_unless_said_otherwise() -> None:
    report = ExecutionReport(order(), TradeUpdate.NEW, NOW)
    assert not report.is_ambiguous
    assert report.reason == ""
    assert report.price is None
