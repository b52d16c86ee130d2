"""Days on the command line."""

from __future__ import annotations

from datetime import date

from ingenium.errors import ConfigError

__all__ = ["day"]


def day(name: str, text: str | None) -> date | None:
    """Return a day that an option names; ``None`` when it is left out.

    Raises:
        ConfigError: It is no day.
    """
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ConfigError(f"--{name} {text!r} is no day: write it as 2024-01-31") from None
