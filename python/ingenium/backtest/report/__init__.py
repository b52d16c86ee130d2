"""The report of a backtest: one self-contained HTML file."""

from ingenium.backtest.report.page import render
from ingenium.backtest.report.report_section import ReportSection

__all__ = ["ReportSection", "render"]
