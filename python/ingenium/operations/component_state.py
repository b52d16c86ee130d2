"""How one component of an app stands, from all that can be known of it."""

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
    """Whether a component is there."""

    ALIVE = "alive"
    """It answers; of a program that says nothing, its process runs."""
    SILENT = "silent"
    """It is connected, or its process runs, and it does not answer."""
    DEAD = "dead"
    """It is not there, and did not say that it would go: it died, or was killed."""
    STOPPED = "stopped"
    """It has said that it stops."""
    NOT_RUNNING = "not running"
    """Nothing of the app runs, or the app as it runs now has no such component."""
    UNKNOWN = "unknown"
    """Nobody can tell: it says nothing, and somebody else starts it."""


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


class LastSent(msgspec.Struct):
    """The last message of a component that a stream keeps.

    Attributes:
        subject: Where it was sent.
        age_seconds: How old it is, by the server's clock.
        is_certain: Whether the message names its sender; if not, no other component of the app
            could have sent it.
    """

    subject: str
    age_seconds: float
    is_certain: bool


class ComponentState(msgspec.Struct):
    """How a component stands.

    Attributes:
        name: Its name.
        role: Its role; empty when nothing says it.
        liveness: Whether it is there.
        why: What that is concluded from, in words.
        language: In which it is written; empty when it does not say.
        version: Of its SDK; empty when it does not say.
        host: Machine that it runs on, or ran; empty when not known.
        process: Number of its process there; 0 when not known.
        started: When it was started, UTC; ``None`` when not known.
        restarts: How often it was started again in this run; ``None`` when not known.
        heard_seconds: How long ago it was heard of last; ``None`` for never.
        handled: Events handled since it was started; ``None`` when it does not say.
        sent: Events sent since then; ``None`` when it does not say.
        last_event: Type of the last event that it handled, or an ingestor sent; empty for none.
        last_symbol: Its symbol.
        last_seconds: How long ago that was; ``None`` for never, or not known.
        last_sent: The last message of it that a stream keeps; ``None`` when none is known.
        offset: Sequence of the last message of the stream of orders that it handled; ``None`` for
            none.
        data_offset: The same for the stream of market data.
        unhandled_to: Sequence of the newest message of the stream of orders that concerns it and is
            not handled; ``None`` when there is none, or that is not known.
        waiting: Messages that have reached it and wait; ``None`` when it does not say.
        outbox: How many messages it still has to send.
        lag_seconds: How far behind it is; ``None`` when that is not known.
        cause_age_seconds: Age of the bar behind the last signal or order, when that was sent or
            handled; ``None`` when that is not known.
        late: Signals and orders that came too late to be acted upon, since it was started.
        busy: What it is handling for longer than a second; empty for nothing.
        busy_seconds: For how long.
        trading: What holds for it; ``None`` for components that no order passes, or not known.
        problem: What it says that a person should look at; empty for nothing.
        lives: How often it has been started, by its file.
        written: When its file was written last, UTC; ``None`` when it has none on this machine.
        unknown_orders: Orders of which nobody knows whether the broker has them.
        halted_symbols: Symbols in which no order may leave, and why.
        denied_exits: Symbols with an open position whose exit was denied, and why.
        error: Why its file cannot be read; empty when it can.
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
        """Whether nothing says that it is not there."""
        return self.liveness in {Liveness.ALIVE, Liveness.UNKNOWN, Liveness.NOT_RUNNING}


def add_view(state: ComponentState, view: LiveView) -> None:
    """Add what the component itself, and who started it, say on the bus; see `look_at`."""
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
        # Both by the sender's clock, whatever that shows.
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
    """Say whether a component is there, and what that is concluded from."""
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
        return Liveness.ALIVE, f"its process {program.process} runs; it says nothing itself"
    if program is not None:
        return Liveness.UNKNOWN, "started by somebody else, and says nothing"
    if view.run is not None and not any(each.answered for each in view.observed.values()):
        # All reconnect by themselves once their server is back.
        return Liveness.UNKNOWN, f"process {view.run} runs the app, and is not connected"
    if not view.runs:
        return Liveness.NOT_RUNNING, ""
    if state.lives:
        return Liveness.DEAD, "not connected"
    return Liveness.UNKNOWN, "nothing is heard of it"


def _runs_here(status: ComponentStatus) -> bool:
    """Whether the process of a component is there, on this very machine."""
    if not status.process or status.host != socket.gethostname():
        return False
    try:
        os.kill(status.process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True  # Of another user.
    return True


def _ago(seconds: float) -> str:
    return f"{seconds:.0f} s ago"


def _seconds(milliseconds: int | None) -> float | None:
    return None if milliseconds is None else milliseconds / 1000


def _number(text: str | None, default: int | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() else default
