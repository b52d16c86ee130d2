"""The gate and the kill switch of components on a real stream, over restarts."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from support.delivering import Desk, EverySignal, FillAll, connected, jetstream

from ingenium.bus import NatsBus
from ingenium.bus.nats.stream_layout import MONEY_STREAM, open_stream
from ingenium.bus.stream import MESSAGE_ID
from ingenium.components import Component, arm
from ingenium.components.handle_of import risk_of
from ingenium.events import ControlEvent, DenialEvent, TradingState, decode, encode
from ingenium.risk import RiskLimits
from ingenium.subjects.names import DENIAL, ORDER, TRADING

MakeServer = Callable[[str], Any]
LIMITS = RiskLimits(max_orders_per_second=0.001, burst=3, symbol_burst=0, duplicate_seconds=None)


@pytest.fixture
def desk(make_server: MakeServer, tmp_path: Path) -> Desk:
    return Desk(make_server(jetstream(tmp_path / "store")).url, tmp_path)


def armed(component: Any) -> Any:
    arm(component, LIMITS)
    return component


def state(component: Component) -> TradingState:
    risk = risk_of(component)
    assert risk is not None
    assert risk.gate is not None
    return risk.gate.switch.state


async def say(bus: NatsBus, id: str, word: str) -> None:
    event = ControlEvent(
        id=id, state=word, reason="looked", sender="ann@trader-1", timestamp=datetime.now(UTC)
    )
    stream = await open_stream(bus, MONEY_STREAM)
    await stream.append(TRADING, encode(event), {MESSAGE_ID: id})


async def wait_for(desk: Desk, word: str, *components: Component) -> None:
    async def reached() -> bool:
        return all(state(component) == word for component in components)

    await desk.until(reached, f"{word} everywhere")


async def denials(desk: Desk, bus: NatsBus, count: int) -> list[str]:
    found: list[str] = []

    async def enough() -> bool:
        records = await desk.records(bus, DENIAL)
        found[:] = [decode(DenialEvent, r.message.payload).reason for r in records]
        return len(found) >= count

    await desk.until(enough, f"{count} denials")
    return found


async def test_runaway_halts_both_for_good_and_an_operator_releases_them(desk: Desk) -> None:
    """Faults 51 and 53: exactly the burst goes out, and restarts change nothing."""
    async with connected(desk.url) as bus:
        portfolio, executor = armed(EverySignal()), armed(FillAll(desk.ledger))
        async with desk.running(executor), desk.running(portfolio):
            for number in range(8):
                await desk.signal(bus, number)
            found = await denials(desk, bus, 5)
            assert found == ["max_orders_per_second"] * 3 + ["halted"] * 2
            await wait_for(desk, "halted", portfolio, executor)
        assert len(await desk.records(bus, ORDER)) == 3
        [record] = await desk.records(bus, TRADING)
        said = decode(ControlEvent, record.message.payload)
        assert (said.state, said.sender) == ("halted", "every-signal")

        # The executor's file is lost: what was said last holds for it all the same.
        for file in desk.folder.glob("fill-all.db*"):
            file.unlink()
        portfolio, executor = armed(EverySignal()), armed(FillAll(desk.ledger))
        async with desk.running(executor), desk.running(portfolio):
            assert state(portfolio) is TradingState.HALTED
            await wait_for(desk, "halted", executor)
            await desk.signal(bus, 8)
            assert (await denials(desk, bus, 6))[-1] == "halted"
            await say(bus, "control_1", "active")
            await wait_for(desk, "active", portfolio, executor)
            await desk.signal(bus, 9)

            async def went_out() -> bool:
                return len(await desk.records(bus, ORDER)) == 4

            await desk.until(went_out, "an order")


async def test_kill_switch_pressed_while_nobody_runs_holds_at_the_next_start(desk: Desk) -> None:
    async with connected(desk.url) as bus:
        async with desk.running(armed(EverySignal())):
            await desk.signal(bus, 0)
        await say(bus, "control_1", "halted")
        portfolio = armed(EverySignal())
        async with desk.running(portfolio):
            await desk.signal(bus, 1)
            assert await denials(desk, bus, 1) == ["halted"]
            assert state(portfolio) is TradingState.HALTED
        assert len(await desk.records(bus, ORDER)) == 1
