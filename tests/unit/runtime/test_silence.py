"""What a replay says of the programs that it could only give time to."""

from __future__ import annotations

import asyncio

from ingenium import App, External, Ingestor
from ingenium.events import ExecutionEvent, OrderEvent, SignalEvent
from ingenium.portfolios import FixedQuantity
from ingenium.runtime.lockstep.settle_timer import SettleTimer
from ingenium.strategies import RsiStrategy


def silence() -> SettleTimer:
    return SettleTimer(
        App(
            name="quiet",
            ingestors=[Ingestor("feed")],
            strategies=[RsiStrategy(["X"])],
            portfolio=FixedQuantity(1),
            executor=External("executor", ["true"], name="far", settle_seconds=0.01),
        )
    )


def test_only_events_of_a_role_that_is_silent_are_answers() -> None:
    it = silence()
    for kind in (SignalEvent, OrderEvent):
        it.note_answer(kind)
    assert it.inexact() == ("waited 0.01 s for far, which reports nothing; no answer came",)


def test_answers_outside_of_the_waiting_are_not_said_to_be_missing() -> None:
    it = silence()
    it.note_answer(ExecutionEvent)
    [said] = it.inexact()
    assert said.endswith("; answers came only after that time")


async def test_answer_within_the_waiting_is_timed() -> None:
    it = silence()
    asyncio.get_running_loop().call_soon(it.note_answer, ExecutionEvent)
    await it.settle(lambda: 0)
    [said] = it.inexact()
    assert "; the slowest answer took 0.00" in said
