"""The ingestors that warm up a live app."""

from __future__ import annotations

from collections.abc import Sequence

from ingenium.components.handle_of import handle_of
from ingenium.components.ingestor import Ingestor
from ingenium.errors import ConfigError

__all__ = ["check_warm_up", "histories_of"]


def histories_of(warm_up: Ingestor | Sequence[Ingestor] | None) -> tuple[Ingestor, ...]:
    """Return the ingestors of an app's warm-up.

    Raises:
        ConfigError: One is no ingestor of history.
    """
    if warm_up is None:
        return ()
    if not isinstance(warm_up, Ingestor | list | tuple):
        raise ConfigError(
            f"warm_up is {warm_up!r}: pass a historical ingestor, or a list of them, such as "
            "CsvIngestor('history.csv')"
        )
    found = (warm_up,) if isinstance(warm_up, Ingestor) else tuple(warm_up)
    for ingestor in found:
        if not isinstance(ingestor, Ingestor):
            raise ConfigError(
                f"warm_up holds an object of type {type(ingestor).__name__}: pass historical "
                "ingestors, such as CsvIngestor('history.csv')"
            )
        if not handle_of(ingestor).historical:
            raise ConfigError(
                f"warm_up holds {ingestor.name!r}, which is a live ingestor: pass one that "
                "overrides read() or read_bars(), such as CsvIngestor('history.csv')"
            )
    return found


def check_warm_up(histories: Sequence[Ingestor], *, historical: bool, has_strategies: bool) -> None:
    """Check that an app has a use for its warm-up.

    Raises:
        ConfigError: It replays history, or has no strategies.
    """
    if not histories:
        return
    if historical:
        raise ConfigError(
            "app replays history, but warm_up is for live data: omit warm_up, and pass --start "
            "to a backtest so that the data before it is the warm-up"
        )
    if not has_strategies:
        raise ConfigError("app has a warm_up but no strategies: omit warm_up")
