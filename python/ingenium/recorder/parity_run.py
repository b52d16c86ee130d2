"""Run the backtest of a recorded live run, and compare the two."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ingenium.backtest import BacktestResult, run
from ingenium.backtest.app_settings import SettingChange, app_settings, setting_changes
from ingenium.backtest.over_bus import OnLine
from ingenium.brokers import PaperExecutor
from ingenium.bus.nats.direct_reader import KeptMessage
from ingenium.components import load_app
from ingenium.errors import ConfigError
from ingenium.events import DataEvent
from ingenium.recorder.backtest_recording import digested_events
from ingenium.recorder.instants import nanoseconds
from ingenium.recorder.parity import TradingItem, compare
from ingenium.recorder.parity_causes import explain
from ingenium.recorder.parity_data import ParityData
from ingenium.recorder.parity_evidence import Denied, Ending, Evidence
from ingenium.recorder.parity_result import Parity, make_parity
from ingenium.recorder.recorded_trading import RecordedTrading, find_scope
from ingenium.recorder.schema import DENIALS, EXECUTIONS, ORDERS, SIGNALS, Rows
from ingenium.recorder.trading_items import ItemRow, endings_of, trading_items
from ingenium.recorder.trading_rows import TradingRows
from ingenium.recorder.typed_rows import TypedRows
from ingenium.runtime.replay import OnStep
from ingenium.subjects.names import event_type_of

__all__ = ["ParityOptions", "run_parity"]

_EARLIEST, _LATEST = -(2**63), 2**63 - 1


@dataclass(frozen=True, slots=True)
class ParityOptions:
    """What to compare.

    Attributes:
        place: Database of the live run.
        run_id: Id of a live run or of a recorded backtest; all that was recorded of the app live
            when ``None``.
        since: First time of the data to compare, aware; the backtest begins with the recording.
        until: Time after the last one.
        data: Data of the backtest: that of the recording when ``None``. ``"own"`` for the history
            of the app, a database, or the folder of an export: its bars are compared, too.
    """

    place: str
    run_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    data: str | None = None


def run_parity(
    target: str,
    options: ParityOptions,
    *,
    on_step: OnStep | None = None,
    on_line: OnLine | None = None,
) -> tuple[Parity, BacktestResult]:
    """Run the backtest of an app on the data of its live run, and compare both.

    The backtest begins with the first recorded data, after the warm-up of the app, so that it has
    the state of the live run where the comparison begins. It has the risk limits of live running.
    An executor at a broker, or a program that takes no part in replays, is replaced by the paper
    exchange.

    Args:
        target: Name of the app, as on a command line.
        options: What to compare.
        on_step: See `ingenium.backtest.run`.
        on_line: Likewise.

    Raises:
        BacktestError: The app cannot be backtested, or a component raised.
        ConfigError: The options do not fit the app.
        RecorderError: The recording cannot be read, or has no such data.
    """
    app = load_app(target)
    scope, began, ended = find_scope(options.place, app.name, options.run_id)
    is_paper = isinstance(app.executor, PaperExecutor)
    live = RecordedTrading(options.place, scope, is_paper=is_paper)
    since, until = _window(options, live, began, ended)
    settings = app_settings(app, target)
    source = ParityData(options.place, options.data, live, scope, until)
    trading = _BacktestRows()
    result = run(
        target,
        start=source.start(app),
        on_step=on_step,
        on_app=lambda loaded: source.prepare(loaded, is_live=scope == app.name),
        on_line=on_line,
        on_lines=trading.add,
    )

    def changes(moment: int) -> Sequence[SettingChange] | None:
        recorded = live.settings_at(moment)
        return None if recorded is None else setting_changes(recorded, settings)

    bars = live.bars_of(trading.executions)
    ours, others = list(live.items), trading.items(bars)
    if options.data is not None:
        ours += [bar for bar in live.bars() if bar.time < until]
        others += source.bars
    pairs = [pair for pair in compare(ours, others) if since <= pair.time < until]
    symbols = {pair.either.symbol for pair in pairs}
    evidence = Evidence(
        changes=changes,
        gaps=live.gaps,
        late={symbol: live.clock.late(symbol) for symbol in symbols},
        bars={symbol: live.clock.times(symbol) for symbol in symbols},
        received_at=live.clock.received,
        replaced=source.replaced,
        live_denied=live.denied,
        backtest_denied=trading.denied(),
        endings=live.endings,
        backtest_endings=trading.endings(),
        arrivals=live.arrivals if is_paper else {},
        acts=live.acts,
        roles={name: each["role"] for name, each in settings["components"].items()},
        bar_starts={key: begin for key, (begin, _) in bars.items()},
    )
    notes = [*source.notes, *(f"problem of the backtest: {each}" for each in result.problems)]
    notes += [f"gap: {each.text}" for each in live.gaps]
    if scope == app.name and not live.has_settings:
        notes.append("the live run did not record its settings and code, so they are not compared")
    last = live.settings_at(_LATEST)
    changed = [] if last is None else setting_changes(last, settings)
    parity = make_parity(
        app.name, pairs, explain(pairs, evidence), changed, notes, result.events_digest
    )
    return parity, result


def _window(
    options: ParityOptions, live: RecordedTrading, began: int, ended: int
) -> tuple[int, int]:
    since = _EARLIEST if options.since is None else nanoseconds(options.since)
    until = _LATEST if options.until is None else nanoseconds(options.until)
    if until <= since:
        raise ConfigError(f"until {options.until} is not after since {options.since}: swap them")
    if began:
        since = max(since, live.clock.after(began))
    if ended < _LATEST:
        until = min(until, live.clock.time_at(ended) + 1)
    return since, until


class _BacktestRows:
    """The typed rows of a backtest, in memory, without those of its bars."""

    def __init__(self) -> None:
        self._rows: Rows = {}
        self._typed = TypedRows(TradingRows("", {}, {}))
        self._count = 0

    def add(self, lines: bytes) -> None:
        for subject, payload in digested_events(lines):
            if event_type_of(subject) is not DataEvent:
                self._count += 1
                kept = KeptMessage(self._count, 0, subject, b"", payload)
                self._typed.add(self._rows, "", kept, with_event=False)

    def _of(self, table: Any) -> list[ItemRow]:
        columns = table.columns.keys()
        return [
            {"received": 0} | dict(zip(columns, row, strict=True))
            for row in self._rows.get(table.name, ())
        ]

    @property
    def executions(self) -> list[ItemRow]:
        return self._of(EXECUTIONS)

    def items(self, bars: Mapping[tuple[str, int], tuple[int, int]]) -> list[TradingItem]:
        def bar_of(row: ItemRow) -> int:
            return bars.get((row["symbol"], row["time"]), (0, row["time"]))[1]

        return trading_items(
            self._of(SIGNALS), self._of(ORDERS), self.executions, bar_of_fill=bar_of
        )

    def endings(self) -> dict[str, Ending]:
        return endings_of(self.executions)

    def denied(self) -> list[Denied]:
        return [
            Denied(row["symbol"], row["time"], row["reason"], row["detail"])
            for row in self._of(DENIALS)
        ]
