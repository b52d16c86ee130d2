"""Orders that live limits would deny are denied in a backtest, and counted in its result.

Which orders those are is worked out here from the prices alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from random import Random
from typing import Any

import pytest
from typer.testing import CliRunner

from ingenium import App, Bar, Ingestor, Portfolio, RiskLimits, backtest
from ingenium.backtest import BacktestResult, check_lookahead
from ingenium.backtest.app_sources import sources_digest
from ingenium.backtest.report import render
from ingenium.backtest.sweep.sweep_run import Task, run_task
from ingenium.brokers import PaperExecutor
from ingenium.cli.main import application as command
from ingenium.components import load_factory
from ingenium.events import DenialEvent, TradingState
from ingenium.exchange import FillPolicy
from ingenium.runtime.replay.denials import Denials

START = datetime(2024, 1, 2, 14, 30, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
UNCAPPED = FillPolicy(volume_cap=None)


class Prices(Ingestor):
    """Bars that stand still at one price each, by minute unless another period is given."""

    def __init__(self, closes: Sequence[str], period: timedelta = MINUTE) -> None:
        super().__init__(name="prices")
        self.closes, self.period = closes, period

    def read_bars(self) -> Iterator[Bar]:
        for place, price in enumerate(self.closes):
            yield Bar.make(
                "AAA", START + place * self.period, open=price, high=price, low=price, close=price,
                volume="1000000", period=self.period,
            )  # fmt: skip


class Plan(Portfolio):
    """Sends orders at numbered bars: signed quantities, as many as there are."""

    def __init__(self, plan: Mapping[int, Sequence[str]]) -> None:
        super().__init__(1_000_000, name="plan")
        self.plan, self.bar = plan, 0
        self.denied: list[tuple[int, str]] = []
        self.states: list[TradingState] = []

    def on_bar(self, bar: Bar) -> None:
        self.bar += 1
        for quantity in self.plan.get(self.bar, ()):
            side = "sell" if quantity.startswith("-") else "buy"
            self.send_order("AAA", side, quantity.removeprefix("-"))

    def on_denied(self, event: DenialEvent) -> None:
        self.denied.append((self.bar, event.reason))

    def on_trading_state(self, state: TradingState) -> None:
        self.states.append(state)


def make_app(
    closes: Sequence[str],
    plan: Mapping[int, Sequence[str]],
    limits: RiskLimits | None,
    period: timedelta = MINUTE,
) -> App:
    return App(
        ingestors=[Prices(closes, period)],
        portfolio=Plan(plan),
        executor=PaperExecutor(UNCAPPED),
        risk=limits,
    )


def run(
    closes: Sequence[str],
    plan: Mapping[int, Sequence[str]],
    limits: RiskLimits | None,
    period: timedelta = MINUTE,
    **options: Any,
) -> tuple[BacktestResult, Plan]:
    app = make_app(closes, plan, limits, period)
    assert isinstance(app.portfolio, Plan)
    return backtest.run(app, **options), app.portfolio


def only(**limits: Any) -> RiskLimits:
    """Return limits with those that are on by default turned off."""
    off = {"price_collar": None, "max_orders_per_second": None, "duplicate_seconds": None}
    return RiskLimits(**{**off, **limits})


def walk(seed: int, count: int) -> list[str]:
    steps, price, closes = Random(seed), Fraction(100), []
    for _ in range(count):
        price = max(price + Fraction(steps.randint(-300, 300), 100), Fraction(50))
        closes.append(f"{float(price):.2f}")
    return closes


def test_quantity_at_the_limit_passes_and_just_above_is_denied() -> None:
    plan = {1: ["9.99"], 2: ["10"], 3: ["10.01"]}
    result, portfolio = run(["50"] * 5, plan, only(max_order_quantity=10))
    assert [f"{fill.quantity}" for fill in result.fills] == ["9.99", "10"]
    assert portfolio.denied == [(3, "max_order_quantity")]
    [denied] = result.denials
    # A bar is known at its end: the third one, of 14:32, at 14:33.
    assert denied.time == START + 3 * MINUTE
    assert (denied.reason, denied.count, denied.symbol) == ("max_order_quantity", 1, "AAA")
    assert denied.detail == "quantity 10.01 is above 10"
    assert result.limits == "on"
    assert result.denied_orders == 1
    assert result.stats.rejected_orders == 0
    assert result.problems == (
        (
            "1 order was denied by the risk limit max_order_quantity, AAA on 2024-01-02 14:33: "
            "quantity 10.01 is above 10"
        ),
    )


@pytest.mark.parametrize("seed", range(3))
def test_orders_above_a_notional_are_those_that_arithmetic_finds(seed: int) -> None:
    closes, sizes = walk(seed, 200), Random(seed + 100)
    quantities = {bar: sizes.randint(1, 30) for bar in range(1, 199)}
    limit = 1_500
    above = [bar for bar, held in quantities.items() if held * Fraction(closes[bar - 1]) > limit]
    assert 20 < len(above) < 180
    plan = {bar: [str(quantity)] for bar, quantity in quantities.items()}
    result, portfolio = run(closes, plan, only(max_order_notional=limit))
    assert [bar for bar, _ in portfolio.denied] == above
    assert len(result.fills) == len(quantities) - len(above)
    [denied] = result.denials
    first = above[0]
    value = quantities[first] * Fraction(closes[first - 1])
    assert denied.count == len(above)
    assert f"is {float(value):.2f}, above {limit}" in denied.detail


@pytest.mark.parametrize("seed", range(3))
def test_position_is_held_at_its_largest_value(seed: int) -> None:
    """One share each bar: held, on its way and asked for together, at the last price."""
    closes, limit = walk(seed, 60), 2_000
    held, denied = 0, []
    for bar, price in enumerate(closes, 1):
        if (held + 1) * Fraction(price) > limit:
            denied.append(bar)
        else:
            held += 1
    plan = {bar: ["1"] for bar in range(1, 61)}
    result, portfolio = run(closes, plan, only(max_symbol_notional=limit))
    assert [bar for bar, _ in portfolio.denied] == denied
    # The order of the last bar has none to fill on.
    assert sum(fill.quantity for fill in result.fills) == held - (60 not in denied)


def losing(second: str, limit: int) -> tuple[BacktestResult, Plan]:
    """Buy 10 at 100 on the second bar; the price goes to ``second`` on the fourth."""
    plan = {1: ["10"], 4: ["1", "-4"], 6: ["1", "-8", "-6"]}
    closes = ["100", "100", "99", second, second, second, second, second]
    return run(closes, plan, only(max_daily_loss=limit))


def test_daily_loss_just_below_its_limit_restricts_nothing() -> None:
    result, portfolio = losing("70.01", 300)  # 10 * (100 - 70.01) = 299.90
    assert not result.denials
    assert portfolio.states == []
    assert [fill.signed_quantity for fill in result.fills] == [10, 1, -4, 1, -8, -6]


def test_daily_loss_at_its_limit_lets_only_exits_leave_until_the_end() -> None:
    result, portfolio = losing("70", 300)
    assert portfolio.states == [TradingState.REDUCING]
    assert portfolio.denied == [(4, "reducing"), (6, "reducing"), (6, "reducing")]
    # 10 - 4 = 6 are left; 8 are cut to 6, and then nothing is left to reduce.
    assert [fill.signed_quantity for fill in result.fills] == [10, -4, -6]
    assert (result.denied_orders, result.denials[0].reason) == (3, "reducing")
    assert result.account.position("AAA").quantity == 0
    restricted = [line for line in result.problems if line.startswith("trading is reducing")]
    assert len(restricted) == 1
    assert "from 2024-01-02 14:34 to the end" in restricted[0]
    assert "the loss of this UTC day is 300, which reaches 300" in restricted[0]
    assert any("is cut to sell 6 AAA market" in line for line in result.problems)


@pytest.mark.parametrize(
    ("zone", "start", "restricted"),
    [
        ("UTC", "00:00", True),
        ("America/New_York", "11:00", True),
        ("America/New_York", "11:01", False),
    ],
)
def test_day_of_the_loss_begins_where_the_limits_say(
    zone: str, start: str, *, restricted: bool
) -> None:
    """200 are lost at 11:00 in New York, and 200 more at 12:00.

    A day that begins at 11:00 has both, as the first is seen when it begins.
    """
    closes = ["100", "100", "80", "80", "60", "60"]
    limits = only(max_daily_loss=300, day_zone=zone, session_start=start)
    # Of half an hour each from 9:30 on in New York, so that the third one ends at 11:00.
    result, portfolio = run(closes, {1: ["10"], 5: ["1"]}, limits, timedelta(minutes=30))
    assert portfolio.states == ([TradingState.REDUCING] if restricted else [])
    assert result.denied_orders == int(restricted)


def test_rate_of_orders_is_that_of_simulated_time() -> None:
    """One a minute and one at once: of an order each half minute, every second one passes."""
    limits = only(
        max_orders_per_second=1 / 64, burst=1, symbol_burst=0, max_breaches=1000, exit_burst=1
    )
    plan = {bar: ["1"] for bar in range(1, 21)}
    result, portfolio = run(["50"] * 21, plan, limits, timedelta(seconds=32))
    assert portfolio.denied == [(bar, "max_orders_per_second") for bar in range(2, 21, 2)]
    assert len(result.fills) == 10


def test_rate_that_is_broken_too_often_halts_trading_and_cancels_what_works() -> None:
    limits = only(
        max_orders_per_second=1 / 3600, burst=2, symbol_burst=0, max_breaches=3,
        breach_window_seconds=600,
    )  # fmt: skip
    plan = {1: ["1", "1"], 2: ["1"], 3: ["1"], 4: ["1"], 5: ["1"], 6: ["-1"]}
    result, portfolio = run(["50"] * 8, plan, limits)
    rate = "max_orders_per_second"
    assert portfolio.denied == [(2, rate), (3, rate), (4, rate), (5, "halted"), (6, "halted")]
    assert portfolio.states == [TradingState.HALTED]
    assert {each.reason: each.count for each in result.denials} == {rate: 3, "halted": 2}
    assert [fill.signed_quantity for fill in result.fills] == [1, 1]


def test_limits_that_are_never_reached_change_no_trade() -> None:
    plan = {bar: ["1"] if bar % 3 else ["-2"] for bar in range(1, 100)}
    bare, _ = run(walk(7, 100), plan, None)
    loose = RiskLimits(max_order_quantity=1000, max_daily_loss=10**6, price_collar="0.9")
    held, _ = run(walk(7, 100), plan, loose)
    assert bare.limits == "none"
    assert held.limits == "on"
    assert held.events_digest == bare.events_digest
    assert held.trades == bare.trades
    assert list(held.equity.equity) == list(bare.equity.equity)
    assert not held.problems


def test_limits_are_off_only_when_asked_for_and_the_result_says_so() -> None:
    plan: Mapping[int, Sequence[str]] = {1: ["5"], 2: ["50"]}
    limits = only(max_order_quantity=10)
    bare, _ = run(["50"] * 4, plan, None)
    off, _ = run(["50"] * 4, plan, limits, risk=False)
    on, _ = run(["50"] * 4, plan, limits)
    assert off.events_digest == bare.events_digest
    assert (off.limits, off.denied_orders, on.denied_orders) == ("off", 0, 1)
    assert off.problems == (
        (
            "the risk limits of the app were off, as asked: on live data they may deny orders that "
            "were worked here"
        ),
    )
    assert "Risk limits were off, as requested" in render(off)
    assert "Risk limits" not in render(bare)


def test_report_and_json_count_denials_by_limit_with_the_first_case() -> None:
    plan: Mapping[int, Sequence[str]] = {1: ["11", "12"], 3: ["13"], 4: ["400"]}
    limits = only(max_order_quantity=10, allowed_symbols=["AAA"])
    result, _ = run(["50"] * 6, plan, limits)
    [row] = result.to_json()["denials"]
    assert row == {
        "reason": "max_order_quantity",
        "count": 4,
        "time": "2024-01-02T14:31:00+00:00",
        "symbol": "AAA",
        "detail": "quantity 11 is above 10",
    }
    page = render(result)
    assert "Risk limits were on, as on live data, and denied 4 orders." in page
    cells = "<td>4</td><td>2024-01-02 14:31</td><td>AAA</td><td>quantity 11 is above 10</td>"
    assert f'<th scope="row">max_order_quantity</th>{cells}' in page
    assert "denied no order" in render(run(["50"] * 3, {1: ["1"]}, limits)[0])


APP = """
from ingenium import App, RiskLimits
from test_backtest_risk import Plan, Prices
from ingenium.brokers import PaperExecutor

