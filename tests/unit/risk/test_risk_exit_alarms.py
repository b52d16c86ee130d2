"""The rate limit of exits, and the alarms of exits that are denied or come late."""

from __future__ import annotations

import json
import logging
from datetime import timedelta
from decimal import Decimal

import pytest
from support.exit_trader import NOW, Trader

from ingenium.brokers import PaperExecutor
from ingenium.bus import Incident, IncidentKind, MemoryBus
from ingenium.components import Executor, arm, handle_of
from ingenium.events import (
    DenialEvent,
    ExecutionEvent,
    OrderEvent,
    Side,
    Signal,
    SignalEvent,
    TradingState,
)
from ingenium.risk import RiskGate, RiskLimits
from ingenium.runtime.live import LiveRunner
from ingenium.trading import Order

# The rate.


def test_entries_do_not_use_up_the_rate_of_exits_and_a_loop_of_exits_is_slowed() -> None:
    trader = Trader(200, burst=2, symbol_burst=0, max_orders_per_second=1, exit_burst=50)
    for _ in range(3):
        trader.ask("buy", 1)
    passed = 0
    for _ in range(150):
        order, event = trader.ask("sell", 200)
        if isinstance(event, OrderEvent):
            passed += 1
            trader.report(order, update="rejected")
        else:
            assert event.reason == "max_orders_per_second"
            assert "raise exit_burst" in event.detail
    assert passed == 50 + 2  # those, and as many as all may have at once
    assert trader.gate.switch.state is TradingState.ACTIVE, "others may still get out"
    trader.now += timedelta(seconds=10)
    trader.send("sell", 200)


def test_rate_that_is_off_holds_no_exits() -> None:
    trader = Trader(5, max_orders_per_second=None, exit_burst=1)
    for _ in range(5):
        trader.send("sell", 1)


# Alarms.


def halted(held: int = 10) -> Trader:
    trader = Trader(held, max_order_notional=10_000)
    trader.control("halted")
    return trader


def test_denied_exit_says_that_it_is_one_and_is_an_error_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    trader = halted()
    with caplog.at_level(logging.WARNING):
        event = trader.denied("sell", 10)
        assert trader.denied("buy", 1).detail == "trading is halted by ann@trader-1: why"
    text = (
        "EXIT DENIED, sell 10 A market only reduces the position of 10: trading is halted by "
        "ann@trader-1: why"
    )
    assert event.detail == text
    assert [r.getMessage() for r in caplog.records if r.levelno >= logging.ERROR] == [
        f"portfolio: {text}"
    ]
    assert any(text in problem for problem in trader.portfolio.problems)
    assert trader.gate.denied_exits["A"].detail == text
    assert trader.gate.denied_exits["A"].reason == "halted"


def test_denied_exit_is_kept_over_a_restart_and_until_somebody_has_looked() -> None:
    trader = halted()
    trader.denied("sell", 10)
    row = json.loads(json.dumps(trader.gate.state_row()))
    again = RiskGate(RiskLimits(), "portfolio")
    again.restore(row, NOW)
    assert again.denied_exits == trader.gate.denied_exits
    trader.control("reducing")
    assert "A" in trader.gate.denied_exits
    trader.control("active")
    assert trader.gate.denied_exits == {}
    assert "denied_exits" not in trader.gate.state_row()


def test_denied_exit_is_over_when_the_next_one_passes_or_the_position_is_closed() -> None:
    trader = Trader(10)
    stop = trader.send("sell", 10, "stop")
    arm(trader.portfolio, RiskLimits())
    for end in ("passes", "closed"):
        trader.gate.switch.halt_symbol("A", "over-filled", "portfolio", NOW)
        assert "symbol_halted" in trader.denied("sell", 10).reason
        assert set(trader.gate.denied_exits) == {"A"}
        if end == "passes":
            trader.gate.restore({"switch": {}}, NOW)
            trader.gate.note_denied_exit("A", "halted", "before", NOW)
            trader.report(trader.send("sell", 10), update="canceled")
        else:
            trader.fill(stop, 10)
            trader.price(100)
        assert trader.gate.denied_exits == {}


