"""Pairing of what a live run and its backtest did, and the causes of differences, by hand."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from ingenium.backtest.app_settings import SettingChange, app_settings, setting_changes
from ingenium.brokers import PaperExecutor
from ingenium.components import App, Ingestor, Strategy
from ingenium.exchange import FillPolicy
from ingenium.portfolios import FixedQuantity
from ingenium.recorder.bar_clock import BarClock
from ingenium.recorder.parity import ItemKind, TradingItem, compare
from ingenium.recorder.parity_causes import CauseClass, explain
from ingenium.recorder.parity_evidence import Denied, Ending, Evidence
from ingenium.recorder.parity_result import make_parity
from ingenium.recorder.parity_tables import parity_section, share_text
from ingenium.risk import RiskLimits
from ingenium.strategies import SmaCross
from ingenium.subjects.names import data_subject

SECOND = 10**9
MILLISECOND = 10**6


def signal(time: int, side: str, source: str = "", symbol: str = "A") -> TradingItem:
    return TradingItem(
        ItemKind.SIGNAL, symbol, time, (("signal", side), ("strength", None)), source=source,
        received=time + 5,
    )  # fmt: skip


def order(time: int, quantity: int, identifier: str, symbol: str = "A") -> TradingItem:
    values = (("request", "new"), ("quantity", Decimal(quantity)))
    return TradingItem(ItemKind.ORDER, symbol, time, values, order_id=identifier, received=time + 6)


def fill(
    time: int, quantity: int, price: str, order_id: str, side: str = "buy", stamp: int = 0
) -> TradingItem:
    values = (
        ("side", side), ("quantity", Decimal(quantity)), ("price", Decimal(price)),
        ("commission", Decimal(0)),
    )  # fmt: skip
    return TradingItem(ItemKind.FILL, "A", time, values, order_id=order_id, stamp=stamp)


def shape(live: list[TradingItem], backtest: list[TradingItem]) -> list[tuple[Any, Any]]:
    """Return the pairs as their first value that matters, ``None`` for a missing one."""

    def of(item: TradingItem | None) -> Any:
        return None if item is None else item.values[-1 if item.kind is ItemKind.ORDER else 0][1]

    return [(of(pair.live), of(pair.backtest)) for pair in compare(live, backtest)]


def test_items_are_paired_by_symbol_and_bar_and_not_by_place() -> None:
    live = [signal(1, "long"), signal(3, "short"), signal(2, "flat", symbol="B")]
    backtest = [signal(2, "flat", symbol="B"), signal(1, "long"), signal(2, "short")]
    assert shape(live, backtest) == [
        ("long", "long"), ("flat", "flat"), (None, "short"), ("short", None),
    ]  # fmt: skip


def test_items_of_one_bar_keep_their_order() -> None:
    live = [signal(1, "long"), signal(1, "flat"), signal(1, "short")]
    backtest = [signal(1, "flat"), signal(1, "short")]
    assert shape(live, backtest) == [("long", None), ("flat", "flat"), ("short", "short")]
    # One component that sent them the other way round did not do the same.
    assert shape(live[:2], [live[1], live[0]]) == [
        (None, "flat"), ("long", "long"), ("flat", None),
    ]  # fmt: skip


def test_components_side_by_side_have_no_order_among_themselves() -> None:
    live = [signal(1, "short", "two"), signal(1, "long", "one")]
    assert shape(live, [signal(1, "long"), signal(1, "short")]) == [
        ("long", "long"), ("short", "short"),
    ]  # fmt: skip


def test_fills_are_paired_by_their_orders_whose_ids_differ() -> None:
    live = [order(1, 10, "x"), order(2, 20, "y"), fill(3, 20, "5", "y"), fill(4, 10, "5", "x")]
    backtest = [order(1, 10, "p"), order(2, 20, "q"), fill(3, 10, "5", "p"), fill(3, 20, "5", "q")]
    pairs = [pair for pair in compare(live, backtest) if pair.either.kind is ItemKind.FILL]
    assert [pair.is_equal for pair in pairs] == [True, True]
    legs = replace(live[3], leg="stop_loss"), replace(backtest[2], leg="take_profit")
    both = compare([live[0], legs[0]], [backtest[0], legs[1]])
    assert [pair.is_equal for pair in both] == [True, False, False]


def test_parts_of_a_fill_are_compared_one_by_one() -> None:
    live = [order(1, 10, "x"), fill(2, 4, "5", "x"), fill(3, 6, "5", "x")]
    backtest = [order(1, 10, "p"), fill(2, 10, "5", "p")]
    _, first, second = compare(live, backtest)
    assert (first.differences, second.backtest) == (("quantity",), None)


@pytest.mark.parametrize(
    ("side", "price", "money", "points"),
    [
        # 10 shares at 50.10 rather than 50: 1.00 more, of 500.
        ("buy", "50.10", "1.00", 20),
        ("buy", "49.95", "-0.50", -10),
        ("sell", "50.10", "-1.00", -20),
        ("sell", "49.95", "0.50", 10),
    ],
)
def test_price_difference_is_what_the_live_fill_cost_more(
    side: str, price: str, money: str, points: int
) -> None:
    pairs = compare(
        [order(1, 10, "x"), fill(2, 10, price, "x", side)],
        [order(1, 10, "p"), fill(2, 10, "50", "p", side)],
    )
    found = pairs[1].price_difference
    assert found is not None
    assert (found.money, found.basis_points) == (Decimal(money), Decimal(points))
    total = make_parity("app", pairs, explain(pairs, Evidence()), [], [], "")
    assert (total.fills, total.slippage) == (1, found.money)
    assert total.basis_points == points
    assert (total.share, total.is_equal) == (0.5, False)


def test_share_is_one_only_when_everything_is_equal() -> None:
    live = [signal(time, "long") for time in range(1, 20_001)]
    pairs = compare(live, live[:-1])
    found = make_parity("app", pairs, explain(pairs, Evidence()), [], [], "")
    # 19,999 of 20,000 would be rounded to 1.0000.
    assert (found.share, share_text(found.share)) == (0.99995, "0.9999")
    assert share_text(make_parity("app", pairs[:1], [], [], [], "").share) == "1.0000"


CHANGED = SettingChange("strategy", "turns", "period", "5", "6")
CODE = SettingChange("portfolio", "sizes", "code", "a" * 64, "b" * 64)


def causes(
    live: list[TradingItem], backtest: list[TradingItem], evidence: Evidence
) -> list[tuple[CauseClass, bool]]:
    return [(each.cause, each.follows) for each in explain(compare(live, backtest), evidence)]


def test_order_and_fill_follow_from_their_signal() -> None:
    backtest = [signal(1, "long"), order(1, 10, "p"), fill(2, 10, "5", "p")]
    evidence = Evidence(changes=lambda _time: [CHANGED])
    assert causes([], backtest, evidence) == [
        (CauseClass.SETTINGS, False), (CauseClass.SETTINGS, True), (CauseClass.SETTINGS, True),
    ]  # fmt: skip


def test_change_of_another_component_is_no_cause() -> None:
    live, backtest = [signal(1, "long"), order(1, 20, "x")], [signal(1, "long"), order(1, 10, "p")]
    found = explain(compare(live, backtest), Evidence(changes=lambda _time: [CHANGED, CODE]))
    assert [(each.cause, each.text[:24]) for each in found] == [
        (CauseClass.CODE, "code of portfolio sizes:"),
    ]  # fmt: skip


def test_settings_of_the_run_that_was_under_way_count() -> None:
    live = [signal(1 * SECOND, "long"), signal(9 * SECOND, "long")]
    evidence = Evidence(changes=lambda time: [CHANGED] if time < 5 * SECOND else [])
    assert causes(live, [], evidence) == [(CauseClass.SETTINGS, False), (CauseClass.SETTINGS, True)]
    assert causes(live[1:], [], evidence) == [(CauseClass.UNEXPLAINED, False)]


@pytest.mark.parametrize(
    ("reason", "changes", "cause"),
    [
        ("halted", [], CauseClass.SETTINGS),
        ("reducing", [], CauseClass.SETTINGS),
        ("max_orders_per_second", [], CauseClass.TIMING),
        ("duplicate", [], CauseClass.TIMING),
        (
            "max_order_quantity",
            [SettingChange("limits", "", "max_order_quantity", "5", "None")],
            CauseClass.SETTINGS,
        ),
    ],
)
def test_denial_in_the_live_run_has_the_class_of_its_reason(
    reason: str, changes: list[SettingChange], cause: CauseClass
) -> None:
    live, backtest = [signal(100, "long")], [signal(100, "long"), order(100, 10, "p")]
    denied = [Denied("A", 107, reason, "said")]
    evidence = Evidence(changes=lambda _time: changes, live_denied=denied)
    assert causes(live, backtest, evidence) == [(cause, False)]
    # One of another symbol, or behind the next signal, says nothing of it.
    for other in (Denied("B", 107, reason, ""), Denied("A", 999, reason, "")):
        found = explain(
            compare([*live, signal(200, "flat")], [*backtest, signal(200, "flat")]),
            replace(evidence, live_denied=[other]),
        )
        assert "said" not in found[0].text


def test_order_that_the_live_executor_rejected_is_a_cause_in_the_fill_model() -> None:
    live, backtest = [order(1, 10, "x")], [order(1, 10, "p"), fill(2, 10, "5", "p")]
    evidence = Evidence(endings={"x": Ending("rejected", "no such account")})
    (found,) = explain(compare(live, backtest), evidence)
    assert (found.cause, found.text) == (
        CauseClass.FILL_MODEL, "rejected in the live run: no such account",
    )  # fmt: skip


def test_cause_is_the_bar_closest_to_what_the_strategies_stream_says() -> None:
    clock = BarClock()
    for number in range(1, 4):
        for symbol, later in (("AAPL", 0), ("IBM", 30)):
            # Stored 2 ms after its end, and IBM 30 µs after AAPL.
            received = number * SECOND + 2 * MILLISECOND + later * 1000
            clock.add(data_subject(symbol), number * SECOND, received)

    def cause(symbol: str, stated: int | None, received: int = 0, time: int = 1) -> int:
        return clock.cause(symbol, time, stated or 0, received) // SECOND

    at = 2 * SECOND + 2 * MILLISECOND
    # The other stream stored it a little earlier or later.
    assert [cause("AAPL", at + late * MILLISECOND) for late in (-5, 0, 5, 15)] == [2, 2, 2, 2]
    # Without a cause, as of another language, it is the last bar before the signal.
    assert cause("IBM", None, 2 * SECOND + 900 * MILLISECOND) == 2
    # A symbol without data of its own was caused by another one.
    assert cause("MSFT", at) == 2
    # Components on the time of the data state it.
    assert cause("AAPL", at, time=3 * SECOND) == 3
    assert cause("AAPL", None, received=SECOND // 2) == 0


def test_bars_that_arrived_after_later_ones_are_late() -> None:
    clock = BarClock()
    for received, time in enumerate((1, 2, 4, 3, 5), 10):
        clock.add(data_subject("A"), time * SECOND, received)
    clock.add(data_subject("B"), SECOND, 20)
    assert (clock.late("A"), clock.late("B")) == ([3 * SECOND], [])
    assert (clock.first, clock.last) == (SECOND, 5 * SECOND)


class Live(Ingestor):
    async def ingest(self) -> None:
        """Send nothing."""


class Turns(Strategy):
    def __init__(self, period: int) -> None:
        super().__init__()
        self._period = period


def make(*strategies: Strategy, cap: str = "0.1", **limits: Any) -> App:
    return App(
        ingestors=[Live()], strategies=strategies, portfolio=FixedQuantity(10),
        executor=PaperExecutor(FillPolicy(volume_cap=Decimal(cap))), risk=RiskLimits(**limits),
    )  # fmt: skip


def test_changes_of_settings_are_named_by_component() -> None:
    before = app_settings(make(SmaCross(["A"], fast=2, slow=9), Turns(5)))
    same = app_settings(make(SmaCross(["A"], fast=2, slow=9), Turns(5)))
    assert setting_changes(before, same) == []
    after = app_settings(
        make(SmaCross(["A"], fast=3, slow=9), Turns(6), cap="0.2", max_open_orders=4)
    )
    found = [
        (each.role, each.component, each.name.rpartition(".")[2], each.before, each.after)
        for each in setting_changes(before, after)
    ]
    assert found == [
        ("strategy", "sma-cross", "fast", "2", "3"),
        ("strategy", "turns", "period", "5", "6"),
        ("executor", "paper", "volume_cap", "0.1", "0.2"),
        ("limits", "", "max_open_orders", "None", "4"),
    ]
    (removed, *_) = setting_changes(before, app_settings(make(Turns(5))))
    assert (removed.component, removed.name, removed.is_code) == ("sma-cross", "class", True)


class SignsIn(Strategy):
    def __init__(self) -> None:
        super().__init__()
        self._api_key = "K-4711"
        self.login = {"user": "ann", "password": "xyzzy"}
        self.url = "https://ann:xyzzy@broker.example/v2"
        self.seed = 7


def test_settings_hold_no_secrets() -> None:
    settings = app_settings(make(SignsIn()))["components"]["signs-in"]["settings"]
    assert {name: settings[name] for name in ("api_key", "login.user", "login.password", "url",
                                              "seed")} == {
        "api_key": "***", "login.user": "ann", "login.password": "***",
        "url": "https://***@broker.example/v2", "seed": "7",
    }  # fmt: skip


def test_section_of_the_report_has_the_divergences() -> None:
    pairs = compare([signal(SECOND, "long", symbol="<A>")], [])
    found = make_parity("app", pairs, explain(pairs, Evidence()), [], ["a note"], "")
    section = parity_section(found)
    assert "parity: 0.0000" in section.lines
    assert "note: a note" in section.lines
    assert section.tables[-1][1][0][:4] == ("1970-01-01T00:00:01Z", "signal", "<A>", "long")
