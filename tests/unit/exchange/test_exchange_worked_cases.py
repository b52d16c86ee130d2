"""The worked cases of the paper exchange's rules, each as it stands and turned upside down."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pytest
from support.exchanging import DAY, START, D, bar, mirrored, opened, order, prices

from ingenium.events import OrderType, Side, TradeUpdate
from ingenium.exchange import ExecutionReport, FillPolicy, PaperExchange

_PRICES = {"limit_price", "stop_price", "stop_loss", "take_profit"}


@dataclass
class Case:
    """An order, a bar, and the prices of the fills that come of it."""

    side: Side
    shape: str
    fills: list[str]
    fields: dict[str, Any] = field(default_factory=dict)
    policy: FillPolicy = field(default_factory=FillPolicy)
    last: str = "100"
    ambiguous: int = 0

    def mirror(self) -> Case:
        return Case(
            self.side.opposite,
            mirrored(self.shape),
            [str(200 - D(price)) for price in self.fills],
            {k: str(200 - D(v)) if k in _PRICES else v for k, v in self.fields.items()},
            self.policy,
            str(200 - D(self.last)),
            self.ambiguous,
        )


LIMIT, STOP, STOP_LIMIT = OrderType.LIMIT, OrderType.STOP, OrderType.STOP_LIMIT
CASES = {
    "A": Case(
        Side.BUY, "100 110 90 105", ["100", "95"],
        {"stop_loss": "95", "take_profit": "108"}, ambiguous=1,
    ),
    "B": Case(Side.SELL, "90 101 88 99", ["90"], {"type": STOP, "stop_price": "100"}, last="101"),
    "C": Case(Side.BUY, "95 99 94 98", ["95"], {"type": LIMIT, "limit_price": "100"}),
    "C without price improvement": Case(
        Side.BUY, "95 99 94 98", ["100"], {"type": LIMIT, "limit_price": "100"},
        FillPolicy(price_improvement=False),
    ),
    "D": Case(Side.BUY, "96 99 94 98", [], {"type": LIMIT, "limit_price": "94"}),
    "D with touch fills": Case(
        Side.BUY, "96 99 94 98", ["94"], {"type": LIMIT, "limit_price": "94"},
        FillPolicy(touch_fills=True),
    ),
    "E": Case(
        Side.BUY, "100 106 99 103", ["104"],
        {"type": STOP_LIMIT, "stop_price": "105", "limit_price": "104"},
    ),
    "H": Case(Side.BUY, "107 109 106 108", ["107"], {"type": STOP, "stop_price": "105"}),
}  # fmt: skip


@pytest.mark.parametrize("is_mirror", [False, True], ids=["as it stands", "mirror"])
@pytest.mark.parametrize("name", CASES)
def test_worked_case(name: str, is_mirror: bool) -> None:
    case = CASES[name].mirror() if is_mirror else CASES[name]
    exchange = opened(case.last, policy=case.policy)
    exchange.submit(order(case.side, **case.fields), START + DAY)
    reports = exchange.on_bar(bar(1, case.shape))
    assert prices(reports) == [D(price) for price in case.fills]
    assert sum(report.is_ambiguous for report in reports) == case.ambiguous
    assert exchange.notes.ambiguous_fills == case.ambiguous


@pytest.mark.parametrize("side", [Side.SELL, Side.BUY])
def test_worked_case_f_trailing_stop_moves_after_it_was_tested(side: Side) -> None:
    def turn(shape: str) -> str:
        return shape if side is Side.SELL else mirrored(shape)

    exchange = opened()
    exchange.submit(order(side, type=OrderType.TRAILING_STOP, trail_price="5"), START + DAY)
    # The stop is at 95; the low of 104 is below the 105 that the high of 110 makes.
    assert exchange.on_bar(bar(1, turn("100 110 104 106"))) == []
    [report] = exchange.on_bar(bar(2, turn("106 107 105 106")))
    assert report.price == (105 if side is Side.SELL else 95)


@pytest.mark.parametrize("side", Side)
def test_worked_case_g_cap_fills_a_part_at_the_open(side: Side) -> None:
    exchange = opened()
    exchange.submit(order(side, "100"), START + DAY)
    [report] = exchange.on_bar(bar(1, "100 101 99 100", volume="300"))
    assert (report.update, report.quantity, report.price) == (
        TradeUpdate.PARTIAL_FILL,
        D(30),
        D(100),
    )
    assert report.leaves == 70
    assert exchange.working == [report.order]


# What the table says in one line each, on days that gap.


@pytest.mark.parametrize("is_mirror", [False, True], ids=["as it stands", "mirror"])
@pytest.mark.parametrize(
    ("shape", "exit_price", "ambiguous"),
    [
        ("94 96 93 95", "94", 0),  # gaps through the stop-loss
        ("112 113 111 112", "112", 0),  # gaps over the target, which is a limit order
        ("112 113 94 100", "112", 0),  # both, and the open says which came first
    ],
)
def test_bracket_on_days_that_gap(
    shape: str, exit_price: str, ambiguous: int, is_mirror: bool
) -> None:
    side, loss, profit = Side.BUY, "95", "108"
    if is_mirror:
        side, loss, profit = Side.SELL, "105", "92"
        shape, exit_price = mirrored(shape), str(200 - D(exit_price))
    exchange = opened()
    exchange.submit(order(side, stop_loss=loss, take_profit=profit), START + DAY)
    exchange.on_bar(bar(1, "100 100 100 100"))
    reports: list[ExecutionReport] = exchange.on_bar(bar(2, shape))
    assert prices(reports) == [D(exit_price)]
    assert [r.update for r in reports] == [TradeUpdate.FILLED, TradeUpdate.CANCELED]
    assert exchange.notes.ambiguous_fills == ambiguous


def test_bracket_over_the_volume_cap_closes_in_parts_and_never_more_than_it_holds() -> None:
    exchange: PaperExchange = opened()
    exchange.submit(order(Side.BUY, "100", stop_loss="95", take_profit="108"), START + DAY)
    exchange.on_bar(bar(1, "100 101 99 100", volume="500"))  # 50 in
    exchange.on_bar(bar(2, "100 101 99 100", volume="500"))  # 50 more
    first = exchange.on_bar(bar(3, "100 101 94 96", volume="700"))
    assert [(r.quantity, r.leaves) for r in first if r.price is not None] == [(D(70), D(30))]
    assert len(exchange.working) == 2
    # Once triggered, the stop goes on at the market.
    second = exchange.on_bar(bar(4, "100 109 99 100", volume="700"))
    assert [(r.quantity, r.price) for r in second if r.price is not None] == [(D(30), D(100))]
    assert exchange.working == []
    assert [r.update for r in second] == [TradeUpdate.FILLED, TradeUpdate.CANCELED]


def test_fee_per_order_is_charged_to_a_protective_order_of_a_part() -> None:
    from ingenium.exchange import FeePerOrder

    exchange = opened(fees=FeePerOrder(Decimal(1)))
    exchange.submit(order(Side.BUY, "100", stop_loss="95"), START + DAY)
    exchange.on_bar(bar(1, "100 101 99 100", volume="300"))
    reports = exchange.on_bar(bar(2, "97 98 94 96", volume="200"))
    assert [(r.order.side, r.quantity, r.commission) for r in reports if r.price is not None] == [
        (Side.BUY, D(20), D(0)),
        (Side.SELL, D(20), D(1)),
    ]
