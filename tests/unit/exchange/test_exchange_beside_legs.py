"""Orders of the owner in one bar with the protective orders of the position that they close."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from support.exchanging import DAY, START, bar, mirrored, opened, order
from support.walking import Shape, random_way

from ingenium.events import OrderType, Side, TimeInForce
from ingenium.exchange import FillPolicy, PaperExchange

Fills = list[tuple[str, int, int]]
"""Name of each order, quantity and price, sells of a long position throughout."""


def held(side: Side, *, allow_short: bool = True, **legs: Any) -> PaperExchange:
    """Return an exchange with a position of 10 at 100; legs and prices are those of a long one."""
    exchange = opened(policy=FillPolicy(volume_cap=None), allow_short=allow_short)
    exchange.submit(order(side, id="entry", **turned(side, legs)), START + DAY)
    exchange.on_bar(bar(1, "100 100 100 100"))
    return exchange


def turned(side: Side, levels: dict[str, Any]) -> dict[str, Any]:
    if side is Side.BUY:
        return levels
    return {
        name: str(200 - int(level)) if type(level) is str else level
        for name, level in levels.items()
    }


def fills(exchange: PaperExchange, side: Side, shape: str) -> Fills:
    reports = exchange.on_bar(bar(2, shape if side is Side.BUY else mirrored(shape)))
    names = {OrderType.LIMIT: "target", OrderType.STOP: "loss"}
    return [
        (
            r.order.id if r.order.id == "own" else names[r.order.type],
            int(r.quantity),
            int(r.price if side is Side.BUY else 200 - r.price),
        )
        for r in reports
        if r.price is not None
    ]


@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize(
    ("own", "legs", "shape", "expected"),
    [
        pytest.param(
            {"type": OrderType.STOP, "stop_price": "92"},
            {"stop_loss": "98"},
            "100 101 91 93",
            [("loss", 10, 98), ("own", 20, 92)],
            id="the stop-loss is nearer than the own stop",
        ),
        pytest.param(
            {"type": OrderType.STOP, "stop_price": "98"},
            {"stop_loss": "92"},
            "100 101 91 93",
            [("own", 20, 98)],
            id="the own stop is nearer and closes the position",
        ),
        pytest.param(
            {"type": OrderType.LIMIT, "limit_price": "110"},
            {"take_profit": "105"},
            "100 112 99 101",
            [("target", 10, 105), ("own", 20, 110)],
            id="the target is nearer than the own limit",
        ),
        pytest.param(
            {"time_in_force": TimeInForce.CLS},
            {"stop_loss": "95"},
            "100 101 90 98",
            [("loss", 10, 95), ("own", 20, 98)],
            id="the close comes after the stop-loss",
        ),
        pytest.param(
            {"type": OrderType.MARKET},
            {"stop_loss": "95"},
            "100 101 90 98",
            [("own", 20, 100)],
            id="the open comes before the stop-loss",
        ),
    ],
)
def test_what_the_price_reaches_first_comes_first(
    own: dict[str, Any],
    legs: dict[str, Any],
    shape: str,
    expected: Fills,
    side: Side,
) -> None:
    exchange = held(side, **legs)
    exchange.submit(order(side.opposite, "20", id="own", **turned(side, own)), START + 2 * DAY)
    assert fills(exchange, side, shape) == expected
    assert not exchange.notes.ambiguous_fills


@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize("close", [94, 103])
@pytest.mark.parametrize("allow_short", [True, False])
def test_stop_loss_or_own_limit_first_is_decided_against_the_owner(
    close: int, side: Side, *, allow_short: bool
) -> None:
    """Stop first: sold at 95, then short from 110, where the account may be. Else sold at 110."""
    if side is Side.SELL and not allow_short:
        return
    exchange = held(side, allow_short=allow_short, stop_loss="95")
    own = turned(side, {"limit_price": "110"})
    made = order(side.opposite, id="own", type=OrderType.LIMIT, **own)
    exchange.submit(made, START + 2 * DAY)
    found = fills(exchange, side, f"100 112 90 {close}")
    assert exchange.notes.ambiguous_fills == 1
    if not allow_short:
        assert found == [("loss", 10, 95)]
    elif close == 103:
        assert found == [("loss", 10, 95), ("own", 10, 110)]  # 50 less + 70 more, not 100 more
    else:
        assert found == [("own", 10, 110)]  # 100 more, not 50 less + 160 more


def walked(
    own: tuple[str, int, int], loss: int | None, target: int | None, way: list[int]
) -> Fills:
    """Trade ten shares and an order to sell them on a way, tick by tick."""
    kind, quantity, level = own
    found: Fills = []
    position, is_working = 10, True
    for place, price in enumerate(way):
        is_first = place == 0
        if position > 0 and loss is not None and price <= loss:
            found.append(("loss", position, price))
            position = 0
        elif position > 0 and target is not None and price > target:
            found.append(("target", position, price if is_first else target))
            position = 0
        if not is_working:
            continue
        sold_at = {
            "stop": price if price <= level else None,
            "limit": (price if is_first else level) if price > level else None,
            "close": price if place == len(way) - 1 else None,
        }[kind]
        if sold_at is not None:
            found.append(("own", quantity, sold_at))
            position, is_working = position - quantity, False
    return found


@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize("kind", ["stop", "limit", "close"])
def test_what_all_ways_share_is_the_result_beside_protective_orders(kind: str, side: Side) -> None:
    random = Random(f"{kind} {side}")
    shared = doubtful = 0
    for _ in range(250):
        level = 100 + (random.randint(1, 9) if kind == "limit" else -random.randint(1, 9))
        own = kind, random.choice([5, 10, 20]), level
        loss, target = 100 - random.randint(1, 9), 100 + random.randint(1, 9)
        legs = random.choice([(loss, None), (None, target), (loss, target)])
        first = 100 + random.choice([0, 0, random.randint(-3, 3)])
        last = first + random.randint(-6, 6)
        if last == first or level in legs or not (loss < first <= target):
            continue
        if first >= level if kind == "limit" else kind == "stop" and first <= level:
            continue  # what the open fills has its own tests
        shape = Shape(
            first,
            max(first, last) + random.randint(0, 7),
            min(first, last) - random.randint(0, 7),
            last,
        )
        texts = (None if leg is None else str(leg) for leg in legs)
        bracket: Any = dict(zip(("stop_loss", "take_profit"), texts, strict=True))
        exchange = held(side, **bracket)
        prices: dict[str, Any] = {} if kind == "close" else {f"{kind}_price": str(level)}
        made = order(
            side.opposite,
            str(own[1]),
            id="own",
            type=OrderType.MARKET if kind == "close" else OrderType(kind),
            time_in_force=TimeInForce.CLS if kind == "close" else TimeInForce.GTC,
            **turned(side, prices),
        )
        exchange.submit(made, START + 2 * DAY)
        ours = fills(exchange, side, shape.text)
        levels = [each for each in (level, *legs) if each is not None]
        ways: list[Fills] = []
        for _ in range(60):
            way = walked(own, *legs, random_way(shape, levels, random))
            if way not in ways:
                ways.append(way)
        where = f"{own} {legs} {shape}: {ours}, ways {ways}, {exchange.notes}"
        assert any(sorted(ours) == sorted(way) for way in ways), where
        worths = [sum(q * (price - last) for _, q, price in way) for way in ways]
        assert sum(q * (price - last) for _, q, price in ours) == min(worths), where
        is_doubtful = len({tuple(sorted(way)) for way in ways}) > 1
        assert is_doubtful == bool(exchange.notes.ambiguous_fills), where
        shared, doubtful = shared + (not is_doubtful), doubtful + is_doubtful
    assert shared > 30
    assert doubtful > 5
