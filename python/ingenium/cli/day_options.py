"""Options that are days or times."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Annotated

import typer

from ingenium.errors import ConfigError

__all__ = ["SinceOption", "UntilOption", "day", "time"]

SinceOption = Annotated[
    str | None,
    typer.Option("--since", metavar="TIME", help="Not before: a day, or a time; UTC if not said."),
]
UntilOption = Annotated[
    str | None, typer.Option("--until", metavar="TIME", help="Before: a day, or a time.")
]


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


def time(name: str, text: str | None) -> datetime | None:
    """Parse the time of an option, UTC if it has no zone; ``None`` when the option is omitted.

    Raises:
        ConfigError: The text is not a time.
    """
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigError(
            f"--{name} {text!r} is not a time: use 2024-01-31 or 2024-01-31T15:30:00Z"
        ) from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