def app(quantity: int = 20) -> App:
    return App(
        ingestors=[Prices(["50"] * 40)], portfolio=Plan({1: [str(quantity)], 20: [str(quantity)]}),
        executor=PaperExecutor(), risk=RiskLimits(max_order_quantity=10),
    )
"""


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    path = tmp_path / "limited.py"
    path.write_text(APP)
    return str(path)


def test_command_shows_denials_and_no_risk_turns_limits_off(file: str) -> None:
    shown = CliRunner().invoke(command, ["backtest", file])
    text = " ".join(shown.output.split())
    assert "risk limits on, 2 orders denied" in text
    assert "problem: 2 orders were denied by the risk limit max_order_quantity" in text
    free = CliRunner().invoke(command, ["backtest", file, "--no-risk"])
    text = " ".join(free.output.split())
    assert "risk limits off" in text
    assert "the risk limits of the app were off, as asked" in text
    found = CliRunner().invoke(command, ["backtest", file, "--json", "--no-risk"])
    values = json.loads(found.stdout)
    assert (values["limits"], values["denials"], values["stats"]["fills"]) == ("off", [], 2)


def test_run_of_a_sweep_says_how_many_orders_were_denied(file: str) -> None:
    factory = load_factory(file, {"quantity": 20})
    digest = sources_digest(file, factory)
    denied = run_task(Task(file, digest, {"quantity": 20}))
    passed = run_task(Task(file, digest, {"quantity": 10}))
    assert (denied.error, denied.denied_orders, denied.figures["fills"]) == ("", 2, 0)
    assert (passed.error, passed.denied_orders, passed.figures["fills"]) == ("", 0, 2)
    task = Task(file, digest, {"quantity": 20})
    assert type(denied).from_json(denied.to_json(task))[1] == denied
    assert "denied_orders" not in passed.to_json(task)


def test_limits_are_no_look_ahead(file: str) -> None:
    assert check_lookahead(file) == []


def test_rejection_by_an_executors_gate_is_a_denial_where_there_are_gates_only() -> None:
    denials = Denials()
    assert not denials.add_rejection("max_order_quantity: quantity 3 is above 2", "A", START)
    denials.is_gated = True
    assert denials.add_rejection("max_order_quantity: quantity 3 is above 2", "A", START)
    assert not denials.add_rejection("not enough cash: 3 to pay", "A", START)
    assert not denials.add_rejection("halted", "A", START)
    [found] = denials.listed()
    assert (found.reason, found.detail, found.count) == (
        "max_order_quantity", "quantity 3 is above 2", 1,
    )  # fmt: skip


def test_figures_are_exact_decimals() -> None:
    plan: Mapping[int, Sequence[str]] = {1: ["3"]}
    result, _ = run(["33.33", "33.34", "33.34"], plan, only(max_order_notional=Decimal("99.99")))
    assert not result.denials  # 3 * 33.33 is 99.99
    result, _ = run(["33.34", "33.34", "33.34"], plan, only(max_order_notional=Decimal("99.99")))
    assert result.denials[0].detail == "3 at 33.34 is 100.02, above 99.99"
