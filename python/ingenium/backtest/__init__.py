"""Backtest an app over its history in this process."""

from ingenium.backtest.engine import replay, replay_async
from ingenium.backtest.equity_curve import EquityCurve
from ingenium.backtest.lookahead import Lookahead, check_lookahead
from ingenium.backtest.manifest import DataFile, Manifest
from ingenium.backtest.result import BacktestResult
from ingenium.backtest.run import run, run_async
from ingenium.backtest.stats import Statistics
from ingenium.backtest.stress import STRESS

__all__ = [
    "STRESS",
    "BacktestResult",
    "DataFile",
    "EquityCurve",
    "Lookahead",
    "Manifest",
    "Statistics",
    "check_lookahead",
    "replay",
    "replay_async",
    "run",
    "run_async",
]
