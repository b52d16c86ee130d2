"""What works is known as sums, which agree with the orders one by one."""

from __future__ import annotations

import random
from decimal import Decimal

import pytest

from ingenium.events import OrderType, Side
from ingenium.trading import Order, WorkingOrders

SYMBOLS = ("AAPL", "BRK.B")
KINDS = ((OrderType.MARKET, {}), (OrderType.LIMIT, {"limit_price": Decimal(5)}))


def order(order_id: str, symbol: str, side: Side, quantity: Decimal, kind: int = 0) -> Order:
    order_type, prices = KINDS[kind]
    return Order(
        id=order_id, symbol=symbol, side=side, quantity=quantity, type=order_type, **prices
    )


@pytest.mark.parametrize("seed", range(20))
def test_sums_agree_with_the_orders_whatever_comes_and_goes(seed: int) -> None:
    draw = random.Random(seed)
    working = WorkingOrders()
    model: dict[str, tuple[str, Side, int, int]] = {}  # hundredths that may still fill
    for number in range(300):
        what = draw.random()
        if what < 0.5 or not model:
            symbol, side, kind = draw.choice(SYMBOLS), draw.choice(list(Side)), draw.randrange(2)
            hundredths = draw.randrange(1, 10_000)
            working.add(order(f"o{number}", symbol, side, Decimal(hundredths) / 100, kind))
            model[f"o{number}"] = (symbol, side, kind, hundredths)
        elif what < 0.8:
            chosen = draw.choice(list(model))
            symbol, side, kind, left = model[chosen]
            # More than was ordered is filled now and then.
            filled = draw.randrange(1, left + 200)
            working.fill(chosen, Decimal(filled) / 100)
            model[chosen] = (symbol, side, kind, max(left - filled, 0))
        else:
            chosen = draw.choice(list(model))
            del model[chosen]
            removed = working.remove(chosen)
            assert removed is not None
            assert removed.order.id == chosen
        for symbol in SYMBOLS:
            sums = {
                (side, kind): sum(
                    n for s, d, k, n in model.values() if (s, d, k) == (symbol, side, kind)
                )
                for side in Side
                for kind in range(2)
            }
            for side in Side:
                both = Decimal(sums[side, 0] + sums[side, 1]) / 100
                assert working.leaves(symbol, side) == both
                limits = working.leaves(symbol, side, (OrderType.LIMIT,))
                assert limits == Decimal(sums[side, 1]) / 100
            bought = sums[Side.BUY, 0] + sums[Side.BUY, 1]
            sold = sums[Side.SELL, 0] + sums[Side.SELL, 1]
            assert working.pending(symbol) == Decimal(bought - sold) / 100
        assert working.symbols() == {symbol for symbol, *_ in model.values()}
        assert list(working) == list(model)


@pytest.mark.timeout(20)
def test_ten_thousand_working_orders_cost_each_other_nothing() -> None:
    # One by one, the second half alone would be 150 million additions.
    working = WorkingOrders()
    for number in range(20_000):
        side = Side.SELL if number % 2 else Side.BUY
        working.add(order(f"o{number}", "AAPL", side, Decimal(1)))
        assert working.leaves("AAPL", side) == number // 2 + 1
