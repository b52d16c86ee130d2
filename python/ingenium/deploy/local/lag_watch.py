"""Notices that a component is behind."""

from __future__ import annotations

from ingenium.components import Component

__all__ = ["BEHIND_SECONDS", "LagWatch"]

BEHIND_SECONDS = 2.0
"""From which age on of what it handles a component counts as behind."""


class LagWatch:
    """Says when a component is behind, and when it is no longer.

    A component that was down for a while is behind when it starts and has caught up a moment later,
    which is worth no word. So it must be behind at two looks, a second apart.

    Args:
        component: Which.
    """

    def __init__(self, component: Component) -> None:
        self._what = f"{component}"
        self._looks = 0
        self._said: float | None = None

    def observe(self, lag_seconds: float | None) -> str:
        """Look at how far behind it is; to be called once a second.

        Args:
            lag_seconds: Age of the oldest that it has not handled; ``None`` when not known.

        Returns:
            What a person should know; empty for nothing new. It is said once more whenever the lag
            has doubled.
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
