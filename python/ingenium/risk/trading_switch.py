"""The trading switch: active, reducing or halted, for one component, across restarts."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated

import msgspec

from ingenium.events import ControlEvent, TradingState

__all__ = ["STRICTNESS", "Standing", "TradingSwitch", "is_operator", "state_of"]

STRICTNESS = {TradingState.ACTIVE: 0, TradingState.REDUCING: 1, TradingState.HALTED: 2}
"""How far each state restricts trading; the strictest of several holds."""

_REMEMBERED = 100


def state_of(text: str) -> TradingState:
    """Return the trading state that a text names; halted for an unknown text."""
    try:
        return TradingState(text)
    except ValueError:
        return TradingState.HALTED


class Standing(msgspec.Struct, frozen=True, gc=False):
    """A restriction of trading.

    Attributes:
        state: The trading state it imposes.
        reason: Why, in words.
        sender: Who imposed it.
        time: Since when, UTC; ``None`` when not stated.
    """

    state: TradingState
    reason: str
    sender: str
    time: Annotated[datetime, msgspec.Meta(tz=True)] | None = None

    def __str__(self) -> str:
        return ": ".join(filter(None, (self.sender or "somebody", self.reason)))


class _SwitchRow(msgspec.Struct, forbid_unknown_fields=True):
    """State that survives restarts."""

    said: Standing | None = None
    own: list[tuple[str, Standing]] = []
    held: dict[str, Standing] = {}
    symbols: dict[str, Standing] = {}
    seen: list[str] = []


def is_operator(sender: str) -> bool:
    """Return whether a sender is a person at a machine, ``"ann@trader-1"``, not a component."""
    person, _, machine = sender.partition("@")
    return bool(person.strip() and machine.strip())


class TradingSwitch:
    """The state of trading; the strictest of all restrictions wins.

    There are four kinds of sources:

    - control events, *said*, which the caller applies in stream order: an operator's event sets the
      state, a component's event only makes it stricter;
    - *own* decisions, which take effect at once and hold until their event comes back from the
      stream. An operator's ``active`` that is older than the decision therefore never undoes it;
    - *held* conditions, in force while they exist, such as a file; when one ends, its state stays
      as if said;
    - individually halted symbols.

    Only an operator's control event with the state ``active`` makes trading active again, and it
    also releases the symbols that were halted before it. An unknown state counts as ``halted``.
    """

    __slots__ = ("_held", "_own", "_said", "_seen", "_state", "_symbols")

    def __init__(self) -> None:
        self._said: Standing | None = None
        # Own decisions and the ids of their events; an id is empty until its event is sent.
        self._own: list[tuple[str, Standing]] = []
        self._held: dict[str, Standing] = {}
        self._symbols: dict[str, Standing] = {}
        self._seen: dict[str, None] = {}
        self._state = TradingState.ACTIVE

    @property
    def state(self) -> TradingState:
        """The trading state in force."""
        return self._state

    @property
    def standing(self) -> Standing | None:
        """The strictest restriction, the first of several; ``None`` when trading is active."""
        return max(self._standings(), key=lambda each: STRICTNESS[each.state], default=None)

    @property
    def halted_symbols(self) -> Mapping[str, Standing]:
        """The individually halted symbols, with their restrictions."""
        return self._symbols

    def apply(self, event: ControlEvent) -> bool:
        """Apply a control event of an operator or a component; a repeated event changes nothing.

        Returns:
            Whether the event is allowed: False for a component's ``active``, which is reserved for
            operators and changes nothing.
        """
        if event.id:
            if event.id in self._seen:
                return True
            self._seen[event.id] = None
            if len(self._seen) > _REMEMBERED:
                del self._seen[next(iter(self._seen))]
        standing = _read(event)
        # An event of an own decision has come back, so its place in the stream is known.
        if event.id:
            self._own = [(id, own) for id, own in self._own if id != event.id]
        active = standing.state is TradingState.ACTIVE
        by_operator = is_operator(event.sender)
        if by_operator:
            self._said = None if active else standing
            if active:
                self._release_symbols(standing.time)
        elif STRICTNESS[standing.state] > self._strictness_said():
            self._said = standing
        self._settle()
        return by_operator or not active

    def decide(self, state: TradingState, reason: str, sender: str, now: datetime) -> bool:
        """Restrict trading by an own decision.

        Returns:
            Whether the state changed: False when trading is already at least as restricted.
        """
        if STRICTNESS[state] <= STRICTNESS[self._state]:
            return False
        self._own.append(("", Standing(state, reason, sender, now)))
        self._settle()
        return True

    def unannounced(self) -> list[Standing]:
        """Return the own decisions whose events have not been sent."""
        return [own for id, own in self._own if not id]

    def announced(self, standing: Standing, event_id: str) -> None:
        """Record the id of the event that announced an own decision."""
        self._own = [(event_id if not id and own is standing else id, own) for id, own in self._own]

    def retracted(self, event_id: str) -> None:
        """Record that the event of an own decision was not sent after all."""
        self._own = [("" if id == event_id else id, own) for id, own in self._own]

    def hold(self, source: str, state: TradingState, reason: str, now: datetime) -> None:
        """Restrict trading while a condition exists, such as a file.

        Args:
            source: Name of the condition, such as that of the file.
            state: The trading state it imposes.
            reason: Why, in words.
            now: The current time, UTC.
        """
        known = self._held.get(source)
        if known is None or known.state is not state or known.reason != reason:
            self._held[source] = Standing(state, reason, source, now)
            self._settle()

    def let_go(self, source: str) -> None:
        """End a held condition; its state stays until an operator's ``active``."""
        standing = self._held.pop(source, None)
        if standing is not None and STRICTNESS[standing.state] > self._strictness_said():
            self._said = standing
        self._settle()

    def halt_symbol(self, symbol: str, reason: str, sender: str, now: datetime) -> bool:
        """Halt one symbol; return False when it is halted already."""
        if symbol in self._symbols:
            return False
        self._symbols[symbol] = Standing(TradingState.HALTED, reason, sender, now)
        return True

    def state_row(self) -> dict[str, object]:
        """Return the state that survives restarts, as JSON values."""
        row = _SwitchRow(self._said, self._own, self._held, self._symbols, list(self._seen))
        built = msgspec.to_builtins(row)
        assert isinstance(built, dict)  # noqa: S101 - for the type checker
        return built

    def restore(self, row: object, now: datetime) -> None:
        """Restore the state of an earlier run; an unreadable row halts trading.

        Args:
            row: The result of `state_row`.
            now: The current time, UTC.
        """
        try:
            kept = msgspec.convert(row, _SwitchRow)
        except msgspec.ValidationError as error:
            # Trading must not continue as if nothing had been halted.
            reason = f"the stored state of trading cannot be read: {error}"
            kept = _SwitchRow(said=Standing(TradingState.HALTED, reason, "restart", now))
        self._said = kept.said
        self._own = kept.own
        self._held = kept.held
        self._symbols = kept.symbols
        self._seen = dict.fromkeys(kept.seen)
        self._settle()

    def _standings(self) -> list[Standing]:
        said = [] if self._said is None else [self._said]
        return [*said, *[own for _, own in self._own], *self._held.values()]

    def _strictness_said(self) -> int:
        return 0 if self._said is None else STRICTNESS[self._said.state]

    def _release_symbols(self, time: datetime | None) -> None:
        # Symbol halts are in no stream, so the operator's clock decides which ones the event
        # releases.
        if time is not None:
            self._symbols = {
                symbol: standing
                for symbol, standing in self._symbols.items()
                if standing.time is None or standing.time > time
            }

    def _settle(self) -> None:
        standing = self.standing
        self._state = TradingState.ACTIVE if standing is None else standing.state


def _read(event: ControlEvent) -> Standing:
    time = event.timestamp
    if time is not None:
        time = time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    state, reason = state_of(event.state), event.reason
    if state.value != event.state:
        reason = f"state {event.state!r} is unknown, so trading is halted: {event.reason}"
    return Standing(state, reason, event.sender, time)
