"""Random ways of the price through a bar, and what orders do on one, tick by tick.

Prices are whole ticks, and a way goes through each tick between its turning points. Nothing here
looks at a bar's four prices: an order sees one price after another, as it would at a venue.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from random import Random

__all__ = ["Shape", "Ticket", "random_way", "trade", "trailing_fill"]

Price = int | Fraction


@dataclass(frozen=True)
class Shape:
    """A bar in ticks."""

    open: int
    high: int
    low: int
    close: int

    @property
    def text(self) -> str:
        return f"{self.open} {self.high} {self.low} {self.close}"


def random_way(shape: Shape, levels: Sequence[int], random: Random) -> list[int]:
    """Return a way: the open first, the close last, high and low touched.

    Args:
        shape: The bar.
        levels: Prices at which something may happen; many ways turn near them.
        random: Where chance comes from.
    """
    near = [level + random.randint(-1, 1) for level in levels]
    turns = [price for price in near if shape.low <= price <= shape.high]
    turns = [*random.sample(turns, random.randint(0, len(turns))), shape.high, shape.low]
    random.shuffle(turns)
    way = [shape.open]
    for turn in (*turns, shape.close):
        step = 1 if turn > way[-1] else -1
        way += range(way[-1] + step, turn + step, step) if turn != way[-1] else ()
    return way


@dataclass(frozen=True)
class Ticket:
    """An order to buy, and the orders that protect what it buys; sells are its mirror image.

    Attributes:
        kind: ``held`` for shares that are there before the bar, ``market``, ``limit``, ``stop`` or
            ``stop_limit``.
        limit: Of a limit or stop-limit order.
        stop: Of a stop or stop-limit order.
        target: Limit of the take-profit.
        loss: Trigger of the stop-loss.
        loss_limit: Limit of the stop-loss, if it is a stop-limit order.
    """

    kind: str
    limit: int | None = None
    stop: int | None = None
    target: int | None = None
    loss: int | None = None
    loss_limit: int | None = None

    @property
    def levels(self) -> list[int]:
        every = (self.limit, self.stop, self.target, self.loss, self.loss_limit)
        return [level for level in every if level is not None]


def trade(ticket: Ticket, way: Sequence[int], *, touch: bool) -> tuple[Price | None, Price | None]:
    """Return at which prices a ticket buys and sells on a way; ``None`` where it does not."""

    def buys_at(limit: int, price: int) -> bool:
        return price < limit or (touch and price == limit)

    def sells_at(limit: int, price: int) -> bool:
        return price > limit or (touch and price == limit)

    bought: int | None = 0 if ticket.kind == "held" else None
    is_triggered = is_stopped = False
    for place, price in enumerate(way):
        is_first = place == 0
        if bought is None:
            if ticket.kind == "market":
                bought = price
            elif ticket.kind == "limit":
                assert ticket.limit is not None
                if buys_at(ticket.limit, price):
                    bought = price if is_first else ticket.limit
            elif ticket.kind == "stop":
                assert ticket.stop is not None
                if price >= ticket.stop:
                    bought = price
            else:
                assert ticket.limit is not None
                assert ticket.stop is not None
                if is_triggered:
                    bought = ticket.limit if buys_at(ticket.limit, price) else None
                elif price >= ticket.stop:
                    is_triggered = True
                    bought = price if buys_at(ticket.limit, price) else None
            if bought is None:
                continue
        if ticket.target is not None and sells_at(ticket.target, price):
            return bought, price if is_first else ticket.target
        if ticket.loss is None:
            continue
        if is_stopped:
            assert ticket.loss_limit is not None
            if sells_at(ticket.loss_limit, price):
                return bought, ticket.loss_limit
        elif price <= ticket.loss:
            if ticket.loss_limit is None or sells_at(ticket.loss_limit, price):
                return bought, price
            is_stopped = True
    return bought, None


def trailing_fill(
    way: Sequence[int], best: int, *, distance: Fraction, is_percent: bool, is_sell: bool
) -> Price | None:
    """Return where a trailing stop is filled on a way; ``None`` where it is not.

    Args:
        way: The way.
        best: The best price before it.
        distance: In ticks, or as a part of the best price.
        is_percent: Which of the two.
        is_sell: Whether it trails the highest price, else the lowest.
    """
    sign = 1 if is_sell else -1
    for place, price in enumerate(way):
        best = max(best, price) if is_sell else min(best, price)
        stop = best - sign * (best * distance if is_percent else distance)
        if (price <= stop) if is_sell else (price >= stop):
            return price if place == 0 else stop
    return None
