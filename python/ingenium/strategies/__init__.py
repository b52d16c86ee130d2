"""Built-in strategies, for a quick start and as examples."""

from ingenium.strategies.rsi_strategy import RsiStrategy
from ingenium.strategies.sma_cross import SmaCross

__all__ = ["RsiStrategy", "SmaCross"]
