"""Backtests and sweeps as messages."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from ingenium.control._gen.ingenium.control.v1 import backtests_pb, common_pb, sweeps_pb
from ingenium.control.app_service import parameter_value
from ingenium.control.control_run import CANCELED, DONE, FAILED, QUEUED, RUNNING, ControlRun
from ingenium.recorder.instants import nanoseconds

__all__ = ["backtest_message", "fill_row", "report_message", "run_message", "sweep_message"]

MOST_ROWS = 5000
"""Fills, and trades, of a report."""

_STATES = {
    QUEUED: common_pb.RunState.QUEUED,
    RUNNING: common_pb.RunState.RUNNING,
    DONE: common_pb.RunState.DONE,
    FAILED: common_pb.RunState.FAILED,
    CANCELED: common_pb.RunState.CANCELED,
}


def run_message(run: ControlRun) -> backtests_pb.Backtest | sweeps_pb.Sweep:
    """Return a run as the message of its kind."""
    return backtest_message(run) if run.kind == "backtest" else sweep_message(run)


def backtest_message(run: ControlRun) -> backtests_pb.Backtest:
    """Return a backtest."""
    progress, summary = run.progress, run.summary
    return backtests_pb.Backtest(
        id=run.id,
        app=run.app,
        state=_STATES[run.state],
        parameters={name: parameter_value(value) for name, value in run.parameters.items()},
        start_day=run.start,
        end_day=run.end,
        started_by=run.user,
        created_time=run.created,
        ended_time=run.ended or None,
        steps=progress.get("steps", 0),
        bars=progress.get("bars", 0),
        total_bars=progress.get("total"),
        data_time=progress.get("time"),
        remaining_seconds=_remaining(run),
        error=run.error,
        events_digest=summary.get("events_digest", ""),
        same_as=run.same_as,
        total_return=summary.get("total_return"),
        sharpe=summary.get("sharpe"),
        max_drawdown=summary.get("max_drawdown"),
        trades=summary.get("trades"),
        is_recorded=run.is_recorded,
    )


def _remaining(run: ControlRun) -> float | None:
    bars, total = run.progress.get("bars"), run.progress.get("total")
    if run.state != RUNNING or not bars or not total:
        return None
    return float((time.time_ns() - run.began) / 1e9 * max(0, total - bars) / bars)


def sweep_message(run: ControlRun) -> sweeps_pb.Sweep:
    """Return a sweep."""
    return sweeps_pb.Sweep(
        id=run.id,
        app=run.app,
        state=_STATES[run.state],
        parameters=run.varied,
        rank_by=run.rank_by,
        done=run.progress.get("done", 0),
        total=run.progress.get("total", len(run.points)),
        started_by=run.user,
        created_time=run.created,
        ended_time=run.ended or None,
        error=run.error,
        deflated_sharpe=run.summary.get("deflated_sharpe"),
        workers=run.workers,
        walk_forward=(
            sweeps_pb.WalkForwardOptions(**run.walk_forward) if run.walk_forward else None
        ),
        folds_done=run.progress.get("folds", 0),
    )


def report_message(result: Mapping[str, Any]) -> backtests_pb.BacktestReport:
    """Return the result of a backtest, as its process has written it."""
    stats: Mapping[str, Any] = result["stats"]
    return backtests_pb.BacktestReport(
        figures=[
            backtests_pb.Figure(name=_name_of(label, stats), label=label, text=text)
            for label, text in result["figures"]
        ],
        equity=[
            backtests_pb.BacktestPoint(time=at, equity=equity, drawdown=fall, benchmark=held)
            for at, equity, fall, held in result["equity"]
        ],
        fills=[fill_row(each) for each in result["fills"][:MOST_ROWS]],
        fill_count=result.get("fill_count", len(result["fills"])),
        trades=_trades(result["trades"][:MOST_ROWS]),
        trade_count=len(result["trades"]),
        problems=[*result["problems"], *result["flattering"]],
        policy=result["policy"],
        report_bytes=result["report_bytes"],
    )


def _name_of(label: str, stats: Mapping[str, Any]) -> str:
    """Return the name of the figure that a label begins with."""
    name = label.partition(",")[0].lower().replace(" ", "_")
    return name if name in stats else name.replace("holding_", "benchmark_")


def fill_row(row: Mapping[str, Any]) -> backtests_pb.BacktestFill:
    """Return a fill of a backtest."""
    return backtests_pb.BacktestFill(
        time=_instant(row["time"]),
        symbol=row["symbol"],
        side=row["side"],
        quantity=row["quantity"],
        price=row["price"],
        commission=row["commission"],
        order_id=row["order_id"],
    )


def _trades(rows: Sequence[Mapping[str, Any]]) -> list[backtests_pb.BacktestTrade]:
    return [
        backtests_pb.BacktestTrade(
            symbol=row["symbol"],
            side=row["side"],
            quantity=row["quantity"],
            entry_time=_instant(row["entry_time"]),
            exit_time=_instant(row["exit_time"]),
            entry_price=row["entry_price"],
            exit_price=row["exit_price"],
            pnl=row["pnl"],
            commission=row["commission"],
        )
        for row in rows
    ]


def _instant(text: str) -> int:
    return nanoseconds(datetime.fromisoformat(text))
