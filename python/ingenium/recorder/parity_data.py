"""Prepare an app for the backtest of its live run: its data, executor and limits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from ingenium.brokers import PaperExecutor
from ingenium.components import App, Executor, External, Ingestor, check_handlers
from ingenium.components.handle_of import handle_of
from ingenium.errors import ConfigError
from ingenium.events import DataEvent
from ingenium.recorder.cut_history import CutHistory
from ingenium.recorder.instants import datetime_of
from ingenium.recorder.parity import TradingItem
from ingenium.recorder.recorded_data import RecordedIngestor, RecordedWindow
from ingenium.recorder.recorded_trading import RecordedTrading
from ingenium.recorder.trading_items import bar_item

__all__ = ["ParityData"]

_OWN = "own"
_Wanted = Callable[[DataEvent, int], bool]


class ParityData:
    """The data of a backtest that is compared with a live run.

    Args:
        place: Database of the live run.
        data: See `ParityOptions`.
        live: The live run.
        scope: Its scope in the database.
        until: Time after the last data, in nanoseconds since 1970.

    Attributes:
        bars: Bars of other data, as far as they have been read.
        replaced: Executor that the paper exchange replaces; empty if none.
        notes: What the user should know.
    """

    def __init__(
        self, place: str, data: str | None, live: RecordedTrading, scope: str, until: int
    ) -> None:
        self.bars: list[TradingItem] = []
        self.replaced = ""
        self.notes: list[str] = []
        self._place = place
        self._data = data
        self._clock = live.clock
        self._scope = scope
        self._end = min(until, live.clock.last + 1)

    def start(self, app: App) -> datetime | None:
        """Return when trading begins; ``None`` if there is no history before it."""
        if not app.warm_up and self._data is None:
            return None
        return datetime_of(self._clock.first)

    def prepare(self, app: App, *, is_live: bool) -> None:
        """Give an app the data, the paper exchange for a broker, and the limits of live running.

        Raises:
            ConfigError: The app has no history of its own, and is to be compared with it.
        """
        executor = app.executor
        is_at_broker = isinstance(executor, Executor) and handle_of(executor).works_at_broker
        if is_at_broker or (isinstance(executor, External) and not executor.reports):
            assert executor is not None  # noqa: S101 - has just been checked
            self.replaced = str(executor)
            app.use_executor(PaperExecutor(name=executor.name))
        app.use_ingestors(self._ingestors(app))
        if is_live:
            # On live data an app always has limits, also when it states none.
            app.limits_history = True
        check_handlers(app)

    def _ingestors(self, app: App) -> Sequence[Ingestor]:
        if self._data == _OWN:
            own = [each for each in app.ingestors if isinstance(each, Ingestor) and _reads(each)]
            found = own or list(app.warm_up)
            if not found:
                raise ConfigError(
                    f"app {app.name!r} has no history of its own to compare with: pass "
                    "App(warm_up=...), or name a database or an export"
                )
            return [CutHistory(each, self._compared()) for each in found]
        warm_up = [CutHistory(each, self._is_before) for each in app.warm_up]
        if self._data is None:
            window = RecordedWindow(self._place, self._scope, None, datetime_of(self._end + 999))
            return [RecordedIngestor(window), *warm_up]
        other = RecordedIngestor(RecordedWindow(self._data, self._scope))
        return [CutHistory(other, self._compared()), *warm_up]

    def _is_before(self, event: DataEvent, time: int) -> bool:
        """Whether an event is of the warm-up: before the first live data of its symbol."""
        return time < self._clock.first_of(event.symbol)

    def _compared(self) -> _Wanted:
        """Return a function that keeps events up to the last recorded one, and their bars."""

        def is_wanted(event: DataEvent, time: int) -> bool:
            if time >= self._end:
                return False
            bar = event.ohlc
            if bar is not None and time >= self._clock.first and self._clock.has(event.symbol):
                row = {
                    name: getattr(bar, name) for name in ("open", "high", "low", "close", "volume")
                }
                row |= {"symbol": event.symbol, "time": time, "received": 0}
                self.bars.append(bar_item(row | {"period": bar.period or ""}))
            return True

        return is_wanted


def _reads(ingestor: Ingestor) -> bool:
    return bool(handle_of(ingestor).historical)
