"""What an author sees on a component: each name here is a decision."""

from __future__ import annotations

import pytest

from ingenium import Component, Executor, Ingestor, Portfolio, Strategy

COMMON = {"name", "now", "on_start", "on_stop"}
STATE = {"get_state", "set_state", "saved"}
DATA = {"on_bar", "on_data"}

NAMES: dict[type[Component], set[str]] = {
    Strategy: COMMON | STATE | DATA | {"symbols", "send_signal", "max_data_age_seconds"},
    Portfolio: COMMON
    | STATE
    | DATA
    | {"on_signal", "on_execution", "on_denied", "on_trading_state", "max_data_age_seconds"}
    | {"account", "orders", "position", "pending", "price", "problems", "report_problem"}
    | {"send_order", "cancel_order", "replace_order"},
    Executor: COMMON
    | STATE
    | DATA
    | {"on_order", "on_cancel", "on_replace", "on_trading_state"}
    | {"send_execution", "reject", "risk"},
    Ingestor: COMMON
    | {"read", "read_bars", "ingest", "send_data", "zone", "total", "files", "notes"},
}
MOST = {Strategy: 12, Portfolio: 24, Executor: 16, Ingestor: 12}


@pytest.mark.parametrize("kind", NAMES)
def test_component_shows_what_its_author_needs(kind: type[Component]) -> None:
    names = {name for name in dir(kind()) if not name.startswith("_")}
    assert names == NAMES[kind]
    assert len(names) <= MOST[kind]


@pytest.mark.parametrize("kind", NAMES)
def test_component_is_at_most_three_classes_deep(kind: type[Component]) -> None:
    assert len(kind.__mro__) - 1 <= 3
