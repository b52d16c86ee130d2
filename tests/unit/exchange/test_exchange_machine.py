"""The paper exchange under random orders, requests and bars of all kinds, as a state machine."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from support.exchanging import DAY, START, D, bar

from ingenium.errors import InvalidOrderError
from ingenium.events import (
    ExecutionEvent,
    OrderEvent,
    OrderType,
    ReplaceEvent,
    Side,
    TimeInForce,
    TradeUpdate,
    decode,
    encode,
)
from ingenium.exchange import ExecutionReport, FeeBasisPoints, FillPolicy, PaperExchange
from ingenium.trading import Account, Bar, Fill, Order
from ingenium.trading.money import ZERO

ENDED = {
    TradeUpdate.FILLED,
    TradeUpdate.CANCELED,
    TradeUpdate.EXPIRED,
    TradeUpdate.REJECTED,
    TradeUpdate.REPLACED,
}
WORKING = {TradeUpdate.NEW, TradeUpdate.PARTIAL_FILL}
NEEDS = {
    OrderType.MARKET: (),
    OrderType.LIMIT: ("limit_price",),
    OrderType.STOP: ("stop_price",),
    OrderType.STOP_LIMIT: ("stop_price", "limit_price"),
    OrderType.TRAILING_STOP: ("trail",),
}

cents = st.integers(8_000, 12_000).map(lambda number: D(number) / 100)
volumes = st.sampled_from(["", "9", "300", "100000"])
policies = st.builds(
    FillPolicy, touch_fills=st.booleans(), volume_cap=st.sampled_from([None, D("0.10"), D(1)])
)


class Life:
    """What an observer of the reports knows of one order."""

    def __init__(self, order: Order, entry: Life | None = None, filled: Decimal = ZERO) -> None:
        self.order = order
        self.entry = entry
        self.filled = filled
        self.update: TradeUpdate | None = None


class Exchange(RuleBasedStateMachine):
    """Sends orders and requests, lets bars come, and checks each report against the rules."""

    @initialize(policy=policies, is_limited=st.booleans())
    def open(self, policy: FillPolicy, is_limited: bool) -> None:
        limits: dict[str, Any] = {"cash": 50_000, "allow_short": False} if is_limited else {}
        self.exchange = PaperExchange(policy, fees=FeeBasisPoints(D("1.5")), **limits)
        self.is_limited = is_limited
        self.policy = policy
        self.account = Account(50_000)
        self.cash, self.shares = Fraction(50_000), Fraction(0)
        self.lives: dict[str, Life] = {}
        self.entered: dict[str, Decimal] = {}
        self.closed: dict[str, Decimal] = {}
        self.day = 0
        self.reports = 0
        self.let_pass(bar(0, "100 100 100 100"))

    def let_pass(self, made: Bar) -> None:
        self.day += 1
        before = self.shares
        reports = self.exchange.on_bar(made)
        for report in reports:
            self.check(report, made)
        self.check_brackets(reports, before)
        self.account.mark("AAPL", made.exact("close"))

    @property
    def now(self) -> Any:
        return START + self.day * DAY

    # What can happen.

    @rule(
        side=st.sampled_from(Side),
        quantity=st.integers(1, 300),
        kind=st.sampled_from(OrderType),
        prices=st.tuples(cents, cents, cents, cents),
        time_in_force=st.sampled_from(TimeInForce),
        trail=st.sampled_from(["trail_price", "trail_percent"]),
        legs=st.sampled_from(["", "profit", "loss", "both", "both with a limit"]),
    )
    def send(
        self,
        side: Side,
        quantity: int,
        kind: OrderType,
        prices: tuple[Decimal, ...],
        time_in_force: TimeInForce,
        trail: str,
        legs: str,
    ) -> None:
        fields: dict[str, Any] = {}
        for name, price in zip(NEEDS[kind], prices, strict=False):
            fields[trail if name == "trail" else name] = price / 10 if name == "trail" else price
        low, high = sorted(prices[2:])
        loss, profit = (low, high) if side is Side.BUY else (high, low)
        if legs and (legs in {"profit", "loss"} or low < high):
            fields["take_profit"] = profit if legs != "loss" else None
            fields["stop_loss"] = loss if legs != "profit" else None
            fields["stop_loss_limit"] = loss if "limit" in legs else None
        order = Order(
            id=f"order_{len(self.lives)}",
            symbol="AAPL",
            side=side,
            quantity=D(quantity),
            type=kind,
            time_in_force=time_in_force,
            **fields,
        )
        # What the exchange gets, it gets over the wire.
        order = Order.from_event(decode(OrderEvent, encode(order.to_event())))
        life = self.lives[order.id] = Life(order)
        for leg in order.protective_orders():
            self.lives[leg.id] = Life(leg, life)
        reports = self.exchange.submit(order, self.now)
        assert reports[0].order is order
        for report in reports:
            self.check(report, None)

    def pick(self, number: int) -> str:
        return list(self.lives)[number % len(self.lives)] if self.lives else "order_x"

    @rule(number=st.integers(0, 200))
    def cancel(self, number: int) -> None:
        order_id = self.pick(number)
        was_known = self.exchange.order(order_id) is not None
        reports = self.exchange.cancel(order_id, self.now)
        assert bool(reports) == was_known
        for report in reports:
            assert report.update is TradeUpdate.CANCELED
            self.check(report, None)
        assert self.exchange.order(order_id) is None

    @rule(
        number=st.integers(0, 200),
        quantity=st.none() | st.integers(1, 400),
        price=cents,
        name=st.sampled_from(["limit_price", "stop_price", "trail_price"]),
    )
    def replace(self, number: int, quantity: int | None, price: Decimal, name: str) -> None:
        order_id = self.pick(number)
        old = self.exchange.order(order_id)
        if old is None:
            return
        event = ReplaceEvent(
            id=f"order_{len(self.lives)}",
            order_id=order_id,
            symbol="AAPL",
            quantity="" if quantity is None else str(quantity),
        )
        setattr(event, name, str(price))
        try:
            new = old.replaced_by(event)
        except InvalidOrderError:
            return
        life = self.lives[order_id]
        successor = self.lives[new.id] = Life(new, life.entry, life.filled)
        was = life.update
        reports = self.exchange.replace(order_id, new, self.now)
        for report in reports:
            self.check(report, None)
        if reports[0].update is TradeUpdate.REPLACED:
            for leg in self.lives.values():
                if leg.entry is life:
                    leg.entry = successor
            self.entered[new.id] = self.entered.pop(order_id, D(0))
            self.closed[new.id] = self.closed.pop(order_id, D(0))
        else:
            assert life.update is was, "the old order works on"

    @rule(prices=st.tuples(cents, cents, cents, cents), volume=volumes)
    def pass_a_day(self, prices: tuple[Decimal, ...], volume: str) -> None:
        high, low = max(prices), min(prices)
        self.let_pass(bar(self.day, f"{prices[0]} {high} {low} {prices[3]}", volume=volume))

    # What has to hold.

    def check(self, report: ExecutionReport, made: Bar | None) -> None:
        order = report.order
        life = self.lives[order.id]
        assert life.update not in ENDED, "an order that has ended is never heard of again"
        life.update = report.update
        if report.update in {TradeUpdate.REJECTED, TradeUpdate.EXPIRED, TradeUpdate.CANCELED}:
            assert report.reason
        if report.update in ENDED:
            assert report.leaves == 0
        self.reports += 1
        event = report.to_event()
        event.id = f"exec_{self.reports}"
        fill = Fill.from_event(decode(ExecutionEvent, encode(event)), order)
        assert (fill is not None) == (report.price is not None)
        if fill is not None:
            assert made is not None, "only bars fill"
            self.check_fill(report, life, made)
            assert self.account.book(fill)

    def check_fill(self, report: ExecutionReport, life: Life, made: Bar) -> None:
        order, price = report.order, report.price
        assert price is not None
        assert report.update in {TradeUpdate.PARTIAL_FILL, TradeUpdate.FILLED}
        assert made.exact("low") <= price <= made.exact("high")
        assert made.start <= report.time <= made.end
        if order.limit_price is not None:
            assert (
                price <= order.limit_price
                if order.side is Side.BUY
                else price >= (order.limit_price)
            )
        if self.policy.volume_cap is not None and made.exact("volume"):
            assert report.quantity <= self.policy.volume_cap * made.exact("volume")
        life.filled += report.quantity
        if life.entry is None:
            assert life.filled + report.leaves == order.quantity
            self.entered[order.id] = self.entered.get(order.id, D(0)) + report.quantity
        else:
            # A protective order closes what its entry has opened, and no more.
            entry = life.entry.order.id
            self.closed[entry] = self.closed.get(entry, D(0)) + report.quantity
            assert self.closed[entry] <= self.entered[entry]
            sign = 1 if order.side is Side.BUY else -1
            assert abs(self.shares + sign * Fraction(report.quantity)) < abs(self.shares)
        sign = 1 if order.side is Side.BUY else -1
        self.shares += sign * Fraction(report.quantity)
        self.cash -= sign * Fraction(report.quantity) * Fraction(price)
        self.cash -= Fraction(report.commission)
        if self.is_limited:
            assert self.shares >= 0
            assert self.cash >= 0

    def check_brackets(self, reports: list[ExecutionReport], before: Fraction) -> None:
        """One of the two protective orders acts on a bar, never both."""
        acted = [
            self.lives[report.order.id].entry for report in reports if report.price is not None
        ]
        entries = [entry.order.id for entry in acted if entry is not None]
        assert len(entries) == len(set(entries))

    @invariant()
    def cash_and_shares_are_conserved(self) -> None:
        if self.day:
            assert Fraction(self.account.cash) == self.cash
            assert Fraction(self.account.position("AAPL").quantity) == self.shares

    @invariant()
    def working_orders_are_those_that_have_not_ended(self) -> None:
        if not self.day:
            return
        working = {order.id for order in self.exchange.working}
        for order_id, life in self.lives.items():
            if life.entry is None:
                assert (order_id in working) == (life.update in WORKING), life.update
            elif order_id in working:
                assert life.update in WORKING

    @invariant()
    def protective_orders_end_together(self) -> None:
        """Of a bracket whose entry is over, one order cannot be filled and the other work."""
        if not self.day:
            return
        for life in self.lives.values():
            if life.entry is None or life.update is not TradeUpdate.FILLED:
                continue
            siblings = [other for other in self.lives.values() if other.entry is life.entry]
            assert all(other.update in ENDED for other in siblings), life.order.id


Exchange.TestCase.settings = settings(
    max_examples=120, stateful_step_count=40, deadline=timedelta(seconds=5)
)
TestExchange = Exchange.TestCase
