"""Detects components that lag behind."""

from __future__ import annotations

from ingenium.components import Component

__all__ = ["BEHIND_SECONDS", "LagWatch"]

BEHIND_SECONDS = 2.0
"""Age of the oldest unhandled event above which a component is behind."""


class LagWatch:
    """Reports when a component falls behind and when it has caught up.

    A restarted component is behind for a moment, which is not worth a report. A component must
    therefore be behind in two observations, one second apart.

    Args:
        component: Which.
    """

    def __init__(self, component: Component) -> None:
        self._what = f"{component}"
        self._looks = 0
        self._said: float | None = None

    def observe(self, lag_seconds: float | None) -> str:
        """Observe the lag; call once per second.

        Args:
            lag_seconds: Age of the oldest unhandled event; ``None`` if unknown.

        Returns:
            A notice, or an empty text. The notice is repeated whenever the lag has doubled.
        """
        lag = lag_seconds or 0.0
        if lag < BEHIND_SECONDS:
            self._looks = 0
            if self._said is None:
                return ""
            self._said = None
            return f"{self._what} has caught up"
        self._looks += 1
        if self._looks < 2 or (self._said is not None and lag < 2 * self._said):
            return ""
        self._said = lag
        return (
            f"{self._what} is {lag:.0f} s behind: it handles what came {lag:.0f} s ago, and "
            "what is older than 30 s makes no order"
        )
