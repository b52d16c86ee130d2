"""Every order type, held to random ways of the price through random bars.

What all ways share is the result, without a doubt; where they differ, the worse for the owner is,
and is counted. The ways come from `walking`, which trades them tick by tick.
"""

from __future__ import annotations

from fractions import Fraction
from random import Random
from typing import Any

import pytest
from support.exchanging import DAY, START, D, bar, mirrored, opened, order
from support.walking import Shape, Ticket, random_way, trade, trailing_fill

from ingenium.events import OrderType, Side
from ingenium.exchange import FillPolicy, PaperExchange

LAST = 100
"""Close before the bar."""
FEW, MANY = 16, 1_500
"""Ways that are tried for a bar, and where those show less than the exchange says."""

Fills = tuple[Any, Any]


def random_shape(random: Random) -> Shape:
    first = LAST + random.choice([0, 0, random.randint(-9, 9)])
    last = first + random.randint(-8, 8)
    high = max(first, last) + random.choice([0, random.randint(0, 6)])
    low = min(first, last) - random.choice([0, random.randint(0, 6)])
    return Shape(first, high, low, last)


def random_ticket(random: Random, kind: str) -> Ticket:
    """Make an order whose protective orders, if any, are on either side of its entry."""
    stop = LAST + random.randint(1, 8)
    limit = LAST + random.randint(-8, 4) if kind == "limit" else stop + random.randint(-4, 3)
    near = {"held": LAST, "market": LAST, "limit": limit, "stop": stop, "stop_limit": limit}[kind]
    legs = random.choice(["", "target", "loss", "both", "both", "both", "with a limit"])
    loss = near - random.randint(2, 8)
    return Ticket(
        kind,
        limit if "limit" in kind else None,
        stop if "stop" in kind else None,
        near + random.randint(2, 8) + (stop - near if kind == "stop_limit" else 0)
        if legs not in {"", "loss"}
        else None,
        loss if legs not in {"", "target"} else None,
        loss + random.randint(-3, 2) if legs == "with a limit" else None,
    )


def fills_of(
    ticket: Ticket, shape: Shape, side: Side, *, touch: bool
) -> tuple[Fills, PaperExchange]:
    """Return at which prices the exchange buys and sells, as if all had been bought."""
    is_mirror = side is Side.SELL
    exchange = opened(policy=FillPolicy(touch_fills=touch))

    def text(level: int | None) -> str | None:
        return None if level is None else str(2 * LAST - level if is_mirror else level)

    kind = "market" if ticket.kind == "held" else ticket.kind
    made = order(
        side,
        type=OrderType(kind),
        limit_price=text(ticket.limit),
        stop_price=text(ticket.stop),
        take_profit=text(ticket.target),
        stop_loss=text(ticket.loss),
        stop_loss_limit=text(ticket.loss_limit),
    )
    reports = exchange.submit(made, START + DAY)
    assert not reports[0].reason
    day = 1
    if ticket.kind == "held":
        exchange.on_bar(bar(1, f"{LAST} {LAST} {LAST} {LAST}"))
        day = 2
    found: dict[Side, Any] = {side: 0 if ticket.kind == "held" else None, side.opposite: None}
    for report in exchange.on_bar(bar(day, mirrored(shape.text) if is_mirror else shape.text)):
        if report.price is not None:
            assert found[report.order.side] is None, "one fill of each"
            price = 2 * LAST - report.price if is_mirror else report.price
            found[report.order.side] = int(price)
    return (found[side], found[side.opposite]), exchange


def worth(fills: Fills, close: int) -> int:
    """Return what a way has brought by its close."""
    bought, sold = fills
    return 0 if bought is None else (close if sold is None else sold) - bought


