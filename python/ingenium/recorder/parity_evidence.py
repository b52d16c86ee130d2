"""What was recorded of a live run and its backtest beside signals, orders and fills."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from ingenium.backtest.app_settings import SettingChange
from ingenium.recorder.operator_acts import OperatorAct

__all__ = ["Denied", "Ending", "Evidence", "RecordingGap"]


@dataclass(frozen=True, slots=True)
class RecordingGap:
    """Events that are not in the recording.

    Attributes:
        time: Time of the first data after them, in nanoseconds since 1970.
        text: Which, and of which stream.
    """

    time: int
    text: str


@dataclass(frozen=True, slots=True)
class Denied:
    """An order that a risk limit stopped, or a signal that came too late.

    Attributes:
        symbol: Instrument.
        time: When: ``received`` of its event in the live run, the time of the data in a backtest.
        reason: Limit, as in the event.
        detail: What was compared.
    """

    symbol: str
    time: int
    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class Ending:
    """Last report on an order that is no fill.

    Attributes:
        update: Such as ``"expired"``.
        reason: Reason that the executor gave; empty without one.
    """

    update: str
    reason: str


@dataclass(frozen=True)
class Evidence:
    """What was recorded beside signals, orders and fills.

    Attributes:
        changes: Returns how settings and code have changed since the live run of a time, in
            nanoseconds since 1970 by the server's clock; ``None`` if that run did not record them.
        gaps: In the order of time.
        late: Times of the bars that arrived after a later bar of their symbol, by symbol, sorted.
        bars: Times of all bars by symbol, in order.
        received_at: Returns when the stream stored the bar of a symbol and a time; 0 if unknown.
        replaced: Executor of the live run, if the backtest has the paper exchange instead.
        live_denied: Denials of the live run, in order.
        backtest_denied: Denials of the backtest, in order.
        endings: Last reports on orders of the live run, by id.
        backtest_endings: The same of the backtest.
        arrivals: When orders of the live run reached the paper exchange, by id; empty for another
            executor.
        acts: What operators did while the app ran live, by its beginning.
        roles: Roles of the components by name.
        bar_starts: When the bars of the backtest's fills began, by symbol and time of the fill.
    """

    changes: Callable[[int], Sequence[SettingChange] | None] = lambda _time: []
    gaps: Sequence[RecordingGap] = ()
    late: Mapping[str, Sequence[int]] = field(default_factory=dict)
    bars: Mapping[str, Sequence[int]] = field(default_factory=dict)
    received_at: Callable[[str, int], int] = lambda _symbol, _time: 0
    replaced: str = ""
    live_denied: Sequence[Denied] = ()
    backtest_denied: Sequence[Denied] = ()
    endings: Mapping[str, Ending] = field(default_factory=dict)
    backtest_endings: Mapping[str, Ending] = field(default_factory=dict)
    arrivals: Mapping[str, int] = field(default_factory=dict)
    bar_starts: Mapping[tuple[str, int], int] = field(default_factory=dict)
    acts: Sequence[OperatorAct] = ()
    roles: Mapping[str, str] = field(default_factory=dict)
