"""Options that are days."""

from __future__ import annotations

from datetime import date

from ingenium.errors import ConfigError

__all__ = ["day"]


def day(name: str, text: str | None) -> date | None:
    """Parse the day of an option; ``None`` when the option is omitted.

    Raises:
        ConfigError: The text is not a day.
    """
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ConfigError(f"--{name} {text!r} is not a day: write it as 2024-01-31") from None
