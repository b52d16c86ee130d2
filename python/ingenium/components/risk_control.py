"""Checks the orders of a component against its risk gate, and tracks the trading state."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from ingenium.components.data_age import DataAge
from ingenium.components.handle import ComponentHandle, Handled
from ingenium.errors import DecodeError
from ingenium.events import ControlEvent, DataEvent, DenialEvent, DenialReason, TradingState
from ingenium.log_throttle import LogThrottle
from ingenium.risk import AccountView, Denial, RiskGate, exit_note
from ingenium.state.rows import read_row, write_json
from ingenium.trading.bar import Bar
from ingenium.trading.order import Order

__all__ = ["GATE", "RiskControl", "RiskHandlers"]

_log = logging.getLogger("ingenium.risk")


GATE = "gate"
"""Key of the row of a risk gate."""

KillSwitch = Callable[[], tuple[TradingState, str] | None]
KILL_SWITCH = "kill switch"
"""Source of a restriction from outside, such as a file."""


def _ignore(_event: DenialEvent) -> Handled:
    return None


class RiskHandlers(Protocol):
    """Handlers of a component for decisions of its risk gate."""

    def on_trading_state(self, state: TradingState) -> Handled:
        """Handle a change of the trading state to active, reducing or halted."""
        ...


class RiskControl:
    """The risk gate of a portfolio or executor, and the effects of its decisions.

    Without a gate, no method has an effect.

    Args:
        handle: Handle of the component, which sends the decisions.
        view: Returns the gate's view of the account.
        report_problem: Reports a problem to an operator.
        handlers: Handlers of the component.
    """

    def __init__(
        self,
        handle: ComponentHandle,
        view: Callable[[], AccountView],
        report_problem: Callable[[str], None],
        handlers: RiskHandlers,
    ) -> None:
        self.gate: RiskGate | None = None
        """Checks orders against limits; `arm` sets it before the first event."""
        self.news: list[DenialEvent | TradingState] = []
        """Decisions for which handlers are still to be called; see `share_news`."""
        self.on_alarm: Callable[[str], None] | None = None
        """Called with an alarm for an operator, such as a denied exit; set by the runner. Without
        it, an alarm is a line of the log only."""
        self.alarm_log: Callable[[str], None] | None = None
        """Also called with each alarm, for a component that keeps them."""
        self.kill_switch: KillSwitch | None = None
        """Returns how far an outside source restricts trading, and why; ``None`` for not at all."""
        self.data_age: DataAge | None = None
        """Detects bars that are history; `arm` sets it where this component reports them."""
        self.effect_of_old_data = "orders are filled at today's prices"
        """The effect on orders when the bars of a live app are history, in words."""
        self._handle = handle
        self._view = view
        self._report_problem = report_problem
        self._handlers = handlers
        self._on_denied: Callable[[DenialEvent], Handled] = _ignore
        # Each denial is an event, so the log need not have a line for each.
        self._denials = LogThrottle()
        self.is_simulated = False
        """Whether this is a backtest or replay, whose result counts the denials; `arm` sets it."""
        # Not yet asked: a restriction seen in an earlier life may be gone.
        self._seen_outside: tuple[TradingState, str] | str | None = "nothing"

    def rows(self) -> dict[str, bytes]:
        """Return the state of the gate as the row ``gate``; no row without a gate."""
        return {} if self.gate is None else {GATE: write_json(self.gate.state_row())}

    def restore(self, data: bytes) -> None:
        """Restore the row ``gate``; without a gate, it is dropped."""
        if self.gate is not None:
            self.gate.restore(read_row(object, data, GATE), self.now)

    @property
    def now(self) -> datetime:
        """The present time, UTC."""
        return self._handle.now

    def handle_control(self, event: ControlEvent) -> None:
        """Apply a control event of an operator or another component."""
        gate = self.gate
        if gate is None:
            return
        # A removed file must not outlive the event that releases.
        self.check_outside()
        before = gate.switch.state
        if not gate.switch.apply(event):
            self._report_problem(
                f"control event {event.id!r} of {event.sender!r} sets {event.state!r}, which "
                "only an operator may set: use a sender such as person@machine"
            )
        elif gate.switch.state is TradingState.ACTIVE:
            # An operator has checked.
            gate.denied_exits.clear()
        self._compare(before)

    def halt(self, reason: str) -> None:
        """Halt all trading by this component's own decision, and publish that.

        Args:
            reason: The impossible state that was seen, in words.
        """
        if self.gate is not None:
            before = self.gate.switch.state
            self.gate.switch.decide(TradingState.HALTED, reason, self._handle.name, self.now)
            self.announce(before)

    def check_outside(self) -> None:
        """Check `kill_switch`; called before each order, control event and data event."""
        ask = self.kill_switch
        if ask is not None and (found := ask()) != self._seen_outside:
            self._seen_outside = found
            state, reason = found or (TradingState.ACTIVE, None)
            self.hold(KILL_SWITCH, reason, state)

    def hold(
        self, source: str, reason: str | None, state: TradingState = TradingState.HALTED
    ) -> None:
        """Restrict trading while an outside source does, such as the file of a kill switch.

        Args:
            source: The source, such as the file's name.
            reason: The reason, in words; ``None`` when it is gone. Trading stays restricted until
                an operator releases it.
            state: The restricted state.
        """
        if self.gate is None:
            return
        switch = self.gate.switch
        before = switch.state
        if reason is None:
            switch.let_go(source)
        else:
            # A restriction seen only here is published to the others, too.
            switch.decide(state, f"{source}: {reason}", self._handle.name, self.now)
            switch.hold(source, state, reason, self.now)
        self.announce(before)

    async def share_news(self) -> None:
        """Call `on_denied` and `on_trading_state` for new decisions.

        They are not called for a denial of their own events, which could repeat endlessly.
        """
        news, self.news = self.news, []
        for each in news:
            if isinstance(each, DenialEvent):
                result = self._on_denied(each)
            else:
                result = self._handlers.on_trading_state(each)
            if result is not None:
                await result
        self.news = [each for each in self.news if not isinstance(each, DenialEvent)]

    def report_alarm(self, text: str) -> None:
        """Report an alarm to an operator."""
        if self.alarm_log is not None:
            self.alarm_log(text)
        if self.on_alarm is None:
            _log.error("%s: %s", self._handle.name, text)
        else:
            self.on_alarm(f"{self._handle.role} {self._handle.name!r}: {text}")

    def _on_halt(self) -> None:
        """Perform the immediate actions of a halt of trading."""

    def retract(self) -> None:
        """Drop decisions whose handlers are still to be called; own decisions stay in force."""
        self.news.clear()
        if self.gate is not None:
            for event in self._handle.outbox or ():
                if isinstance(event, ControlEvent):
                    self.gate.switch.retracted(event.id)

    def check(
        self, order: Order, old: Order | None = None, *, protective: bool = False
    ) -> Denial | None:
        """Check an order, or the replacement of an old one, against the gate.

        To be followed by `announce`, since the gate may have made a decision.
        """
        gate = self.gate
        if gate is None:
            return None
        if old is None:
            return gate.check(order, self._view(), self.now)
        return gate.check_replace(old, order, self._view(), self.now, protective=protective)

    def note_denied_exit(self, order: Order, reason: str, detail: str) -> str:
        """Raise the alarm that an exit is not sent.

        Returns:
            The denied exit, and the reason, in words.
        """
        text = f"{exit_note(order, self._view())}: {detail}"
        self.raise_exit_alarm(order.symbol, reason, text)
        return text

    def raise_exit_alarm(self, symbol: str, reason: str, text: str) -> None:
        """Raise the alarm that an exit of a symbol is not sent."""
        if self.is_simulated:
            return
        if self.gate is not None:
            self.gate.note_denied_exit(symbol, reason, text, self.now)
        # By symbol, so that a loop in one of them hides no exit of another.
        for line in self._denials.note(f"exit {reason} {symbol}", text, self.now):
            self.report_alarm(line)

    def report_denial(self, reason: DenialReason, text: str) -> None:
        """Log a denial; of many, the first ones and how many more."""
        if self.is_simulated:
            return
        for line in self._denials.note(reason.value, text, self.now):
            self._report_problem(line)

    def observe(self, event: DataEvent) -> None:
        """Give the gate an event of market data whose price is recorded already."""
        self.check_outside()
        if self._denials:
            for line in self._denials.due(self.now):
                self._report_problem(line)
        gate = self.gate
        if gate is None:
            return
        if self.data_age is not None and not self.data_age.knows(event.symbol):
            self._check_age(self.data_age, event)
        before = gate.switch.state
        if gate.denied_exits:
            gate.forget_closed(self._view())
        if gate.limits.stale_data_seconds is not None:
            try:
                known = Bar.from_event(event, self.now).end
            except DecodeError:
                return
            # Old data may come late, and clocks of producers may be ahead.
            gate.saw_price(event.symbol, min(known, self.now))
        if gate.limits.max_daily_loss is not None:
            gate.observe(self._view(), self.now)
        self.announce(before)

    def _check_age(self, data_age: DataAge, event: DataEvent) -> None:
        if event.ohlc is None:
            return
        try:
            bar = Bar.from_event(event, self.now)
        except DecodeError:
            return
        if text := data_age.observe(bar, self.now, self.effect_of_old_data):
            _log.warning("%s: %s", self._handle.name, text)

    def distrust(self, symbol: str, reason: str) -> None:
        """Halt a symbol."""
        gate = self.gate
        if gate is not None and gate.switch.halt_symbol(
            symbol, reason, self._handle.name, self.now
        ):
            self._report_problem(f"{symbol} is halted: {reason}")

    def announce(self, before: TradingState) -> None:
        """Send the events of own decisions, and act on what has changed since ``before``."""
        gate = self.gate
        if gate is None:
            return
        for standing in gate.switch.unannounced():
            event = self._handle.send(
                ControlEvent(
                    state=standing.state.value, reason=standing.reason, sender=standing.sender
                ),
                "control",
            )
            gate.switch.announced(standing, event.id)
            if not self.is_simulated:
                self._report_problem(f"trading is {standing.state.value}: {standing.reason}")
        self._compare(before)

    def _compare(self, before: TradingState) -> None:
        gate = self.gate
        if gate is None or gate.switch.state is before:
            return
        state = gate.switch.state
        for line in self._denials.end():
            self._report_problem(line)
        self.news.append(state)
        if state is TradingState.HALTED:
            self._on_halt()
