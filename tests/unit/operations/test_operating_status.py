"""What an operator sees of components from the files beside them."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from rich.console import Console

from ingenium.cli import status as command
from ingenium.components import Executor, Portfolio, arm, handle_of
from ingenium.components.base import role_of
from ingenium.config import Settings
from ingenium.events import ControlEvent, ExecutionEvent, Side
from ingenium.operations.apps import LocalApp
from ingenium.operations.status import status_of
from ingenium.runtime.durable import Store
from ingenium.runtime.durable.store import Change
from ingenium.trading import Order

NOW = datetime(2024, 1, 2, 15, tzinfo=UTC)


def keep(folder: Path, component: Portfolio | Executor) -> None:
    """Write down a component's state, as one who runs it does."""
    store = Store.open(folder / "state" / f"{component.name}.db", owner="a test")
    store.set_meta("role", role_of(component))
    store.commit(Change(rows=dict(handle_of(component).state_rows())))
    store.close()


def holding(quantity: str) -> Portfolio:
    """A portfolio that has bought, behind a gate."""
    portfolio = Portfolio(100_000)
    arm(portfolio)
    handle_of(portfolio).begin("bought", NOW)
    order = portfolio.send_order("A", "buy", quantity)
    handle_of(portfolio).handle_execution(
        ExecutionEvent(
            id="e1",
            order_id=order.id,
            quantity=quantity,
            price="10",
            update="filled",
            timestamp=NOW,
        )
    )
    handle_of(portfolio).take()
    return portfolio


async def test_denied_exits_are_shown_until_somebody_has_looked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    portfolio, executor = holding("10"), Executor("broker")
    handle_of(portfolio).handle_control(
        ControlEvent(id="c1", state="halted", sender="ann@trader-1", reason="lunch")
    )
    handle_of(portfolio).begin("closes", NOW)
    portfolio.send_order("A", "sell", "10")
    arm(executor)
    handle_of(executor).begin("x", NOW)
    handle_of(executor).risk.account.adopt("A", Decimal(10), Decimal(10))
    handle_of(executor).risk.halt("a test")
    handle_of(executor).risk.admit(Order(id="o", symbol="A", side=Side.SELL, quantity=Decimal(4)))
    for component in (portfolio, executor):
        keep(tmp_path, component)
    place = LocalApp("desk", tmp_path, Settings())
    found = await status_of(place)
    denied = {component.name: component.denied_exits for component in found.components}
    why = "2024-01-02T15:00:00Z halted: EXIT DENIED"
    assert denied == {
        "portfolio": {
            "A": f"{why}, sell 10 A market only reduces the position of 10: trading is halted by "
            "ann@trader-1: lunch"
        },
        "broker": {
            "A": f"{why}, sell 4 A market only reduces the position of 10: trading is halted by "
            "broker: a test"
        },
    }
    command._print(Console(width=300), found)
    lines = [line for line in capsys.readouterr().out.splitlines() if "ALARM" in line]
    assert lines == [
        f"  ALARM       portfolio, A: {denied['portfolio']['A']}",
        f"  ALARM       broker, A: {denied['broker']['A']}",
    ]
    for event in handle_of(executor).take():
        if isinstance(event, ControlEvent):
            handle_of(executor).handle_control(event)  # comes back from the stream
    handle_of(portfolio).handle_control(
        ControlEvent(id="c2", state="active", sender="ann@trader-1")
    )
    handle_of(executor).handle_control(ControlEvent(id="c2", state="active", sender="ann@trader-1"))
    for component in (portfolio, executor):
        keep(tmp_path, component)
    found = await status_of(place)
    assert all(not component.denied_exits for component in found.components)
    command._print(Console(width=300), found)
    assert "ALARM" not in capsys.readouterr().out


async def test_status_of_components_without_a_gate_or_with_a_row_of_another_kind(
    tmp_path: Path,
) -> None:
    for name, rows in (("a", {}), ("b", {"gate": b"[]"}), ("c", {"gate": b'{"denied_exits":1}'})):
        store = Store.open(tmp_path / "state" / f"{name}.db", owner="a test")
        store.commit(Change(rows=dict(rows)))
        store.close()
    found = await status_of(LocalApp("desk", tmp_path, Settings()))
    assert [component.denied_exits for component in found.components] == [{}, {}, {}]
