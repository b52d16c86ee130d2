"""Sequence in which the eligible orders of a bar are matched."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from ingenium.exchange.exact_bar import ExactBar
from ingenium.exchange.matching import Match
from ingenium.exchange.resting_order import RestingOrder
from ingenium.exchange.trading_hours import BarHours, Eligibility
from ingenium.trading.money import ZERO

__all__ = ["OrderTurn", "in_order"]


class OrderTurn(msgspec.Struct, frozen=True, gc=False):
    """An eligible order, with its match against a bar."""

    resting: RestingOrder
    bar: ExactBar
    hours: BarHours
    turn: Eligibility
    match: Match | None


def in_order(turns: list[OrderTurn]) -> tuple[list[OrderTurn], list[OrderTurn]]:
    """Split orders into those up to the last filled at the open, and later ones.

    Orders filled within the bar come later: the nearer price first if the price falls or rises to
    both. Otherwise the order of arrival is kept.
    """
    if len(turns) < 2:
        is_within = any(each.match is not None and not each.match.at_open for each in turns)
        return ([], turns) if is_within else (turns, [])
    last = -1
    for place, each in enumerate(turns):
        if each.match is not None and each.match.at_open:
            last = place
    first: list[OrderTurn] = []
    within: list[OrderTurn] = []
    for each in turns[: last + 1]:
        (first if each.match is None or each.match.at_open else within).append(each)
    within += turns[last + 1 :]
    within.sort(key=lambda each: each.match is not None and each.match.at_close)
    for is_rising in (True, False):
        places = [place for place, each in enumerate(within) if _is_on_way(each, is_rising)]
        if len(places) > 1:
            nearest = sorted((within[place] for place in places), key=_price, reverse=not is_rising)
            for place, each in zip(places, nearest, strict=True):
                within[place] = each
    return first, within


def _is_on_way(turn: OrderTurn, is_rising: bool) -> bool:
    match = turn.match
    if match is None or match.high_ahead == match.low_ahead:
        return False
    return match.high_ahead is is_rising


def _price(turn: OrderTurn) -> Decimal:
    return ZERO if turn.match is None else turn.match.price
