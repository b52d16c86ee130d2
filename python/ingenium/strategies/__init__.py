"""Ready strategies: to start with, and to read before writing one."""

from ingenium.strategies.rsi_strategy import RsiStrategy
from ingenium.strategies.sma_cross import SmaCross

__all__ = ["RsiStrategy", "SmaCross"]
