"""The state of trading and the overview of an app as messages."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal

from ingenium.clock import SystemClock
from ingenium.control._gen.ingenium.control.v1 import common_pb, trading_pb
from ingenium.control.component_messages import instant
from ingenium.control.money_messages import decimal_of, plain
from ingenium.operations.component_state import ComponentState, Liveness, Word
from ingenium.operations.halt_resume import SwitchResult
from ingenium.operations.live_rates import AppView
from ingenium.operations.status import GATED, NOTHING_RUNS, AppStatus

__all__ = ["overview_message", "switch_progress", "trading_report", "trading_state"]

LATE_SECONDS = 5.0
"""Lag, or age of an order without an answer, that is an alert."""

_STATES = {
    "active": common_pb.TradingState.ACTIVE,
    "reducing": common_pb.TradingState.REDUCING,
    "halted": common_pb.TradingState.HALTED,
    NOTHING_RUNS: common_pb.TradingState.NOT_RUNNING,
}
_DANGER, _WARNING, _INFO = (
    trading_pb.AlertLevel.DANGER,
    trading_pb.AlertLevel.WARNING,
    trading_pb.AlertLevel.INFO,
)


def trading_state(text: str) -> common_pb.TradingState:
    """Return the state that a text names; unspecified for one that is unknown."""
    return _STATES.get(text, common_pb.TradingState.UNSPECIFIED)


def trading_report(status: AppStatus) -> trading_pb.TradingStateReport:
    """Return the state of trading with its evidence."""
    word = _restriction(status)
    halted: dict[str, str] = {}
    for each in status.components:
        halted |= each.halted_symbols
    return trading_pb.TradingStateReport(
        app=status.app,
        state=trading_state(status.trading),
        why=status.why,
        reason=word.reason,
        sender=word.sender,
        changed_time=instant(word.time),
        components=[
            trading_pb.ComponentTrading(
                component=each.name,
                role=each.role,
                state=trading_state("" if each.trading is None else each.trading.state),
                reason="" if each.trading is None else each.trading.reason,
            )
            for each in status.components
            if each.role in GATED
        ],
        is_kill_file_set=status.kill_file is not None,
        halted_symbols=halted,
    )


def _restriction(status: AppStatus) -> Word:
    """Return who has restricted trading and why, as far as known."""
    if status.trading not in {"halted", "reducing"}:
        return Word("")
    for word in (status.kill_file, status.said):
        if word is not None and word.state == status.trading:
            return word
    words = (each.trading for each in status.components if each.trading is not None)
    return next((word for word in words if word.state == status.trading), Word(""))


def switch_progress(
    result: SwitchResult, confirmed_after: dict[str, float], elapsed: float, *, done: bool
) -> trading_pb.SwitchProgress:
    """Return how far a change of the state has come.

    Args:
        result: What is known.
        confirmed_after: Seconds until each component confirmed.
        elapsed: Seconds since the request.
        done: Whether nothing follows.
    """
    return trading_pb.SwitchProgress(
        state=trading_state(result.state.value),
        done=done,
        is_complete=done and result.is_complete,
        is_file_changed=result.file_changed,
        file_error=result.file_error,
        server_error=result.server_error,
        confirmed=[
            trading_pb.Confirmation(component=name, after_seconds=confirmed_after.get(name))
            for name in result.confirmed
        ],
        unconfirmed=[
            trading_pb.Confirmation(component=name, text=text)
            for name, text in result.unconfirmed.items()
        ],
        unheard=list(result.unheard),
        elapsed_seconds=elapsed,
    )


def overview_message(view: AppView, midnight_equity: Decimal | None) -> trading_pb.Overview:
    """Return whether an app is safe, and how it does.

    Args:
        view: The app as it is now.
        midnight_equity: Its equity at 00:00 UTC; ``None`` if unknown.
    """
    status, money = view.status, view.status.money
    today = money.today
    alive = sum(each.liveness is Liveness.ALIVE for each in status.components)
    lag, late_one = max(
        (
            (each.lag_seconds, each.name)
            for each in status.components
            if each.lag_seconds is not None
        ),
        default=(None, ""),
    )
    equity = decimal_of(money.equity)
    day = equity - midnight_equity if equity is not None and midnight_equity is not None else None
    unanswered = None
    if today is not None and today.unanswered_time is not None:
        unanswered = _age(today.unanswered_time)
    alerts = _alerts(view, unanswered)
    is_well = status.is_well and not any(each.level != _INFO for each in alerts)
    return trading_pb.Overview(
        app=status.app,
        trading=trading_state(status.trading),
        is_well=is_well,
        summary=_summary(status, alive, alerts),
        alerts=alerts,
        components_alive=alive,
        components_total=len(status.components),
        lag_seconds=lag,
        lag_component=late_one,
        oldest_unacknowledged_seconds=unanswered,
        oldest_unacknowledged_order_id="" if today is None else today.unanswered,
        equity=money.equity,
        day_pnl=None if day is None else plain(day),
        day_fills=None if today is None else today.fill_count,
        day_denials=None if today is None else today.denial_count,
        open_positions=money.open_positions,
        working_orders=money.working_count,
    )


def _age(time: datetime) -> float:
    return max(0.0, (SystemClock().now() - time.astimezone(UTC)).total_seconds())


def _summary(status: AppStatus, alive: int, alerts: list[trading_pb.Alert]) -> str:
    urgent = next((each for each in alerts if each.level != _INFO), None)
    if urgent is not None:
        return urgent.text
    if status.runs is False:
        return f"{status.app} does not run"
    return f"trading is {status.trading}, {alive} of {len(status.components)} components answer"


def _alerts(view: AppView, unanswered: float | None) -> list[trading_pb.Alert]:
    """Return what needs attention, the most urgent first."""
    status = view.status
    found = [alert for each in status.components for alert in _alerts_of(each)]
    found += _alerts_of_app(view, unanswered)
    found.sort(key=lambda each: -int(each.level))
    return found


def _alerts_of_app(view: AppView, unanswered: float | None) -> Iterator[trading_pb.Alert]:
    status = view.status
    if status.runs and status.trading == "halted":
        word = _restriction(status)
        text = ": ".join(filter(None, ("trading is halted", word.reason)))
        yield trading_pb.Alert(level=_WARNING, text=text, cure=f"ingenium resume {status.app}")
    elif status.runs and status.trading == "reducing":
        text = "only orders pass that reduce a position"
        yield trading_pb.Alert(level=_WARNING, text=text, cure=f"ingenium resume {status.app}")
    if status.runs and status.server_error:
        cure = f"ingenium doctor {status.app}"
        yield trading_pb.Alert(level=_DANGER, text=status.server_error, cure=cure)
    elif status.runs and view.error:
        yield trading_pb.Alert(level=_WARNING, text=view.error)
    if unanswered is not None and unanswered > LATE_SECONDS:
        today = status.money.today
        name = "" if today is None else today.unanswered
        text = f"order {name} has had no answer for {unanswered:.0f} s"
        yield trading_pb.Alert(level=_DANGER, text=text)
    versions = sorted({each.version for each in view.components if each.version})
    if len(versions) > 1:
        text = f"components are of {len(versions)} versions: {', '.join(versions)}"
        yield trading_pb.Alert(level=_WARNING, text=text)


def _alerts_of(state: ComponentState) -> Iterator[trading_pb.Alert]:
    def alert(level: trading_pb.AlertLevel, text: str) -> trading_pb.Alert:
        return trading_pb.Alert(level=level, text=text, component=state.name)

    if state.liveness in {Liveness.DEAD, Liveness.SILENT}:
        why = f": {state.why}" if state.why else ""
        yield alert(_DANGER, f"{state.name} is {state.liveness.value}{why}")
    if state.problem or state.error:
        yield alert(_WARNING, f"{state.name}: {state.problem or state.error}")
    if state.lag_seconds is not None and state.lag_seconds > LATE_SECONDS:
        yield alert(_WARNING, f"{state.name} is {state.lag_seconds:.0f} s late")
    for order in state.unknown_orders:
        yield alert(_DANGER, f"the state of order {order} at the broker is unknown")
    for symbol, reason in state.halted_symbols.items():
        yield alert(_WARNING, f"{symbol} is halted: {reason}")
    for symbol, reason in state.denied_exits.items():
        yield alert(_DANGER, f"the exit of {symbol} was denied: {reason}")
