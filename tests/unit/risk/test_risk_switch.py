"""The switch of trading: the strictest source wins, and nothing but an operator releases it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any

import pytest

from ingenium.events import ControlEvent, TradingState
from ingenium.risk import TradingSwitch, is_operator

NOW = datetime(2024, 1, 2, tzinfo=UTC)
ANN = "ann@trader-1"
ACTIVE, REDUCING, HALTED = TradingState


def control(id: str, state: str, sender: str = ANN, **fields: Any) -> ControlEvent:
    values: dict[str, Any] = {"timestamp": NOW, "reason": "because"}
    return ControlEvent(id=id, state=state, sender=sender, **(values | fields))


def restarted(switch: TradingSwitch) -> TradingSwitch:
    again = TradingSwitch()
    again.restore(json.loads(json.dumps(switch.state_row())), NOW)
    return again


@pytest.mark.parametrize(
    ("sender", "is_one"),
    [
        (ANN, True),
        ("paper", False),
        ("", False),
        ("@", False),
        ("ann@", False),
        ("@trader-1", False),
        (" @ ", False),
    ],
)
def test_operators_are_persons_at_machines(sender: str, is_one: bool) -> None:
    assert is_operator(sender) is is_one


def test_trading_is_active_until_somebody_says_otherwise() -> None:
    switch = TradingSwitch()
    assert switch.state is ACTIVE
    assert switch.standing is None


@pytest.mark.parametrize("state", ["reducing", "halted"])
@pytest.mark.parametrize("sender", [ANN, "paper"])
def test_control_event_restricts_and_only_an_operator_releases(state: str, sender: str) -> None:
    switch = TradingSwitch()
    assert switch.apply(control("1", state, sender))
    assert switch.state == state
    assert not switch.apply(control("2", "active", "paper"))
    assert not switch.apply(control("3", "active", ""))
    assert switch.state == state
    assert switch.apply(control("4", "active"))
    assert switch.state is ACTIVE


def test_component_that_says_reducing_does_not_soften_a_halt_but_an_operator_does() -> None:
    switch = TradingSwitch()
    switch.apply(control("1", "halted"))
    assert switch.apply(control("2", "reducing", "paper"))
    assert switch.state is HALTED
    switch.apply(control("3", "reducing"))
    assert switch.state is REDUCING


@pytest.mark.parametrize("word", ["", "paused", "ACTIVE", "active "])
def test_word_that_is_no_state_halts(word: str) -> None:
    switch = TradingSwitch()
    switch.apply(control("1", word))
    assert switch.state is HALTED
    assert repr(word) in switch.standing.reason


def test_old_release_that_comes_again_changes_nothing() -> None:
    switch = TradingSwitch()
    switch.apply(control("1", "active"))
    switch.apply(control("2", "halted"))
    switch.apply(control("1", "active"))
    assert switch.state is HALTED
    switch = restarted(switch)
    switch.apply(control("1", "active"))
    assert switch.state is HALTED


def test_own_decision_holds_at_once_and_outlives_a_release_that_is_older() -> None:
    switch = TradingSwitch()
    assert switch.decide(HALTED, "runaway", "portfolio", NOW)
    assert switch.state is HALTED
    [standing] = switch.unannounced()
    switch.announced(standing, "own")
    assert switch.unannounced() == []
    # In the stream this stands before the decision's own event, so it was said before it.
    switch.apply(control("1", "active"))
    assert switch.state is HALTED
    switch.apply(control("own", "halted", "portfolio"))
    assert switch.state is HALTED
    switch.apply(control("2", "active"))
    assert switch.state is ACTIVE


def test_own_decision_survives_a_restart_before_it_was_announced() -> None:
    switch = TradingSwitch()
    switch.decide(REDUCING, "loss", "portfolio", NOW)
    switch = restarted(switch)
    [standing] = switch.unannounced()
    assert (standing.state, standing.reason, standing.time) == (REDUCING, "loss", NOW)
    switch.announced(standing, "own")
    assert restarted(switch).unannounced() == []
    assert restarted(switch).state is REDUCING


def test_decision_that_restricts_nothing_further_is_none() -> None:
    switch = TradingSwitch()
    switch.apply(control("1", "halted"))
    assert not switch.decide(REDUCING, "loss", "portfolio", NOW)
    assert not switch.decide(HALTED, "runaway", "portfolio", NOW)
    assert switch.unannounced() == []
    assert not switch.decide(ACTIVE, "no reason", "portfolio", NOW)


def test_file_holds_against_releases_and_needs_one_when_it_is_gone() -> None:
    switch = TradingSwitch()
    switch.hold("/halt", HALTED, "file", NOW)
    switch.apply(control("1", "active"))
    assert switch.state is HALTED
    assert restarted(switch).state is HALTED
    switch.let_go("/halt")
    assert switch.state is HALTED
    switch.apply(control("2", "active"))
    assert switch.state is ACTIVE
    switch.let_go("/never-there")
    assert switch.state is ACTIVE


def test_file_that_is_gone_does_not_soften_what_was_said() -> None:
    switch = TradingSwitch()
    switch.apply(control("1", "halted"))
    switch.hold("/reduce", REDUCING, "file", NOW)
    switch.let_go("/reduce")
    assert switch.state is HALTED


@pytest.mark.parametrize("order", list(permutations(["said", "own", "held"])))
def test_strictest_source_wins_whatever_came_first(order: tuple[str, ...]) -> None:
    for strict in order:
        switch = TradingSwitch()
        for source in order:
            state = HALTED if source == strict else REDUCING
            if source == "said":
                switch.apply(control("1", state.value))
            elif source == "own":
                switch.decide(state, "own", "portfolio", NOW)
            else:
                switch.hold("/file", state, "file", NOW)
        assert switch.state is HALTED
        assert restarted(switch).state is HALTED
        assert switch.standing.state is HALTED


def test_symbols_halt_alone_and_are_released_by_what_an_operator_says_later() -> None:
    switch = TradingSwitch()
    assert switch.halt_symbol("AAPL", "over-fill", "paper", NOW)
    assert not switch.halt_symbol("AAPL", "again", "paper", NOW)
    assert switch.state is ACTIVE
    assert switch.halted_symbols["AAPL"].reason == "over-fill"
    assert set(restarted(switch).halted_symbols) == {"AAPL"}
    switch.apply(control("1", "active", timestamp=NOW - timedelta(seconds=1)))
    switch.apply(control("2", "active", timestamp=None))
    switch.apply(control("3", "active", "paper", timestamp=NOW + timedelta(days=1)))
    assert set(switch.halted_symbols) == {"AAPL"}
    switch.apply(control("4", "active", timestamp=NOW))
    assert not switch.halted_symbols


@pytest.mark.parametrize(
    "row",
    [
        None,
        [],
        "active",
        {"said": "active"},
        {"said": {"state": "idle", "reason": "", "sender": ""}},
        {"unknown": 1},
        {"said": {"state": "reducing", "reason": "", "sender": "", "time": "2024-01-01T00:00:00"}},
    ],
)
def test_stored_state_that_cannot_be_read_halts(row: object) -> None:
    switch = TradingSwitch()
    switch.restore(row, NOW)
    assert switch.state is HALTED
    assert "cannot be read" in switch.standing.reason
    switch.apply(control("1", "active"))
    assert switch.state is ACTIVE


def test_restart_keeps_a_halt_through_any_number_of_restarts() -> None:
    switch = TradingSwitch()
    switch.apply(control("1", "halted"))
    for _ in range(3):
        switch = restarted(switch)
        assert switch.state is HALTED
        assert (switch.standing.sender, switch.standing.reason) == (ANN, "because")
