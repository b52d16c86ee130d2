"""Halts a live app without a server, by the kill file that its gates check."""

from __future__ import annotations

from collections.abc import Callable

from ingenium.clock import SystemClock
from ingenium.components import App
from ingenium.config import Settings
from ingenium.errors import StoreError
from ingenium.events import TradingState
from ingenium.runtime.durable.kill_file import KillFile, Restriction

__all__ = ["halt_by_file"]


def halt_by_file(
    app: App, settings: Settings, reason: str, sender: str, on_notice: Callable[[str], None]
) -> None:
    """Halt trading on this machine, for this run and later ones.

    Args:
        app: Which.
        settings: Settings with the data folder.
        reason: Reason of the halt.
        sender: Sender of the halt.
        on_notice: Receives the outcome: halted, or not halted and why.
    """
    file = KillFile.of(settings.data_directory / app.name)
    try:
        file.write(Restriction(TradingState.HALTED, reason, sender, SystemClock().now()))
    except StoreError as error:
        on_notice(f"TRADING IS NOT HALTED: {error}; it was to be, since {reason}")
    else:
        on_notice(
            f"TRADING IS HALTED on this machine, by {file.path}: {reason}; ingenium resume "
            f"{app.name} releases it"
        )
