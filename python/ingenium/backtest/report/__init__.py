"""The report of a backtest: one self-contained HTML file."""

from ingenium.backtest.report.page import render

__all__ = ["render"]
