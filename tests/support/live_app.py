"""A live app for tests, whose portfolio sends orders for signals and whose broker fills them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from support.running import running, until

from ingenium.config import Settings
from ingenium.operations.apps import find_app
from ingenium.operations.component_services import RunningComponent, services_of
from ingenium.operations.component_services import command as send_command
from ingenium.operations.status import AppStatus, status_of

__all__ = [
    "APP",
    "commands_reach",
    "obeys_an_operator",
    "services_in",
    "status_in",
    "with_program",
]

APP = """
import asyncio, os
from datetime import UTC, datetime, timedelta

from ingenium import (
    App, Bar, ExecutionEvent, Executor, Ingestor, RiskLimits, Signal, Strategy,
)
from ingenium.portfolios import FixedQuantity

class Ticks(Ingestor):
    async def ingest(self):
        for minute in range(100_000):
            price = str(100 + minute * 3 % 7)
            bar = Bar.make(
                "AAPL", datetime(2024, 1, 1, tzinfo=UTC) + timedelta(minutes=minute),
                open=price, high=price, low=price, close=price, volume="100000",
                period=timedelta(minutes=1),
            )
            self.send_data(bar.event)
            await asyncio.sleep(0.05)

class Turns(Strategy):
    def on_bar(self, bar):
        on_bar(bar)
        self.send_signal(bar.symbol, Signal.SHORT if bar.close > 103 else Signal.LONG)

class FillAll(Executor):
    def on_order(self, event):
        self.send_execution(ExecutionEvent(
            order_id=event.id, symbol=event.symbol, side=event.side, quantity=event.quantity,
            price="100", update="filled",
        ))

def on_bar(bar):
    pass

def app():
    return App(name="live", ingestors=[Ticks()], strategies=[Turns()],
               portfolio=FixedQuantity(10), executor=FillAll(),
               risk=RiskLimits(
                   max_orders_per_second=None, duplicate_seconds=None, price_collar=None))
"""

_WITH_PROGRAM = """
from ingenium import External

def with_program():
    made = app()
    return App(name="live", ingestors=made.ingestors, portfolio=made.portfolio,
               executor=made.executor, risk=made.risk,
               strategies=[*made.strategies, External(
                   "strategy", {command}, name="rsi", symbols=["AAPL"])])
"""


def with_program(command: Sequence[str]) -> str:
    """Return the app with a further strategy ``rsi`` in its function ``with_program``."""
    return APP + _WITH_PROGRAM.format(command=list(command))


def obeys_an_operator(folder: Path, command: Sequence[str]) -> None:
    """Run the app with a program as a strategy on AAPL, and pause, resume and stop that.

    Args:
        folder: Where the app runs.
        command: Starts the program.
    """
    (folder / "app.py").write_text(with_program(command))
    with running("run", "app.py:with_program", cwd=folder) as app:
        app.until_line("all is ready")
        until(lambda: _handled(folder) > 3, "the program handles bars")
        commands_reach(folder)
    # What stops a program does not fail it, and nothing starts it again.
    assert "started again" not in app.out + app.err
    assert "is stopped by an operator" in app.out + app.err
    assert "cannot reach the server" not in app.out + app.err


def commands_reach(folder: Path) -> None:
    """Pause, resume and stop ``rsi`` of the app that runs in a folder."""

    def say(what: str) -> bool:
        place = find_app(Settings(data_directory=folder / ".ingenium"), "live")
        return asyncio.run(send_command(place, "rsi", what, "ann@trader-1")).paused

    assert say("pause")
    before = services_in(folder)["rsi"].handled
    others = services_in(folder)["turns"].handled
    until(lambda: services_in(folder)["turns"].handled > others + 5, "the other strategy goes on")
    assert services_in(folder)["rsi"].handled == before
    assert not say("resume")
    until(lambda: services_in(folder)["rsi"].handled > before, "it handles bars again")
    say("stop")
    until(lambda: "rsi" not in services_in(folder), "it has ended")
    assert "turns" in services_in(folder)


def _handled(folder: Path) -> int:
    row = services_in(folder).get("rsi")
    return row.handled if row else 0


def services_in(folder: Path) -> dict[str, RunningComponent]:
    """Return the components of the app that runs in a folder, as services."""
    place = find_app(Settings(data_directory=folder / ".ingenium"), "live")
    return {row.name: row for row in asyncio.run(services_of(place))}


def status_in(folder: Path) -> AppStatus:
    """Return the status of the app that runs, or ran, in a folder."""
    settings = Settings(data_directory=folder / ".ingenium")
    return asyncio.run(status_of(find_app(settings, "live")))
