"""Volume-weighted average price."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from datetime import date, datetime
from math import isfinite, nan
from typing import Any, ClassVar

from ingenium._native import mypyc_attr
from ingenium.errors import StateError
from ingenium.indicators._base import Indicator, Period, bad_input, check_period
from ingenium.indicators.sma import Sma

__all__ = ["RollingVwap", "Vwap"]


@mypyc_attr(allow_interpreted_subclasses=True)
class Vwap(Indicator):
    """Volume-weighted average price since a start: of the session, or of any event.

    ``sum(typical price * volume) / sum(volume)``, with the typical price ``(high + low + close) /
    3``. The average restarts when the ``session`` of an update differs from the last one, and on
    `reset`. Bars without volume do not change it.

    References:
        S. A. Berkowitz, D. E. Logue, E. A. Noser, "The Total Cost of Transactions on the NYSE", The
        Journal of Finance 43, 1988; StockCharts ChartSchool, "Volume-Weighted Average Price".
    """

    __slots__ = ("_money", "_session", "_volume")
    state_fields: ClassVar[tuple[str, ...]] = ("_money", "_volume")

    def __init__(self) -> None:
        super().__init__(1)
        self._money = 0.0
        self._volume = 0.0
        self._session: Hashable = None

    def state(self) -> dict[str, Any]:
        """Return the state for `restore`; see `Indicator.state`.

        Raises:
            StateError: The session is of a type that cannot be saved.
        """
        state = super().state()
        state["fields"]["session"] = _write_session(self._session)
        return state

    def restore(self, state: Any) -> None:
        """Restore the result of `state`; see `Indicator.restore`."""
        fields = state.get("fields") if isinstance(state, Mapping) else None
        if not isinstance(fields, Mapping):
            super().restore(state)  # raises the specific error
            return
        session = _read_session(fields.get("session"))
        rest = {name: value for name, value in fields.items() if name != "session"}
        super().restore({**state, "fields": rest})
        self._session = session

    def reset(self) -> None:
        """Restart with the next bar."""
        self._money = 0.0
        self._volume = 0.0
        self.value = nan

    def update(
        self, high: float, low: float, close: float, volume: float, session: Hashable = None
    ) -> float:
        """Add a bar.

        Args:
            high: Highest price.
            low: Lowest price.
            close: Last price.
            volume: Quantity traded, 0 or more.
            session: Key of the session, such as ``bar.start.date()``; without one, there is no
                restart.

        Returns:
            The average; ``nan`` until there has been volume.

        Raises:
            ValueError: A number is not finite, high is below low, or the volume is negative.
        """
        if not isfinite(high + low + close + volume) or high < low or volume < 0:
            raise bad_input(self, high=high, low=low, close=close, volume=volume)
        if session != self._session:
            self._session = session
            self.reset()
        if volume:
            self._money += (high + low + close) / 3.0 * volume
            self._volume += volume
            self.value = self._money / self._volume
        return self.value


@mypyc_attr(allow_interpreted_subclasses=True)
class RollingVwap(Indicator):
    """Volume-weighted average price of the last ``period`` bars; see `Vwap`.

    Args:
        period: Bars in the window.

    Raises:
        ConfigError: ``period`` is below 1.
    """

    __slots__ = ("_money", "_volume")
    state_fields: ClassVar[tuple[str, ...]] = ("_money", "_volume")

    def __init__(self, period: Period) -> None:
        period = check_period("RollingVwap", period)
        super().__init__(period)
        self._money = Sma(period)
        self._volume = Sma(period)

    def update(self, high: float, low: float, close: float, volume: float) -> float:
        """Add a bar.

        Returns:
            The average; ``nan`` until ``period`` bars were added, and for a window without volume.

        Raises:
            ValueError: A number is not finite, high is below low, or the volume is negative.
        """
        if not isfinite(high + low + close + volume) or high < low or volume < 0:
            raise bad_input(self, high=high, low=low, close=close, volume=volume)
        money = self._money.update((high + low + close) / 3.0 * volume)
        mean_volume = self._volume.update(volume)
        self.value = value = money / mean_volume if mean_volume else nan
        return value


def _write_session(session: Hashable) -> Any:
    if session is None or isinstance(session, str | int | float):
        return session
    if isinstance(session, datetime):
        return {"datetime": session.isoformat()}
    if isinstance(session, date):
        return {"date": session.isoformat()}
    if isinstance(session, tuple):
        return {"tuple": [_write_session(each) for each in session]}
    raise StateError(
        f"session {session!r} of Vwap cannot be saved: use a date, a text, a number, or a tuple of "
        "them"
    )


def _read_session(saved: Any) -> Hashable:
    if not isinstance(saved, Mapping):
        if saved is None or isinstance(saved, str | int | float):
            return saved
        raise StateError(f"saved session of Vwap is {saved!r}")
    try:
        [(kind, value)] = saved.items()
        if kind == "datetime":
            return datetime.fromisoformat(value)
        if kind == "date":
            return date.fromisoformat(value)
        if kind == "tuple":
            return tuple(_read_session(each) for each in value)
    except (TypeError, ValueError) as error:
        raise StateError(f"saved session of Vwap is {saved!r}: {error}") from error
    raise StateError(f"saved session of Vwap is {saved!r}")
