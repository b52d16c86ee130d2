"""While trading only reduces, a reversal is cut to a close."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime
from typing import Any

import pytest

from ingenium import Portfolio
from ingenium.components import arm, handle_of
from ingenium.events import (
    ControlEvent,
    DenialEvent,
    ExecutionEvent,
    OrderEvent,
    Signal,
    SignalEvent,
    TradingState,
)
from ingenium.portfolios import FixedQuantity
from ingenium.risk import RiskLimits
from ingenium.trading import Order

NOW = datetime(2024, 1, 2, 15, tzinfo=UTC)
OFF = RiskLimits(price_collar=None, max_orders_per_second=None, duplicate_seconds=None)


class Desk:
    """A portfolio with a position, behind a gate."""

    def __init__(self, held: int, portfolio: Portfolio | None = None) -> None:
        self.portfolio = portfolio or Portfolio(1_000_000)
        arm(self.portfolio, OFF)
        self.count = 0
        if held:
            side = "buy" if held > 0 else "sell"
            order, _ = self.ask(side, abs(held))
            self.fill(order, abs(held))

    def begin(self) -> None:
        self.count += 1
        handle_of(self.portfolio).begin(f"cause {self.count}", NOW)

    def ask(self, side: str, quantity: int, **more: Any) -> tuple[Order, Any]:
        self.begin()
        order = self.portfolio.send_order("A", side, quantity, **more)
        [event] = handle_of(self.portfolio).take()
        return order, event

    def fill(self, order: Order, quantity: int) -> None:
        self.begin()
        handle_of(self.portfolio).handle_execution(
            ExecutionEvent(
                id=f"exec_{self.count}",
                order_id=order.id,
                symbol="A",
                side=order.side,
                quantity=str(quantity),
                price="100",
                leaves_quantity=str(int(order.quantity) - quantity),
                update="filled" if quantity == order.quantity else "partially_filled",
            )
        )
        handle_of(self.portfolio).take()

    def say(self, state: TradingState) -> None:
        self.begin()
        event = ControlEvent(id=f"c{self.count}", state=state, sender="ann@desk", reason="news")
        handle_of(self.portfolio).handle_control(event)
        handle_of(self.portfolio).take()


@pytest.mark.parametrize(
    ("held", "side", "asked", "sent"),
    [
        (10, "sell", 20, 10),
        (10, "sell", 11, 10),
        (10, "sell", 10, 10),
        (10, "sell", 4, 4),
        (-7, "buy", 20, 7),
        (-7, "buy", 7, 7),
    ],
)
def test_reversal_becomes_a_close(held: int, side: str, asked: int, sent: int) -> None:
    desk = Desk(held)
    desk.say(TradingState.REDUCING)
    order, event = desk.ask(side, asked)
    assert isinstance(event, OrderEvent)
    assert (event.side, event.quantity) == (side, str(sent))
    assert order.quantity == sent
    assert desk.portfolio.orders[order.id].order.quantity == sent
    desk.fill(order, sent)
    assert desk.portfolio.position("A").quantity == held + (sent if side == "buy" else -sent)


def test_cut_is_said_with_both_orders(caplog: pytest.LogCaptureFixture) -> None:
    desk = Desk(10)
    desk.say(TradingState.REDUCING)
    desk.ask("sell", 20)
    [line] = [each for each in caplog.messages if "cut" in each]
    assert "sell 20 A market is cut to sell 10 A market: trading is set to reduce only by" in line
    assert "news" in line
    assert line.endswith("the position is 10")


@pytest.mark.parametrize(("held", "side"), [(0, "buy"), (0, "sell"), (10, "buy"), (-10, "sell")])
def test_what_opens_is_denied_and_not_cut(held: int, side: str) -> None:
    desk = Desk(held)
    desk.say(TradingState.REDUCING)
    _, event = desk.ask(side, 20)
    assert isinstance(event, DenialEvent)
    assert event.reason == "reducing"


@pytest.mark.parametrize("state", [TradingState.ACTIVE, TradingState.HALTED])
def test_nothing_is_cut_while_trading_is_active_or_halted(state: TradingState) -> None:
    desk = Desk(10)
    desk.say(state)
    order, event = desk.ask("sell", 20)
    assert order.quantity == 20
    assert isinstance(event, OrderEvent if state is TradingState.ACTIVE else DenialEvent)


def test_bracket_that_reverses_closes_without_its_protective_orders() -> None:
    desk = Desk(10)
    desk.say(TradingState.REDUCING)
    order, event = desk.ask("sell", 20, take_profit=80, stop_loss=120)
    assert isinstance(event, OrderEvent)
    assert event.quantity == "10"
    assert not order.is_bracket
    assert not Order.from_event(event).is_bracket


def test_portfolio_that_turns_over_ends_flat() -> None:
    desk = Desk(10, FixedQuantity(10, cash=1_000_000))
    desk.say(TradingState.REDUCING)
    desk.begin()
    handle_of(desk.portfolio).handle_signal(SignalEvent(id="s", symbol="A", signal=Signal.SHORT))
    [event] = handle_of(desk.portfolio).take()
    assert isinstance(event, OrderEvent)
    assert (event.side, event.quantity) == ("sell", "10")
    [working] = desk.portfolio.orders.values()
    desk.fill(working.order, 10)
    assert desk.portfolio.position("A").quantity == 0
    desk.begin()
    handle_of(desk.portfolio).handle_signal(SignalEvent(id="t", symbol="A", signal=Signal.SHORT))
    [event] = handle_of(desk.portfolio).take()
    assert isinstance(event, DenialEvent)


KINDS: dict[str, dict[str, Any]] = {
    "market": {},
    "limit": {"type": "limit", "limit_price": 110},
    "stop": {"type": "stop", "stop_price": 90},
}


def _largest(held: int, working: list[tuple[str, int]], kind: str) -> int:
    """Return the largest exit, by trying: no kind closes more than all, and no two do so twice."""
    best = 0
    for quantity in range(1, 3 * held + 1):
        orders = [*working, (kind, quantity)]
        total = sum(each for _, each in orders)
        of_kind = sum(each for name, each in orders if name == kind)
        if total <= held or (of_kind <= held and total - held <= held):
            best = quantity
    return best


@pytest.mark.parametrize(
    ("kinds", "kind"),
    [*itertools.product([(), ("limit",), ("stop",), ("limit", "stop")], KINDS)],
)
@pytest.mark.parametrize("size", [1, 3, 5])
def test_what_works_already_leaves_less_to_close(
    kinds: tuple[str, ...], kind: str, size: int
) -> None:
    desk = Desk(5)
    working = [(name, size) for name in kinds]
    for name, quantity in working:
        desk.ask("sell", quantity, **KINDS[name])
    desk.say(TradingState.REDUCING)
    _, event = desk.ask("sell", 20, **KINDS[kind])
    wanted = _largest(5, working, kind)
    if wanted:
        assert isinstance(event, OrderEvent), event
        assert event.quantity == str(wanted)
    else:
        assert isinstance(event, DenialEvent)
