"""State of one component, combined from bus, files and processes."""

from __future__ import annotations

import os
import socket
from datetime import datetime
from enum import StrEnum

import msgspec

from ingenium._gen.ingenium.v1 import ComponentStatus
from ingenium.operations.live_view import Heard, LiveView

__all__ = ["Liveness", "ComponentState", "LastSent", "Word", "add_view"]


class Liveness(StrEnum):
    """Liveness of a component."""

    ALIVE = "alive"
    """The component answers; for a program without a status, its process runs."""
    SILENT = "silent"
    """The component is connected or its process runs, but it does not answer."""
    DEAD = "dead"
    """The component is gone without a final status: it crashed or was killed."""
    STOPPED = "stopped"
    """The component has published its final status."""
    NOT_RUNNING = "not running"
    """The app is not running, or the running app has no such component."""
    UNKNOWN = "unknown"
    """Not observable: the component publishes no status and is started externally."""


class Word(msgspec.Struct):
    """A statement about the state of trading.

    Attributes:
        state: State as a token.
        reason: Reason.
        sender: Sender.
        time: Time, UTC; ``None`` if not stated.
    """

    state: str
    reason: str = ""
    sender: str = ""
    time: datetime | None = None


class LastSent(msgspec.Struct):
    """The last stored message of a component.

    Attributes:
        subject: Subject of the message.
        age_seconds: Age by the server's clock.
        is_certain: Whether the message names its sender; otherwise the sender follows from the
            role.
    """

    subject: str
    age_seconds: float
    is_certain: bool


class ComponentState(msgspec.Struct):
    """State of a component.

    Attributes:
        name: Name of the component.
        role: Role; empty if unknown.
        liveness: Liveness of the component.
        why: Evidence for the liveness.
        language: Programming language; empty if not stated.
        version: Version of its SDK; empty if not stated.
        host: Machine that it runs on or ran on; empty if unknown.
        process: Process id on that machine; 0 if unknown.
        started: Start time, UTC; ``None`` if unknown.
        restarts: Number of restarts in this run; ``None`` if unknown.
        heard_seconds: Age of its last status; ``None`` without one.
        handled: Events handled since the start; ``None`` if not stated.
        sent: Events sent since the start; ``None`` if not stated.
        last_event: Type of the last event handled, or sent by an ingestor; empty for none.
        last_symbol: Symbol of that event.
        last_seconds: Age of that event; ``None`` for none or unknown.
        last_sent: Its last stored message; ``None`` if unknown.
        offset: Sequence of the last handled message of the stream of orders; ``None`` for none.
        data_offset: The same for the stream of market data.
        unhandled_to: Sequence of the newest relevant and unhandled message of the stream of
            orders; ``None`` for none or unknown.
        waiting: Number of received and unhandled messages; ``None`` if not stated.
        outbox: Number of messages still to be sent.
        lag_seconds: Lag; ``None`` if unknown.
        cause_age_seconds: Age of the bar behind the last signal or order, when that was sent or
            handled; ``None`` if unknown.
        late: Number of signals and orders refused as too late since the start.
        busy: Handler that has been running for more than a second; empty for none.
        busy_seconds: Duration of that handler.
        trading: State of trading in the component; ``None`` if unknown, or for components that
            no order passes.
        problem: Reported problem for the operator; empty for none.
        lives: Number of starts recorded in its file.
        written: Time of the last write of its file, UTC; ``None`` without a file on this machine.
        unknown_orders: Orders whose state at the broker is unknown.
        halted_symbols: Halted symbols with the reason.
        denied_exits: Symbols with an open position whose exit was denied, with the reason.
        error: Why its file cannot be read; empty if readable.
    """

    name: str
    role: str = ""
    liveness: Liveness = Liveness.UNKNOWN
    why: str = ""
    language: str = ""
    version: str = ""
    host: str = ""
    process: int = 0
    started: datetime | None = None
    restarts: int | None = None
    heard_seconds: float | None = None
    handled: int | None = None
    sent: int | None = None
    last_event: str = ""
    last_symbol: str = ""
    last_seconds: float | None = None
    last_sent: LastSent | None = None
    offset: int | None = None
    data_offset: int | None = None
    unhandled_to: int | None = None
    waiting: int | None = None
    outbox: int = 0
    lag_seconds: float | None = None
    cause_age_seconds: float | None = None
    late: int = 0
    busy: str = ""
    busy_seconds: float = 0.0
    trading: Word | None = None
    problem: str = ""
    lives: int = 0
    written: datetime | None = None
    unknown_orders: list[str] = []
    halted_symbols: dict[str, str] = {}
    denied_exits: dict[str, str] = {}
    error: str = ""

    @property
    def is_well(self) -> bool:
        """Whether there is no sign of a failure."""
        return self.liveness in {Liveness.ALIVE, Liveness.UNKNOWN, Liveness.NOT_RUNNING}


