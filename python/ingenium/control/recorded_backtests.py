"""Backtests that ``ingenium backtest --record`` has recorded, in the form of those started here."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from ingenium.backtest.formatting import figure_text
from ingenium.control.app_catalog import AppCatalog
from ingenium.control.control_run import DONE, FAILED, ControlRun
from ingenium.control.money_messages import plain
from ingenium.control.run_messages import MOST_ROWS
from ingenium.errors import RecorderError
from ingenium.recorder.instants import datetime_of
from ingenium.recorder.records import Records

__all__ = ["RecordedBacktests"]

_LISTED = 200
_POINTS = 2000
_NOT_FIGURES = frozenset({"complete", "failure", "problems", "limits", "start", "end", "benchmark"})


class RecordedBacktests:
    """Reads them from the recordings of apps.

    Args:
        catalog: Finds recordings.
    """

    def __init__(self, catalog: AppCatalog) -> None:
        self._catalog = catalog

    async def listed(self, app: str = "") -> list[ControlRun]:
        """Return recorded backtests, latest first: of an app, or of all."""
        found: list[ControlRun] = []
        seen: set[str] = set()
        # A name becomes a path, so only known ones are looked at.
        for name in self._catalog.names():
            if app not in {"", name} or not self._catalog.is_recorded(name):
                continue
            try:
                table = await self._catalog.read(
                    name,
                    lambda records, name=name: records.runs(  # type: ignore[misc]
                        name, kind="backtest", limit=_LISTED
                    ),
                )
            except RecorderError:
                continue
            # One database may have several apps.
            runs = [_run(row) for row in table if row["id"] not in seen]
            seen.update(run.id for run in runs)
            found += runs
        found.sort(key=lambda run: -run.created)
        return found[:_LISTED]

    async def find(self, run_id: str) -> ControlRun | None:
        """Return a recorded backtest; ``None`` if there is none of this id."""
        if not run_id.startswith("run_"):
            return None
        return next((run for run in await self.listed() if run.id == run_id), None)

    async def result(self, run: ControlRun) -> dict[str, Any] | None:
        """Return the result of a backtest as its process would write it; ``None`` if it failed."""
        if run.state != DONE:
            return None
        return await self._catalog.read(run.app, lambda records: _result(records, run))


def _run(row: Mapping[str, Any]) -> ControlRun:
    stats: Mapping[str, Any] = json.loads(row["stats"])
    inputs: Mapping[str, Any] = json.loads(row["parameters"])
    failure = stats.get("failure") or ("" if row["ended"] else "it ended before its figures")
    return ControlRun(
        id=row["id"],
        kind="backtest",
        app=row["app"],
        target=str(inputs.get("app", "")),
        start=str(inputs.get("start") or "")[:10],
        end=str(inputs.get("end") or "")[:10],
        user="ingenium backtest --record",
        created=row["started"],
        began=row["started"],
        ended=row["ended"] or row["started"],
        state=FAILED if failure else DONE,
        error=failure,
        summary={
            "events_digest": row["digest"],
            **{name: row[name] for name in ("total_return", "sharpe", "max_drawdown", "trades")},
        },
        is_recorded=True,
    )


def _result(records: Records, run: ControlRun) -> dict[str, Any]:
    from ingenium.recorder.equity_history import equity_history
    from ingenium.recorder.recorded_pages import RowFilter, count_fills
    from ingenium.recorder.recorded_trades import first_fills, trade_table

    [row] = [row for row in records.runs(run.app, kind="backtest") if row["id"] == run.id]
    stats: dict[str, Any] = json.loads(row["stats"])
    cash = Decimal(str(stats.get("starting_equity", 0)))
    fills, count, trades, equity = records.run(
        lambda connection: (
            first_fills(connection, run.id, MOST_ROWS),
            count_fills(connection, RowFilter(run.id)),
            trade_table(connection, run.id),
            equity_history(connection, run.id, cash, points=_POINTS, by_time=True),
        )
    )
    figures = {name: value for name, value in stats.items() if name not in _NOT_FIGURES}
    return {
        "events_digest": row["digest"],
        "stats": figures | {name: stats.get(name) for name in ("start", "end", "benchmark")},
        "figures": [
            (name.replace("_", " "), figure_text(name, value)) for name, value in figures.items()
        ],
        "equity": [[at.time, float(at.equity), at.drawdown or 0.0, None] for at in equity],
        "fills": [_fill(each) for each in fills],
        "fill_count": count,
        "trades": [_trade(each) for each in trades],
        "problems": stats.get("problems", []),
        "flattering": [],
        "policy": str(json.loads(row["parameters"]).get("policy") or ""),
        "report_bytes": 0,
    }


def _fill(row: Mapping[str, Any]) -> dict[str, str]:
    return {
        "time": _time(row["time"]),
        "symbol": row["symbol"],
        "side": row["side"],
        "quantity": plain(row["quantity"]),
        "price": plain(row["price"]),
        "commission": plain(row["commission"] or Decimal(0)),
        "order_id": row["order_id"],
    }


def _trade(row: Mapping[str, Any]) -> dict[str, str]:
    amounts = ("quantity", "entry_price", "exit_price", "pnl", "commission")
    return {
        "symbol": row["symbol"],
        "side": "long" if row["side"] == "buy" else "short",
        "entry_time": _time(row["entry_time"]),
        "exit_time": _time(row["time"]),
        **{name: plain(row[name] or Decimal(0)) for name in amounts},
    }


def _time(nanoseconds: int) -> str:
    return datetime_of(nanoseconds).isoformat()
