"""Holds a backtest against what backtesting.py says of the same bars and decisions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.matching import bars_of

from ingenium import Side
from ingenium.backtest import BacktestResult

__all__ = ["check_equal"]


def check_equal(result: BacktestResult, peer: dict[str, Any], path: Path) -> None:
    """Compare trade for trade, and the final equity to the cent."""
    bars = bars_of(path)
    assert len(result.trades) == len(peer["trades"])
    for number, (ours, theirs) in enumerate(zip(result.trades, peer["trades"], strict=True)):
        size, entry_bar, exit_bar, entry, exit_price, pnl, commission = theirs
        where = f"trade {number}: {ours}, {theirs}"
        assert (ours.quantity if ours.side is Side.BUY else -ours.quantity) == size, where
        # A fill at the open is stamped with the bar's start, one within the bar with its end.
        assert entry_bar in bars[ours.entry_time], where
        assert exit_bar in bars[ours.exit_time], where
        assert float(ours.entry_price) == pytest.approx(entry, rel=1e-12), where
        assert float(ours.exit_price) == pytest.approx(exit_price, rel=1e-12), where
        assert float(ours.net_pnl) == pytest.approx(pnl, abs=1e-6), where
        assert float(ours.commission) == pytest.approx(commission, abs=1e-6), where
    assert round(float(result.account.equity), 2) == round(peer["final_equity"], 2)
    stats = result.stats
    for name in ("total_return", "max_drawdown", "win_rate", "sqn"):
        assert getattr(stats, name) == pytest.approx(peer[name], rel=1e-6), name
