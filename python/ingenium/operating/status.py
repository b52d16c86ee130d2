"""How an app stands: whether there is trading, and how far each component has come."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from ingenium.bus.contract import Message
from ingenium.bus.envelope import unpack
from ingenium.bus.stream import Stream, StreamState
from ingenium.delivery.kill_file import Restriction
from ingenium.delivery.store import Store
from ingenium.errors import DecodeError, IngeniumError, StoreError
from ingenium.events import ControlEvent, TradingState
from ingenium.operating.places import Place, as_operator, stream_of
from ingenium.subjects import EXECUTION, PORTFOLIO, SIGNAL, TRADING

__all__ = ["AppStatus", "ComponentStatus", "Word", "status_of"]

_READ_BY = {"portfolio": (SIGNAL, EXECUTION, TRADING), "executor": (PORTFOLIO, TRADING)}
_STRICTNESS = (TradingState.ACTIVE, TradingState.REDUCING, TradingState.HALTED)


class Word(msgspec.Struct):
    """Something that was said about trading.

    Attributes:
        state: As a token.
        reason: Why, in words.
        sender: Who said so.
        time: When, UTC; ``None`` when not stated.
    """

    state: str
    reason: str = ""
    sender: str = ""
    time: datetime | None = None


class ComponentStatus(msgspec.Struct):
    """How far a component has come.

    Attributes:
        name: Its name.
        role: Its role; empty when its store does not say.
        position: Sequence of the last message of the stream that it handled; ``None`` for none.
        waiting: Sequence of the newest message that concerns it and is not handled; ``None`` when
            there is none, or that is not known.
        outbox: How many messages it still has to send.
        lives: How often it has been started.
        unknown_orders: Orders of which nobody knows whether the broker has them.
        halted_symbols: Symbols in which no order may leave, and why.
        denied_exits: Symbols with an open position whose exit was denied, and why.
        error: Why its store cannot be read; empty when it can.
    """

    name: str
    role: str = ""
    position: int | None = None
    waiting: int | None = None
    outbox: int = 0
    lives: int = 0
    unknown_orders: list[str] = []
    halted_symbols: dict[str, str] = {}
    denied_exits: dict[str, str] = {}
    error: str = ""


class AppStatus(msgspec.Struct):
    """How an app stands.

    Attributes:
        app: Its name.
        trading: What holds, as far as it can be seen from here: the stricter of the two words.
        kill_file: What the file says; ``None`` when there is none.
        said: The last control event of the stream; ``None`` when there is none.
        server: Where its server is; empty when none is reached.
        server_error: Why nothing is known of the stream; empty when it is.
        stream: Name of the stream there.
        stream_end: Sequence of the newest message of the stream.
        components: Those that keep a state on this machine.
    """

    app: str
    trading: str = TradingState.ACTIVE.value
    kill_file: Word | None = None
    said: Word | None = None
    server: str = ""
    server_error: str = ""
    stream: str = ""
    stream_end: int | None = None
    components: list[ComponentStatus] = []


async def status_of(place: Place) -> AppStatus:
    """Look at an app from outside, whether it runs or not."""
    status = AppStatus(place.app)
    found = place.kill_file.look()
    status.kill_file = None if found is None else _word(found)
    status.components = [_component(path) for path in place.states]
    try:
        async with as_operator(place) as bus:
            status.server = bus.url
            stream = await stream_of(bus)
            status.stream = bus.space.stream(stream.name)
            state = await stream.state()
            status.stream_end = state.last
            record = await stream.last(TRADING)
            if record is not None:
                status.said = _said(record.message)
            for component in status.components:
                await _hold_against(stream, state, component)
    except IngeniumError as error:
        status.server_error = str(error)
    status.trading = max(
        (word.state for word in (status.kill_file, status.said) if word is not None),
        key=lambda state: _STRICTNESS.index(TradingState(state)),
        default=TradingState.ACTIVE.value,
    )
    return status


def _word(restriction: Restriction) -> Word:
    return Word(restriction.state.value, restriction.reason, restriction.sender, restriction.time)


def _said(message: Message) -> Word:
    try:
        event = unpack(ControlEvent, message)
        state = TradingState(event.state)
    except (DecodeError, ValueError) as error:
        # A gate takes a word that it does not know for a halt.
        return Word(TradingState.HALTED.value, f"the last word cannot be read: {error}")
    return Word(state.value, event.reason, event.sender, event.timestamp)


def _component(path: Path) -> ComponentStatus:
    status = ComponentStatus(path.stem)
    try:
        store = Store.read(path)
    except StoreError as error:
        status.error = str(error)
        return status
    try:
        with store.standing():
            status.role = store.meta("role")
            status.lives = store.lives
            status.outbox = store.outbox_size()
            for position in store.positions():
                if position.stream == "INGENIUM":
                    status.position = position.sequence
            rows = {key: _json(data) for key, data in store.rows().items()}
    except StoreError as error:
        status.error = str(error)
        return status
    finally:
        store.close()
    for key, row in rows.items():
        kind, _, name = key.rpartition("/")
        if kind == "broker/order" and isinstance(row, dict) and row.get("state") == "unknown":
            status.unknown_orders.append(name)
        elif kind == "broker/blocked":
            status.halted_symbols[name] = str(row)
    status.halted_symbols |= _halted_by_gate(rows)
    status.denied_exits = _denied_exits(rows)
    return status


def _halted_by_gate(rows: Mapping[str, Any]) -> dict[str, str]:
    """Return the symbols that the risk gate of a component has halted."""
    gate = rows.get("gate")
    switch = gate.get("switch") if isinstance(gate, dict) else None
    symbols = switch.get("symbols") if isinstance(switch, dict) else None
    if not isinstance(symbols, dict):
        return {}
    return {
        symbol: str(standing.get("reason", "")) if isinstance(standing, dict) else ""
        for symbol, standing in symbols.items()
    }


def _denied_exits(rows: Mapping[str, Any]) -> dict[str, str]:
    """Return the exits that the risk gate of a component has denied, by symbol."""
    gate = rows.get("gate")
    denied = gate.get("denied_exits") if isinstance(gate, dict) else None
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


async def _hold_against(stream: Stream, state: StreamState, component: ComponentStatus) -> None:
    """Find out whether a component has messages before it."""
    for subject in _READ_BY.get(component.role, ()):
        record = await stream.last(subject)
        if record is not None and state.first <= record.sequence > (component.position or 0):
            component.waiting = max(record.sequence, component.waiting or 0)
