"""Runs one backtest, sweep or comparison in a process of its own.

It is started as ``python -m ingenium.control.job_process``. The job comes as JSON on standard
input, progress goes to standard output as lines of JSON, and the result into a file of the job's
folder. The job names its app by the target that the server was started with, never by anything that
a caller has sent.
"""

from __future__ import annotations

import json
import os
import resource
import sys
from collections.abc import Callable, Mapping
from datetime import date, datetime
from math import isfinite
from pathlib import Path
from time import monotonic
from typing import Any

from ingenium.backtest import BacktestResult, run
from ingenium.backtest.formatting import figures
from ingenium.backtest.statistics import underwater
from ingenium.backtest.sweep.sweep import Sweep, SweepRun, luck
from ingenium.components import load_app, load_factory
from ingenium.control.walk_forward_job import finite_figures, run_walk_forward
from ingenium.errors import IngeniumError
from ingenium.private_files import replace_private

__all__ = ["main"]

_EVERY_SECONDS = 0.1
_POINTS = 2000
_GIB = 1024**3
_LIMITS = (
    (resource.RLIMIT_CPU, 3600),
    (resource.RLIMIT_DATA, 4 * _GIB),
    (resource.RLIMIT_FSIZE, _GIB),
    (resource.RLIMIT_NOFILE, 1024),
    (resource.RLIMIT_CORE, 0),
)
Say = Callable[[Mapping[str, Any]], None]


def main() -> int:
    """Run the job of standard input; return the exit code."""
    for kind, most in _LIMITS:
        _, hard = resource.getrlimit(kind)
        limit = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (limit, limit))
    os.nice(10)
    job = json.load(sys.stdin)
    # What the user's code prints must not be read as progress.
    pipe = os.fdopen(os.dup(1), "w", buffering=1, encoding="utf-8")
    os.dup2(2, 1)

    def say(line: Mapping[str, Any]) -> None:
        pipe.write(f"{json.dumps(line)}\n")

    folder = Path(job["folder"]).resolve()
    try:
        result = _WORK[job["kind"]](job, folder, say)
    except IngeniumError as error:
        say({"error": str(error)})
        return 1
    except Exception as error:  # noqa: BLE001 - the user's code may raise anything
        say({"error": f"{type(error).__name__}: {error}"})
        return 1
    replace_private(folder / "result.json", json.dumps(result).encode())
    return 0


def _day(text: str) -> date | None:
    return date.fromisoformat(text) if text else None


def _backtest(job: Mapping[str, Any], folder: Path, say: Say) -> dict[str, Any]:
    said = 0.0

    def on_step(step: int, time: datetime, bars: int, of: int | None) -> None:
        nonlocal said
        now = monotonic()
        if now - said >= _EVERY_SECONDS:
            said = now
            stamp = int(time.timestamp() * 1e9)
            say({"steps": step, "bars": bars, "total": of, "time": stamp})

    values = job["parameters"]
    if values:
        factory = load_factory(job["target"], values)
        source: Any = lambda: factory(**values)  # noqa: E731
    else:
        source = lambda: load_app(job["target"])  # noqa: E731
    result = run(source, start=_day(job["start"]), end=_day(job["end"]), on_step=on_step)
    if result.hopeless:
        raise IngeniumError(f"nothing could come of this run: {result.hopeless}")
    report = result.report(folder / "report.html", stressed=False)
    answer = result.to_json()
    answer["figures"] = figures(result.stats, result.equity.zone)
    answer["equity"] = _equity(result)
    answer["steps"] = len(result.equity)
    answer["bars"] = result.replay.data
    answer["report_bytes"] = report.stat().st_size
    return answer


def _equity(result: BacktestResult) -> list[list[Any]]:
    """Return time, equity, drawdown and benchmark of at most 2000 points."""
    curve = result.equity
    count = len(curve)
    stamps, equity, prices = curve.timestamps, curve.equity, list(curve.benchmark)
    first = next((price for price in prices if isfinite(price) and price > 0), None)
    scale = None if first is None else curve.starting_equity / first
    most = min(count, _POINTS)
    wanted = sorted({round(each * (count - 1) / max(1, most - 1)) for each in range(most)})
    falls = underwater([curve.starting_equity, *equity])[1:]
    found: list[list[Any]] = []
    for place in wanted:
        price = prices[place] if place < len(prices) else float("nan")
        held = scale * price if scale is not None and isfinite(price) else None
        found.append([int(stamps[place] * 1e9), equity[place], falls[place], held])
    return found


def _sweep(job: Mapping[str, Any], folder: Path, say: Say) -> dict[str, Any]:
    if job["walk_forward"]:
        return run_walk_forward(job, folder, say)
    start, end = _day(job["start"]), _day(job["end"])
    sweep = Sweep(job["target"], job["points"], folder, start=start, end=end)
    said = 0

    def on_run(done: int, of: int) -> None:
        nonlocal said
        say({"done": done, "total": of})
        runs = sweep.done()
        if len(runs) > said:
            said = len(runs)
            _write_cells(folder, runs)

    runs = sweep.run(workers=job["workers"], on_run=on_run)
    _write_cells(folder, runs)
    scored = [(score, -at) for at, each in enumerate(runs) if (score := each.score("sharpe"))]
    is_by_sharpe = job["rank_by"] == "sharpe" and bool(scored)
    return {"deflated_sharpe": luck(runs, runs[-max(scored)[1]]) if is_by_sharpe else None}


def _write_cells(folder: Path, runs: list[SweepRun]) -> None:
    rows = [
        {
            "point": dict(each.point),
            "figures": finite_figures(each),
            "error": each.error,
            "digest": each.events_digest,
        }
        for each in runs
    ]
    replace_private(folder / "cells.json", json.dumps(rows).encode())


def _parity(job: Mapping[str, Any], _folder: Path, _say: Say) -> dict[str, Any]:
    from ingenium.recorder.parity_run import ParityOptions, run_parity

    options = ParityOptions(job["place"], job["run_id"] or None)
    found, _ = run_parity(job["target"], options)
    return found.to_json()


_WORK = {"backtest": _backtest, "parity": _parity, "sweep": _sweep}


if __name__ == "__main__":
    sys.exit(main())
