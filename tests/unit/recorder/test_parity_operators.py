"""What operators did to a live run, planted in its recording, and named by ``ingenium parity``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from sqlalchemy import insert
from support.live_recording import LiveEvent
from support.parity_recording import Recorded

from ingenium.events import ControlEvent, DataEvent, ExecutionEvent, OrderEvent, SignalEvent
from ingenium.recorder.operator_acts import acts_of
from ingenium.recorder.parity_causes import CauseClass
from ingenium.recorder.parity_result import Parity
from ingenium.recorder.record_table import time_text
from ingenium.recorder.schema import EVENTS

SECOND = 10**9


@pytest.fixture
def recorded(tmp_path: Path) -> Recorded:
    return Recorded(tmp_path)


def command(what: str, component: str, at: int) -> tuple[int, bytes]:
    """Make a command as it is stored: when, and its payload."""
    values = {"Component": component, "Command": what, "Sender": "ann@trader-1"}
    return at, json.dumps(values).encode()


def add_commands(recorded: Recorded, *commands: tuple[int, bytes]) -> None:
    """Record commands behind all other events of the stream."""
    assert recorded.database is not None
    rows = [
        {
            "stream": "walk/INGENIUM", "sequence": 10_000 + number, "type": "", "id": "",
            "subject": "ingenium.control.component", "cause": "", "time": at, "received": at,
            "headers": b"", "body": payload, "source": "",
        }
        for number, (at, payload) in enumerate(commands)
    ]  # fmt: skip
    with recorded.database.engine.begin() as connection:
        connection.execute(insert(EVENTS), rows)


def without_a_signal(cut: dict[str, int]) -> object:
    """Return what takes the 8th signal, its order and its fill from a run, and notes its bar."""

    def plant(events: list[LiveEvent]) -> list[LiveEvent]:
        signal = [e for e in events if isinstance(e.event, SignalEvent)][8]
        cut["bar"] = signal.cause + 40_000
        gone = {
            e.event.id
            for e in events
            if isinstance(e.event, OrderEvent)
            and (e.cause, e.event.symbol) == (signal.cause, signal.event.symbol)
        }
        return [
            e
            for e in events
            if e is not signal
            and e.event.id not in gone
            and not (isinstance(e.event, ExecutionEvent) and e.event.order_id in gone)
        ]

    return plant


def top_of(found: Parity) -> tuple[CauseClass, str, str]:
    assert found.first is not None
    return found.first.cause, str(found.first.pair.either.kind), found.first.text


def test_pause_of_a_strategy_is_the_cause_of_a_missing_signal(recorded: Recorded) -> None:
    cut: dict[str, int] = {}
    recorded.record(plant=without_a_signal(cut))  # type: ignore[arg-type]
    cause, kind, _ = top_of(recorded.compare())
    assert (cause, kind) == (CauseClass.UNEXPLAINED, "signal")
    began = cut["bar"] - 5 * SECOND
    add_commands(
        recorded,
        command("pause", "sma-cross", began),
        command("resume", "sma-cross", cut["bar"] + 5 * SECOND),
    )
    assert top_of(recorded.compare()) == (
        CauseClass.SETTINGS,
        "signal",
        f"sma-cross was paused by ann@trader-1 at {time_text(began)}",
    )


@pytest.mark.parametrize(
    ("what", "component", "ahead", "length"),
    [
        ("pause", "fixed-quantity", 5, 10),  # It sends no signals.
        ("pause", "sma-cross", 60, 30),  # It was resumed before the bar.
        ("pause", "sma-cross", -30, 30),  # It came after it.
        ("log-level", "sma-cross", 5, 10),
    ],
)
def test_command_that_cannot_be_the_cause_is_not_named(
    recorded: Recorded, what: str, component: str, ahead: int, length: int
) -> None:
    cut: dict[str, int] = {}
    recorded.record(plant=without_a_signal(cut))  # type: ignore[arg-type]
    began = cut["bar"] - ahead * SECOND
    add_commands(
        recorded,
        command(what, component, began),
        command("resume", component, began + length * SECOND),
    )
    cause, _, text = top_of(recorded.compare())
    # A pause before it may have left the component in another state.
    is_before = ahead == 60
    assert cause is (CauseClass.SETTINGS if is_before else CauseClass.UNEXPLAINED)
    assert text.startswith("before it, " if is_before else "data, settings and code are equal")


def test_halt_that_canceled_an_order_is_named_with_its_reason(recorded: Recorded) -> None:
    when: list[int] = []

    def halted(events: list[LiveEvent]) -> list[LiveEvent]:
        fill = [e for e in events if getattr(e.event, "update", "") == "filled"][4]
        fill.event.update, fill.event.quantity, fill.event.price = "canceled", "0", None
        fill.event.reason = "trading is halted"
        bars = [e.received for e in events if isinstance(e.event, DataEvent)]
        when.append(max(each for each in bars if each < fill.received) - SECOND // 2)
        control = ControlEvent(
            id="control_1", state="halted", reason="a rumor", sender="ann@trader-1"
        )
        again = ControlEvent(id="control_2", state="active", sender="ann@trader-1")
        return [
            *events, LiveEvent(control, when[0]), LiveEvent(again, when[0] + 50 * SECOND)
        ]  # fmt: skip

    recorded.record(plant=halted)
    cause, kind, text = top_of(recorded.compare())
    assert (cause, kind) == (CauseClass.SETTINGS, "fill")
    halt, _, ending = text.partition(": a rumor: ")
    assert halt == f"trading was halted by ann@trader-1 at {time_text(when[0])}"
    assert ending == "canceled in the live run: trading is halted"


def test_acts_end_with_a_resume_a_new_start_or_never() -> None:
    commands = [
        command("pause", "a", 10),
        command("pause", "a", 11),
        (12, b"no command"),
        (13, b"[]"),
        command("resume", "a", 20),
        command("resume", "a", 21),
        command("stop", "b", 30),
        command("pause", "c", 40),
        command("pause", "a", 60),
    ]
    controls = [(15, "halted", "x", "ann"), (25, "reducing", "", "bob"), (35, "active", "", "bob")]
    acts = acts_of(commands, controls, [5, 50])
    always = 2**63 - 1
    assert [(each.begin, each.end, each.component) for each in acts] == [
        (10, 20, "a"),
        (15, 25, ""),
        (25, 35, ""),
        (30, 50, "b"),
        (40, 50, "c"),
        (60, always, "a"),
    ]
    assert [each.text.split(" at ")[0] for each in acts] == [
        "a was paused by ann@trader-1",
        "trading was halted by ann",
        "trading was reducing by bob",
        "b was stopped by ann@trader-1",
        "c was paused by ann@trader-1",
        "a was paused by ann@trader-1",
    ]