def test_loop_of_denied_exits_does_not_fill_the_log_nor_hides_another_symbol(
    caplog: pytest.LogCaptureFixture,
) -> None:
    trader = halted()
    executor = Executor("executor")
    arm(executor, RiskLimits())
    handle_of(executor).begin("x", NOW)
    for symbol in ("A", "B"):
        handle_of(executor).risk.account.adopt(symbol, Decimal(10), Decimal(100))
    handle_of(executor).risk.halt("a test")
    caplog.clear()
    with caplog.at_level(logging.ERROR):
        for number in range(100):
            trader.denied("sell", 10)
            handle_of(executor).risk.admit(
                Order(id=f"o{number}", symbol="A", side=Side.SELL, quantity=Decimal(1))
            )
        handle_of(executor).risk.admit(
            Order(id="other", symbol="B", side=Side.SELL, quantity=Decimal(1))
        )
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == 5 + 5 + 1
    assert "sell 1 B market" in lines[-1]


async def test_denied_exit_is_an_incident_of_the_bus() -> None:
    bus = MemoryBus()
    incidents: list[Incident] = []
    bus.on_incident(incidents.append)
    executor = PaperExecutor()
    arm(executor, RiskLimits())
    member = LiveRunner(bus, executor)
    await member.start()
    handle_of(executor).risk.account.adopt("A", Decimal(10), Decimal(100))
    handle_of(executor).risk.halt("a test")
    handle_of(executor).begin("x", NOW)
    executor.on_order(
        Order(id="o", symbol="A", side=Side.SELL, quantity=Decimal(10), timestamp=NOW).to_event()
    )
    [incident] = [each for each in incidents if each.kind is IncidentKind.EXIT_DENIED]
    assert incident.detail.startswith("executor 'paper': EXIT DENIED, sell 10 A market")
    [rejected] = [e for e in handle_of(executor).take() if isinstance(e, ExecutionEvent)]
    assert rejected.update == "rejected"
    assert rejected.reason is not None
    assert rejected.reason.startswith("halted: EXIT DENIED, sell 10 A market")
    await bus.close()


def test_exit_that_comes_too_late_is_an_alarm(caplog: pytest.LogCaptureFixture) -> None:
    executor = Executor("executor")
    arm(executor, RiskLimits())
    handle_of(executor).begin("x", NOW)
    handle_of(executor).risk.account.adopt("A", Decimal(10), Decimal(100))
    for side in ("buy", "sell"):
        event = OrderEvent(id=side, symbol="A", side=side, quantity="10", type="market")
        with caplog.at_level(logging.ERROR):
            handle_of(executor).handle_late(event, 45.0)
    [record] = caplog.records
    assert "EXIT DENIED, sell 10 A" in record.getMessage()
    assert "it is 45.0 s old" in record.getMessage()


@pytest.mark.parametrize(
    ("held", "signal", "is_exit"),
    [
        (10, Signal.FLAT, True),
        (10, Signal.SHORT, True),
        (10, Signal.LONG, False),
        (-10, Signal.FLAT, True),
        (-10, Signal.LONG, True),
        (-10, Signal.SHORT, False),
        (0, Signal.FLAT, False),
        (0, Signal.LONG, False),
    ],
)
def test_signal_against_a_position_that_comes_too_late_is_an_alarm(
    held: int, signal: Signal, is_exit: bool, caplog: pytest.LogCaptureFixture
) -> None:
    trader = Trader(held)
    trader.begin()
    with caplog.at_level(logging.ERROR):
        handle_of(trader.portfolio).handle_late(
            SignalEvent(id="s1", symbol="A", signal=signal), 40.0
        )
    [event] = handle_of(trader.portfolio).take()
    assert isinstance(event, DenialEvent)
    assert event.reason == "late"
    assert event.detail.endswith("signal 's1' of A is 40 s old")
    assert event.detail.startswith("EXIT DENIED, signal ") is is_exit
    assert len(caplog.records) == is_exit
    assert (set(trader.gate.denied_exits) == {"A"}) is is_exit
