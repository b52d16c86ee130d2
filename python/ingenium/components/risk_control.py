"""Holds the orders of a component against its risk gate, and carries the state of trading."""

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
from ingenium.trading.bar import Bar
from ingenium.trading.order import Order

__all__ = ["RiskControl", "RiskHandlers"]

_log = logging.getLogger("ingenium.risk")


KillSwitch = Callable[[], tuple[TradingState, str] | None]
KILL_SWITCH = "kill switch"
"""Source of a restriction that comes from outside, such as a file."""


def _ignore(_event: DenialEvent) -> Handled:
    return None


class RiskHandlers(Protocol):
    """What a component does with what its risk gate decides."""

    def on_trading_state(self, state: TradingState) -> Handled:
        """Handle that trading has become active, reducing or halted."""
        ...


class RiskControl:
    """The risk gate of a portfolio or executor, and what follows from its decisions.

    Without a gate, none of this does anything.

    Args:
        handle: Of the component: sends what is decided.
        view: Returns the account as the gate is to see it.
        report_problem: Tells people about something that is wrong.
        handlers: Of the component.
    """

    def __init__(
        self,
        handle: ComponentHandle,
        view: Callable[[], AccountView],
        report_problem: Callable[[str], None],
        handlers: RiskHandlers,
    ) -> None:
        self.gate: RiskGate | None = None
        """Holds orders against limits; `arm` sets it before the first event."""
        self.news: list[DenialEvent | TradingState] = []
        """What handlers have still to be called for; see `share_news`."""
        self.on_alarm: Callable[[str], None] | None = None
        """Told of what a person must look at now, such as an exit that was denied; set by who runs
        the component. Without it, that is a line of the log only."""
        self.alarm_log: Callable[[str], None] | None = None
        """Takes each alarm as well, for a component that keeps them."""
        self.kill_switch: KillSwitch | None = None
        """Says how far something outside restricts trading, and why; ``None`` for not at all."""
        self.data_age: DataAge | None = None
        """Notices bars that are history; `arm` sets it where this component reports them."""
        self.effect_of_old_data = "orders are worked at the prices of today"
        """What becomes of orders when the bars of a live app are history, in words."""
        self._handle = handle
        self._view = view
        self._report_problem = report_problem
        self._handlers = handlers
        self._on_denied: Callable[[DenialEvent], Handled] = _ignore
        # Each denial is an event, so that the log need not have a line of each.
        self._denials = LogThrottle()
        self.is_simulated = False
        """Whether this is a backtest or replay, whose result counts the denials; `arm` sets it."""
        # Not yet asked: what a life before saw may be gone.
        self._seen_outside: tuple[TradingState, str] | str | None = "nothing"

    @property
    def now(self) -> datetime:
        """The present time, UTC."""
        return self._handle.now

    def handle_control(self, event: ControlEvent) -> None:
        """Take note of what an operator or another component says about trading."""
        gate = self.gate
        if gate is None:
            return
        # A file that is gone must not outlive the word that releases.
        self.check_outside()
        before = gate.switch.state
        if not gate.switch.apply(event):
            self._report_problem(
                f"control event {event.id!r} of {event.sender!r} says {event.state!r}, which only "
                "an operator may: send it as person@machine"
            )
        elif gate.switch.state is TradingState.ACTIVE:
            # An operator has looked.
            gate.denied_exits.clear()
        self._compare(before)

    def halt(self, reason: str) -> None:
        """Halt all trading by this component's own decision, and say so to the others.

        Args:
            reason: What has been seen that must not be, in words.
        """
        if self.gate is not None:
            before = self.gate.switch.state
            self.gate.switch.decide(TradingState.HALTED, reason, self._handle.name, self.now)
            self.announce(before)

    def check_outside(self) -> None:
        """Ask `kill_switch`; called before each order, word about trading and piece of data."""
        ask = self.kill_switch
        if ask is not None and (found := ask()) != self._seen_outside:
            self._seen_outside = found
            state, reason = found or (TradingState.ACTIVE, None)
            self.hold(KILL_SWITCH, reason, state)

    def hold(
        self, source: str, reason: str | None, state: TradingState = TradingState.HALTED
    ) -> None:
        """Restrict trading as long as something is there, such as the file of a kill switch.

        Args:
            source: What it is, such as the file's name.
            reason: Why, in words; ``None`` when it is gone. Trading stays restricted until an
                operator says otherwise.
            state: How far.
        """
        if self.gate is None:
            return
        switch = self.gate.switch
        before = switch.state
        if reason is None:
            switch.let_go(source)
        else:
            # What is seen here only is said to the others, too.
            switch.decide(state, f"{source}: {reason}", self._handle.name, self.now)
            switch.hold(source, state, reason, self.now)
        self.announce(before)

    async def share_news(self) -> None:
        """Call `on_denied` and `on_trading_state` for what has happened.

        They are not called for a denial of what they send themselves, which could repeat without
        end.
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
        """Tell people about something that they must look at now."""
        if self.alarm_log is not None:
            self.alarm_log(text)
        if self.on_alarm is None:
            _log.error("%s: %s", self._handle.name, text)
        else:
            self.on_alarm(f"{self._handle.role} {self._handle.name!r}: {text}")

    def _on_halt(self) -> None:
        """Do at once what has to be done when trading is halted."""

    def retract(self) -> None:
        """Forget what handlers have still to be called for; own decisions stay in force."""
        self.news.clear()
        if self.gate is not None:
            for event in self._handle.outbox or ():
                if isinstance(event, ControlEvent):
                    self.gate.switch.retracted(event.id)

    def check(
        self, order: Order, old: Order | None = None, *, protective: bool = False
    ) -> Denial | None:
        """Hold an order, or what is to take the place of an old one, against the gate.

        To be followed by `announce`, since the gate may have decided something.
        """
        gate = self.gate
        if gate is None:
            return None
        if old is None:
            return gate.check(order, self._view(), self.now)
        return gate.check_replace(old, order, self._view(), self.now, protective=protective)

    def note_denied_exit(self, order: Order, reason: str, detail: str) -> str:
        """Raise the alarm that an exit does not leave.

        Returns:
            What was denied, and why, in words.
        """
        text = f"{exit_note(order, self._view())}: {detail}"
        self.raise_exit_alarm(order.symbol, reason, text)
        return text

    def raise_exit_alarm(self, symbol: str, reason: str, text: str) -> None:
        """Raise the alarm that an exit of a symbol does not leave."""
        if self.is_simulated:
            return
        if self.gate is not None:
            self.gate.note_denied_exit(symbol, reason, text, self.now)
        # By symbol, so that a loop in one of them hides no exit of another.
        for line in self._denials.note(f"exit {reason} {symbol}", text, self.now):
            self.report_alarm(line)

    def report_denial(self, reason: DenialReason, text: str) -> None:
        """Tell people that something was denied; of many, the first ones and how many more."""
        if self.is_simulated:
            return
        for line in self._denials.note(reason.value, text, self.now):
            self._report_problem(line)

    def look(self, event: DataEvent) -> None:
        """Show the gate an event of market data whose price is noted already."""
        self.check_outside()
        if self._denials:
            for line in self._denials.due(self.now):
                self._report_problem(line)
        gate = self.gate
        if gate is None:
            return
        if self.data_age is not None and not self.data_age.knows(event.symbol):
            self._look_at_age(self.data_age, event)
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

    def _look_at_age(self, data_age: DataAge, event: DataEvent) -> None:
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
