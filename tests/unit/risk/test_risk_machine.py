"""A portfolio behind a gate under random orders, fills, prices, switches and restarts.

Whatever happens, no order that goes out breaks a limit, and none that only makes a position smaller
is denied unless trading is halted: held against a model that shares no code with the gate.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from ingenium.components import Portfolio, arm, handle_of
from ingenium.errors import InvalidOrderError
from ingenium.events import (
    CancelEvent,
    ControlEvent,
    DataEvent,
    DenialEvent,
    ExecutionEvent,
    Ohlc,
    OrderEvent,
    ReplaceEvent,
    TradingState,
)
from ingenium.risk import RiskGate, RiskLimits

START = datetime(2024, 1, 2, 23, 59, tzinfo=UTC)
SYMBOLS = ["AAPL", "MSFT"]
RATE, BURST = 2, 4
MAX_QUANTITY, MAX_NOTIONAL, MAX_SYMBOL, MAX_GROSS, MAX_OPEN = 30, 2500, 4000, 6000, 4
MAX_LOSS = 150
COLLAR = Fraction(1, 10)
LIMITS = RiskLimits(
    max_order_quantity=MAX_QUANTITY,
    max_order_notional=MAX_NOTIONAL,
    max_symbol_notional=MAX_SYMBOL,
    max_gross_notional=MAX_GROSS,
    max_open_orders=MAX_OPEN,
    price_collar=Decimal("0.1"),
    max_orders_per_second=RATE,
    burst=BURST,
    symbol_burst=0,
    max_breaches=5,
    max_daily_loss=MAX_LOSS,
)

symbols = st.sampled_from(SYMBOLS)
sides = st.sampled_from(["buy", "sell"])
quantities = st.integers(1, 24) | st.integers(20, 32)
prices = st.integers(85, 115)
orders = st.tuples(symbols, sides, quantities, prices | prices | st.none())


class Life:
    """What the model knows of an order that went out."""

    def __init__(self, symbol: str, side: str, quantity: int, price: str) -> None:
        self.symbol = symbol
        self.sign = 1 if side == "buy" else -1
        self.quantity = quantity
        self.price = price
        self.filled = 0
        self.asked: dict[str, Life] = {}

    @property
    def can_change(self) -> bool:
        """Whether its limit may be changed."""
        return bool(self.price) and not self.asked

    @property
    def most(self) -> int:
        """What it may still fill, if a replacement that is asked for comes through."""
        return max(self.quantity, *(new.quantity for new in self.asked.values()), 0) - self.filled


class Gated(RuleBasedStateMachine):
    @initialize()
    def start(self) -> None:
        self.portfolio = Portfolio(100_000)
        arm(self.portfolio, LIMITS)
        self.now = START
        self.count = 0
        self.lives: dict[str, Life] = {}
        self.positions = dict.fromkeys(SYMBOLS, 0)
        self.prices: dict[str, int] = {}
        self.cash = Fraction(100_000)
        self.sent: list[datetime] = []
        self.contents: dict[tuple[str, ...], datetime] = {}
        self.day_began: Fraction | None = None
        self.last = Fraction(100_000)
        self.day = START.date()
        self.lost = False
        for symbol in SYMBOLS:
            self.price(symbol, 100)

    @property
    def gate(self) -> RiskGate:
        gate = handle_of(self.portfolio).risk.gate
        assert gate is not None
        return gate

    def begin(self) -> None:
        self.count += 1
        handle_of(self.portfolio).begin(f"cause {self.count}", self.now)

    # What the model thinks of the account.

    def reach(self, symbol: str, sign: int) -> int:
        working = sum(
            life.most for life in self.lives.values() if life.symbol == symbol and life.sign == sign
        )
        return sign * self.positions[symbol] + working

    def is_exit(self, symbol: str, sign: int, is_limit: bool, added: int) -> bool:
        """Whether so much more of a side, in orders of one kind, only makes a position smaller."""
        held = self.positions[symbol]
        if held * sign >= 0:
            return False
        reach = self.reach(symbol, sign) + added
        same = sum(
            life.most
            for life in self.lives.values()
            if (life.symbol, life.sign, bool(life.price)) == (symbol, sign, is_limit)
        )
        return reach <= 0 or (same + added <= abs(held) and reach <= abs(held))

    def gross(self) -> int:
        return sum(
            max(self.reach(symbol, 1), self.reach(symbol, -1), 0) * self.prices.get(symbol, 0)
            for symbol in SYMBOLS
        )

    def observe(self) -> None:
        """Follow equity from day to day."""
        equity = self.cash + sum(
            quantity * self.prices.get(symbol, 0) for symbol, quantity in self.positions.items()
        )
        if self.day_began is None:
            self.day_began = equity
        elif self.now.date() > self.day:
            self.day_began = self.last
        self.day = max(self.day, self.now.date())
        self.last = equity
        self.lost = self.day_began - equity >= MAX_LOSS

    # What happens.

    @rule(symbol=symbols, price=prices)
    def price(self, symbol: str, price: int) -> None:
        self.prices[symbol] = price
        text = str(price)
        ohlc = Ohlc(open=text, high=text, low=text, close=text)
        self.begin()
        handle_of(self.portfolio).handle_data(
            DataEvent(symbol=symbol, timestamp=self.now.isoformat(), ohlc=ohlc)
        )
        self.observe()
        self.take()

    @rule(seconds=st.sampled_from([0.3, 1, 5]))
    def wait(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    @rule(
        several=st.lists(orders, min_size=1, max_size=4),
        again=st.booleans(),
        fills=st.booleans(),
        seconds=st.sampled_from([0, 0, 10, 60]),
    )
    def trade(
        self,
        several: list[tuple[str, str, int, int | None]],
        again: bool,
        fills: bool,
        seconds: int,
    ) -> None:
        self.wait(seconds)
        for each in several:
            self.order(*each)
        if again:
            self.order(*several[0])
        if fills and self.lives:
            order_id = list(self.lives)[-1]
            life = self.lives[order_id]
            self.fill_with(order_id, life.quantity - life.filled)

    @precondition(lambda self: self.gate.switch.state is not TradingState.ACTIVE)
    @rule()
    def release(self) -> None:
        self.control("active", True)

    def order(self, symbol: str, side: str, quantity: int, limit: int | None) -> None:
        before, gross = self.gate.switch.state, self.gross()
        sign = 1 if side == "buy" else -1
        is_exit = self.is_exit(symbol, sign, limit is not None, quantity)
        self.begin()
        order = self.portfolio.send_order(
            symbol,
            side,
            quantity,
            type="market" if limit is None else "limit",
            limit_price=limit,
        )
        self.observe()
        [event] = self.take()
        assert (order.id in self.portfolio.orders) == isinstance(event, OrderEvent)
        if isinstance(event, DenialEvent):
            assert event.order is not None
            assert event.order.id == order.id
            if is_exit:
                assert before is TradingState.HALTED
                assert event.detail.startswith("EXIT DENIED")
                assert self.gate.denied_exits[symbol].detail == event.detail
            return
        assert isinstance(event, OrderEvent)
        assert before is not TradingState.HALTED
        if (left := int(event.quantity or "0")) != quantity:
            # A reversal is cut to what closes, and to all of that, while trading only reduces.
            assert before is TradingState.REDUCING
            closes = [
                self.is_exit(symbol, sign, limit is not None, more) for more in (left, left + 1)
            ]
            assert closes == [True, False]
            quantity, is_exit = left, True
        content = (symbol, side, str(quantity), str(limit))
        last = self.contents.get(content)
        self.contents[content] = self.now
        self.lives[event.id] = Life(symbol, side, quantity, event.limit_price)
        if not is_exit:
            assert last is None or self.now - last >= timedelta(seconds=1)
            assert len(self.portfolio.orders) <= MAX_OPEN
            self.check(self.lives[event.id], event.limit_price, before, gross)

    @precondition(lambda self: any(life.can_change for life in self.lives.values()))
    @rule(data=st.data(), quantity=st.integers(1, 30), limit=prices)
    def replace(self, data: st.DataObject, quantity: int, limit: int) -> None:
        order_id = data.draw(
            st.sampled_from(sorted(id for id, life in self.lives.items() if life.can_change))
        )
        life = self.lives[order_id]
        before, gross, most = self.gate.switch.state, self.gross(), life.most
        more = quantity - life.quantity
        is_exit = self.is_exit(life.symbol, life.sign, True, more)
        self.begin()
        try:
            self.portfolio.replace_order(order_id, quantity=quantity, limit_price=limit)
        except InvalidOrderError:
            return
        self.observe()
        [event] = self.take()
        if isinstance(event, ReplaceEvent):
            side = "buy" if life.sign > 0 else "sell"
            new = life.asked[event.id] = Life(life.symbol, side, quantity, str(limit))
            assert before is not TradingState.HALTED
            if not is_exit:
                self.check(new, str(limit), before, gross, grows=life.most > most)
        elif isinstance(event, DenialEvent) and is_exit:
            assert before is TradingState.HALTED

    def check(
        self,
        life: Life,
        price: str,
        state: TradingState,
        gross: int,
        *,
        grows: bool = True,
    ) -> None:
        """Hold what went out, and may make a position larger, against every limit.

        Args:
            life: What went out.
            price: Its limit price.
            state: That of trading before.
            gross: Gross exposure before.
            grows: Whether more may be filled than before.
        """
        assert state is TradingState.ACTIVE
        assert not self.lost
        self.sent.append(self.now)
        for count, earlier in enumerate(reversed(self.sent), 1):
            seconds = Fraction((self.now - earlier) / timedelta(microseconds=1)) / 10**6
            assert count <= BURST + RATE * seconds
        assert life.quantity <= MAX_QUANTITY
        last = self.prices[life.symbol]
        if price:
            assert abs(int(price) - last) <= COLLAR * last
        worst = int(price) if price and life.sign > 0 else max(last, int(price or 0))
        assert life.quantity * worst <= MAX_NOTIONAL
        reach = self.reach(life.symbol, life.sign)
        if grows and reach > 0:
            assert reach * last <= MAX_SYMBOL
            assert self.gross() <= max(MAX_GROSS, gross)

    @precondition(lambda self: self.lives)
    @rule(data=st.data())
    def fill(self, data: st.DataObject) -> None:
        order_id = data.draw(st.sampled_from(sorted(self.lives)))
        life = self.lives[order_id]
        self.fill_with(order_id, data.draw(st.integers(1, life.quantity - life.filled)))

    def fill_with(self, order_id: str, quantity: int) -> None:
        life = self.lives[order_id]
        life.filled += quantity
        self.positions[life.symbol] += life.sign * quantity
        price = self.prices[life.symbol]
        self.cash -= life.sign * quantity * price
        full = life.filled == life.quantity
        self.report(order_id, "filled" if full else "partial_fill", str(quantity), str(price))
        if full:
            for asked in life.asked:
                self.report(asked, "rejected")
            del self.lives[order_id]

    @precondition(lambda self: any(life.asked for life in self.lives.values()))
    @rule(data=st.data(), accepts=st.booleans())
    def answer(self, data: st.DataObject, accepts: bool) -> None:
        order_id = data.draw(
            st.sampled_from(sorted(id for id, life in self.lives.items() if life.asked))
        )
        life = self.lives[order_id]
        for asked, new in life.asked.items():
            if accepts and new.quantity > life.filled:
                new.filled = life.filled
                self.report(order_id, "replaced")
                del self.lives[order_id]
                self.lives[asked] = new
            else:
                self.report(asked, "rejected")
                life.asked = {}
            return

    @precondition(lambda self: self.lives)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        order_id = data.draw(st.sampled_from(sorted(self.lives)))
        for asked in self.lives.pop(order_id).asked:
            self.report(asked, "rejected")
        self.report(order_id, "canceled")

    def report(self, order_id: str, update: str, quantity: str = "", price: str = "") -> None:
        self.begin()
        handle_of(self.portfolio).handle_execution(
            ExecutionEvent(
                id=f"exec_{self.count}",
                order_id=order_id,
                update=update,
                quantity=quantity,
                price=price or None,
                timestamp=self.now,
            )
        )
        self.take()

    @rule(state=st.sampled_from(["active", "reducing", "halted"]), ann=st.booleans())
    def control(self, state: str, ann: bool) -> None:
        before = self.gate.switch.state
        self.begin()
        handle_of(self.portfolio).handle_control(
            ControlEvent(
                id=f"control_{self.count}",
                state=state,
                sender="ann@trader-1" if ann else "executor",
                timestamp=self.now,
            )
        )
        after = self.gate.switch.state
        if not ann:
            order = list(TradingState)
            assert order.index(after) >= order.index(before)
            assert after is before or after == state
        elif state != "active":
            assert after == state
        self.take()

    @rule()
    def restart(self) -> None:
        before, row = self.gate.switch.state, json.dumps(self.gate.state_row())
        denied = self.gate.denied_exits
        gate = arm(self.portfolio, LIMITS)
        assert gate is not None
        gate.restore(json.loads(row), self.now)
        assert gate.switch.state is before
        assert gate.denied_exits == denied
        # Rate and duplicates begin anew.
        self.sent.clear()
        self.contents.clear()

    def take(self) -> list[object]:
        """Return what was sent of orders and denials; what follows from a halt is checked here."""
        events = handle_of(self.portfolio).take()
        controls = [event for event in events if isinstance(event, ControlEvent)]
        for control in controls:
            handle_of(self.portfolio).handle_control(control)  # comes back from the stream
        for event in events:
            if isinstance(event, CancelEvent):
                assert self.gate.switch.state is TradingState.HALTED
        return [event for event in events if not isinstance(event, ControlEvent | CancelEvent)]


TestGated = Gated.TestCase
TestGated.settings = settings(max_examples=120, stateful_step_count=40, deadline=None)