def add_view(state: ComponentState, view: LiveView) -> None:
    """Add the status of the component and of the program that started it."""
    said, observed = view.said.get(state.name), view.observed.get(state.name)
    if observed is not None:
        state.role = state.role or observed.status.role
        if observed.answered:
            state.restarts = observed.status.restarts
    if said is not None:
        _add_status(state, said)
    state.liveness, state.why = _judge(state, view, said, observed)


def _add_status(state: ComponentState, heard: Heard) -> None:
    status = heard.status
    state.role = status.role or state.role
    state.language, state.version = status.language, status.version
    state.host, state.process = status.host, status.process
    state.started = status.start_time
    state.heard_seconds = heard.age_seconds
    state.handled, state.sent, state.late = status.handled, status.sent, status.late
    state.last_event, state.last_symbol = status.last_event or "", status.last_symbol or ""
    if status.last_time is not None and status.timestamp is not None:
        # Both times are by the sender's clock, so their difference is valid.
        age = (status.timestamp - status.last_time).total_seconds()
        state.last_seconds = max(0.0, age) + heard.age_seconds
    state.offset = _number(status.offset, state.offset)
    state.data_offset = _number(status.data_offset, state.data_offset)
    state.outbox, state.waiting = status.outbox, status.waiting
    state.lag_seconds = _seconds(status.lag_milliseconds)
    state.cause_age_seconds = _seconds(status.cause_age_milliseconds)
    if status.busy:
        state.busy = status.busy
        state.busy_seconds = (status.busy_milliseconds or 0) / 1000 + heard.age_seconds
    if status.trading:
        state.trading = Word(status.trading, status.trading_reason or "")
    state.problem = status.problem or ""


def _judge(
    state: ComponentState, view: LiveView, said: Heard | None, observed: Heard | None
) -> tuple[Liveness, str]:
    """Return the liveness of a component, with the evidence."""
    program = observed.status if observed is not None and observed.answered else None
    if said is not None and said.answered:
        if said.status.state in {"stopped", "failed"}:
            return Liveness.STOPPED, said.status.state
        return Liveness.ALIVE, "" if said.status.state == "ready" else said.status.state
    silence = "" if said is None else f"does not answer, heard {_ago(said.age_seconds)}"
    if program is not None and program.state == "ended":
        return Liveness.DEAD, "its process has ended"
    if state.name in view.connected:
        return Liveness.SILENT, silence or "connected, and does not answer"
    if program is None and any(each.answered for each in view.observed.values()):
        return Liveness.NOT_RUNNING, "no part of the app as it runs now"
    if said is not None and program is not None and program.state == "running":
        return Liveness.SILENT, f"its process {program.process} runs, and is not connected yet"
    if said is not None and said.status.state in {"stopped", "failed"}:
        liveness = Liveness.STOPPED if said.status.state == "stopped" else Liveness.DEAD
        return liveness, f"{said.status.state} {_ago(said.age_seconds)}"
    if said is not None and _runs_here(said.status):
        return Liveness.SILENT, f"not connected, heard {_ago(said.age_seconds)}; its process runs"
    if said is not None:
        return Liveness.DEAD, f"not connected, heard {_ago(said.age_seconds)}"
    if program is not None and program.state == "running" and program.language:
        return Liveness.SILENT, f"its process {program.process} runs, and is not connected yet"
    if program is not None and program.state == "running":
        return Liveness.ALIVE, f"its process {program.process} runs; no status is published"
    if program is not None:
        return Liveness.UNKNOWN, "started externally, and publishes no status"
    if view.run is not None and not any(each.answered for each in view.observed.values()):
        # Components reconnect by themselves once the server is back.
        return Liveness.UNKNOWN, f"process {view.run} runs the app, and is not connected"
    if not view.runs:
        return Liveness.NOT_RUNNING, ""
    if state.lives:
        return Liveness.DEAD, "not connected"
    return Liveness.UNKNOWN, "nothing is heard of it"


def _runs_here(status: ComponentStatus) -> bool:
    """Whether the process of a component runs on this machine."""
    if not status.process or status.host != socket.gethostname():
        return False
    try:
        os.kill(status.process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True  # A process of another user.
    return True


def _ago(seconds: float) -> str:
    return f"{seconds:.0f} s ago"


def _seconds(milliseconds: int | None) -> float | None:
    return None if milliseconds is None else milliseconds / 1000


def _number(text: str | None, default: int | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() else default
