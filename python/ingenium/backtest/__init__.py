"""Runs an app over its history in this process, and says what came out."""

from ingenium.backtest.curve import EquityCurve
from ingenium.backtest.engine import replay, replay_async
from ingenium.backtest.harsher import HARSHER
from ingenium.backtest.lookahead import Lookahead, check_lookahead
from ingenium.backtest.manifest import DataFile, Manifest
from ingenium.backtest.result import BacktestResult
from ingenium.backtest.run import run, run_async
from ingenium.backtest.summary import Statistics

__all__ = [
    "HARSHER",
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
