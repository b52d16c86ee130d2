"""Runs an app over history in this process."""

from ingenium.backtest.engine import replay, replay_async

__all__ = ["replay", "replay_async"]