@pytest.mark.parametrize("touch", [False, True], ids=["through", "touch"])
@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize("kind", ["held", "market", "limit", "stop", "stop_limit"])
def test_what_all_ways_through_a_bar_share_is_the_result(
    kind: str, side: Side, touch: bool
) -> None:
    random = Random(f"{kind} {side} {touch}")
    seen = {"shared": 0, "worse": 0, "untaken": 0}
    for _ in range(200):
        ticket, shape = random_ticket(random, kind), random_shape(random)
        if kind == "held" and not ticket.levels:
            continue
        beyond = ticket.target is not None and shape.open >= ticket.target
        if kind != "held" and beyond:
            continue  # an entry beyond its own target, see below
        ours, exchange = fills_of(ticket, shape, side, touch=touch)
        notes = exchange.notes
        is_doubtful = bool(notes.ambiguous_fills or notes.untaken_targets)
        ways = {
            trade(ticket, random_way(shape, ticket.levels, random), touch=touch) for _ in range(FEW)
        }
        if (len(ways) == 1) == is_doubtful or ours not in ways:
            # Rare ways have not been seen yet, or the exchange is wrong.
            ways |= {
                trade(ticket, random_way(shape, ticket.levels, random), touch=touch)
                for _ in range(MANY)
            }
        where = f"{ticket} on {shape}: {ours}, ways {ways}, {notes}"
        assert ours in ways, where
        if kind == "stop_limit" and (None, None) in ways:
            # Its limit counts on the bar that triggers it only where all ways go through it.
            assert ours == (None, None), where
            continue
        assert worth(ours, shape.close) == min(worth(way, shape.close) for way in ways), where
        if len(ways) == 1:
            assert not is_doubtful, where
            seen["shared"] += 1
            continue
        assert notes.ambiguous_fills <= 1, where
        if ours[1] is not None:
            assert notes.ambiguous_fills == 1, where
            seen["worse"] += 1
        elif ticket.target in {way[1] for way in ways}:
            assert notes.untaken_targets == 1, where
            seen["untaken"] += 1
    assert seen["shared"] > 20
    assert seen["worse"] or kind in {"limit", "stop_limit"}
    # The extreme behind a stop is always ahead; behind a limit it is the other one.
    assert seen["untaken"] or kind != "limit"


@pytest.mark.parametrize("is_percent", [False, True], ids=["price", "percent"])
@pytest.mark.parametrize("side", Side)
def test_trailing_stop_that_every_way_reaches_is_filled_at_the_worst(
    side: Side, is_percent: bool
) -> None:
    random = Random(f"trail {side} {is_percent}")
    is_sell = side is Side.SELL
    seen = {"none": 0, "some": 0, "one": 0, "many": 0}
    for _ in range(600):
        shape, trail = random_shape(random), random.randint(2, 9)
        exchange = opened()
        name = "trail_percent" if is_percent else "trail_price"
        made = order(side, type=OrderType.TRAILING_STOP, **{name: str(trail)})
        exchange.submit(made, START + DAY)
        found = [r for r in exchange.on_bar(bar(1, shape.text)) if r.price is not None]
        distance = Fraction(trail, 100) if is_percent else Fraction(trail)
        levels = [shape.high - trail, shape.low + trail, LAST - trail, LAST + trail]
        ways = {
            trailing_fill(
                random_way(shape, levels, random),
                LAST,
                distance=distance,
                is_percent=is_percent,
                is_sell=is_sell,
            )
            for _ in range(FEW)
        }
        where = f"{side} {trail} on {shape}: {found}, ways {ways}"
        prices = [price for price in ways if price is not None]
        if not found:
            # As the table has it: what the bar's own extreme does to the stop counts from then on.
            assert None in ways, where
            seen["some" if prices else "none"] += 1
            continue
        assert None not in ways, where
        ours = Fraction(found[0].price or 0)
        assert ours <= min(prices) if is_sell else ours >= max(prices), where
        if len(ways) > 1:
            assert found[0].is_ambiguous, where
            assert exchange.notes.ambiguous_fills == 1, where
        if not found[0].is_ambiguous:
            assert ways == {ours}, where
        seen["many" if found[0].is_ambiguous else "one"] += 1
    assert min(seen.values()) > 8, seen


@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize(
    ("shape", "exit_price", "ambiguous"),
    [
        ("112 113 100 105", "112", 0),
        # Its target was made for a price that is gone, so the stop is taken where it is touched.
        ("112 113 90 105", "95", 1),
    ],
)
def test_entry_beyond_its_own_target(
    side: Side, shape: str, exit_price: str, ambiguous: int
) -> None:
    exchange = opened()
    levels = {"take_profit": "108", "stop_loss": "95"}
    if side is Side.SELL:
        levels = {name: str(200 - D(level)) for name, level in levels.items()}
        shape, exit_price = mirrored(shape), str(200 - D(exit_price))
    exchange.submit(order(side, **levels), START + DAY)
    reports = exchange.on_bar(bar(1, shape))
    assert [r.price for r in reports if r.price is not None][1:] == [D(exit_price)]
    assert exchange.notes.ambiguous_fills == ambiguous
