"""Compare what a live run did with what a backtest did: bars, signals, orders and fills."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from difflib import SequenceMatcher
from enum import StrEnum
from itertools import zip_longest
from typing import Any

from ingenium.trading.money import EXACT, QUOTIENT

__all__ = ["ItemKind", "ItemPair", "PriceDifference", "TradingItem", "compare"]

_POINTS = 10_000


class ItemKind(StrEnum):
    """What is compared, in the order in which one causes the next."""

    BAR = "bar"
    SIGNAL = "signal"
    ORDER = "order"
    FILL = "fill"


@dataclass(frozen=True, slots=True)
class TradingItem:
    """A bar, signal, order or fill of one of the two runs.

    Attributes:
        kind: What it is.
        symbol: Instrument.
        time: Time of the data that caused it, in nanoseconds since 1970: that of the bar behind a
            signal or an order, and of the bar that filled an order.
        values: Names and values that have to be equal.
        received: When its stream stored it, in nanoseconds since 1970; 0 in a backtest.
        source: Name of the component that sent it; empty where that is not known.
        identifier: Id of its event; ids differ between the runs.
        order_id: Id of the order, for an order and for a fill.
        leg: ``"take_profit"`` or ``"stop_loss"`` for a fill of that part of a bracket order.
        stamp: Time that a fill states, if that is one of the data: the begin or end of its bar,
            which is then compared, too. 0 for others.
        period: Length of a bar.
    """

    kind: ItemKind
    symbol: str
    time: int
    values: tuple[tuple[str, Any], ...] = ()
    received: int = 0
    source: str = ""
    identifier: str = ""
    order_id: str = ""
    leg: str = ""
    stamp: int = 0
    period: str = ""

    def value(self, name: str) -> Any:
        """Return a compared value; ``None`` if it has none of that name."""
        return dict(self.values).get(name)


@dataclass(frozen=True, slots=True)
class PriceDifference:
    """What the price of a live fill cost more than that of the backtest.

    Attributes:
        money: Loss of the live run, negative for a gain, in the account's currency.
        basis_points: The same as a part of the backtest's price, in hundredths of a percent.
    """

    money: Decimal
    basis_points: Decimal


@dataclass(frozen=True, slots=True)
class ItemPair:
    """An item of the live run and that of the backtest; one is ``None`` where it is missing."""

    live: TradingItem | None
    backtest: TradingItem | None

    @property
    def either(self) -> TradingItem:
        """The live item, or that of the backtest where there is none."""
        found = self.live or self.backtest
        assert found is not None  # noqa: S101 - a pair has one
        return found

    @property
    def time(self) -> int:
        """The earlier of the times of both."""
        return min(each.time for each in (self.live, self.backtest) if each is not None)

    @property
    def differences(self) -> tuple[str, ...]:
        """Names of the values that differ; empty when equal, or when one is missing."""
        if self.live is None or self.backtest is None:
            return ()
        found = [
            name
            for (name, one), (_, other) in zip(self.live.values, self.backtest.values, strict=True)
            if one != other
        ]
        if self.is_at_another_bar:
            found.append("bar")
        return tuple(found)

    @property
    def is_at_another_bar(self) -> bool:
        """Whether a fill came with another bar than in the backtest."""
        live, backtest = self.live, self.backtest
        if live is None or backtest is None or not (live.stamp and backtest.stamp):
            return False
        return live.stamp != backtest.stamp

    @property
    def is_equal(self) -> bool:
        """Whether both are there, and equal."""
        return self.live is not None and self.backtest is not None and not self.differences

    @property
    def price_difference(self) -> PriceDifference | None:
        """What the live fill cost more; ``None`` for other pairs."""
        live, backtest = self.live, self.backtest
        if live is None or backtest is None or live.kind is not ItemKind.FILL:
            return None
        price, other = live.value("price"), backtest.value("price")
        if not price or not other:
            return None
        more = EXACT.subtract(price, other)
        if live.value("side") == "sell":
            more = -more
        points = QUOTIENT.divide(EXACT.multiply(more, Decimal(_POINTS)), abs(other))
        return PriceDifference(EXACT.multiply(more, live.value("quantity")), points)


def compare(live: Iterable[TradingItem], backtest: Iterable[TradingItem]) -> list[ItemPair]:
    """Pair the items of two runs, by their cause and their order within it.

    Ids and clock times differ between the runs, so neither is used. Signals and orders belong
    together when they have one symbol and one causing bar, fills when their orders do. Signals and
    orders that several components sent on one bar have no order among themselves.

    Args:
        live: Items of the live run, each kind in the order of its stream.
        backtest: Items of the backtest, likewise.

    Returns:
        All pairs, in the order of time and, within it, of kind: the first that is not equal is
        where the runs part.
    """
    ours, others = _by_kind(live), _by_kind(backtest)
    pairs: list[ItemPair] = []
    for kind in (ItemKind.BAR, ItemKind.SIGNAL, ItemKind.ORDER):
        pairs += _paired(ours[kind], others[kind], _cause)
    number: dict[tuple[bool, str], int] = {}
    for place, pair in enumerate(pairs):
        for each in (pair.live, pair.backtest):
            if each is not None and each.order_id:
                number.setdefault((each is pair.live, each.order_id), place)

    def order_of(is_live: bool) -> Callable[[TradingItem], Hashable]:
        def key(item: TradingItem) -> Hashable:
            found = number.get((is_live, item.order_id))
            return (found, item.leg) if found is not None else (is_live, item.order_id)

        return key

    pairs += _paired(ours[ItemKind.FILL], others[ItemKind.FILL], order_of(True), order_of(False))
    ranks = {kind: rank for rank, kind in enumerate(ItemKind)}
    # Stable, so pairs of one time and kind stay in the order of the live run.
    return sorted(pairs, key=lambda pair: (pair.time, ranks[pair.either.kind]))


def _by_kind(items: Iterable[TradingItem]) -> dict[ItemKind, list[TradingItem]]:
    found: dict[ItemKind, list[TradingItem]] = defaultdict(list)
    for each in items:
        found[each.kind].append(each)
    return found


def _cause(item: TradingItem) -> Hashable:
    return item.symbol, item.time, item.period


def _paired(
    live: Sequence[TradingItem],
    backtest: Sequence[TradingItem],
    key: Callable[[TradingItem], Hashable],
    other_key: Callable[[TradingItem], Hashable] | None = None,
) -> list[ItemPair]:
    groups: dict[Hashable, tuple[list[TradingItem], list[TradingItem]]] = {}
    for place, items in enumerate((live, backtest)):
        find = key if place == 0 else other_key or key
        for each in items:
            groups.setdefault(find(each), ([], []))[place].append(each)
    return [pair for ours, others in groups.values() for pair in _aligned(ours, others)]


def _aligned(live: list[TradingItem], backtest: list[TradingItem]) -> list[ItemPair]:
    """Pair items of one cause: equal ones first, the others between them in their order."""
    if len(live) == len(backtest) == 1:
        return [ItemPair(live[0], backtest[0])]
    if len({each.source for each in live}) > 1:
        # Components run side by side, so what they send on one bar comes in any order.
        live, backtest = (
            sorted(each, key=lambda item: str(item.values)) for each in (live, backtest)
        )
    matcher = SequenceMatcher(
        None, [each.values for each in live], [each.values for each in backtest], autojunk=False
    )
    return [
        ItemPair(one, other)
        for _, first, last, begin, end in matcher.get_opcodes()
        for one, other in zip_longest(live[first:last], backtest[begin:end])
    ]
