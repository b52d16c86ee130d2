"""The report of a backtest: one HTML file that needs nothing else."""

from ingenium.backtest.report.page import render

__all__ = ["render"]
