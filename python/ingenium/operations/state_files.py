"""Read the state files of components, running or not."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from ingenium.bus.nats.stream_layout import MONEY_STREAM
from ingenium.clock import SystemClock
from ingenium.components.risk_control import GATE
from ingenium.errors import StoreError
from ingenium.operations.component_state import ComponentState, Word
from ingenium.risk import TradingSwitch
from ingenium.runtime.durable.store import Store

__all__ = ["read_state"]


def read_state(path: Path) -> ComponentState:
    """Return the state in the file of a component."""
    state = ComponentState(path.stem, written=_written(path))
    try:
        store = Store.read(path)
    except StoreError as error:
        state.error = str(error)
        return state
    try:
        with store.standing():
            state.role = store.meta("role")
            state.lives = store.lives
            state.outbox = store.outbox_size()
            for position in store.positions():
                if position.stream == MONEY_STREAM.name:
                    state.offset = position.sequence
            rows = {key: _json(data) for key, data in store.rows().items()}
    except StoreError as error:
        state.error = str(error)
        return state
    finally:
        store.close()
    for key, row in rows.items():
        kind, _, name = key.rpartition("/")
        if kind == "broker/order" and isinstance(row, dict) and row.get("state") == "unknown":
            state.unknown_orders.append(name)
        elif kind == "broker/blocked":
            state.halted_symbols[name] = str(row)
    gate = rows.get(GATE)
    if isinstance(gate, dict):
        state.halted_symbols |= _halted_by_gate(gate)
        state.denied_exits = _denied_exits(gate)
        state.trading = _trading(gate)
    return state


def _written(path: Path) -> datetime | None:
    """Return the time of the last write of a database or its journal."""
    times = []
    for file in (path, path.with_name(f"{path.name}-wal")):
        with suppress(OSError):
            found = file.stat()
            # A reader creates an empty journal.
            if found.st_size:
                times.append(found.st_mtime)
    return datetime.fromtimestamp(max(times), UTC) if times else None


def _trading(gate: Mapping[str, Any]) -> Word:
    """Return the state of trading that a component stored last."""
    switch = TradingSwitch()
    # An unreadable state counts as halted, as in the component.
    switch.restore(gate.get("switch"), SystemClock().now())
    standing = switch.standing
    if standing is None:
        return Word(switch.state.value)
    return Word(standing.state.value, standing.reason, standing.sender, standing.time)


def _halted_by_gate(gate: Mapping[str, Any]) -> dict[str, str]:
    """Return the symbols halted by the risk gate of a component."""
    switch = gate.get("switch")
    symbols = switch.get("symbols") if isinstance(switch, dict) else None
    if not isinstance(symbols, dict):
        return {}
    return {
        symbol: str(standing.get("reason", "")) if isinstance(standing, dict) else ""
        for symbol, standing in symbols.items()
    }


def _denied_exits(gate: Mapping[str, Any]) -> dict[str, str]:
    """Return the exits denied by the risk gate of a component, by symbol."""
    denied = gate.get("denied_exits")
    if not isinstance(denied, dict):
        return {}
    return {
        symbol: f"{each.get('time', '')} {each.get('reason', '')}: {each.get('detail', '')}"
        for symbol, each in denied.items()
        if isinstance(each, dict)
    }


def _json(data: bytes) -> Any:
    try:
        return msgspec.json.decode(data)
    except msgspec.MsgspecError:
        return None
