"""The view of ``ingenium top``, as text and on a screen."""

from __future__ import annotations

import asyncio
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest
from typer.testing import CliRunner

from ingenium.cli.main import application
from ingenium.cli.top_screen import TopScreen
from ingenium.cli.top_view import text_of_view
from ingenium.config import Settings
from ingenium.errors import BusConnectError, MissingDependencyError
from ingenium.operations import live_rates
from ingenium.operations.account_money import AppMoney, PositionView
from ingenium.operations.apps import LocalApp, find_app
from ingenium.operations.component_services import RunningComponent
from ingenium.operations.live_rates import RateReader
from ingenium.operations.status import AppStatus
from ingenium.operations.today import FillView, Today

TIME = datetime(2024, 1, 2, 15, 30, tzinfo=UTC)


class Clock:
    """Counters of two components, which a reader looks at."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.seconds = 100.0
        self.handled, self.sent = 1000, 10
        self.fails = False
        self.name, self.event, self.at = "rsi", "DataEvent AAPL", TIME
        monkeypatch.setattr(live_rates, "status_of", self.status_of)
        monkeypatch.setattr(live_rates, "services_of", self.services_of)

    async def status_of(self, *_: Any) -> AppStatus:
        money = AppMoney(equity="100030.50", cash="99000")
        money.positions = [
            PositionView("AAPL", "10", "100", "103", None, "30", "7"),
        ]
        money.open_positions = 1
        money.today = Today(TIME.date())
        money.today.fills = [FillView(TIME, "AAPL", "buy", "10", "100", "", "order_1", "exec_1")]
        return AppStatus("live", trading="active", money=money)

    async def services_of(self, _: LocalApp) -> list[RunningComponent]:
        if self.fails:
            raise BusConnectError("app 'live' has no server that runs")
        row = RunningComponent("live", self.name, "portfolio", "typescript", "life_1")
        row.handled, row.sent, row.lag_seconds, row.state = self.handled, self.sent, 0.25, "ready"
        row.last_event, row.last_time = self.event, self.at
        return [row]


@pytest.fixture
def reader(tmp_path: Path) -> RateReader:
    return RateReader(find_app(Settings(data_directory=tmp_path), "live"), {})


async def test_rates_are_those_between_two_looks(
    reader: RateReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(monkeypatch)
    loop = asyncio.get_running_loop()
    monkeypatch.setattr(loop, "time", lambda: clock.seconds)
    first = await reader.observe()
    assert first.rates["life_1"].handled is None
    clock.seconds += 4
    clock.handled += 50
    clock.sent += 2
    second = await reader.observe()
    monkeypatch.undo()
    assert (second.rates["life_1"].handled, second.rates["life_1"].sent) == (12.5, 0.5)
    text = text_of_view(second, 200)
    assert text.startswith("live: active, ")
    for what in ("equity 100030.50", "rsi", "portfolio", "12.5", "0.2 s", "DataEvent AAPL"):
        assert what in text, text
    assert "FILL    buy 10 AAPL at 100" in text
    assert "positions, 1 open" in text


@pytest.mark.parametrize(
    ("width", "omitted"),
    [
        (80, ["role", "language", "last event", "at"]),
        (100, ["role", "language", "at"]),
        (140, []),
    ],
)
async def test_narrow_view_omits_what_changes_least(
    reader: RateReader, monkeypatch: pytest.MonkeyPatch, width: int, omitted: list[str]
) -> None:
    clock = Clock(monkeypatch)
    clock.name, clock.event = "fixed-quantity", "ExecutionEvent AAPL"
    text = text_of_view(await reader.observe(), width - 2)
    assert max(map(len, text.splitlines()[2:5])) <= width - 2
    said = [line for line in text.splitlines() if line.startswith("no room")]
    expected = f"no room for {', '.join(omitted)}: use a wider terminal"
    assert said == ([expected] if omitted else [])


async def test_last_event_has_its_day_or_its_time_of_today(
    reader: RateReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(monkeypatch)
    assert "DataEvent AAPL  2024-01-02" in text_of_view(await reader.observe(), 200)
    clock.at = datetime.now(UTC).replace(hour=9, minute=8, second=7)
    assert "DataEvent AAPL  09:08:07Z" in text_of_view(await reader.observe(), 200)


async def test_app_without_a_server_is_shown_with_the_reason(
    reader: RateReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    Clock(monkeypatch).fails = True
    view = await reader.observe()
    assert "app 'live' has no server that runs" in text_of_view(view, 100)


async def test_screen_looks_again_and_can_be_held(
    reader: RateReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(monkeypatch)
    screen = TopScreen(reader, every=0.05)

    def shown() -> str:
        return str(cast("Any", screen.query_one("#view")).content)

    async with screen.run_test(size=(160, 40)) as pilot:
        await _until(lambda: "1,000" in shown())
        clock.handled = 2000
        await _until(lambda: "2,000" in shown())
        await pilot.press("space")
        assert screen.is_held
        await pilot.press("q")
    assert screen.return_code == 0


async def _until(condition: Any) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.01)


def test_missing_textual_is_said_with_the_cure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "ingenium.cli.top_screen")
    monkeypatch.setitem(sys.modules, "textual.app", None)
    monkeypatch.setenv("INGENIUM_DATA_DIR", str(tmp_path))
    done = CliRunner().invoke(application, ["top", "live"])
    assert isinstance(done.exception, MissingDependencyError)
    assert "pip install 'ingenium[top]', or use ingenium top --once" in str(done.exception)
