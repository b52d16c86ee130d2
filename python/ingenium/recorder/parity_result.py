"""The result of comparing a live run with its backtest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from ingenium.backtest.app_settings import SettingChange
from ingenium.recorder.parity import ItemKind, ItemPair, TradingItem
from ingenium.recorder.parity_causes import CauseClass, Divergence
from ingenium.recorder.record_table import time_text
from ingenium.trading.money import EXACT, QUOTIENT, ZERO

__all__ = ["KindParity", "Parity", "make_parity"]


@dataclass(frozen=True, slots=True)
class KindParity:
    """How much of one kind is equal.

    Attributes:
        kind: Bars, signals, orders or fills.
        live: Number in the live run.
        backtest: Number in the backtest.
        equal: Number of equal pairs.
        pairs: Number of pairs, those included of which one part is missing.
    """

    kind: ItemKind
    live: int
    backtest: int
    equal: int
    pairs: int

    @property
    def share(self) -> float:
        """Equal pairs as a part of all; 1.0 when there are none."""
        return self.equal / self.pairs if self.pairs else 1.0


@dataclass(frozen=True, slots=True)
class Parity:
    """How a live run and its backtest compare.

    Attributes:
        app: Name of the app.
        kinds: Counts by kind; bars only when other data was compared.
        divergences: All, in the order of time: the first is where the runs part.
        changes: What has changed in settings and code since the last live run.
        fills: Number of fills that both runs have with a price.
        slippage: What the prices of these fills cost the live run more, in the account's currency.
        basis_points: The mean of it over their value; ``None`` without such fills.
        notes: What the user should know.
        events_digest: Events digest of the backtest.
    """

    app: str
    kinds: Sequence[KindParity]
    divergences: Sequence[Divergence]
    changes: Sequence[SettingChange]
    fills: int
    slippage: Decimal
    basis_points: Decimal | None
    notes: Sequence[str]
    events_digest: str

    @property
    def share(self) -> float:
        """Equal pairs as a part of all; 1.0 exactly when everything is equal."""
        pairs = sum(each.pairs for each in self.kinds)
        return sum(each.equal for each in self.kinds) / pairs if pairs else 1.0

    @property
    def is_equal(self) -> bool:
        """Whether everything that was compared is equal."""
        return not self.divergences

    @property
    def first(self) -> Divergence | None:
        """Where the runs part; ``None`` if they are equal."""
        return self.divergences[0] if self.divergences else None

    def causes(self) -> list[tuple[CauseClass, int, int]]:
        """Return each class of causes with its own divergences, and those that follow from them."""
        own = Counter(each.cause for each in self.divergences if not each.follows)
        following = Counter(each.cause for each in self.divergences if each.follows)
        return [(c, own[c], following[c]) for c in CauseClass if own[c] or following[c]]

    def to_json(self) -> dict[str, Any]:
        """Return all of it as JSON values; numbers of money and prices as text."""
        return {
            "app": self.app,
            "parity": self.share,
            "equal": self.is_equal,
            "first": None if self.first is None else _divergence(self.first),
            "counts": {
                each.kind.value: {
                    "live": each.live,
                    "backtest": each.backtest,
                    "equal": each.equal,
                    "share": each.share,
                }
                for each in self.kinds
            },
            "causes": {
                cause.value: {"divergences": own, "following": following}
                for cause, own, following in self.causes()
            },
            "fills": {
                "compared": self.fills,
                "cost": format(self.slippage, "f"),
                "basis_points": None if self.basis_points is None else float(self.basis_points),
            },
            "divergences": [_divergence(each) for each in self.divergences],
            "changes": [
                {
                    "role": each.role,
                    "component": each.component,
                    "name": each.name,
                    "live": each.before,
                    "now": each.after,
                }
                for each in self.changes
            ],
            "notes": list(self.notes),
            "events_digest": self.events_digest,
        }


def make_parity(
    app: str,
    pairs: Sequence[ItemPair],
    divergences: Sequence[Divergence],
    changes: Sequence[SettingChange],
    notes: Sequence[str],
    events_digest: str,
) -> Parity:
    """Count the pairs of two runs.

    Args:
        app: Name of the app.
        pairs: All pairs.
        divergences: Those that are not equal, with their causes.
        changes: What has changed since the last live run.
        notes: What the user should know.
        events_digest: Events digest of the backtest.
    """
    kinds = []
    for kind in ItemKind:
        own = [pair for pair in pairs if pair.either.kind is kind]
        if own or kind is not ItemKind.BAR:
            kinds.append(
                KindParity(
                    kind,
                    sum(pair.live is not None for pair in own),
                    sum(pair.backtest is not None for pair in own),
                    sum(pair.is_equal for pair in own),
                    len(own),
                )
            )
    fills, cost, value = 0, ZERO, ZERO
    for pair in pairs:
        found = pair.price_difference
        if found is not None and pair.live is not None and pair.backtest is not None:
            fills += 1
            cost = EXACT.add(cost, found.money)
            worth = EXACT.multiply(abs(pair.backtest.value("price")), pair.live.value("quantity"))
            value = EXACT.add(value, worth)
    points = QUOTIENT.divide(EXACT.multiply(cost, Decimal(10_000)), value) if value else None
    return Parity(
        app, kinds, divergences, changes, fills, cost, points, tuple(notes), events_digest
    )


def _divergence(found: Divergence) -> dict[str, Any]:
    pair = found.pair
    price = pair.price_difference
    return {
        "time": time_text(pair.time),
        "kind": pair.either.kind.value,
        "symbol": pair.either.symbol,
        "cause": found.cause.value,
        "text": found.text,
        "follows": found.follows,
        "differs": list(pair.differences),
        "live": _item(pair.live),
        "backtest": _item(pair.backtest),
        "price_difference": None
        if price is None
        else {
            "cost": format(price.money, "f"),
            "basis_points": float(price.basis_points),
        },
    }


def _item(item: TradingItem | None) -> dict[str, Any] | None:
    if item is None:
        return None
    values = {
        name: format(value, "f") if isinstance(value, Decimal) else value
        for name, value in item.values
        if value not in (None, "")
    }
    own = {"time": time_text(item.time), "id": item.identifier, "source": item.source}
    return own | values
