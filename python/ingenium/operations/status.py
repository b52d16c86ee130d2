"""Status of an app: trading, components and account."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from ingenium.bus import NatsBus
from ingenium.bus.base import Message
from ingenium.bus.envelope import unpack
from ingenium.bus.stream import Stream, StreamState
from ingenium.errors import DecodeError, IngeniumError, StreamError
from ingenium.events import ControlEvent, TradingState
from ingenium.operations.account_money import AppMoney, money_of
from ingenium.operations.apps import LocalApp, as_operator, stream_of
from ingenium.operations.component_state import ComponentState, Liveness, Word, add_view
from ingenium.operations.last_sent import add_last_sent
from ingenium.operations.live_view import Heard, LiveView, read_live_view
from ingenium.operations.state_files import read_state
from ingenium.operations.today import Today, TodayReader
from ingenium.risk import STRICTNESS, state_of
from ingenium.runtime.durable.control_records import switch_of
from ingenium.runtime.durable.kill_file import Restriction
from ingenium.subjects.names import EXECUTION, PORTFOLIO, SIGNAL, TRADING

__all__ = ["NOTHING_RUNS", "UNKNOWN", "AppStatus", "ComponentState", "Word", "status_of"]

NOTHING_RUNS = "nothing runs"
"""State of trading of an unrestricted app that does not run."""
UNKNOWN = "unknown"
"""State of trading when it is unknown."""

GATED = ("portfolio", "executor")
"""Roles that orders pass and that enforce halts."""
_READ_BY = {"portfolio": (SIGNAL, EXECUTION, TRADING), "executor": (PORTFOLIO, TRADING)}


class AppStatus(msgspec.Struct):
    """Status of an app.

    Attributes:
        app: Name of the app.
        trading: ``"active"``, ``"reducing"`` or ``"halted"``, as reported by portfolio and
            executor; if they do not run, the state that the next start will find, or
            `NOTHING_RUNS`. `UNKNOWN` if neither is known.
        runs: Whether any component runs; ``None`` if the server cannot be reached and there is
            no run on this machine.
        run: Process id of its run on this machine; ``None`` for none.
        why: Evidence for `trading` if components do not report it; empty otherwise.
        kill_file: Content of the kill file; ``None`` without one.
        said: The last control event of the stream; ``None`` without one.
        server: Address of its server; empty if not reached.
        server_error: Why the stream is unknown; empty if known.
        stream: Name of the stream there.
        stream_end: Sequence of the newest message of the stream.
        components: Components known from the bus, files or the definition of the app.
        money: Account, positions, working orders, and the day's fills and denials.
    """

    app: str
    trading: str = UNKNOWN
    runs: bool | None = None
    run: int | None = None
    why: str = ""
    kill_file: Word | None = None
    said: Word | None = None
    server: str = ""
    server_error: str = ""
    stream: str = ""
    stream_end: int | None = None
    components: list[ComponentState] = []
    money: AppMoney = msgspec.field(default_factory=AppMoney)

    @property
    def is_well(self) -> bool:
        """Whether all components run, and the state of trading is known."""
        return (
            self.runs is True
            and bool(self.server)
            and self.trading != UNKNOWN
            and all(component.is_well for component in self.components)
        )


async def status_of(
    place: LocalApp, roster: Mapping[str, str] | None = None, reader: TodayReader | None = None
) -> AppStatus:
    """Return the status of an app, running or not.

    Args:
        place: The app.
        roster: Roles of its components by name, if its definition is available.
        reader: Reader of the day's fills and denials, reused between calls.
    """
    status = AppStatus(place.app)
    found = place.kill_file.observe()
    status.kill_file = None if found is None else _word(found)
    states = {state.name: state for state in map(read_state, place.states)}
    for name, role in (roster or {}).items():
        state = states.setdefault(name, ComponentState(name))
        state.role = state.role or role
    heard: Word | None = None
    said: dict[str, Heard] = {}
    today: Today | None = None
    if not place.settings.nats_server:
        # An embedded server starts and ends with its app.
        status.runs = False
    try:
        async with as_operator(place) as bus:
            status.server = bus.url
            view = await read_live_view(bus, place.app, states.keys())
            view.run = place.run
            view.runs = view.runs or view.run is not None
            _add_view(status, states, view)
            said = view.said
            try:
                heard = await _add_stream(bus, status)
                today = await (reader or TodayReader()).observe(await stream_of(bus))
            except StreamError as error:
                status.server_error = str(error)
            await add_last_sent(bus, status.components)
    except IngeniumError as error:
        status.server_error = str(error)
    if status.runs is not True and (run := place.run) is not None:
        # The app runs, but its server does not answer.
        status.server = ""
        _add_view(status, states, LiveView(runs=True, run=run))
    if status.runs is not True:
        status.components = list(states.values())
    if status.runs is False:
        for state in states.values():
            if state.liveness is Liveness.UNKNOWN:
                state.liveness = Liveness.NOT_RUNNING
    status.components.sort(key=_order)
    status.money = money_of(status.components, said, place.states)
    status.money.today = today
    status.trading, status.why = _trading(status, heard)
    return status


def _add_view(status: AppStatus, states: dict[str, ComponentState], view: LiveView) -> None:
    status.runs, status.run = view.runs, view.run
    for name in (*view.said, *view.observed):
        states.setdefault(name, ComponentState(name))
    for state in states.values():
        # The state file counts only if no component reports the state of trading.
        if view.runs:
            state.trading = None
        add_view(state, view)
    status.components = list(states.values())


async def _add_stream(bus: NatsBus, status: AppStatus) -> Word | None:
    """Add the state of the stream of orders; return the control state that results from it."""
    stream = await stream_of(bus)
    status.stream = bus.space.stream(stream.name)
    state = await stream.state()
    status.stream_end = state.last
    record = await stream.last(TRADING)
    for component in status.components:
        await _hold_against(stream, state, component)
    if record is None:
        return None
    status.said = _said(record.message)
    standing = (await switch_of(stream)).standing
    if standing is None:
        return Word(TradingState.ACTIVE.value)
    return Word(standing.state.value, standing.reason, standing.sender, standing.time)


def _trading(status: AppStatus, heard: Word | None) -> tuple[str, str]:
    """Return the state of trading, with the evidence."""
    gated = [each for each in status.components if each.role in GATED]
    # The last status of a dead component is outdated; its stored state applies at its next start.
    if status.runs:
        telling = [each for each in gated if each.liveness is Liveness.ALIVE and each.trading]
        words = [each.trading for each in telling if each.trading is not None]
        if words:
            quiet = [each.name for each in gated if each not in telling]
            return _strictest(words), f"{', '.join(quiet)} does not say" if quiet else ""
        why = "portfolio and executor do not say"
        if not status.server and status.server_error:
            why = status.server_error
        known = [word for word in (status.kill_file, heard) if word is not None]
        state = _strictest(known)
        return (UNKNOWN if state == TradingState.ACTIVE else state), why
    known = [word for word in (status.kill_file, heard) if word is not None]
    known += [each.trading for each in gated if each.trading is not None]
    state = _strictest(known)
    if state != TradingState.ACTIVE:
        return state, "the next start finds it so"
    return (NOTHING_RUNS, "") if status.runs is False else (UNKNOWN, status.server_error)


def _strictest(words: Iterable[Word]) -> str:
    return max(
        (word.state for word in words),
        key=lambda state: STRICTNESS[state_of(state)],
        default=TradingState.ACTIVE.value,
    )


def _order(component: ComponentState) -> tuple[int, str]:
    roles = ("ingestor", "strategy", *GATED)
    return roles.index(component.role) if component.role in roles else len(roles), component.name


def _word(restriction: Restriction) -> Word:
    return Word(restriction.state.value, restriction.reason, restriction.sender, restriction.time)


def _said(message: Message) -> Word:
    try:
        event = unpack(ControlEvent, message)
        state = TradingState(event.state)
    except (DecodeError, ValueError) as error:
        # The risk gate treats an unknown state as a halt.
        return Word(TradingState.HALTED.value, f"the last control event cannot be read: {error}")
    return Word(state.value, event.reason, event.sender, event.timestamp)


async def _hold_against(stream: Stream, state: StreamState, component: ComponentState) -> None:
    """Check whether a component has unhandled messages."""
    for subject in _READ_BY.get(component.role, ()):
        record = await stream.last(subject)
        if record is not None and state.first <= record.sequence > (component.offset or 0):
            component.unhandled_to = max(record.sequence, component.unhandled_to or 0)
